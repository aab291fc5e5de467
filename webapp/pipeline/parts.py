"""The parts of screens as HTML, the same bytes for page, htmx answer and socket. What was made from the same things is
not made again: a row from the same card, a panel from the same findings, a line of the log ever.

`oob` is what htmx needs to find a part's place when it comes by itself; pages leave it out.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import current_app
from markupsafe import Markup
from sqlalchemy.orm import Session

from webapp.lib.kept import Kept
from webapp.phases.matching.judging import SAME
from webapp.pipeline import findings, price_history, subjects, verdicts
from webapp.pipeline.cards import PhaseCard, RunCard
from webapp.pipeline.log import EventLine
from webapp.pipeline.models import PhaseName
from webapp.pipeline.subjects import PhotoCard
from webapp.together import read_together

REPLACE = "true"
Oob = str | bool | None

kept = Kept("parts of screens", most=16_000_000)


def _made(template: str, **values: Any) -> str:
    # Not flask.render_template: parts know no request, and what it adds for each costs as much as a small part.
    return current_app.jinja_env.get_template(f"pipeline/{template}").render(values)


def _part(name: tuple[object, ...], inputs: object, template: str, **values: Any) -> Markup:
    key = (*name, values.get("oob"))
    return Markup(kept.get(key, inputs, lambda: _made(template, **values)))  # noqa: S704 - escaped by the template


def row(card: RunCard, oob: Oob = None) -> Markup:
    """A product on the desk."""
    return _part(("row", card.id), card, "_row.html", run=card, oob=oob)


def head(card: RunCard, oob: Oob = None) -> Markup:
    """A run and its four phases."""
    return _part(("head", card.id), card, "_run.html", run=card, oob=oob)


def phase(card: RunCard, which: PhaseCard, oob: Oob = None) -> str:
    """One phase in the run's head."""
    current = next((each for each in card.phases if each.state != "done"), None)
    return _made("_phase.html", run=card, phase=which, current=current, oob=oob)


def title(card: RunCard, oob: Oob = None) -> str:
    """What the product is called."""
    return _made("_title.html", run=card, oob=oob)


def line(run_id: UUID, event: EventLine, oob: Oob = None) -> Markup:
    """One line of the log."""
    return _part(("line", run_id, event.seq), None, "_event.html", run={"id": run_id}, event=event, oob=oob)


class Found:
    """What a run's phases found, as panels and photos. The findings themselves are read only if one of them is new."""

    def __init__(
        self,
        session: Session,
        card: RunCard,
        photos: Sequence[PhotoCard],
        versions: Mapping[str, datetime | None],
        said: Mapping[str, verdicts.Said],
    ) -> None:
        self._session = session
        self._card = card
        self._photos = tuple(photos)
        self._versions = versions
        # An earlier run knows nothing of what was said since, and what is said there would not be seen to count.
        self._said = said if card.is_latest else None
        self._read: dict[str, Any] | None = None

    def panel(self, which: PhaseCard, oob: Oob = None) -> Markup:
        """What one phase found, or why there is nothing yet."""
        card, version = self._card, self._versions[which.name]
        waits_for = (which.message, card.state) if version is None else None  # what was found shows neither
        said = self._said if which.name == PhaseName.MARKET else None
        inputs = which.state, waits_for, version, self._photos, said
        key = ("panel", card.id, which.name, oob)
        return Markup(kept.get(key, inputs, lambda: self._panel(which, oob)))  # noqa: S704 - escaped by the template

    def photos(self, oob: Oob = None) -> Markup:
        """The photos with what was found on them."""
        inputs = self._versions[PhaseName.ANALYSIS.value], self._photos
        key = ("photos", self._card.id, oob)
        return Markup(kept.get(key, inputs, lambda: self._photos_part(oob)))  # noqa: S704 - escaped by the template

    def has(self, which: PhaseCard) -> bool:
        """Whether the phase found something."""
        return self._versions[which.name] is not None

    def _panel(self, which: PhaseCard, oob: Oob) -> str:
        # What was written since the versions were read is shown by whoever reads them next.
        found = self._all() if self.has(which) else {name.value: None for name in PhaseName}
        market = found[PhaseName.MARKET.value]
        history = price_history.picture(market) if market and which.name == PhaseName.MARKET else None
        values = {"run": self._card, "phase": which, "found": found[which.name], "photos": self._photos}
        values |= {"said": self._said, "same_from": SAME}
        return _made("_panel.html", history=history, oob=oob, **values, **found)

    def _photos_part(self, oob: Oob) -> str:
        analysis = self._all()["analysis"]
        return _made("_photos.html", run=self._card, photos=self._photos, analysis=analysis, oob=oob)

    def _all(self) -> dict[str, Any]:
        if self._read is None:
            self._read = found_of(self._session, self._card.id)
        return self._read


def found(session: Session, card: RunCard) -> Found:
    """What a run's phases found, as of now."""
    photos, versions, said = read_together(
        session,
        subjects.ask_photos(card.product_id),
        findings.ask_versions(card.id),
        verdicts.ask(card.product_id),
    )
    return Found(session, card, subjects.photos_of(photos), findings.versions(versions), verdicts.by_offer(said))


def found_of(session: Session, run_id: UUID) -> dict[str, Any]:
    """The findings of a run's phases by the phase's name, None where there are none yet."""
    _, found = findings.read_all(session, run_id)
    return {name.value: found.get(name) for name in PhaseName}
