"""Findings of phases 3 and 4."""

import msgspec

from webapp.phases.facts.base import Fact
from webapp.phases.facts.given import Condition


class Keyword(Fact, frozen=True, kw_only=True):
    """A search term with its weight 0..1 and where it came from."""

    text: str
    weight: float
    sources: tuple[str, ...] = ()


class Candidate(Fact, frozen=True, kw_only=True):
    """A proposed text with its score 0..100 and its length in characters."""

    text: str
    score: int
    length: int
    written_by: str = "machine"


class ScorePart(Fact, frozen=True, kw_only=True):
    """One part of the SEO score: `points` out of `of`, with one sentence on how to gain the rest."""

    name: str
    points: int
    of: int
    says: str


class Seo(Fact, frozen=True, kw_only=True):
    """Findings of phase 3. `structured_data` is a schema.org Product as a JSON-LD object."""

    keywords: tuple[Keyword, ...]
    titles: tuple[Candidate, ...]
    descriptions: tuple[Candidate, ...]
    slug: str
    structured_data: dict[str, object]
    score: int
    score_parts: tuple[ScorePart, ...]


class Specific(Fact, frozen=True, kw_only=True):
    """One item specific (name and value) of a listing."""

    name: str
    value: str


class Listing(Fact, frozen=True, kw_only=True):
    """Findings of phase 4: the listing, ready to be copied. `price` is a decimal string or None; `price_reasons`
    says step by step how it came about. `titles` holds the title cut to each channel's limit."""

    title: str
    bullets: tuple[str, ...]
    description: str
    price: str | None
    currency: str | None
    price_reasons: tuple[str, ...]
    category: str | None
    condition: Condition | None
    specifics: tuple[Specific, ...]
    titles: dict[str, str]
    missing: tuple[str, ...] = ()
    """What a person should still add, in plain words."""
    written_by: str = "machine"
    """`model` where a language model wrote any of the texts."""
    written: dict[str, str] = msgspec.field(default_factory=dict)
    """Which model wrote a text, by the text's name: `title`, `bullets`, `description`."""
    edited: tuple[str, ...] = ()
    """Texts that a person wrote, by their names."""
    model_notes: tuple[str, ...] = ()
    """Where a language model was to help and did not, or what it wrote was not taken: why, in sentences."""
