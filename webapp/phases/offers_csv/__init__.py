"""Offers from a CSV file: one row is one offer (or list price) that somebody saw in a market.

Columns stand in any order and under their usual names in several languages (`columns.ALIASES`); unknown ones are
left out:

    title        required: what is offered, up to 500 characters
    price        required unless list_price is given: `12.50`, `1.234,56 €`, `$5`
    list_price   the maker's list price; makes a second row of kind `list`
    shipping     what comes on top, in the price's currency
    currency     ISO 4217 code or sign; may also stand beside the price or in its header (`Price (EUR)`)
    kind         `offer` (default) or `list`
    gtin         EAN, UPC, ISBN; a broken one is left out with a warning
    brand, model, category, marketplace, source
    condition    new, like new, refurbished, used, for parts (or the trade's other words for them, or eBay's ids)
    link         web address of the offer
    seen_at      day or moment the offer was seen; without it, the moment of the import
"""

from datetime import datetime

from webapp.lib import csv_table, dates, money
from webapp.lib.csv_table import Table, TableError
from webapp.lib.text import cut
from webapp.phases.facts import Fact
from webapp.phases.offers_csv import columns
from webapp.phases.offers_csv.rows import OfferRow, Problem, RowError, RowReader, Settings

__all__ = ["OfferRow", "OffersFile", "Problem", "TableError", "parse"]

MAX_PROBLEMS = 1000
"""So many problems are listed; all are counted."""


class OffersFile(Fact, frozen=True, kw_only=True):
    """What a file holds. Each of `rows_read` rows is in `rows` (as one offer, or two with a list price), rejected, or
    a repetition of an earlier one. `columns`: for each field the headers it was taken from; `ignored`: the others."""

    rows: tuple[OfferRow, ...]
    problems: tuple[Problem, ...]
    problem_count: int
    rows_read: int
    rows_rejected: int
    rows_repeated: int
    columns: dict[str, tuple[str, ...]]
    ignored: tuple[str, ...]
    encoding: str
    delimiter: str


def parse(
    data: bytes, now: datetime, source: str, currency: str | None = None, decimal_mark: str | None = None
) -> OffersFile:
    """Reads a file of offers. `now` (aware) is when rows without a date were seen; `source` names where rows come from
    that do not say; `currency` (ISO 4217) and `decimal_mark` (`.` or `,`) settle what the file leaves open.

    Raises TableError when the file as a whole can't be read; a bad row is named in `problems` and left out.
    """
    table = csv_table.read(data)
    places, header_currency = columns.assign(table.header)
    _require(table, places)
    default = header_currency or (money.currency_code(currency) if currency else None)
    price_cells = [text for field in ("price", "list_price") for text in _column(table, places.get(field, ()))]
    settings = Settings(
        now=now,
        source=source,
        currency=default,
        decimal_mark=decimal_mark or money.common_decimal_mark(price_cells),
        day_comes_first=dates.day_first(_column(table, places.get("seen_at", ()))),
    )
    reader = RowReader(table, places, settings)
    problems = [
        Problem(line=line, column="", value="", says="Read as Windows-1252, unlike the rest.", rejected=False)
        for line in table.recoded_lines
    ]
    rows: dict[str, OfferRow] = {}
    rejected = repeated = 0
    for row in table.rows:
        try:
            offers = reader.read(row)
        except RowError as error:
            rejected += 1
            problems.append(error.problem)
            continue
        new = [offer for offer in offers if offer.key not in rows]
        rows.update((offer.key, offer) for offer in new)
        if not new:
            repeated += 1
            says = f"Left out: the same as line {rows[offers[0].key].line}."
            problems.append(
                Problem(line=row.line, column="", value=cut(offers[0].title, 80), says=says, rejected=False)
            )
    problems = sorted([*problems, *reader.warnings], key=lambda problem: problem.line)
    taken = {place for found in places.values() for place in found}
    return OffersFile(
        rows=tuple(rows.values()),
        problems=tuple(problems[:MAX_PROBLEMS]),
        problem_count=len(problems),
        rows_read=len(table.rows),
        rows_rejected=rejected,
        rows_repeated=repeated,
        columns={field: tuple(table.header[place] for place in found) for field, found in places.items()},
        ignored=tuple(name for place, name in enumerate(table.header) if place not in taken),
        encoding=table.encoding,
        delimiter=table.delimiter,
    )


def _require(table: Table, places: dict[str, list[int]]) -> None:
    lacks = [] if "title" in places else ["“title”"]
    lacks += [] if "price" in places or "list_price" in places else ["“price”"]
    if lacks:
        found = ", ".join(f"“{cut(name, 40)}”" for name in table.header[:12])
        raise TableError(f"The header needs {' and '.join(lacks)}; line {table.header_line} has {found}.")


def _column(table: Table, places: list[int] | tuple[int, ...]) -> list[str]:
    return [row.cells[place] for row in table.rows if not row.problem for place in places]
