"""What the product keeps of what was found: the machine fills in, a person settles, and what is settled stays."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb
from sqlalchemy.orm import Session

from webapp.catalog import services as catalog
from webapp.lib.text import code, contains_words
from webapp.phases.facts import Alternative, Analysis, Evidence, Field, Listing
from webapp.pipeline import findings
from webapp.statements import Statement, update_of

SETTLED_FIELDS = ("name", "brand", "model", "condition", "gtin", "size", "quantity")
"""What a reviewer confirms or corrects; in analysis' words. The product's column for `gtin` is `gtin14`."""
_COLUMNS = {"gtin": "gtin14"}
CONFIRMED = 90
"""Confidence, at least, of what comes with a product that a person confirmed."""


def column_of(name: str) -> str:
    """The product's column that a settled field goes to."""
    return _COLUMNS.get(name, name)


SETTLED_COLUMNS = tuple(map(column_of, SETTLED_FIELDS))


class Called(NamedTuple):
    """What tells one product from the next."""

    name: str | None
    gtin14: str | None


def is_another(old: Called, new: Called) -> bool:
    """Whether it is another product: one with another number, or of another name. A number that is filled in or struck
    out, and a name that is only made longer or shorter, are the same product."""
    was, now = old.name or "", new.name or ""
    is_edited = contains_words(now, was) or contains_words(was, now) or code(was) == code(now)
    return _differ(old.gtin14, new.gtin14) or bool(was and now and not is_edited)


def _differ(old: str | None, new: str | None) -> bool:
    return None not in (old, new) and old != new


def settle(found: Analysis, values: dict[str, str | None], says: str) -> Analysis:
    """The analysis with fields that a person settled: certain, with the person as evidence beside the machine's."""
    changes: dict[str, Any] = {}
    for name, value in values.items():
        old: Field = getattr(found, name)
        evidence = Evidence(kind="reviewer", says=says)
        kept = old.evidence if old.value == value else ()
        lost = [] if old.value in (value, None) else [_lost(found, name)]
        others = tuple([*lost, *(other for other in old.alternatives if other.value != value)][:3])
        changes[name] = Field(
            value=value, confidence=100, evidence=(evidence, *kept), alternatives=others, written_by="reviewer"
        )
    if _is_another(found, values):
        changes |= {name: Field(evidence=(_ANOTHER,)) for name in _OF_RECORD if _came_along(found, values, name)}
        changes["brands"] = ()
        if _has_another_number(found, values):
            changes["carried"] = ()
    elif found.category.value is not None and _names_the_same(found, values):
        confirmed = (Evidence(kind="reviewer", says=f"{says}: it comes with the product."), *found.category.evidence)
        sure = max(CONFIRMED, found.category.confidence)
        changes["category"] = msgspec.structs.replace(found.category, confidence=sure, evidence=confirmed)
    return msgspec.structs.replace(found, confidence=100, reasons=(), **changes)


_ANOTHER = Evidence(kind="reviewer", says="A person says that it is another product than the one this was found for.")


_OF_RECORD = ("category", "size", "quantity")


def _came_along(found: Analysis, values: dict[str, str | None], name: str) -> bool:
    """Whether a value is the other product's record's, and nobody was asked about it."""
    field: Field = getattr(found, name)
    return name not in values and field.is_of_record


def _is_another(found: Analysis, values: dict[str, str | None]) -> bool:
    """Whether a person named another product than was found."""
    return is_another(Called(found.name.value, found.gtin.value), Called(values.get("name"), values.get("gtin")))


def _has_another_number(found: Analysis, values: dict[str, str | None]) -> bool:
    return _differ(found.gtin.value, values.get("gtin"))


def _names_the_same(found: Analysis, values: dict[str, str | None]) -> bool:
    return code(values.get("name") or "") == code(found.name.value or "")


def _lost(found: Analysis, name: str) -> Alternative:
    """The machine's value beside the person's; a name still knows what its record says besides."""
    field: Field = getattr(found, name)
    return Alternative(
        value=field.value or "",
        confidence=min(50, field.confidence),
        written_by=field.written_by,
        record=found.record if name == "name" else {},
    )


