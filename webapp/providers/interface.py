"""What a source of offers is: whatever can be asked a question. `own_sales` is one that asks the client's own table; an
outside one has a circuit and a time-to-live beside. A new one is a folder beside `json_feed`, named in
`sources.SOURCES`."""

from dataclasses import dataclass
from typing import Protocol

from webapp.phases.facts import Offer
from webapp.work.circuits import Circuit


@dataclass(frozen=True)
class Question:
    """What a source is asked for: offers with this GTIN (14 digits), or offers like these words. One of the two."""

    gtin14: str | None = None
    words: str | None = None

    @property
    def key(self) -> str:
        """Names the question, as memos do."""
        return f"gtin:{self.gtin14}" if self.gtin14 else f"words:{(self.words or '').lower()}"


@dataclass(frozen=True)
class Answer:
    """What a source answered. Each offer's `id` is the source's own name for it. `unreadable`: offers left out because
    they lacked a title or a price, or made no sense. `complete`: whether it had no more than it was asked for."""

    offers: tuple[Offer, ...]
    unreadable: int = 0
    complete: bool = True


class Source(Protocol):
    """A source of offers."""

    def search(self, question: Question) -> Answer:
        """Ask. Changes nothing over there, so it may be asked again.

        Raises:
            PermanentError: it refuses this question, or us.
            ProviderDown: it does not answer, answers rubbish, or asks to be left alone for a while.
        """


class OutsideSource(Source, Protocol):
    """A source that somebody else runs. `hours`: how long an answer is good for; within that nobody asks again."""

    @property
    def circuit(self) -> Circuit:
        """Its circuit; its name is the source's key, its label what people call it."""

    @property
    def hours(self) -> float:
        """How long an answer is good for."""
