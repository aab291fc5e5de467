"""What people type about themselves and each other, read and checked. A form keeps what was typed."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cache
from uuid import UUID
from zoneinfo import available_timezones

from webapp.access.models import Role
from webapp.errors import DomainError, Invalid
from webapp.lib.money import CURRENCIES
from webapp.lib.text import clean

MAX_NAME = 120
MAX_EMAIL = 254
MOST_AMOUNT = 999_999_999
_JOINERS = "\u200c\u200d"
_EMAIL = re.compile(r"[^@\s]+@(?:localhost|[^@\s.]+(?:\.[^@\s.]+)+)")


@dataclass
class Form:
    """Inputs of a form and what is wrong with them; the key `""` holds what concerns the whole form."""

    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, inputs: Mapping[str, str], *names: str) -> "Form":
        """The named inputs as typed, but for blanks around them."""
        return cls({name: inputs.get(name, "").strip() for name in names})

    def refuse(self, error: DomainError) -> None:
        """Show a service's complaint beside the inputs it is about, or above the form."""
        self.errors.update(error.fields or {"": error.message})

    def text(self, name: str, says: str, *, least: int = 1, most: int = MAX_NAME) -> str:
        """A line of text within the lengths, cleaned of what cannot be seen: it could make one name look like another,
        or turn the rest of a line around. `says` is shown when it is too short."""
        value = clean(self.values[name])
        if len(value.strip(_JOINERS)) < least:
            self.errors[name] = says
        elif len(value) > most:
            self.errors[name] = f"Use at most {most} characters."
        return value

    def email(self, name: str = "email") -> str:
        """An address as it is kept: composed, in lower case."""
        value = normal_email(self.values[name])
        if not _EMAIL.fullmatch(value) or len(value) > MAX_EMAIL or clean(value) != value:
            self.errors[name] = "This is not an e-mail address; one looks like rita@example.com."
        return value

    def role(self, name: str = "role") -> Role:
        """A role; staff when it is none."""
        try:
            return Role(self.values[name])
        except ValueError:
            self.errors[name] = "Choose one of the roles."
            return Role.STAFF

    def whole_number(self, name: str, least: int, most: int) -> int:
        """A number within the bounds; the lower one when it is none."""
        value = self.values[name]
        if value.isascii() and value.isdigit() and len(value) <= 9 and least <= int(value) <= most:
            return int(value)
        self.errors[name] = f"Enter a whole number from {least} to {most}."
        return least

    def yes_or_no(self, name: str) -> bool:
        """Whether "yes" was chosen; False when neither was."""
        if self.values[name] not in ("yes", "no"):
            self.errors[name] = "Choose yes or no."
        return self.values[name] == "yes"

    def amount(self, name: str, most: int, *, places: int) -> Decimal:
        """An amount of money, not negative, with at most so many decimals, point or comma; 0 when it is none."""
        value = self.values[name].replace(",", ".")
        if re.fullmatch(rf"[0-9]{{1,9}}(?:\.[0-9]{{1,{places}}})?", value) and Decimal(value) <= most:
            return Decimal(value)
        self.errors[name] = f"Enter an amount from 0 to {most}, with at most {places} decimals."
        return Decimal(0)

    def optional_amount(self, name: str, least: Decimal, most: int = MOST_AMOUNT) -> Decimal | None:
        """An amount within the bounds, with at most two decimals; None where nothing was typed, or none."""
        if not self.values[name]:
            return None
        value = self.amount(name, most, places=2)
        if name not in self.errors and value < least:
            self.errors[name] = f"Enter an amount from {least} to {most}, such as 12.50."
        return None if name in self.errors else value

    def currency(self, name: str = "currency") -> str:
        """A currency's code (ISO 4217)."""
        value = self.values[name].upper()
        if value not in CURRENCIES:
            self.errors[name] = "Enter a currency's code, such as EUR."
        return value

    def time_zone(self, name: str = "time_zone") -> str:
        """A zone's name, or "" for the device's own."""
        value = self.values[name]
        if value and value not in time_zones():
            self.errors[name] = "Choose one of the time zones."
        return value

    def require_valid(self) -> None:
        """Raise `Invalid` if anything was wrong so far."""
        if self.errors:
            raise Invalid("Some inputs need another look.", fields=dict(self.errors))


def normal_email(typed: str) -> str:
    """The one spelling of an address that is kept and looked for."""
    return unicodedata.normalize("NFKC", typed).strip().lower()


def parse_id(typed: str) -> UUID | None:
    """The id that a form sent, or None if it is none."""
    try:
        return UUID(typed)
    except ValueError:
        return None


def parse_moment(typed: str) -> datetime | None:
    """The moment that a page of ours wrote as ISO 8601 with its zone, or None if it is none."""
    try:
        moment = datetime.fromisoformat(typed)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def parse_number(typed: str) -> int | None:
    """The number of a row that an address or a form names, or None if it is none."""
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) <= 18 else None


@cache
def time_zones() -> tuple[str, ...]:
    """Names that people know a zone by, in order."""
    known = available_timezones()
    return tuple(sorted(name for name in known if "/" in name and not name.startswith(("Etc/", "posix/", "right/"))))