def keep_fixed(found: Analysis, product: Any) -> Analysis:
    """The analysis of a product that a person settled before: the person's values stand, whatever was found now.

    `product` has `fixed_fields` and SETTLED_COLUMNS."""
    fixed = [name for name in SETTLED_FIELDS if column_of(name) in product.fixed_fields]
    if "name" not in fixed:
        return found
    values = {name: getattr(product, column_of(name)) for name in fixed}
    settled = settle(found, values, "a person settled it in an earlier run")
    return msgspec.structs.replace(settled, assessment=None)  # what a person fixed says nothing about the machine


def apply_analysis(session: Session, product_id: UUID, found: Analysis, fixed: Sequence[str] = ()) -> None:
    """Give the product what analysis found and may be relied on, except where a person settled the field before.
    `fixed` becomes settled.

    What an earlier run was sure of and this one is not goes: it may have taken the item for another product. Only a
    name stays until there is another one, and a category, which the listing may have found.
    """
    product = _locked(session, product_id)
    values: dict[str, Any] = {
        "name": found.name.value,
        "brand": found.brand.trusted,
        "model": found.model.trusted,
        "condition": findings.condition_of(found.condition),
        "gtin14": found.gtin.trusted,
        "category": found.category.trusted,
        "size": found.size.trusted,
        "quantity": found.quantity.trusted,
    }
    newly = {column_of(name) for name in fixed}
    settled = {*product.fixed_fields, *product.written}  # also a category that a person wrote into the listing
    changes = {
        column: value
        for column, value in values.items()
        if column in newly or (column not in settled and (value is not None or column not in _STAY))
    }
    if newly:
        changes["fixed_fields"] = sorted({*product.fixed_fields, *newly})
        if "category" not in settled:
            changes["category"] = found.category.trusted  # also none: it was another product's
    name = changes.get("name", product.name)
    if name and not product.code:
        changes["code"] = catalog.new_code(session, product.client_id, name)
    was = Called(product.name, product.gtin14)
    note_another(session, product_id, was, Called(name, changes.get("gtin14", product.gtin14)))
    _change(session, product_id, changes)


_STAY = ("name", "category")

_OF_FORMER = Statement("UPDATE offer_verdicts SET is_of_former = true WHERE product_id = :product_id")


def note_another(session: Session, product_id: UUID, was: Called, now: Called) -> None:
    """Where the product is taken for another one from now on, what people said of offers was said of the former."""
    if is_another(was, now):
        _OF_FORMER.execute(session, {"product_id": product_id})


def apply_listing(session: Session, product_id: UUID, found: Listing) -> None:
    """Give the product what the listing proposes (description, category, price), except what a person settled."""
    product = _locked(session, product_id)
    fresh = {
        "description": found.description,
        "category": found.category,
        "price": found.price,
        "currency": found.currency,
    }
    _change(
        session,
        product_id,
        {name: value for name, value in fresh.items() if value is not None and name not in product.fixed_fields},
    )


_LOCKED = Statement("""
    SELECT client_id, name, gtin14, code, fixed_fields, ARRAY(SELECT jsonb_object_keys(listing_texts)) AS written
    FROM products WHERE id = :product_id FOR UPDATE
""")


def _locked(session: Session, product_id: UUID) -> Any:
    session.flush()  # what the caller changed is seen
    return _LOCKED.execute(session, {"product_id": product_id})[0]


def _change(session: Session, product_id: UUID, changes: dict[str, Any]) -> None:
    """A new version, so that whoever read the product before does not write over this."""
    if not changes:
        return
    if "fixed_fields" in changes:
        changes["fixed_fields"] = Jsonb(changes["fixed_fields"])
    statement = update_of("products", tuple(changes), "updated_at = now(), row_version = row_version + 1")
    statement.execute(session, {"row_id": product_id, **changes})
