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

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from webapp.lib import csv_table, dates, money
from webapp.lib.csv_table import Table, TableError
from webapp.lib.text import cut
from webapp.phases.facts import Fact
from webapp.phases.offers_csv import columns
from webapp.phases.offers_csv.rows import OfferRow, Problem, RowError, RowReader, Settings

__all__ = ["OfferRow", "OffersFile", "Problem", "TableError", "TableFile", "parse"]

MAX_PROBLEMS = 1000
"""So many problems are listed; all are counted."""


class TableFile(Fact, frozen=True, kw_only=True):
    """What became of the rows of a file: each of `rows_read` was taken, rejected, or repeats an earlier one.

    `columns`: for each field the headers it was taken from; `ignored`: the others."""

    problems: tuple[Problem, ...]
    problem_count: int
    rows_read: int
    rows_rejected: int
    rows_repeated: int
    columns: dict[str, tuple[str, ...]]
    ignored: tuple[str, ...]
    encoding: str
    delimiter: str


class OffersFile(TableFile, frozen=True, kw_only=True):
    """What a file holds; a row is one offer, or two with a list price."""

    rows: tuple[OfferRow, ...]


def parse(
    data: bytes, now: datetime, source: str, currency: str | None = None, decimal_mark: str | None = None
) -> OffersFile:
    """Reads a file of offers. `now` (aware) is when rows without a date were seen; `source` names where rows come from
    that do not say; `currency` (ISO 4217) and `decimal_mark` (`.` or `,`) settle what the file leaves open.

    Raises TableError when the file as a whole can't be read; a bad row is named in `problems` and left out.
    """
    table = csv_table.read(data)
    places, header_currency = columns.assign(table.header)
    require(table, places, "price", "list_price")
    default = header_currency or (money.currency_code(currency) if currency else None)
    settings = Settings(
        now=now,
        source=source,
        currency=default,
        decimal_mark=decimal_mark or money.common_decimal_mark(texts(table, places, "price", "list_price")),
        day_comes_first=dates.day_first(texts(table, places, "seen_at")),
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
    told = about(table, places, [*problems, *reader.warnings], rejected)
    return OffersFile(rows=tuple(rows.values()), rows_repeated=repeated, **told)


def about(
    table: Table, places: Mapping[str, Sequence[int]], problems: Iterable[Problem], rejected: int
) -> dict[str, Any]:
    """What a TableFile says of its table, but for `rows_repeated`; problems in the order of its lines."""
    ordered = sorted(problems, key=lambda problem: problem.line)
    taken = {place for found in places.values() for place in found}
    return {
        "problems": tuple(ordered[:MAX_PROBLEMS]),
        "problem_count": len(ordered),
        "rows_read": len(table.rows),
        "rows_rejected": rejected,
        "columns": {field: tuple(table.header[place] for place in found) for field, found in places.items()},
        "ignored": tuple(name for place, name in enumerate(table.header) if place not in taken),
        "encoding": table.encoding,
        "delimiter": table.delimiter,
    }


def require(table: Table, places: Mapping[str, Sequence[int]], *prices: str, title: str = "title") -> None:
    """Refuse a table without a title (called as people would), or without any of these columns of prices, if some are
    named. Raises TableError."""
    lacks = [] if "title" in places else [f"“{title}”"]
    lacks += [] if not prices or any(name in places for name in prices) else ["“price”"]
    if lacks:
        found = ", ".join(f"“{cut(name, 40)}”" for name in table.header[:12])
        raise TableError(f"The header needs {' and '.join(lacks)}; line {table.header_line} has {found}.")


def texts(table: Table, places: Mapping[str, Sequence[int]], *fields: str) -> list[str]:
    """The cells of these columns, one column after the other, without those of rows that cannot be trusted."""
    wanted = [place for field in fields for place in places.get(field, ())]
    return [row.cells[place] for row in table.rows if not row.problem for place in wanted]
