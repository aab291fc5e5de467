"""Ties between known products whose words fit about equally well, broken by a language model, if there is one.

What it takes is proposed first; the confidence stays that of a tie, so a person is asked all the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import msgspec

from webapp.lib.text import cut
from webapp.phases.analysis.candidates import Candidate
from webapp.phases.analysis.words import Label
from webapp.phases.facts import Hints, Model, ModelUse, Photo, Question, Record

TIE = 0.1
"""A best candidate whose agreement leads by less is tied with those it leads by less."""
MOST_ASKED = 6
MAX_TOKENS = 60
_TASK = """The photos show one product. Which of the candidates is exactly this product: same brand, model, size,
quantity and variant?
- candidate: its number, null if none surely is."""

Choose = Callable[[Sequence[Candidate]], tuple[int, str] | None]
"""The place of the one that is the product and who says so; None: nobody can tell."""


class Chosen(msgspec.Struct, forbid_unknown_fields=True):
    """The form of the answer."""

    candidate: int | None


def nobody(_tied: Sequence[Candidate]) -> None:
    """Where there is no model."""


def chooser(model: Model, photos: Sequence[Photo], label: Label, hints: Hints) -> Choose:
    """Asks the model, which may name one of those it is given, or none."""

    def choose(tied: Sequence[Candidate]) -> tuple[int, str] | None:
        known: dict[str, object] = {
            "typed by the uploader": {"name": hints.name, "model": hints.model},
            "read on the label": [cut(line.text, 200) for line in label.lines[:60]],
            "candidates": {str(number): _described(entry.record) for number, entry in enumerate(tied, 1)},
        }
        question = Question(use=ModelUse.MATCHING, task=_TASK, known=known, photos=tuple(photos), max_tokens=MAX_TOKENS)
        answer = model.ask(question, Chosen)
        if answer is None or answer.value.candidate is None or not 1 <= answer.value.candidate <= len(tied):
            return None
        return answer.value.candidate - 1, answer.by

    return choose


def untied(fitting: Sequence[Candidate], lead: float, choose: Choose) -> list[Candidate]:
    """The candidates, of tied ones the chosen one first."""
    tied = [entry for entry in fitting if fitting[0].agreement - entry.agreement < TIE][:MOST_ASKED]
    chosen = choose(tied) if lead < TIE and len(tied) > 1 else None
    if chosen is None:
        return list(fitting)
    place, by = chosen
    others = [entry for entry in fitting if entry is not tied[place]]
    return [replace(tied[place], taken_by=by), *others]


def _described(record: Record) -> dict[str, str]:
    found = {"name": record.name, "brand": record.brand, "model": record.model, "category": record.category}
    return {name: cut(value, 200) for name, value in found.items() if value}
