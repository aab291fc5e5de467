"""What GS1 carriers say beside the product number: lot, dates, serial, counts, weights.

An element string is a row of application identifiers (AI) with their values, as a GS1-128, GS1 DataMatrix or GS1 QR
Code holds it: some AIs have a fixed length, the others end at a separator (FNC1, told as GS, 0x1D) or at the end. A
GS1 Digital Link is an address that says the same. Rules after the GS1 General Specifications (3.2, 7.8, 7.12) and the
GS1 Digital Link standard (URI syntax). What breaks one of them is not GS1, but any text: no part of it is taken.
"""

import re
from calendar import monthrange
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from webapp.lib import gtin

GS = "\x1d"
LONGEST = 400
"""Characters beyond which nothing is looked at; the longest carrier in trade holds fewer."""
SIGNS = re.compile(r"[!\"%&'()*+,\-./0-9:;<=>?A-Z_a-z]+")
"""Character set 82."""
BRACKETED = re.compile(r"\((\d{2,4})\)([^()]*)")


class Element(NamedTuple):
    """One application identifier with its value. `key` is our name for it, `value` as a person reads it (dates as
    2026-12-31, weights as `1.25 kg`), `raw` as the carrier has it."""

    ai: str
    key: str
    value: str
    raw: str


@dataclass(frozen=True)
class Form:
    """What the value of an AI looks like: `least` to `most` signs; digits only, or set 82. `fixed`: it ends by itself,
    without a separator."""

    key: str
    least: int
    most: int
    digits: bool = True
    fixed: bool = False
    kind: str = ""


def _exactly(key: str, length: int, kind: str = "", *, fixed: bool = True) -> Form:
    return Form(key, length, length, fixed=fixed, kind=kind)


def _upto(key: str, most: int, *, digits: bool = False) -> Form:
    return Form(key, 1, most, digits=digits)


_FORMS = {
    "00": _exactly("sscc", 18, "checked"),
    "01": _exactly("gtin", 14, "checked"),
    "02": _exactly("content_gtin", 14, "checked"),
    "10": _upto("lot", 20),
    "11": _exactly("produced", 6, "date"),
    "12": _exactly("due", 6, "date"),
    "13": _exactly("packed", 6, "date"),
    "15": _exactly("best_before", 6, "date"),
    "16": _exactly("sell_by", 6, "date"),
    "17": _exactly("expiry", 6, "date"),
    "20": _exactly("variant", 2),
    "21": _upto("serial", 20),
    "22": _upto("consumer_variant", 20),
    "30": _upto("count", 8, digits=True),
    "37": _upto("count", 8, digits=True),
    "235": _upto("third_party_serial", 28),
    "240": _upto("additional_id", 30),
    "241": _upto("customer_part", 30),
    "242": _upto("made_to_order", 6, digits=True),
    "243": _upto("packaging_component", 20),
    "250": _upto("second_serial", 30),
    "251": _upto("source_reference", 30),
    "400": _upto("order", 30),
    "401": _upto("consignment", 30),
    "402": _exactly("shipment", 17, "checked", fixed=False),
    "403": _upto("route", 30),
    **{ai: _exactly("location", 13, "checked") for ai in ("410", "411", "412", "413", "414", "415", "416", "417")},
    "420": _upto("ship_to_postal_code", 20),
    "422": _exactly("country_of_origin", 3, fixed=False),
    "7003": _exactly("expiry", 10, "moment", fixed=False),
    "8005": _exactly("unit_price", 6, fixed=False),
    "8200": _upto("address", 70),
    **{str(ai): _upto("internal", 30 if ai == 90 else 90) for ai in range(90, 100)},
}
_MEASURES = {
    "310": ("net_weight", "kg"),
    "311": ("length", "m"),
    "312": ("width", "m"),
    "313": ("height", "m"),
    "314": ("area", "m²"),
    "315": ("net_volume", "l"),
    "316": ("net_volume", "m³"),
    "320": ("net_weight", "lb"),
    "330": ("gross_weight", "kg"),
    "340": ("gross_weight", "lb"),
    "356": ("net_weight", "troy oz"),
    "357": ("net_weight", "oz"),
}
"""By the first three of four digits; the fourth is the number of decimals. All are six digits long."""
_QUALIFIERS = ("22", "10", "21", "235")
"""AIs that may follow a GTIN in the path of a Digital Link, in this order."""


def parse(text: str, *, is_element_string: bool = False, today: date | None = None) -> tuple[Element, ...]:
    """The elements of a carrier's text in their order; none where it is not GS1, or breaks one of its rules.

    `is_element_string`: the carrier says so itself, by its first sign FNC1. Without it only the written form with
    brackets, `(01)…(10)…`, and a Digital Link are GS1: digits alone could mean anything. `today` says in which century
    the two digits of a year lie.
    """
    if not text or len(text) > LONGEST:
        return ()
    try:
        if is_element_string:
            pairs = list(_split(text))
        elif text.startswith("("):
            pairs = _bracketed(text)
        elif text[:4].lower() == "http":
            pairs = _linked(text)
        else:
            return ()
        return _consistent([_element(ai, raw, today or datetime.now(UTC).date()) for ai, raw in pairs])
    except ValueError:
        return ()


