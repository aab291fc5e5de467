"""What a reviewer typed, checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from webapp.lib import gtin
from webapp.phases.facts import Analysis, Condition

LIMITS = {"name": 200, "brand": 100, "model": 100}


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

    def values(self) -> dict[str, str | None]:
        """By the names that analysis gives its fields."""
        return {
            "name": self.name,
            "brand": self.brand,
            "model": self.model,
            "condition": self.condition,
            "gtin": self.gtin,
        }


def parse(raw: Mapping[str, str]) -> tuple[ReviewForm, Decision | None]:
    """The decision, or None and what to mend."""
    form = ReviewForm({name: " ".join(raw.get(name, "").split()) for name in (*LIMITS, "condition", "gtin")})
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
    if form.errors:
        return form, None
    values = form.values
    return form, Decision(values["name"], values["brand"] or None, values["model"] or None, condition or None, code)


def prefill(found: Analysis, product_hints: Mapping[str, str]) -> ReviewForm:
    """The form as analysis would fill it in; where it found nothing, what the uploader typed."""
    values = {name: getattr(found, name).value or product_hints.get(name) or "" for name in (*LIMITS, "condition")}
    return ReviewForm({**values, "gtin": gtin.written(found.gtin.value) if found.gtin.value else ""})


def _gtin(text: str) -> tuple[str | None, str | None]:
    """The 14 digits, or what is wrong with them."""
    if not text:
        return None, None
    try:
        return gtin.normalise(text), None
    except gtin.GtinError as error:
        return None, error.says
