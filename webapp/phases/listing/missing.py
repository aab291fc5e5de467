"""What a person should still add to a listing, in plain words, the most pressing first."""

from decimal import Decimal

from webapp.phases.facts import Analysis, Condition, Identity
from webapp.phases.wording import Known

_FEW_PHOTOS = 2
NO_PRICE = "A price: no offer and no list price was found to derive one from."
NO_CATEGORY = "The category."


def missing(facts: Known, identity: Identity, analysis: Analysis | None, price: Decimal | None) -> tuple[str, ...]:
    """One sentence for each gap; empty when the listing can go out as it is."""
    gaps = [
        (not facts.name, "A name: say what it is."),
        (price is None, NO_PRICE),
        (facts.condition is None, "The condition: new, like new, refurbished, used, or for parts."),
        (
            facts.condition not in (None, Condition.NEW) and not facts.condition_details,
            "Details of the condition: marks, wear, what is missing.",
        ),
        (not identity.image_urls, "Photos."),
        (0 < len(identity.image_urls) < _FEW_PHOTOS, "A second photo, from another side."),
        (_poor_photos(analysis), "A better photo: the best one so far is blurred, dark or small."),
        (not facts.brand and not facts.is_book, "The brand, or that it has none."),
        (not facts.code, "The barcode number (EAN, UPC or ISBN), if there is one."),
        (not facts.model and not facts.is_book, "The model or part number, if there is one."),
        (not facts.category, NO_CATEGORY),
    ]
    return tuple(says for lacks, says in gaps if lacks)


def _poor_photos(analysis: Analysis | None) -> bool:
    return analysis is not None and bool(analysis.photos) and analysis.image_quality_score < 50
