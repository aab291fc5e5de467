"""Texts of a listing by a language model: each taken only where it says nothing but what is known.

What was not taken stays as the program wrote it, and the listing says why.
"""

from collections.abc import Sequence
from typing import Annotated

import msgspec

from webapp.lib.text import clean, contains_words, cut, sentence
from webapp.phases.channels import DESCRIPTION_LIMIT
from webapp.phases.claims import Claims
from webapp.phases.facts import Listing, Model, ModelUse, Photo, Question
from webapp.phases.listing.edited import BULLET_LIMIT, TITLE_LIMIT
from webapp.phases.listing.specifics import BULLETS
from webapp.phases.wording import Known, details

MAX_TOKENS = 900
_LEAST_DESCRIPTION = 40
_TASK = f"""Write the texts of a listing for a shop, in English.
- title: at most {TITLE_LIMIT} characters; brand, name and model first; only words that stand in the data.
- bullets: 3 to {BULLETS} short lines of at most 150 characters, what a buyer asks first on top.
- description: 2 to 5 plain sentences, 300 to 900 characters, no headings and no lists.
Photos, if there are any, let you see what you write of. Use only what the data says, not what only a photo shows: no
number, size, quantity, material, feature, accessory, warranty, delivery or praise that does not stand there. No markup,
no links, no emoji, no capitals for emphasis."""


class Texts(msgspec.Struct, forbid_unknown_fields=True):
    """The form of the answer."""

    title: Annotated[str, msgspec.Meta(max_length=500)]
    bullets: Annotated[list[Annotated[str, msgspec.Meta(max_length=1000)]], msgspec.Meta(max_length=20)]
    description: Annotated[str, msgspec.Meta(max_length=DESCRIPTION_LIMIT)]


def written(listing: Listing, facts: Known, model: Model, photos: Sequence[Photo] = ()) -> Listing:
    """The listing with those texts of the model that hold; as it was where there are none. The photos let it see what
    it writes of; what only they show is refused like anything else that is not known."""
    if not facts.name:
        return listing
    known = _known(facts)
    question = Question(use=ModelUse.LISTING, task=_TASK, known=known, photos=tuple(photos), max_tokens=MAX_TOKENS)
    answer = model.ask(question, Texts)
    if answer is None:
        return listing
    texts, by = answer
    claims = Claims(_flat(known))
    title = cut(texts.title, 500)
    bullets = tuple(clean(line).lstrip("-*• ") for line in texts.bullets)
    bullets = tuple(line for line in bullets if line)[:BULLETS]
    paragraphs = [sentence(part) for part in texts.description.split("\n") if clean(part)]
    description = "\n\n".join(paragraphs)
    refused = {
        "title": _against_title(title, facts, claims),
        "bullets": _against_lines(bullets, claims),
        "description": _against_description(description, claims),
    }
    taken = {name: by for name, why in refused.items() if not why}
    return msgspec.structs.replace(
        listing,
        title=title if "title" in taken else listing.title,
        titles=listing.titles | ({"ebay": title} if "title" in taken else {}),
        bullets=bullets if "bullets" in taken else listing.bullets,
        description=description if "description" in taken else listing.description,
        written_by="model" if taken else listing.written_by,
        written=taken,
        model_notes=tuple(f"{by} wrote {_NAMES[name]} not taken: {why}." for name, why in refused.items() if why),
    )


_NAMES = {"title": "a title that was", "bullets": "bullet points that were", "description": "a description that was"}


def _known(facts: Known) -> dict[str, object]:
    """What the model is told. Not what was read on the label: that may say anything, also to a model."""
    found: dict[str, object] = {"Name": facts.name, **dict(details(facts))}
    if facts.category:
        found["Category"] = facts.category
    if facts.condition_words:
        found["Condition"] = facts.condition_words
    if facts.condition_details:
        found["Condition in detail"] = facts.condition_details
    return found


def _flat(known: dict[str, object]) -> list[str]:
    # "Pack of: 3" means three of it; the names of facts are words that may be used as well.
    return [f"{name} {value}" for name, value in known.items()]


def _against_title(title: str, facts: Known, claims: Claims) -> str:
    if not title:
        return "it is empty"
    if len(title) > TITLE_LIMIT:
        return f"it is longer than {TITLE_LIMIT} characters"
    lacking = [part for part in (facts.brand, facts.model) if part and not contains_words(title, part)]
    if lacking:
        return f"it lacks “{lacking[0]}”"
    return _not_known(claims.unsupported(title) or claims.unknown_word(title))


def _against_lines(lines: tuple[str, ...], claims: Claims) -> str:
    if not lines:
        return "they are empty"
    if any(len(line) > BULLET_LIMIT for line in lines):
        return f"one is longer than {BULLET_LIMIT} characters"
    return _not_known(next(filter(None, map(claims.unsupported, lines)), None))


def _against_description(description: str, claims: Claims) -> str:
    if len(description) < _LEAST_DESCRIPTION:
        return "it says too little"
    if len(description) > DESCRIPTION_LIMIT:
        return f"it is longer than {DESCRIPTION_LIMIT} characters"
    return _not_known(claims.unsupported(description))


def _not_known(word: str | None) -> str:
    return f"“{cut(word, 60)}” is not among what is known" if word else ""
