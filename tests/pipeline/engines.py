"""Phases that end otherwise than well."""

import time

import msgspec

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


def torn(photos, hints, reference, report, **_more):
    """An analysis between two known products: one whose record it takes, and one that fits about as well."""
    says = (facts.Evidence(kind="catalog", says="The catalog fits the words.", record_id="r1"),)
    shown = (*says, facts.Evidence(kind="text", says="The label says “Acme”."))
    other = {"gtin": "09521101530025", "brand": "Zeta", "model": "Z2"}
    return facts.Analysis(
        name=facts.Field(
            value="Acme kettle 1.7 l",
            confidence=60,
            evidence=says,
            alternatives=(
                facts.Alternative(value="Zeta kettle", confidence=50, record=other),
                facts.Alternative(value="What was typed", confidence=40),
            ),
        ),
        brand=facts.Field(value="Acme", confidence=60, evidence=shown),
        model=NOTHING,
        condition=NOTHING,
        gtin=facts.Field(value="09521101530018", confidence=59, evidence=says),
        size=facts.Field(value="1.7 l", confidence=60, evidence=says),
        confidence=60,
        reasons=("It fits another known product about as well.",),
    )


def reading(photos, hints, reference, report, **_more):
    """An analysis that reads a code on the first photo, and sees bars on the second."""
    first, second, third = (photo.id for photo in photos)
    found = sure(photos, hints, reference, report)
    qualities = [facts.PhotoQuality(photo_id=first, score=90), facts.PhotoQuality(photo_id=third, score=80)]
    qualities.append(facts.PhotoQuality(photo_id=second, score=80, problems=("bars_unread",), says="Unread."))
    code = facts.Barcode(photo_id=first, text="LOT-7", format="CODE128")
    return msgspec.structs.replace(found, barcodes=(code,), photos=tuple(qualities))


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
