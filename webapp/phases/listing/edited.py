"""What a person wrote into a listing: it stands, whatever the program found or a model wrote."""

from collections.abc import Mapping
from typing import Any

import msgspec

from webapp.lib.text import clean
from webapp.phases.channels import DESCRIPTION_LIMIT, TITLE_LIMITS
from webapp.phases.facts import Listing
from webapp.phases.listing.missing import NO_CATEGORY, NO_PRICE
from webapp.phases.listing.specifics import BULLETS

TITLE_LIMIT = TITLE_LIMITS["ebay"]
BULLET_LIMIT = 250
CATEGORY_LIMIT = 200
TEXTS = ("title", "bullets", "description")
"""What a model may write too."""
VALUES = ("price", "category")

Texts = Mapping[str, Any]
"""What a person wrote, by its name: bullets as a list of lines, a price as a decimal string beside its `currency`."""


def with_edited(listing: Listing, texts: Texts) -> Listing:
    """The listing with a person's texts; they carry no mark of a model any more."""
    if not texts:
        return listing
    changes: dict[str, Any] = {name: texts[name] for name in (*TEXTS, *VALUES, "currency") if name in texts}
    if "bullets" in changes:
        changes["bullets"] = tuple(changes["bullets"])
    if "title" in changes:
        changes["titles"] = listing.titles | {"ebay": changes["title"]}
    if "price" in changes:
        changes["price_reasons"] = ("A person set it.",)
    settled = {NO_PRICE: "price" in changes, NO_CATEGORY: "category" in changes}
    written = {name: by for name, by in listing.written.items() if name not in texts}
    return msgspec.structs.replace(
        listing,
        **changes,
        missing=tuple(gap for gap in listing.missing if not settled.get(gap)),
        written=written,
        written_by="model" if written else "machine",
        edited=tuple(name for name in (*TEXTS, *VALUES) if name in texts or name in listing.edited),
    )


def read(title: str, bullets: str, description: str, category: str) -> tuple[dict[str, Any], dict[str, str]]:
    """What a person typed, cleaned (bullets: one a line; an empty category is none of theirs), and by the texts' names
    what is wrong with it."""
    lines = [clean(line).lstrip("-*• ") for line in bullets.splitlines()]
    paragraphs = [clean(line) for line in description.strip().splitlines()]
    texts = {
        "title": clean(title),
        "bullets": [line for line in lines if line],
        "description": "\n".join(paragraphs).strip(),
    }
    if clean(category):
        texts["category"] = clean(category)
    wrong = {
        "category": len(clean(category)) > CATEGORY_LIMIT and f"Use at most {CATEGORY_LIMIT} characters.",
        "title": (not texts["title"] and "Give it a title.")
        or (len(texts["title"]) > TITLE_LIMIT and f"Use at most {TITLE_LIMIT} characters."),
        "bullets": (len(texts["bullets"]) > BULLETS and f"Use at most {BULLETS} lines.")
        or (
            any(len(line) > BULLET_LIMIT for line in texts["bullets"])
            and f"Use at most {BULLET_LIMIT} characters a line."
        ),
        "description": len(texts["description"]) > DESCRIPTION_LIMIT and f"Use at most {DESCRIPTION_LIMIT} characters.",
    }
    return texts, {name: str(says) for name, says in wrong.items() if says}
