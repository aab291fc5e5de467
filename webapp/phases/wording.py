"""Known facts of a product as the search phase and the listing phase both put them into words.

Only what was found is said: nothing here guesses a feature.
"""

from dataclasses import dataclass

from webapp.lib import gtin
from webapp.lib.text import clean, contains_words, cut, fold, is_code, title_case, without_words, word_set, words
from webapp.phases import measures
from webapp.phases.channels import CONDITION_WORDS
from webapp.phases.facts import Analysis, Condition, Field, Identity, Market
from webapp.phases.vocabulary import COLOURS

NAME_LIMIT = 300
CATEGORY_LIMIT = 200
SHORT_LIMIT = 80
DETAILS_LIMIT = 500

_MEASURE_NAMES = {
    "volume": "Volume", "weight": "Weight", "length": "Size", "storage": "Storage capacity", "power": "Power",
    "voltage": "Voltage", "charge": "Battery capacity", "count": "Number of pieces",
}  # fmt: skip

_CARRIED_NAMES = {
    "expiry": "Expiry date",
    "best_before": "Best before",
    "lot": "Lot number",
    "net_weight": "Net weight",
}
"""What goes into a listing. A serial number does not: it is the buyer's business alone."""

_PAIRS = word_set("headphones earphones glasses sunglasses scissors trousers jeans shorts pliers binoculars")


@dataclass(frozen=True)
class Known:
    """What is known of a product, cleaned and with its case repaired; '' or None where nothing is known."""

    name: str
    brand: str
    model: str
    category: str
    condition: Condition | None
    condition_details: str
    gtin14: str | None
    sku: str
    sizes: tuple[tuple[str, str], ...]
    """Pairs of the kind of size and the size as written, such as ("Volume", "500 ml")."""
    pack: int | None
    colours: tuple[str, ...]
    carried: tuple[tuple[str, str], ...] = ()
    """Pairs of what a code on the item says about it, such as ("Expiry date", "2027-01-31")."""

    @property
    def core(self) -> str:
        """The name without brand and model."""
        bare = self.name
        for known in (f"{self.brand} {self.model}", self.brand, self.model):
            bare = without_words(bare, known) if known.strip() else bare
        return bare

    @property
    def kind(self) -> str:
        """The last part of the category's path."""
        return leaf(self.category)

    @property
    def thing(self) -> str:
        """One of the category, as a name for it: `Digital Cameras` is a category, a `Digital Camera` a thing. '' for a
        category of several kinds (`Toys & Games`)."""
        if not self.kind or "&" in self.kind or "," in self.kind:
            return ""
        return self.kind if _PAIRS & set(fold(self.kind).split()[-1:]) else _singular(self.kind)

    @property
    def code_label(self) -> str:
        """What the barcode number is called in the trade: EAN, UPC, ISBN or GTIN."""
        if not self.gtin14:
            return ""
        written = gtin.written(self.gtin14)
        if len(written) == 13 and written.startswith(("978", "979")):
            return "ISBN"
        return {8: "EAN", 12: "UPC", 13: "EAN"}.get(len(written), "GTIN")

    @property
    def code(self) -> str:
        """The barcode number as it stands under the bars."""
        return gtin.written(self.gtin14) if self.gtin14 else ""

    @property
    def is_book(self) -> bool:
        """Whether it is a book: it has an ISBN, and neither brand nor model number are asked of it."""
        return self.code_label == "ISBN"

    @property
    def mpn(self) -> str:
        """The maker's part number: the model, where it looks like a number."""
        return self.model if is_code(self.model) else ""

    @property
    def condition_words(self) -> str:
        """The condition inside a sentence, '' when it is not known."""
        return CONDITION_WORDS[self.condition] if self.condition else ""


