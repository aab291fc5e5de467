"""Pricing rules as people type them."""

from decimal import Decimal

from flask_babel import gettext as _

from webapp.access.forms import Form
from webapp.phases.pricing_rules import PricingRules, Rounding

FIELDS = ("margin", "floor", "ceiling", "rounding", "step")
MOST_MARGIN = 1000
MOST_STEP = 1000


def filled(rules: PricingRules) -> Form:
    """The form with these rules in it."""
    values = {
        "margin": rules.margin_percent,
        "floor": rules.floor,
        "ceiling": rules.ceiling,
        "step": rules.step,
    }
    typed = {name: "" if value is None else f"{value:f}" for name, value in values.items()}
    return Form({**typed, "rounding": rules.rounding.value})


def read(form: Form, currency: str) -> PricingRules:
    """The rules that a form asks for; what is wrong stands in its errors."""
    margin = form.optional_amount("margin", Decimal(0), MOST_MARGIN)
    floor, ceiling = form.optional_amount("floor", Decimal("0.01")), form.optional_amount("ceiling", Decimal("0.01"))
    if floor is not None and ceiling is not None and ceiling < floor:
        form.errors["ceiling"] = _("The ceiling must not be below the floor.")
    rounding = Rounding.CHARM
    try:
        rounding = Rounding(form.values["rounding"])
    except ValueError:
        form.errors["rounding"] = _("Choose one of the forms.")
    step = form.optional_amount("step", Decimal("0.01"), MOST_STEP) if rounding is Rounding.STEP else None
    if rounding is Rounding.STEP and step is None and "step" not in form.errors:
        form.errors["step"] = _("Say what prices are multiples of, such as 5.")
    has_amounts = floor is not None or ceiling is not None
    return PricingRules(
        margin_percent=margin,
        floor=floor,
        ceiling=ceiling,
        currency=currency if has_amounts else None,
        rounding=rounding,
        step=step,
    )
