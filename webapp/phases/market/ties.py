"""Ties among offers, broken by a language model: which of those that nearly fit are the same product.

Asked only about offers just below the bar that nothing contradicts; whatever it answers, those that were ruled out
stay out, and one that it takes counts no more than the least that counts.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Annotated

import msgspec

from webapp.lib.text import cut
from webapp.phases.facts import Model, ModelUse, Photo, Question
from webapp.phases.matching.entry import Entry
from webapp.phases.matching.judging import SAME, Match
from webapp.phases.matching.matchers import Matcher

MARGIN = 15
"""How far below the bar an offer still may be a tie."""
MOST_ASKED = 8
MAX_TOKENS = 120
_TASK = """Which of the offers are for exactly this product (photos, if there are any, show it): same brand, model,
size, quantity and variant?
- same: the numbers of those offers; an empty list if none surely is.
An accessory, a part or a set is another product."""


class Chosen(msgspec.Struct, forbid_unknown_fields=True):
    """The form of the answer."""

    same: Annotated[list[int], msgspec.Meta(max_length=MOST_ASKED)]


class TieBreaker:
    """A matcher around another one. `photos`: gives the product's photos, called only where there is a tie. `settled`:
    offers, by id, that a person spoke of; whatever the model would say of them counts for nothing."""

    def __init__(
        self,
        matcher: Matcher,
        model: Model,
        photos: Callable[[], Sequence[Photo]] = tuple,
        settled: Collection[str] = (),
    ) -> None:
        self._matcher = matcher
        self._model = model
        self._photos = photos
        self._settled = settled

    @property
    def source(self) -> str:
        """The matcher's, and that a model may have been asked."""
        return f"{self._matcher.source}, ties by a model"

    def judge(self, ours: Entry, theirs: Sequence[Entry]) -> list[Match]:
        """As the matcher judges, but for the ties that a model takes for the same product."""
        matches = self._matcher.judge(ours, theirs)
        tied = [
            place for place, match in enumerate(matches) if _is_tied(match) and theirs[place].id not in self._settled
        ]
        tied = sorted(tied, key=lambda place: -matches[place].score)[:MOST_ASKED]
        if not tied or not ours.title:
            return matches
        known: dict[str, object] = {
            "product": {"name": ours.title, "brand": ours.brand or None, "model": ours.model or None},
            "offers": {str(number): _described(theirs[place]) for number, place in enumerate(tied, 1)},
        }
        photos = tuple(self._photos())
        question = Question(use=ModelUse.MATCHING, task=_TASK, known=known, photos=photos, max_tokens=MAX_TOKENS)
        answer = self._model.ask(question, Chosen)
        if answer is None or not all(1 <= number <= len(tied) for number in answer.value.same):
            return matches  # it names one that it was not given: then nothing of it is believed
        for number in answer.value.same:
            place = tied[number - 1]
            says = f"{answer.by}, a language model, takes it for the same product"
            matches[place] = Match(SAME, f"{says} ({matches[place].why})")
        return matches


def _is_tied(match: Match) -> bool:
    return SAME - MARGIN <= match.score < SAME and not match.ruled_out


def _described(offer: Entry) -> dict[str, str]:
    found = {"title": cut(offer.title, 300), "brand": offer.brand, "model": offer.model, "category": offer.category}
    return {name: cut(value, 300) for name, value in found.items() if value}
