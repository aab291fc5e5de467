"""Known products from a CSV or TSV file, such as Open Food Facts publishes: one row is one product.

Columns stand in any order and under their usual names in several languages; unknown ones are left out:

    name       required: what the product is called, up to 500 characters
    gtin       EAN, UPC, ISBN; a broken one is left out with a warning, and so is a shop's own number, which means
               something else in the next shop. `code` counts as one where there is no other column of that kind.
    brand, model, category
               of a list (`Ferrero,Nutella`; `Breakfasts,Spreads,en:hazelnut-spreads`) the first brand and the last,
               narrowest category
"""

import re
from typing import Any

from webapp.lib import csv_table, gtin
from webapp.lib.csv_table import Row, TableError
from webapp.lib.fingerprint import fingerprint
from webapp.lib.text import clean, cut
from webapp.phases import offers_csv
from webapp.phases.facts import Fact
from webapp.phases.offers_csv import columns
from webapp.phases.offers_csv.rows import MAX_SHORT, CellReader, Problem, RowError

__all__ = ["ReferenceFile", "ReferenceRow", "TableError", "parse"]

ALIASES = {name: columns.ALIASES[name] for name in ("title", "model")} | {
    "gtin": columns.ALIASES["gtin"],
    "code": "code",
    "brand": columns.ALIASES["brand"],
    "brands": "brands",
    "category": columns.ALIASES["category"],
    "categories": "categories",
}
_OF_A_LANGUAGE = re.compile(r"[a-z]{2}:")


class ReferenceRow(Fact, frozen=True, kw_only=True):
    """One known product. `key`: its number, or without one a fingerprint of its name, brand and model."""

    line: int
    key: str
    name: str
    gtin14: str | None = None
    brand: str | None = None
    model: str | None = None
    category: str | None = None


class ReferenceFile(offers_csv.TableFile, frozen=True, kw_only=True):
    """What a file holds: of several rows with the same key the first."""

    rows: tuple[ReferenceRow, ...]


def parse(data: bytes) -> ReferenceFile:
    """Reads a file of known products.

    Raises TableError when the file as a whole can't be read; a bad row is named in `problems` and left out.
    """
    table = csv_table.read(data)
    places, _ = columns.assign(table.header, ALIASES)
    code = places.pop("code", None)  # a shop's own articles are often called so, beside their barcodes
    if code and "gtin" not in places:
        places["gtin"] = code
    offers_csv.require(table, places, title="name")
    if not table.rows:
        raise TableError("The file has a header and no rows below it, so there is nothing to take in.")
    reader = _Reader(table, places)
    rows: dict[str, ReferenceRow] = {}
    problems: list[Problem] = []
    rejected = 0
    for row in table.rows:
        try:
            known = reader.known(row)
        except RowError as error:
            rejected += 1
            problems.append(error.problem)
            continue
        first = rows.setdefault(known.key, known)
        if first is not known:
            says = f"Left out: line {first.line} has the same {'barcode' if known.gtin14 else 'product'}."
            problems.append(Problem(line=row.line, column="", value=cut(known.name, 80), says=says, rejected=False))
    about: dict[str, Any] = offers_csv.about(table, places, [*problems, *reader.warnings], rejected)
    repeated = len(table.rows) - rejected - len(rows)
    return ReferenceFile(rows=tuple(rows.values()), rows_repeated=repeated, **about)


class _Reader(CellReader):
    """Reads a row as a known product."""

    title_is = "name"

    def known(self, row: Row) -> ReferenceRow:
        """The product of a row. Raises RowError."""
        self.check(row)
        name, number = self._title(row), self._number(row)
        brand, model = self._short(row, "brand") or self._first(row, "brands"), self._short(row, "model")
        return ReferenceRow(
            line=row.line,
            key=number or fingerprint("known", name, brand, model),
            name=name,
            gtin14=number,
            brand=brand,
            model=model,
            category=self._short(row, "category") or self._last(row, "categories"),
        )

    def _number(self, row: Row) -> str | None:
        number = self._gtin(row)
        if number is None or not gtin.is_restricted(number):
            return number
        self._warn(row, "gtin", gtin.written(number), "Left out: this is a shop's own number.")
        return None

    def _first(self, row: Row, field: str) -> str | None:
        return next(iter(self._parts(row, field)), None)

    def _last(self, row: Row, field: str) -> str | None:
        return next((part for part in reversed(self._parts(row, field)) if not _OF_A_LANGUAGE.match(part)), None)

    def _parts(self, row: Row, field: str) -> list[str]:
        """The parts of a list that are no longer than a value may be."""
        parts = [clean(part) for part in self._cell(row, field).split(",")]
        return [part for part in parts if part and len(part) <= MAX_SHORT]