def gtin_of(elements: Sequence[Element]) -> str | None:
    """The product's own 14 digits (AI 01), else those of what a logistic unit contains (AI 02)."""
    by_ai = {element.ai: element.raw for element in elements}
    return by_ai.get("01") or by_ai.get("02")


def written(elements: Sequence[Element]) -> str:
    """The elements as people write them: `(01)09521101530018(10)LOT-7`."""
    return "".join(f"({element.ai}){element.raw}" for element in elements)


def _split(text: str) -> Iterator[tuple[str, str]]:
    """AI and value, by length or separator. Raises ValueError."""
    rest = text.lstrip(GS)
    while rest:
        ai, form = _known(rest)
        rest = rest[len(ai) :]
        if form.fixed:
            value, rest = rest[: form.most], rest[form.most :].removeprefix(GS)
        else:
            value, _, rest = rest.partition(GS)
        yield ai, value


def _known(text: str) -> tuple[str, Form]:
    """The AI that `text` begins with. Raises ValueError for one that is not in the tables: its end is not known."""
    for length in (2, 3, 4):
        ai = text[:length]
        if (form := _form(ai)) is not None and len(ai) == length:
            return ai, form
    raise ValueError("an unknown application identifier")


def _form(ai: str) -> Form | None:
    if len(ai) == 4 and ai[:3] in _MEASURES and ai[3] in "012345":
        return _exactly(_MEASURES[ai[:3]][0], 6, "measure")
    return _FORMS.get(ai)


def _bracketed(text: str) -> list[tuple[str, str]]:
    found = BRACKETED.findall(text.strip())
    if "".join(f"({ai}){value}" for ai, value in found) != text.strip():
        raise ValueError("not all of it are application identifiers")
    return found


def _linked(text: str) -> list[tuple[str, str]]:
    """A Digital Link's path from `/01/` on, and the AIs of its query. Raises ValueError."""
    parts = urlsplit(text.strip())
    steps = [unquote(step) for step in parts.path.split("/")]
    if parts.scheme.lower() not in ("http", "https") or not parts.netloc or "01" not in steps:
        raise ValueError("no Digital Link")
    at = len(steps) - 1 - steps[::-1].index("01")
    found = steps[at:-1] if steps[-1] == "" else steps[at:]
    if len(found) % 2 or [ai for ai in _QUALIFIERS if ai in found[2::2]] != found[2::2]:
        raise ValueError("the path is no row of application identifiers")
    number = found[1]
    if len(number) not in (12, 13, 14) and not (len(number) == 8 and parts.netloc.lower() == "id.gs1.org"):
        raise ValueError("eight digits behind a 01 may be anything, a date for one")
    path = [("01", number.zfill(14)), *zip(found[2::2], found[3::2], strict=True)]
    query = [(key, value) for key, value in parse_qsl(parts.query) if _form(key) is not None]
    return [*path, *query]


def _element(ai: str, raw: str, today: date) -> Element:
    """The element with its value made readable. Raises ValueError where it breaks its form."""
    form = _form(ai)
    if form is None or not form.least <= len(raw) <= form.most:
        raise ValueError("unknown, or of another length")
    if form.digits and not (raw.isascii() and raw.isdigit()):
        raise ValueError("not digits")
    if not form.digits and not SIGNS.fullmatch(raw):
        raise ValueError("signs that GS1 does not know")
    value = raw
    match form.kind:
        case "checked":
            if not gtin.is_valid(raw) or not raw.strip("0"):
                raise ValueError("the check digit does not fit")
        case "date":
            value = _date(raw, today).isoformat()
        case "moment":
            value = f"{_date(raw[:6], today).isoformat()} {_clock(raw[6:])}"
        case "measure":
            value = f"{Decimal(raw).scaleb(-int(ai[3])):f} {_MEASURES[ai[:3]][1]}"
    if form.key == "count":
        value = raw.lstrip("0") or "0"
    return Element(ai, form.key, value, raw)


def _date(raw: str, today: date) -> date:
    """YYMMDD. Day 00 is the month's last; a year lies within 50 of today's (General Specifications, 7.12)."""
    year, month, day = int(raw[:2]), int(raw[2:4]), int(raw[4:])
    apart = year - today.year % 100
    century = today.year // 100 - (1 if apart >= 51 else 0) + (1 if apart <= -50 else 0)
    year += 100 * century
    if not 1 <= month <= 12:
        raise ValueError("no month")
    return date(year, month, day or monthrange(year, month)[1])


def _clock(raw: str) -> str:
    hour, minute = int(raw[:2]), int(raw[2:])
    if hour > 23 or minute > 59:
        raise ValueError("no time of day")
    return f"{hour:02}:{minute:02}"


def _consistent(elements: list[Element]) -> tuple[Element, ...]:
    """Each AI once: a carrier that says two things says nothing. Raises ValueError."""
    said: dict[str, Element] = {}
    for element in elements:
        if said.setdefault(element.ai, element).raw != element.raw:
            raise ValueError("it contradicts itself")
    return tuple(said.values())
