"""Reading one row of an offers file: every cell checked, every problem named by column and value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from webapp.lib import gtin
from webapp.lib.csv_table import Row, Table
from webapp.lib.dates import DateError, read_moment
from webapp.lib.fingerprint import fingerprint
from webapp.lib.money import AmountError, currency_code, decimal_string, may_mean, parse, rounded
from webapp.lib.text import clean, cut
from webapp.phases.facts import Condition, Fact
from webapp.phases.market.conditions import read_condition
from webapp.phases.market.sightings import web_link

MAX_TITLE = 500
MAX_SHORT = 200
_SHOWN = 80

_KINDS = {
    "": "offer", "offer": "offer", "angebot": "offer", "list": "list", "list price": "list", "msrp": "list",
    "rrp": "list", "uvp": "list", "listenpreis": "list",
}  # fmt: skip


class OfferRow(Fact, frozen=True, kw_only=True):
    """One offer of the file. `key` is the same for the same sighting of the same day, however often it is imported;
    `line` is where it stands in the file. `price` is in whole minor units of `currency`."""

    line: int
    key: str
    source: str
    title: str
    price: Decimal
    currency: str
    kind: str
    seen_at: datetime
    shipping: Decimal | None = None
    marketplace: str | None = None
    link: str | None = None
    brand: str | None = None
    model: str | None = None
    gtin14: str | None = None
    category: str | None = None
    condition: Condition | None = None


class Problem(Fact, frozen=True, kw_only=True):
    """Something wrong in the file: where, what stands there, and what to do. `rejected`: the row was left out;
    otherwise only this value was. `column` is the header as written, '' when the whole line is meant."""

    line: int
    column: str
    value: str
    says: str
    rejected: bool

    @property
    def told(self) -> str:
        """The whole of it, in one line."""
        place = f"line {self.line}" + (f", column {self.column}" if self.column else "")
        value = f", “{self.value}”" if self.value else ""
        return f"{'Rejected' if self.rejected else 'Note'}: {place}{value}: {self.says}"


class RowError(Exception):
    """The row can't be taken."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.says)
        self.problem = problem


@dataclass(frozen=True)
class Settings:
    """What holds for the whole file where a row does not say otherwise."""

    now: datetime
    source: str
    currency: str | None
    decimal_mark: str | None
    day_comes_first: bool | None


class CellReader:
    """Reads the cells of one table's rows. Warnings (values left out of rows that are taken) collect in `warnings`."""

    title_is = "title"
    """What people call the column of that name."""

    def __init__(self, table: Table, places: Mapping[str, Sequence[int]]) -> None:
        self.header = table.header
        self.places = places
        self.warnings: list[Problem] = []

    def check(self, row: Row) -> None:
        """Raises RowError where the row's cells can't be trusted."""
        if row.problem:
            raise RowError(Problem(line=row.line, column="", value=cut(" | ".join(row.cells), _SHOWN),
                                   says=f"{row.problem[0].upper()}{row.problem[1:]}.", rejected=True))  # fmt: skip

    def _title(self, row: Row) -> str:
        title = clean(self._cell(row, "title"))
        if not any(char.isalnum() for char in title):
            raise self._error(row, "title", title, f"there is no {self.title_is}; say what it is")
        if len(title) > MAX_TITLE:
            raise self._error(
                row, "title", title, f"the {self.title_is} is longer than {MAX_TITLE} characters; shorten it"
            )
        return title

    def _gtin(self, row: Row) -> str | None:
        text = clean(self._cell(row, "gtin"))
        if text.startswith('="') and text.endswith('"'):
            text = text[2:-1]
        if not text:
            return None
        try:
            return gtin.normalise(text)
        except gtin.GtinError as error:
            meant = error.proposal
            says = (
                f"Read as {gtin.written(meant)}: a spreadsheet dropped the zeros."
                if meant
                else f"Left out: {error.says}"
            )
            self._warn(row, "gtin", text, says)
            return meant

    def _short(self, row: Row, field: str) -> str | None:
        text = clean(self._cell(row, field))
        if len(text) > MAX_SHORT:
            self._warn(row, field, text, f"Left out: it is longer than {MAX_SHORT} characters.")
            return None
        return text or None

    def _cell(self, row: Row, field: str) -> str:
        return next((text for place in self.places.get(field, ()) if (text := row.cells[place]).strip()), "")

    def _problem(self, row: Row, field: str, value: str, says: str, *, rejected: bool) -> Problem:
        column = next(
            (self.header[place] for place in self.places.get(field, ()) if not value or row.cells[place].strip()), field
        )
        return Problem(line=row.line, column=column, value=cut(value, _SHOWN), says=says, rejected=rejected)

    def _error(self, row: Row, field: str, value: str, says: str) -> RowError:
        says = f"{says[0].upper()}{says[1:]}."
        return RowError(self._problem(row, field, value, says, rejected=True))

    def _warn(self, row: Row, field: str, value: str, says: str) -> None:
        self.warnings.append(self._problem(row, field, value, says, rejected=False))


