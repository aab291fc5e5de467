"""Findings of phase 1."""

from enum import StrEnum

import msgspec

from webapp.lib import gtin
from webapp.phases.facts.base import Fact
from webapp.phases.facts.fields import Alternative, Box, Field


class Element(Fact, frozen=True, kw_only=True):
    """One thing that a GS1 carrier says: `ai` is its application identifier, `key` our name for it (`lot`, `expiry`,
    `best_before`, `serial`, `count`, `net_weight`, …), `value` as people read it, `raw` as it stands in the code."""

    ai: str
    key: str
    value: str
    raw: str


_DECODERS = {"zxing": "ZXing", "zbar": "ZBar", "opencv": "OpenCV", "template": "our own decoder", "print": "the digits"}


_FORMATS = {
    "EAN13": "EAN-13",
    "EAN8": "EAN-8",
    "UPCA": "UPC-A",
    "UPCE": "UPC-E",
    "ITF14": "ITF-14",
    "CODE128": "Code 128",
    "CODE39": "Code 39",
    "QR": "QR code",
    "DATAMATRIX": "Data Matrix",
}


def format_name(key: str) -> str:
    """What people call a format: `EAN-13` for `EAN13`."""
    return _FORMATS.get(key, key)


def decoder_name(key: str) -> str:
    """What people call a decoder."""
    return _DECODERS.get(key, key)


class Barcode(Fact, frozen=True, kw_only=True):
    """One code that the decoders agreed on.

    `format`: `EAN13`, `EAN8`, `UPCA`, `UPCE`, `ITF14`, `CODE128`, `CODE39`, `QR`, `DATAMATRIX`, … in upper case.
    `gtin14`: the code normalised to 14 digits where it is a valid GTIN, else None.
    `votes`: reads that gave this text, `runner_up`: reads of the strongest rival on the same photo.
    `restricted`: in-store, coupon or other number that is not a world-wide product number.
    `add_on`: the two or five digits beside it (an issue's number, a book's price), which are no part of its number.
    `elements`: what a GS1 carrier says, the product's number included; empty for other codes.
    """

    photo_id: str
    text: str
    format: str
    gtin14: str | None = None
    votes: int = 1
    runner_up: int = 0
    decoders: tuple[str, ...] = ()
    box: Box | None = None
    restricted: bool = False
    add_on: str = ""
    elements: tuple[Element, ...] = ()

    @property
    def is_coupon(self) -> bool:
        """Whether the number is a coupon's: it names no product at all."""
        return self.gtin14 is not None and gtin.circulation(self.gtin14) is gtin.Circulation.COUPON

    @property
    def format_name(self) -> str:
        """What people call its format."""
        return format_name(self.format)

    @property
    def decoder_names(self) -> list[str]:
        """What people call those who read it."""
        return [decoder_name(key) for key in self.decoders]


class Carried(Fact, frozen=True, kw_only=True):
    """A fact about this very item or lot that a GS1 carrier on it says; `key` as in Element."""

    key: str
    field: Field


class TextLine(Fact, frozen=True, kw_only=True):
    """One line of text that OCR read on a photo; `confidence` 0..100, `height` as a fraction of the photo's."""

    photo_id: str
    text: str
    confidence: int
    box: Box


POOR = 70
"""Quality score at and below which a photo is worth taking again while the item is in the hand."""

NO_BARCODE = "No barcode was found: turn the item until its bars show, sharp and whole, and take them too."
"""What is said where a barcode is expected and none shows, at the upload and by the analysis alike."""


class PhotoQuality(Fact, frozen=True, kw_only=True):
    """How usable one photo is. `score` 0..100; `problems`: keys such as `blurred`, `dark`, `bright`, `small`;
    `says`: one sentence for the uploader, empty when nothing is wrong."""

    photo_id: str
    score: int
    problems: tuple[str, ...] = ()
    says: str = ""


class Path(StrEnum):
    """The way that the evidence took to the product. Each has its own calibrator."""

    SAME_PHOTO = "same_photo"
    """The very same photo belongs to a product that a person settled."""
    BARCODE_RECORD = "barcode_record"
    """A barcode was read, and a record carries its number."""
    SUSPECTED_RECORD = "suspected_record"
    """A record carries a number that was read doubtfully, or printed digits without bars."""
    PICTURE_RECORD = "picture_record"
    """A record's photo shows the same package."""
    WORDS_RECORD = "words_record"
    """A record fits the words."""
    BARCODE_ONLY = "barcode_only"
    """A barcode was read that no record knows."""
    TYPED_NAME = "typed_name"
    """Neither barcode nor record; the uploader typed a name."""
    LABEL_ONLY = "label_only"
    """Neither barcode nor record; the label has words."""
    NOTHING = "nothing"
    """Everything was tried, nothing was found: no guess."""


class Assessment(Fact, frozen=True, kw_only=True):
    """What the witnesses said, as numbers: all that a calibrator needs, so that it can be fitted again later.

    `witnesses`: by name, what `phases.analysis.witnesses` counted. `raw`: the product's confidence by the defaults,
    0..100, and `fields` those of the fields. `shown`: what was made of it. `calibrator`: the version of the one that
    did, None for the defaults. `doubts`: everything that speaks against it, whatever the confidence.
    """

    path: Path
    raw: int
    shown: int
    witnesses: dict[str, float] = msgspec.field(default_factory=dict)
    fields: dict[str, int] = msgspec.field(default_factory=dict)
    calibrator: int | None = None
    doubts: tuple[str, ...] = ()


OF_PRODUCT = ("brand", "model", "gtin", "size", "quantity")
"""Fields that come with a product's name; its condition is each piece's own."""


class Analysis(Fact, frozen=True, kw_only=True):
    """Findings of phase 1. `confidence` is the product's, 0..100; `reasons`: why a person is asked, in plain words,
    empty when nobody is. `image_quality_score` is the best photo's score. `assessment` is None where a person had
    settled the product before: it says nothing about the machine. `size`: net contents or dimensions as they are
    written, `quantity`: pieces sold together."""

    name: Field
    model: Field
    brand: Field
    condition: Field
    gtin: Field
    category: Field = Field()
    size: Field = Field()
    quantity: Field = Field()
    condition_details: str | None = None
    brands: tuple[Alternative, ...] = ()
    barcodes: tuple[Barcode, ...] = ()
    carried: tuple[Carried, ...] = ()
    text_lines: tuple[TextLine, ...] = ()
    photos: tuple[PhotoQuality, ...] = ()
    image_quality_score: int = 0
    confidence: int = 0
    reasons: tuple[str, ...] = ()
    assessment: Assessment | None = None
    model_notes: tuple[str, ...] = ()
    """Where a language model was to help and did not: why, in sentences."""

    @property
    def record(self) -> dict[str, str]:
        """What the known record behind the name says besides, as in Alternative."""
        fields: dict[str, Field] = {name: getattr(self, name) for name in OF_PRODUCT if self.name.is_of_record}
        return {name: field.value for name, field in fields.items() if field.value is not None and field.is_of_record}

    @property
    def categories(self) -> tuple[Alternative, ...]:
        """Every category considered, the likeliest first."""
        value = self.category.value
        first = () if value is None else (Alternative(value=value, confidence=self.category.confidence),)
        return (*first, *self.category.alternatives)
