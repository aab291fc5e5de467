"""Language models, as the phases ask them."""

from enum import StrEnum
from typing import Generic, NamedTuple, Protocol, TypeVar

import msgspec

from webapp.phases.facts.base import Fact
from webapp.phases.facts.given import Photo


class ModelUse(StrEnum):
    """What a language model may be asked for; a client switches each on and off."""

    ANALYSIS = "analysis"
    """One more witness where brand, model or name are missing or in doubt."""
    MATCHING = "matching"
    """Which of several candidates that fit about equally well is the product."""
    LISTING = "listing"
    """Title, bullets and description."""


class Question(Fact, frozen=True, kw_only=True):
    """What a model is asked. `task`: our instructions. `known`: data that it works on, as JSON; none of it can be
    trusted to be free of instructions. `max_tokens`: longest answer that is paid for."""

    use: ModelUse
    task: str
    known: dict[str, object]
    photos: tuple[Photo, ...] = ()
    max_tokens: int = 800


Form = TypeVar("Form", bound=msgspec.Struct)


class Answer(NamedTuple, Generic[Form]):
    """What a model answered, of the form that was asked for, and what people call the model."""

    value: Form
    by: str


class Model(Protocol):
    """A language model, or several in order. Whatever it answers is a claim, never a fact."""

    def ask(self, question: Question, form: type[Form]) -> Answer[Form] | None:
        """An answer of this form, or None: nobody may be asked, nobody answered, or no answer was of the form."""