class RowReader(CellReader):
    """Reads the rows of a file of offers."""

    def __init__(self, table: Table, places: Mapping[str, Sequence[int]], settings: Settings) -> None:
        super().__init__(table, places)
        self.settings = settings

    def read(self, row: Row) -> list[OfferRow]:
        """The offers of a row: one, or two when it gives a list price as well. Raises RowError."""
        self.check(row)
        title = self._title(row)
        kind = self._kind(row)
        seen_at = self._seen_at(row)
        condition = self._condition(row)
        prices = [(kind, self._price(row, "price")), ("list", self._price(row, "list_price"))]
        found = [(kind, *price) for kind, price in prices if price is not None]
        if not found:
            raise self._error(row, "price", "", "there is no price; write one")
        shared = {
            "source": self._short(row, "source") or self.settings.source,
            "marketplace": self._short(row, "marketplace"),
            "link": self._link(row),
            "brand": self._short(row, "brand"),
            "model": self._short(row, "model"),
            "gtin14": self._gtin(row),
            "category": self._short(row, "category"),
        }
        return [
            OfferRow(
                line=row.line,
                key=fingerprint(
                    title, kind, decimal_string(amount, currency), currency, condition, seen_at.date(), shared
                ),
                title=title,
                kind=kind,
                price=amount,
                currency=currency,
                condition=condition if kind == "offer" else None,
                seen_at=seen_at,
                shipping=self._shipping(row, currency) if kind == "offer" else None,
                **shared,  # type: ignore[arg-type]
            )
            for kind, amount, currency in found
        ]

    def _kind(self, row: Row) -> str:
        text = clean(self._cell(row, "kind")).lower()
        if text not in _KINDS:
            raise self._error(row, "kind", text, "this kind is not known; write offer or list")
        return _KINDS[text]

    def _price(self, row: Row, field: str) -> tuple[Decimal, str] | None:
        text = clean(self._cell(row, field))
        if not text:
            return None
        try:
            amount, beside = parse(text, self.settings.decimal_mark)
        except AmountError as error:
            raise self._error(row, field, text, str(error)) from None
        currency = self._currency(row, field, text, beside)
        amount = rounded(amount, currency)
        if amount <= 0:
            raise self._error(row, field, text, "the price is zero; leave the row out or write what it costs")
        return amount, currency

    def _currency(self, row: Row, field: str, price: str, beside: str) -> str:
        """The currency of a price: the row's column, the sign beside the price, the header's, the import's."""
        stated = clean(self._cell(row, "currency"))
        if stated and currency_code(stated) is None:
            raise self._error(row, "currency", stated, "this currency is not known; write its code, such as EUR")
        if beside and currency_code(beside) is None:
            raise self._error(row, field, price, f"“{cut(beside, 20)}” beside the price is not a currency; remove it")
        known = currency_code(stated) if stated else self.settings.currency
        if beside and known and not may_mean(beside, known):
            if stated:
                says = f"the price is in {currency_code(beside)}, the currency column says {known}; correct one of them"
                raise self._error(row, field, price, says)
            known = None
        currency = known or (currency_code(beside) if beside else None)
        if currency is None:
            raise self._error(row, field, price, "it has no currency; add a column “currency”")
        return currency

    def _shipping(self, row: Row, currency: str) -> Decimal | None:
        """What comes on top of the price; what cannot be read, or is in other money, is left out with a warning."""
        text = clean(self._cell(row, "shipping"))
        if not text:
            return None
        try:
            amount, beside = parse(text, self.settings.decimal_mark)
        except AmountError as error:
            self._warn(row, "shipping", text, f"Left out: {error}.")
            return None
        if beside and not may_mean(beside, currency):
            self._warn(row, "shipping", text, f"Left out: the price is in {currency}.")
            return None
        return rounded(amount, currency)

    def _seen_at(self, row: Row) -> datetime:
        text = clean(self._cell(row, "seen_at"))
        if not text:
            return self.settings.now
        try:
            moment = read_moment(text, day_comes_first=self.settings.day_comes_first)
        except DateError as error:
            raise self._error(row, "seen_at", text, str(error)) from None
        if moment > self.settings.now + timedelta(days=1):
            raise self._error(row, "seen_at", text, "this day lies in the future; correct it")
        return moment

    def _condition(self, row: Row) -> Condition | None:
        text = clean(self._cell(row, "condition"))
        if not text:
            return None
        condition = read_condition(text)
        if condition is None:
            says = "this condition is not known; write new, like new, refurbished, used or for parts"
            raise self._error(row, "condition", text, says)
        return condition

    def _link(self, row: Row) -> str | None:
        text = clean(self._cell(row, "link"))
        link = web_link(text)
        if text and link is None:
            self._warn(row, "link", text, "Left out: this is not a web address that begins with https://.")
        return link
