"""What the GS1 carriers on the photos say of this item or lot: expiry, lot, serial, counts, weights."""

from collections.abc import Sequence

from webapp.lib import gs1
from webapp.phases.analysis.numbers import Number
from webapp.phases.analysis.reads import SELF_CORRECTING
from webapp.phases.facts import Alternative, Barcode, Carried, Element, Evidence, Field

SHOWN = (
    "expiry",
    "best_before",
    "sell_by",
    "lot",
    "serial",
    "packed",
    "produced",
    "count",
    "net_weight",
    "gross_weight",
    "net_volume",
    "length",
    "width",
    "height",
    "area",
    "variant",
    "consumer_variant",
    "country_of_origin",
)
"""Keys of what is worth a line, in the order in which it is shown. Numbers of orders and places are not."""
AGREED, ALONE, DISPUTED = 97, 82, 50
"""Confidence: the code corrects errors, or two decoders agree; one decoder alone; two codes say different things."""


def carried(accepted: Sequence[Barcode], chosen: Number | None) -> tuple[Carried, ...]:
    """Each fact once, with the codes that say it. Codes of another product than the chosen one are left out."""
    mine = [code for code in accepted if chosen is None or code.gtin14 in (None, chosen.gtin14)]
    said: dict[str, dict[str, list[tuple[Barcode, Element]]]] = {}
    for code in mine:
        for element in code.elements:
            said.setdefault(element.key, {}).setdefault(element.value, []).append((code, element))
    return tuple(Carried(key=key, field=_field(said[key])) for key in SHOWN if key in said)


def _field(values: dict[str, list[tuple[Barcode, Element]]]) -> Field:
    ranked = sorted(values, key=lambda value: (-sum(code.votes for code, _ in values[value]), value))
    best, others = ranked[0], ranked[1:]
    sure = any(code.format in SELF_CORRECTING or len(code.decoders) > 1 for code, _ in values[best])
    return Field(
        value=best,
        confidence=DISPUTED if others else AGREED if sure else ALONE,
        evidence=tuple(_evidence(code, element) for code, element in values[best]),
        alternatives=tuple(Alternative(value=value, confidence=DISPUTED) for value in others[:3]),
    )


def _evidence(code: Barcode, element: Element) -> Evidence:
    says = f"{code.format_name} says ({element.ai}) {element.raw.replace(gs1.GS, ' ')}."
    return Evidence(kind="barcode", says=says, weight=0.9, photo_id=code.photo_id, box=code.box)
