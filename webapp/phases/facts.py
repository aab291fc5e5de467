"""What goes into the phases and what comes out of them.

Frozen msgspec structs: `msgspec.to_builtins(finding)` is what the findings tables keep as JSON, and
`msgspec.convert(data, Analysis)` gives the struct back. Confidences and percentages are integers from 0 to 100,
boxes are fractions of the upright photo's width and height, money is a decimal string in `currency` (ISO 4217).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Generic, NamedTuple, Protocol, TypeVar

import msgspec

Report = Callable[[float, str], None]
"""`report(percent, step)`: says how far a phase is, 0 to 100, and what it is doing, in words a person reads."""


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all facts and findings: immutable; each struct repeats kw_only, which msgspec does not inherit."""


# --- what goes in ---------------------------------------------------------------------------------------------


class Photo(Fact, frozen=True, kw_only=True):
    """One photo as it was uploaded. `data` is the original file's bytes (any accepted format, not yet upright)."""

    id: str
    file_name: str
    data: bytes


class Condition(StrEnum):
    """Condition of an item; the words of the trade, mapped to each channel's own codes in the listing phase."""

    NEW = "new"
    LIKE_NEW = "like_new"
    REFURBISHED = "refurbished"
    USED = "used"
    FOR_PARTS = "for_parts"


class Hints(Fact, frozen=True, kw_only=True):
    """What the uploader typed, all optional. `threshold`: confidence at which a run goes on without a person.
    `same_photo`: records of products that a person settled and that have one of these photos, byte for byte."""

    name: str | None = None
    model: str | None = None
    condition: Condition | None = None
    threshold: int = 80
    same_photo: tuple["Record", ...] = ()


class Record(Fact, frozen=True, kw_only=True):
    """A known product: from the client's catalogs (`source='catalog'`) or from an offer (`source='offer'`)."""

    source: str
    id: str
    name: str
    brand: str | None = None
    model: str | None = None
    gtin14: str | None = None
    sku: str | None = None
    category: str | None = None
    price: Decimal | None = None
    currency: str | None = None


class ReferencePhoto(Fact, frozen=True, kw_only=True):
    """A photo of a known product, by the id that `Reference.photo` gives its bytes for."""

    photo_id: str
    record: Record


class Reference(Protocol):
    """The client's own knowledge, looked up by analysis."""

    def by_gtin(self, gtin14: str) -> Sequence[Record]:
        """Records with exactly this GTIN, catalog before offers."""

    def by_digits(self, pieces: Sequence[str]) -> Sequence[Record]:
        """Records whose GTIN contains one of these rows of digits."""

    def search(self, text: str, limit: int = 20) -> Sequence[Record]:
        """Records whose name resembles the text, best first; typos are tolerated."""

    def brands(self) -> Sequence[str]:
        """Brand names known to the client, as they are written."""

    def photos(self, records: Sequence[Record], limit: int) -> Sequence[ReferencePhoto]:
        """Photos of these records first, then of other known products, the newest first."""

    def photo(self, photo_id: str) -> bytes | None:
        """The bytes of a reference photo; None where they are gone. The same bytes for the same id, for ever."""


class Offer(Fact, frozen=True, kw_only=True):
    """One offer seen in a market. `kind`: `offer` (someone sells at this price), `list` (maker's list price) or `sale`
    (the client sold at this price). `shipping`: what comes on top, in the same currency; None where it is not known."""

    id: str
    source: str
    title: str
    price: Decimal
    currency: str
    shipping: Decimal | None = None
    kind: str = "offer"
    marketplace: str | None = None
    link: str | None = None
    brand: str | None = None
    model: str | None = None
    gtin14: str | None = None
    category: str | None = None
    condition: Condition | None = None
    seen_at: datetime


class Offers(Protocol):
    """The offers known to the client, looked up by market research."""

    def by_gtin(self, gtin14: str) -> Sequence[Offer]:
        """Offers with exactly this GTIN, newest first."""

    def search(self, text: str, limit: int = 50) -> Sequence[Offer]:
        """Offers whose title resembles the text, best first."""

    def history(self, offer_ids: Collection[str]) -> Sequence["PastPrice"]:
        """What these offers asked on earlier days, newest first."""


class PastPrice(Fact, frozen=True, kw_only=True):
    """What an offer asked on an earlier day, shipping included where it is known."""

    offer_id: str
    day: date
    price: Decimal
    currency: str


class Rate(Fact, frozen=True, kw_only=True):
    """What one unit of a currency was worth in another. `day`: the day that the rate is of."""

    rate: Decimal
    day: date


class Rates(Protocol):
    """Exchange rates, dated, looked up by market research."""

    def into(self, currency: str, wanted: Collection[tuple[str, date]]) -> Mapping[tuple[str, date], Rate]:
        """For each (currency, day) the rate into `currency` of that day, or of the nearest day before it within reason;
        those without are left out."""


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


# --- what comes out ---------------------------------------------------------------------------------------------


class Box(Fact, frozen=True, kw_only=True):
    """A rectangle on the upright photo, as fractions 0..1 of its width and height."""

    left: float
    top: float
    width: float
    height: float


class Evidence(Fact, frozen=True, kw_only=True):
    """One reason to believe a value.

    `kind`: `barcode`, `text`, `hint`, `catalog`, `offer`, `photo`, `reviewer`, `model` or `rule`.
    `says`: one short sentence for a person. `weight`: how much it counts, 0..1.
    `record_id`: the catalog record or offer behind it. `photo_id` and `box`: where on which photo.
    `reference_photo_id`: the known product's photo that this one was laid beside.
    """

    kind: str
    says: str
    weight: float = 1.0
    photo_id: str | None = None
    box: Box | None = None
    record_id: str | None = None
    reference_photo_id: str | None = None


