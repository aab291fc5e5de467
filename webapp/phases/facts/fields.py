"""A found value with its evidence."""

import msgspec

from webapp.phases.facts.base import Fact


class Box(Fact, frozen=True, kw_only=True):
    """A rectangle on the upright photo, as fractions 0..1 of its width and height."""

    left: float
    top: float
    width: float
    height: float


class Evidence(Fact, frozen=True, kw_only=True):
    """One reason to believe a value.

    `kind`: `barcode`, `text`, `hint`, `catalog`, `reference`, `offer`, `photo`, `reviewer`, `model` or `rule`.
    `says`: one short sentence for a person. `weight`: how much it counts, 0..1.
    `record_id`: the catalog record or offer behind it; `link`: that offer's web address.
    `photo_id` and `box`: where on which photo.
    `reference_photo_id`: the known product's photo that this one was laid beside.
    """

    kind: str
    says: str
    weight: float = 1.0
    photo_id: str | None = None
    box: Box | None = None
    record_id: str | None = None
    link: str | None = None
    reference_photo_id: str | None = None

    @property
    def is_of_record(self) -> bool:
        """Whether a known record says it, found by whatever way."""
        return self.kind in ("catalog", "reference", "offer") or (self.kind == "photo" and self.record_id is not None)

    @property
    def is_of_item(self) -> bool:
        """Whether the item itself shows it, or somebody says so."""
        return self.kind in ("barcode", "text", "hint", "reviewer", "rule")


class Alternative(Fact, frozen=True, kw_only=True):
    """A value that lost, with its confidence. `written_by` as in Field.

    `record`: what the known record behind it says besides, by the names of analysis' fields (`gtin` in 14 digits,
    `brand`, `model`, `size`, `quantity`); empty where it comes from no record.
    """

    value: str
    confidence: int
    written_by: str = "machine"
    record: dict[str, str] = msgspec.field(default_factory=dict)


TRUST = 60
"""Confidence from which a value that no person has seen may be used for more than to be shown."""

PROPOSED = 45
"""Confidence from which a value is claimed: it stands in its field at the desk. What is less sure is only offered
beside it, so that nobody confirms a guess by pressing a key, and is no error if it is left."""


class Field(Fact, frozen=True, kw_only=True):
    """A found value. `value=None` with evidence means: looked for and not found.

    `written_by`: `machine`, `model` (a language model wrote it) or `reviewer`.
    """

    value: str | None = None
    confidence: int = 0
    evidence: tuple[Evidence, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    written_by: str = "machine"

    @property
    def is_of_record(self) -> bool:
        """Whether a known record says the value, alone or with other witnesses."""
        return self.value is not None and any(item.is_of_record for item in self.evidence)

    @property
    def is_of_record_alone(self) -> bool:
        """Whether the value is a known record's, and nothing on the item bears it out: it goes with the record."""
        return self.is_of_record and not any(item.is_of_item for item in self.evidence)

    @property
    def trusted(self) -> str | None:
        """The value, where it is at least TRUST sure."""
        return self.value if self.confidence >= TRUST else None

    @property
    def claimed(self) -> str | None:
        """The value, where it is at least PROPOSED sure."""
        return self.value if self.confidence >= PROPOSED else None
