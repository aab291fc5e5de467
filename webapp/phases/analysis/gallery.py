"""The photos laid beside the client's reference photos: which of the known products they show."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from webapp.lib.image_errors import ImageError
from webapp.lib.images import upright
from webapp.phases.analysis import likeness
from webapp.phases.analysis.likeness import Overlay, View
from webapp.phases.analysis.pictures import Pixels
from webapp.phases.facts import Box, Record, Reference

REFERENCES = 96
"""So many reference photos are looked at: of the records that fit the words first, then the newest."""
CLOSE_LOOKS = 6
"""So many, those with most marks in common, are compared cell by cell."""
KEPT = 128
"""Reference views that a process keeps ready (about 0.6 MB each), so that each is made once for many products."""


@dataclass(frozen=True)
class Resemblance:
    """A reference photo that shows the same package, by what was seen: `chance` 0..1, and where on which photo.
    `among`: how many known products' photos were looked at."""

    record: Record
    reference_photo_id: str
    photo_id: str
    box: Box
    chance: float
    marks: int
    among: int


def resemblances(
    photos: Sequence[tuple[str, Pixels]], records: Sequence[Record], reference: Reference
) -> list[Resemblance]:
    """For each known product whose photo resembles one of `photos` (by id), the best resemblance, the likeliest first.
    The photos are `small` ones; `records`: those that are already thought of."""
    references = reference.photos(records, REFERENCES) if photos else ()
    if not references:
        return []
    views = [(photo_id, likeness.view_of(small)) for photo_id, small in photos]
    among = len({(known.record.source, known.record.id) for known in references})
    found: list[tuple[Overlay, View, View, Resemblance]] = []
    for known in references:
        view = _view(known.photo_id, reference)
        for photo_id, photo in views if view else ():
            if view and (laid := likeness.overlay(photo, view)):
                told = Resemblance(known.record, known.photo_id, photo_id, laid.box, 0.0, laid.inliers, among)
                found.append((laid, photo, view, told))
    found.sort(key=lambda entry: (-entry[0].inliers, entry[3].reference_photo_id))
    best: dict[tuple[str, str], Resemblance] = {}
    for laid, photo, view, told in found[:CLOSE_LOOKS]:
        chance = likeness.chance(likeness.compare(photo, view, laid))
        key = told.record.source, told.record.id
        if key not in best or best[key].chance < chance:
            best[key] = replace(told, chance=round(chance, 3))
    return sorted(best.values(), key=lambda entry: -entry.chance)


_views: OrderedDict[str, View] = OrderedDict()


def _view(photo_id: str, reference: Reference) -> View | None:
    if photo_id not in _views:
        data = reference.photo(photo_id)
        if data is None:
            return None
        try:
            _views[photo_id] = likeness.view_of(upright(data, 2 * likeness.SIDE), reference=True)
        except ImageError:
            return None
        while len(_views) > KEPT:
            _views.popitem(last=False)
    _views.move_to_end(photo_id)
    return _views[photo_id]
