"""What only reading tells of photos: that a label goes on beyond the edge, that bars are missing or cannot be read."""

from collections.abc import Sequence

from webapp.phases.facts import Box, PhotoQuality, TextLine
from webapp.phases.quality import also

EDGE = 0.004
"""How near to the photo's edge text counts as cut off, as a fraction of its side."""
MAIN, LEAST_HEIGHT, LEAST_LETTERS, LEAST_CONFIDENCE = 0.7, 0.02, 4, 70
"""A line belongs to the label that was meant if it is so high in comparison with the highest, and so high in comparison
with the photo; what has fewer letters, or was read less surely, may be anything."""


def framed(
    qualities: Sequence[PhotoQuality],
    lines: Sequence[TextLine],
    *,
    bars_on: Sequence[str],
    has_codes: bool,
    expects_barcode: bool,
) -> tuple[PhotoQuality, ...]:
    """The qualities with what reading added. `bars_on`: photos on which bars were seen; `has_codes`: some were read.

    A missing barcode is told once, at the best photo of which nothing else is to be said: it is the item that has to be
    turned, not that photo's fault.
    """
    found = {quality.photo_id: quality for quality in qualities}
    for quality in qualities:
        if is_cut_off([line for line in lines if line.photo_id == quality.photo_id]):
            found[quality.photo_id] = also(quality, "cut_off")
    if expects_barcode and not has_codes and found:
        unread = [photo_id for photo_id in bars_on if photo_id in found]
        best = max(found.values(), key=lambda each: (not each.says, each.score))
        which = unread[0] if unread else best.photo_id
        found[which] = also(found[which], "bars_unread" if unread else "no_barcode")
    return tuple(found.values())


def is_cut_off(lines: Sequence[TextLine]) -> bool:
    """Whether one of the main lines of a photo's text runs into its edge."""
    sure = [
        line
        for line in lines
        if line.confidence >= LEAST_CONFIDENCE and sum(map(str.isalnum, line.text)) >= LEAST_LETTERS
    ]
    highest = max((_height(line.box) for line in sure), default=0.0)
    return any(_height(line.box) >= max(MAIN * highest, LEAST_HEIGHT) and _touches_edge(line.box) for line in sure)


def _height(box: Box) -> float:
    """The height of a line, whichever way it runs."""
    return min(box.width, box.height)


def _touches_edge(box: Box) -> bool:
    return min(box.left, box.top, 1 - box.left - box.width, 1 - box.top - box.height) <= EDGE
