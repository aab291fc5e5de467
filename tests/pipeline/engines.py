"""Phases that end otherwise than well."""

import time

from webapp.errors import PermanentError, RetryLater
from webapp.phases import facts

NOTHING = facts.Field()


def unsure(photos, hints, reference, report, **_more):
    """An analysis below every usual threshold."""
    report(50, "Looking")
    return facts.Analysis(
        name=facts.Field(value="Perhaps a kettle", confidence=40),
        model=NOTHING,
        brand=NOTHING,
        condition=NOTHING,
        gtin=NOTHING,
        confidence=40,
        reasons=("No barcode was found.",),
    )


def broken(*_, **__):
    """Can never succeed."""
    raise PermanentError("the photo cannot be read")


def hiccup(*_, **__):
    """May succeed in an hour."""
    raise RetryLater("the shop is busy", after_seconds=3600)


def slow(photos, hints, reference, report, **_more):
    """Takes two seconds and says so ten times a second."""
    for tenth in range(20):
        report(5 * tenth, f"Step {tenth}")
        time.sleep(0.1)
    return sure(photos, hints, reference, report)


def sure(photos, hints, reference, report, **_more):
    """An analysis that nobody doubts."""
    name = facts.Field(value="Kettle", confidence=100)
    return facts.Analysis(name=name, model=NOTHING, brand=NOTHING, condition=NOTHING, gtin=NOTHING, confidence=100)


def deaf(photos, hints, reference, report, **_more):
    """Never reports, and takes longer than anybody waits."""
    time.sleep(60)
    return sure(photos, hints, reference, report)
