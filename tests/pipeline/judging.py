"""Analyses as sure or unsure as the test wants, with the witnesses that calibration and rules look at."""

from webapp.phases import facts

NOTHING = facts.Field()
GTIN = "04006381333931"


def found(
    confidence: int,
    *,
    path: facts.Path = facts.Path.BARCODE_RECORD,
    name: str = "Kettle",
    brand: str | None = "Acme",
    gtin: str | None = GTIN,
) -> facts.Analysis:
    fields = {
        "name": facts.Field(value=name, confidence=confidence),
        "brand": facts.Field(value=brand, confidence=confidence) if brand else NOTHING,
        "gtin": facts.Field(value=gtin, confidence=confidence) if gtin else NOTHING,
    }
    doubts = () if confidence >= 80 else ("The evidence is thin.",)
    return facts.Analysis(
        model=NOTHING,
        condition=NOTHING,
        **fields,
        confidence=confidence,
        reasons=doubts,
        assessment=facts.Assessment(
            path=path,
            raw=confidence,
            shown=confidence,
            witnesses={"on_label": 0.5},
            fields={key: field.confidence for key, field in fields.items() if field.value},
            doubts=doubts,
        ),
    )


def sure(photos, hints, reference, report, **_more):
    """As sure as the typed model says, 90 without one; the name is what was typed."""
    return found(int(hints.model or 90), name=hints.name or "Kettle")


ANALYSIS = f"{__name__}.sure"