def known(identity: Identity, analysis: Analysis | None, market: Market) -> Known:
    """What is known of the product, its own findings first, the market's where those are missing and sure."""
    brand = _said(identity.brand, SHORT_LIMIT) or _trusted(market.brand, SHORT_LIMIT)
    model = _said(identity.model, SHORT_LIMIT)
    name = title_case(_said(identity.name, NAME_LIMIT), keep=(brand, model))
    category = _said(identity.category, CATEGORY_LIMIT) or _trusted(market.category, CATEGORY_LIMIT)
    if not category and analysis:
        category = _trusted(analysis.category, CATEGORY_LIMIT)
    return Known(
        name=name,
        brand=brand,
        model=model,
        category=category,
        condition=identity.condition,
        condition_details=_said(analysis.condition_details if analysis else None, DETAILS_LIMIT),
        gtin14=gtin.try_normalise(identity.gtin14) if identity.gtin14 else None,
        sku=_said(identity.sku, SHORT_LIMIT),
        sizes=_first_sizes(f"{name} {model}", analysis),
        pack=_pack(name, analysis),
        colours=tuple(dict.fromkeys(COLOURS[word] for word in words(name) if word in COLOURS)),
        carried=_carried(analysis) if analysis else (),
    )


def _first_sizes(name: str, analysis: Analysis | None) -> tuple[tuple[str, str], ...]:
    """The sizes that a person gave, else those in the name, else the one that was found."""
    found = _sizes(_trusted(analysis.size, SHORT_LIMIT)) if analysis else ()
    is_given = analysis is not None and analysis.size.written_by == "reviewer"
    return (found or _sizes(name)) if is_given else (_sizes(name) or found)


def _pack(name: str, analysis: Analysis | None) -> int | None:
    """How many are sold together: as a person said, else as the name says. A label alone is not trusted."""
    said = analysis.quantity if analysis and analysis.quantity.written_by == "reviewer" else None
    return int(said.value) if said and said.value else measures.pack_size(name)


def _carried(analysis: Analysis) -> tuple[tuple[str, str], ...]:
    found = {entry.key: entry.field.trusted for entry in analysis.carried}
    return tuple((name, said) for key, name in _CARRIED_NAMES.items() if (said := found.get(key)))


def leaf(category: str) -> str:
    """The last part of a category's path: `Audio > Headphones` is `Headphones`."""
    for separator in (">", "›", "»", "|", "/"):
        if separator in category:
            category = category.rsplit(separator, 1)[1]
    return clean(category)


def _singular(kind: str) -> str:
    if kind.endswith("ies") and len(kind) > 5:
        return f"{kind[:-3]}y"
    if kind.endswith(("ches", "shes", "xes", "sses")):
        return kind[:-2]
    return kind[:-1] if kind.endswith("s") and not kind.endswith(("ss", "us", "is")) and len(kind) > 4 else kind


def details(facts: Known) -> list[tuple[str, str]]:
    """Name and value of every known fact besides name and condition, what a buyer asks first on top."""
    pairs = [
        ("Brand", facts.brand),
        ("Model", facts.model),
        *facts.sizes,
        ("Pack of", str(facts.pack) if facts.pack and facts.pack > 1 else ""),
        ("Colour", ", ".join(facts.colours)),
        ("Category", facts.kind),
        (facts.code_label, facts.code),
    ]
    return [(name, value) for name, value in pairs if value]


def headline(facts: Known) -> str:
    """The product in one phrase: brand, name and model, each once. '' when nothing of it is known."""
    if not facts.name:
        return " ".join(part for part in (facts.brand, facts.model, facts.thing) if part)
    name = facts.name
    brand = "" if contains_words(name, facts.brand) else facts.brand
    model = "" if contains_words(name, facts.model) or fold(facts.model) == fold(name) else facts.model
    if brand and contains_words(brand, model):
        model = ""
    return " ".join(part for part in (brand, name, model) if part)


def _said(text: str | None, limit: int) -> str:
    """The text within its limit; '' when there is no letter and no digit in it: signs alone say nothing."""
    short = cut(text or "", limit)
    return short if any(char.isalnum() for char in short) else ""


def _trusted(field: Field, limit: int) -> str:
    return _said(field.trusted, limit)


def _sizes(text: str) -> tuple[tuple[str, str], ...]:
    """The first size of each kind; several lengths are a shape (20 x 30 cm) that no single word names, so none."""
    found: dict[str, list[str]] = {}
    for measure in measures.measures(text):
        written = f"{measure.amount:g}" if measure.dimension == "count" else measure.text
        found.setdefault(measure.dimension, []).append(written)
    return tuple(
        (_MEASURE_NAMES[dimension], sizes[0])
        for dimension, sizes in found.items()
        if dimension != "length" or len(sizes) == 1
    )
