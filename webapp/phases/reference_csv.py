"""Known products from a CSV or TSV file, such as Open Food Facts publishes: one row is one product.

Columns stand in any order and under their usual names in several languages; unknown ones are left out:

    name       required: what the product is called, up to 500 characters
    gtin       EAN, UPC, ISBN; a broken one is left out with a warning
    brand, model, category
"""

from typing import Any

from webapp.lib import csv_table
from webapp.lib.csv_table import Row, TableError
from webapp.lib.fingerprint import fingerprint
from webapp.lib.text import cut
from webapp.phases import offers_csv
from webapp.phases.facts import Fact
from webapp.phases.offers_csv import columns
from webapp.phases.offers_csv.rows import CellReader, Problem, RowError

__all__ = ["ReferenceFile", "ReferenceRow", "TableError", "parse"]

ALIASES = {name: columns.ALIASES[name] for name in ("title", "model")} | {
    "gtin": f"{columns.ALIASES['gtin']}, code",
    "brand": f"{columns.ALIASES['brand']}, brands",
    "category": f"{columns.ALIASES['category']}, categories, main category",
}


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
    offers_csv.require(table, places, title="name")
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
        name, number = self._title(row), self._gtin(row)
        brand, model = self._short(row, "brand"), self._short(row, "model")
        return ReferenceRow(
            line=row.line,
            key=number or fingerprint("known", name, brand, model),
            name=name,
            gtin14=number,
            brand=brand,
            model=model,
            category=self._short(row, "category"),
        )
