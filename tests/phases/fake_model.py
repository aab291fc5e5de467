"""A model that answers at once, for phases alone; what a server may do is tried in `tests/ai`."""

from dataclasses import dataclass, field
from typing import Any

import msgspec

from webapp.phases.facts import Answer, Form, Question


@dataclass
class FakeModel:
    """Says `says`, or nothing; keeps what it was asked."""

    says: dict[str, Any] | None = None
    asked: list[Question] = field(default_factory=list)

    def ask(self, question: Question, form: type[Form]) -> Answer[Form] | None:
        """See `webapp.phases.facts.Model`."""
        self.asked.append(question)
        return None if self.says is None else Answer(msgspec.convert(self.says, form), "Tiny")
