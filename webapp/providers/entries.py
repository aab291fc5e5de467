"""Offers as outside sources write them, read by the same rules as the rows of an offers file."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime

import msgspec

from webapp.lib.csv_table import Row, Table
from webapp.lib.text import cut
from webapp.phases.facts import Offer
from webapp.phases.offers_csv.rows import OfferRow, RowError, RowReader, Settings

FIELDS = {
    "title": "title",
    "price": "price",
    "currency": "currency",
    "shipping": "shipping",
    "kind": "kind",
    "marketplace": "marketplace",
    "link": "url",
    "brand": "brand",
    "model": "model",
    "gtin": "gtin",
    "category": "category",
    "condition": "condition",
    "seen_at": "seen_at",
}
"""What the reader calls a value, and what an entry does."""
Entry = Mapping[str, object]
ID_LENGTH = 200
CELL_LENGTH = 4000


def decoded(entries: Sequence[msgspec.Raw]) -> tuple[list[Entry], int]:
    """The entries that are JSON objects, and how many are not, or hold what no offer does (a number without bounds).

    Raises:
        msgspec.ValidationError: there are some, and all are of that kind.
    """
    found: list[Entry] = []
    for entry in entries:
        with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            found.append(msgspec.json.decode(entry, type=dict[str, object]))
    if entries and not found:
        raise msgspec.ValidationError("none of them is an object")
    return found, len(entries) - len(found)


def read_offers(entries: Sequence[Entry], now: datetime, source: str) -> tuple[list[Offer], int]:
    """The offers among the entries, and how many entries were none. `now` (aware): when those without a date were seen;
    `source`: where all of them are said to come from."""
    table = Table(tuple(FIELDS.values()), header_line=0, rows=(), delimiter="", encoding="")
    settings = Settings(now=now, source=source, currency=None, decimal_mark=".", day_comes_first=None)
    reader = RowReader(table, {field: (place,) for place, field in enumerate(FIELDS)}, settings)
    offers: list[Offer] = []
    unreadable = 0
    for number, entry in enumerate(entries, start=1):
        try:
            (row,) = reader.read(Row(number, tuple(_cell(entry.get(name)) for name in FIELDS.values())))
        except RowError:
            unreadable += 1
        else:
            offers.append(_offer(row, _cell(entry.get("id"))))
    return offers, unreadable


def _offer(row: OfferRow, own_name: str) -> Offer:
    values = {name: getattr(row, name) for name in row.__struct_fields__ if name not in ("line", "key")}
    return Offer(id=cut(own_name, ID_LENGTH) or row.key, **values)


def _cell(value: object) -> str:
    """A JSON value as a cell; what is neither text nor number is none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return str(value)[:CELL_LENGTH].replace("\x00", "")
