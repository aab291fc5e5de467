"""The client's own sales from a CSV file: one row is one sale of one product.

Columns stand in any order and under their usual names in several languages; unknown ones are left out:

    title        required: what was sold
    price        required unless total is given: what one piece was sold for
    total        what all pieces of the row were sold for together; `quantity` says how many
    currency     ISO 4217 code or sign; may also stand beside the price or in its header
    sold_at      day or moment of the sale; without it, the moment of the import
    order        number of the order: the same row of the same order is one sale, however often it is imported
    gtin, brand, model, category, condition, marketplace, link
"""

from collections import Counter
from datetime import datetime
from decimal import Decimal

import msgspec

from webapp.lib import csv_table, dates, money
from webapp.lib.csv_table import Row, TableError
from webapp.lib.fingerprint import fingerprint
from webapp.lib.money import rounded
from webapp.lib.text import clean, cut
from webapp.phases import offers_csv
from webapp.phases.offers_csv import OffersFile, columns
from webapp.phases.offers_csv.rows import OfferRow, Problem, RowError, RowReader, Settings

__all__ = ["TableError", "parse"]

_OFFERS = ("title", "price", "currency", "gtin", "brand", "model", "category", "condition", "marketplace", "link")
ALIASES = {name: columns.ALIASES[name] for name in _OFFERS} | {
    "price": f"{columns.ALIASES['price']}, sold for, item price, sale amount, erlos, price each",
    "total": "total, total price, order total, line total, gesamt, gesamtpreis, summe, item total, item subtotal",
    "quantity": "quantity, qty, quantity sold, menge, anzahl, stuck, quantite, cantidad, units",
    "seen_at": "sold at, sold on, sold, sale date, date sold, date, datum, order date, paid on, paid on date, "
    "paid at, verkauft am, verkaufsdatum, bestelldatum, created at, fecha, data, purchase date",
    "order": "order, order number, order id, order no, sales record number, reference, bestellnummer, bestellung, "
    "auftragsnummer, amazon order id, transaction id, name of order",
}


def parse(data: bytes, now: datetime, source: str, currency: str | None = None) -> OffersFile:
    """Reads a file of sales. `now` (aware): when those without a date were; `source`: where they are said to come from;
    `currency` settles what the file leaves open.

    Raises TableError when the file as a whole can't be read; a bad row is named in `problems` and left out.
    """
    table = csv_table.read(data)
    places, header_currency = columns.assign(table.header, ALIASES)
    offers_csv.require(table, places, "price", "total")
    settings = Settings(
        now=now,
        source=source,
        currency=header_currency or (money.currency_code(currency) if currency else None),
        decimal_mark=money.common_decimal_mark(offers_csv.texts(table, places, "price", "total")),
        day_comes_first=dates.day_first(offers_csv.texts(table, places, "seen_at")),
    )
    reader = _SalesReader(table, places, settings)
    rows: dict[str, OfferRow] = {}
    seen: Counter[str] = Counter()
    problems: list[Problem] = []
    rejected = repeated = 0
    for row in table.rows:
        try:
            sale, is_named = reader.sale(row)
        except RowError as error:
            rejected += 1
            problems.append(error.problem)
            continue
        if is_named and sale.key in rows:
            repeated += 1
            says = f"Left out: the same as line {rows[sale.key].line}."
            problems.append(Problem(line=row.line, column="", value=cut(sale.title, 80), says=says, rejected=False))
            continue
        # Without an order number two equal rows are two sales, and the second of them stays the second.
        seen[sale.key] += 1
        if seen[sale.key] > 1:
            sale = msgspec.structs.replace(sale, key=fingerprint(sale.key, seen[sale.key]))
        rows[sale.key] = sale
    told = offers_csv.about(table, places, [*problems, *reader.warnings], rejected)
    return OffersFile(rows=tuple(rows.values()), rows_repeated=repeated, **told)


class _SalesReader(RowReader):
    """Reads a row of an offers file as a sale."""

    def sale(self, row: Row) -> tuple[OfferRow, bool]:
        """The sale of a row, and whether an order's number names it. Raises RowError."""
        (offer,) = self.read(row)
        order = self._short(row, "order")
        named = ("order", order, offer.title, offer.gtin14, offer.condition) if order else ("row", offer.key)
        return msgspec.structs.replace(offer, kind="sale", key=fingerprint("sale", *named)), order is not None

    def _price(self, row: Row, field: str) -> tuple[Decimal, str] | None:
        """The price of one piece: as it stands there, else the total by the number of pieces."""
        if field != "price" or clean(self._cell(row, "price")):
            return super()._price(row, field)
        pieces, total = self._quantity(row), super()._price(row, "total")
        if total is None:
            return None
        amount, currency = total
        each = rounded(amount / pieces, currency)
        if each <= 0:
            raise self._error(row, "total", self._cell(row, "total"), "the price of one piece would be zero")
        return each, currency

    def _quantity(self, row: Row) -> int:
        text = clean(self._cell(row, "quantity"))
        whole = text.removesuffix(".0").removesuffix(",0") or "1"
        if whole.isascii() and whole.isdigit() and len(whole) < 7 and int(whole) > 0:
            return int(whole)
        raise self._error(row, "quantity", text, "this is not a number of pieces; write a whole number from 1")