class Alternative(Fact, frozen=True, kw_only=True):
    """A value that lost, with its confidence."""

    value: str
    confidence: int


class Field(Fact, frozen=True, kw_only=True):
    """A found value. `value=None` with evidence means: looked for and not found.

    `written_by`: `machine`, `model` (a language model wrote it) or `reviewer`.
    """

    value: str | None = None
    confidence: int = 0
    evidence: tuple[Evidence, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    written_by: str = "machine"


class Element(Fact, frozen=True, kw_only=True):
    """One thing that a GS1 carrier says: `ai` is its application identifier, `key` our name for it (`lot`, `expiry`,
    `best_before`, `serial`, `count`, `net_weight`, …), `value` as people read it, `raw` as it stands in the code."""

    ai: str
    key: str
    value: str
    raw: str


class Barcode(Fact, frozen=True, kw_only=True):
    """One code that the decoders agreed on.

    `format`: `EAN13`, `EAN8`, `UPCA`, `UPCE`, `ITF14`, `CODE128`, `CODE39`, `QR`, `DATAMATRIX`, … in upper case.
    `gtin14`: the code normalised to 14 digits where it is a valid GTIN, else None.
    `votes`: reads that gave this text, `runner_up`: reads of the strongest rival on the same photo.
    `restricted`: in-store, coupon or other number that is not a world-wide product number.
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
    elements: tuple[Element, ...] = ()


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
    witnesses: dict[str, float] = {}
    fields: dict[str, int] = {}
    calibrator: int | None = None
    doubts: tuple[str, ...] = ()


class Analysis(Fact, frozen=True, kw_only=True):
    """Findings of phase 1. `confidence` is the product's, 0..100; `reasons`: why a person is asked, in plain words,
    empty when nobody is. `image_quality_score` is the best photo's score. `assessment` is None where a person had
    settled the product before: it says nothing about the machine."""

    name: Field
    model: Field
    brand: Field
    condition: Field
    gtin: Field
    condition_details: str | None = None
    categories: tuple[Alternative, ...] = ()
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


class Identity(Fact, frozen=True, kw_only=True):
    """What phases 2 to 4 know of the product: analysis' findings, or the reviewer's."""

    name: str | None = None
    model: str | None = None
    brand: str | None = None
    condition: Condition | None = None
    gtin14: str | None = None
    category: str | None = None
    sku: str | None = None
    image_urls: tuple[str, ...] = ()
    keywords_seen: tuple[str, ...] = ()
    """Words that stood on the label (text lines), most certain first."""


class PricedOffer(Fact, frozen=True, kw_only=True):
    """An offer that market research took (or set aside, with the reason) for this product."""

    id: str
    source: str
    title: str
    price: Decimal
    currency: str
    kind: str
    seen_at: datetime
    age_days: int
    match: int
    """How surely it is the same product, 0..100."""
    used: bool
    why: str
    shipping: Decimal | None = None
    compared: Decimal | None = None
    """What it was compared by: with shipping, in the currency of the findings. None where it has no price in that."""
    rate_day: date | None = None
    """The day of the exchange rate it was converted by; None where nothing was to be converted."""
    marketplace: str | None = None
    link: str | None = None
    condition: Condition | None = None


class Interval(Fact, frozen=True, kw_only=True):
    """Where the competitive price lies in `percent` of 100 cases like this one."""

    low: Decimal
    high: Decimal
    percent: int


class ConditionPrice(Fact, frozen=True, kw_only=True):
    """What items of one kind of condition go for. `kind`: `new`, `second_hand` or `for_parts`. `middle`: the weighted
    median. `compared`: whether the competitive price comes from these."""

    kind: str
    offers: int
    low: Decimal
    middle: Decimal
    high: Decimal
    compared: bool


class SeenPrice(Fact, frozen=True, kw_only=True):
    """One dot of the price history, in the currency of the findings. `kind` as offers have it; `used`: whether the
    offer, as it is today, counts for the competitive price."""

    day: date
    price: Decimal
    kind: str
    used: bool


class Market(Fact, frozen=True, kw_only=True):
    """Findings of phase 2. Prices are fields whose value is a decimal string in `currency`; a price that could not
    be found has value None and says so in its evidence. `low`/`high` bound the offers used (the spread). `interval` is
    None where too few offers count. `history` is oldest first."""

    competitive_price: Field
    list_price: Field
    marketplace_price: Field
    brand: Field
    category: Field
    marketplace: str | None = None
    marketplace_link: str | None = None
    currency: str | None = None
    low: Decimal | None = None
    high: Decimal | None = None
    offers_found: int = 0
    offers_used: int = 0
    newest_days: int | None = None
    oldest_days: int | None = None
    sales_used: int = 0
    """How many of the offers used are the client's own sales."""
    interval: Interval | None = None
    conditions: tuple[ConditionPrice, ...] = ()
    history: tuple[SeenPrice, ...] = ()
    offers: tuple[PricedOffer, ...] = ()
    not_asked: tuple[str, ...] = ()
    """Sources that were away and therefore not asked, by what people call them."""
    model_notes: tuple[str, ...] = ()
    """Where a language model was to help and did not: why, in sentences."""


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
    written: dict[str, str] = {}
    """Which model wrote a text, by the text's name: `title`, `bullets`, `description`."""
    edited: tuple[str, ...] = ()
    """Texts that a person wrote, by their names."""
    model_notes: tuple[str, ...] = ()
    """Where a language model was to help and did not, or what it wrote was not taken: why, in sentences."""
