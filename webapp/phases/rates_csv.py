"""Exchange rates from a CSV file, in one of two forms, told apart by the header.

The European Central Bank's (eurofxref-hist.csv, eurofxref.csv): units of each currency for one euro, `N/A` where none
was fixed.

    Date,USD,JPY,…          2026-11-20,1.0844,168.96,…

Or one rate per row: so many units of `quote` for one unit of `base`.

    date,base,quote,rate    2026-11-20,USD,EUR,0.9222
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from webapp.lib import csv_table
from webapp.lib.csv_table import Row, Table, TableError
from webapp.lib.dates import DateError, read_moment
from webapp.lib.money import CURRENCIES
from webapp.lib.text import clean, cut
from webapp.phases.facts import Fact
from webapp.phases.offers_csv.rows import Problem

__all__ = ["DatedRate", "RatesFile", "TableError", "parse"]

ECB_BASE = "EUR"
LARGEST = Decimal(10) ** 9
"""No money is worth so little: a rate above is a slip."""
_NONE = frozenset(("", "n/a", "na", "-"))
_RATE = re.compile(r"\d{1,12}(?:[.,]\d{1,12})?")
_PLACES = Decimal("0.0000000001")
_SHOWN = 80


class DatedRate(Fact, frozen=True, kw_only=True):
    """One unit of `base` was worth `rate` units of `quote` on `day`."""

    day: date
    base: str
    quote: str
    rate: Decimal


@dataclass(frozen=True)
class RatesFile:
    """What a file holds. A bad rate is named in `problems` and left out; a row counts as rejected when nothing of it
    could be used. `ignored`: columns of money that is no more."""

    rates: tuple[DatedRate, ...]
    problems: tuple[Problem, ...]
    rows_read: int
    rows_rejected: int
    ignored: tuple[str, ...]


_Reader = Callable[[Row, list[Problem]], Iterable["DatedRate"]]


class _Bad(Exception):
    def __init__(self, column: str, value: str, says: str) -> None:
        super().__init__(says)
        self.column, self.value = column, cut(value, _SHOWN)


def parse(data: bytes, now: datetime) -> RatesFile:
    """Reads a file of rates; those of days after `now` are refused. Raises TableError when it can't be read at all."""
    table = csv_table.read(data)
    names = [clean(name).lower() for name in table.header]
    if {"date", "base", "quote", "rate"} <= set(names):
        places = [names.index(name) for name in ("date", "base", "quote", "rate")]
        return _read(table, lambda row, _: [_single(row, places, now)], ())
    columns = {place: name.upper() for place, name in enumerate(names) if name.upper() in CURRENCIES}
    if not names or names[0] != "date" or not columns:
        raise TableError(
            "The header needs “date, base, quote, rate”, or “Date” and a column for each currency as the European "
            "Central Bank writes it."
        )
    ignored = tuple(name for place, name in enumerate(table.header) if place and place not in columns and name.strip())
    return _read(table, lambda row, problems: _of_one_day(row, columns, now, problems), ignored)


def _read(table: Table, read: _Reader, ignored: tuple[str, ...]) -> RatesFile:
    found: dict[tuple[date, str, str], DatedRate] = {}
    problems: list[Problem] = []
    rejected = 0
    for row in table.rows:
        try:
            if row.problem:
                raise _Bad("", " | ".join(row.cells), row.problem)
            found.update(((rate.day, rate.base, rate.quote), rate) for rate in read(row, problems))
        except _Bad as bad:
            rejected += 1
            problems.append(_problem(row, bad, rejected=True))
    return RatesFile(tuple(found.values()), tuple(problems), len(table.rows), rejected, ignored)


def _single(row: Row, places: Sequence[int], now: datetime) -> DatedRate:
    day, base, quote, rate = (clean(row.cells[place]) for place in places)
    for column, text in (("base", base), ("quote", quote)):
        if text.upper() not in CURRENCIES:
            raise _Bad(column, text, "this is not a currency; write its code, such as EUR")
    if base.upper() == quote.upper():
        raise _Bad("quote", quote, "this is the base itself")
    return DatedRate(day=_day(day, now), base=base.upper(), quote=quote.upper(), rate=_rate("rate", rate))


def _of_one_day(row: Row, columns: dict[int, str], now: datetime, problems: list[Problem]) -> Iterator[DatedRate]:
    day = _day(row.cells[0], now)
    for place, currency in columns.items():
        text = clean(row.cells[place])
        if text.lower() in _NONE or currency == ECB_BASE:
            continue
        try:
            yield DatedRate(day=day, base=ECB_BASE, quote=currency, rate=_rate(currency, text))
        except _Bad as bad:
            problems.append(_problem(row, bad, rejected=False))


def _day(text: str, now: datetime) -> date:
    try:
        day = read_moment(text).date()
    except DateError as error:
        raise _Bad("date", text, str(error)) from None
    if day > (now + timedelta(days=1)).date():
        raise _Bad("date", text, "this day lies in the future")
    return day


def _rate(column: str, text: str) -> Decimal:
    if not _RATE.fullmatch(text):
        raise _Bad(column, text, "this is not a rate; write it like 1.0844")
    rate = Decimal(text.replace(",", ".")).quantize(_PLACES)
    if not 0 < rate <= LARGEST:
        raise _Bad(column, text, "no rate is so small or so large")
    return rate


def _problem(row: Row, bad: _Bad, *, rejected: bool) -> Problem:
    says = str(bad)
    return Problem(
        line=row.line, column=bad.column, value=bad.value, says=f"{says[0].upper()}{says[1:]}.", rejected=rejected
    )
