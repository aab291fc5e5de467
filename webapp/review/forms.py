"""What a reviewer typed, checked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from webapp.lib import gtin
from webapp.lib.text import clean
from webapp.phases.facts import Analysis, Condition, Field

LIMITS = {"name": 200, "brand": 100, "model": 100, "size": 60}
FIELDS = (*LIMITS, "condition", "gtin", "quantity")
_QUANTITY = re.compile(r"[1-9][0-9]{0,3}")


@dataclass
class ReviewForm:
    """The form as typed, and what is wrong with it."""

    values: dict[str, str]
    errors: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    """Settled values; None where the product has none."""

    name: str
    brand: str | None
    model: str | None
    condition: str | None
    gtin: str | None
    size: str | None
    quantity: str | None

    def values(self) -> dict[str, str | None]:
        """By the names that analysis gives its fields."""
        return {
            "name": self.name,
            "brand": self.brand,
            "model": self.model,
            "condition": self.condition,
            "gtin": self.gtin,
            "size": self.size,
            "quantity": self.quantity,
        }


def parse(raw: Mapping[str, str]) -> tuple[ReviewForm, Decision | None]:
    """The decision, or None and what to mend."""
    form = ReviewForm({name: clean(raw.get(name, "")) for name in FIELDS})
    for name, limit in LIMITS.items():
        if len(form.values[name]) > limit:
            form.errors[name] = f"At most {limit} characters, please."
    if not form.values["name"]:
        form.errors["name"] = "A product needs a name before it can go on."
    condition = form.values["condition"]
    if condition and condition not in set(Condition):
        form.errors["condition"] = "Choose one of the conditions in the list."
    code, problem = _gtin(form.values["gtin"])
    if problem:
        form.errors["gtin"] = problem
    if form.values["quantity"] and not _QUANTITY.fullmatch(form.values["quantity"]):
        form.errors["quantity"] = "A number from 1 to 9999, please: how many are sold together."
    if form.errors:
        return form, None
    given = {name: value or None for name, value in form.values.items()}
    return form, Decision(
        name=form.values["name"],
        brand=given["brand"],
        model=given["model"],
        condition=given["condition"],
        gtin=code,
        size=given["size"],
        quantity=given["quantity"],
    )


def prefill(found: Analysis, product_hints: Mapping[str, str]) -> ReviewForm:
    """The form as analysis would fill it in; where it found nothing that is somewhat sure, what the uploader typed."""
    values: dict[str, str | None] = {}
    for name in FIELDS:
        field: Field = getattr(found, name)
        values[name] = field.claimed or product_hints.get(name)
    return filled(values)


def filled(values: Mapping[str, str | None]) -> ReviewForm:
    """The form with these values, by the names of FIELDS."""
    number = values["gtin"]
    return ReviewForm({**{name: values[name] or "" for name in FIELDS}, "gtin": gtin.written(number) if number else ""})


def _gtin(text: str) -> tuple[str | None, str | None]:
    """The 14 digits, or what is wrong with them."""
    if not text:
        return None, None
    try:
        return gtin.normalise(text), None
    except gtin.GtinError as error:
        return None, error.says
