"""Reading dates as people, spreadsheets and feeds write them."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from webapp.lib.text import clean

_SHORT = re.compile(r"(\d{1,2})[./-](\d{1,2})[./-](\d{4}|\d{2})(?:[ ,T]+(\d{1,2}):(\d{2})(?::(\d{2}))?)?")
_WORDED = ("%d %b %Y", "%d %B %Y", "%b %d %Y", "%B %d %Y", "%d-%b-%Y", "%d-%b-%y")
_FIRST_YEAR = 1990
_SPREADSHEET_START = datetime(1899, 12, 30, tzinfo=UTC)


class DateError(ValueError):
    """A text that is not one clear date. `str()` says why, in words for the person who wrote it."""


def day_first(texts: Iterable[str]) -> bool | None:
    """Whether a column of dates such as `20/11/2026` writes the day first; None when no date tells or they differ.
    Points (`5.11.2026`) always mean day first and do not count."""
    orders = set()
    for text in texts:
        if (match := _SHORT.fullmatch(clean(text))) and "." not in match.group():
            first, second = int(match.group(1)), int(match.group(2))
            if first > 12 >= second:
                orders.add(True)
            elif second > 12 >= first:
                orders.add(False)
    return orders.pop() if len(orders) == 1 else None


def read_moment(text: str, *, day_comes_first: bool | None = None) -> datetime:
    """The moment a text means, in UTC; without a zone it is UTC, without a time midnight. Raises DateError.

    ISO 8601, `20.11.2026`, `20/11/2026` and `11/20/2026` (where it can't be told apart, `day_comes_first` decides),
    `20 Nov 2026`, a spreadsheet's day number and Unix seconds are read.
    """
    text = clean(text)
    moment = _iso(text) or _numbers(text, day_comes_first) or _worded(text) or _count(text)
    if moment is None:
        raise DateError("this is not a date; write it like 2026-11-20")
    if moment.year < _FIRST_YEAR:
        raise DateError(f"the year {moment.year} can't be right")
    return moment


def _iso(text: str) -> datetime | None:
    if not re.match(r"\d{4}-?\d\d-?\d\d", text):
        return None
    try:
        moment = datetime.fromisoformat(re.sub(r"\s*(?:UTC|GMT)$", "+00:00", text))
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _numbers(text: str, day_comes_first: bool | None) -> datetime | None:
    match = _SHORT.fullmatch(text)
    if match is None:
        return None
    first, second, year = (int(match.group(place)) for place in (1, 2, 3))
    order = True if "." in text or first > 12 else False if second > 12 else day_comes_first
    if order is None and first != second:
        raise DateError("day and month can't be told apart; write it like 2026-11-20")
    day, month = (second, first) if order is False else (first, second)
    hour, minute, seconds = (int(match.group(place) or 0) for place in (4, 5, 6))
    try:
        return datetime(year + 2000 if year < 100 else year, month, day, hour, minute, seconds, tzinfo=UTC)
    except ValueError:
        raise DateError("there is no such day; write it like 2026-11-20") from None


def _worded(text: str) -> datetime | None:
    plain = re.sub(r"[,.]", "", text).replace("Sept ", "Sep ")
    for form in _WORDED:
        try:
            return datetime.strptime(plain, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None


def _count(text: str) -> datetime | None:
    """Days since a spreadsheet's first day (five digits), or Unix seconds (ten digits)."""
    if re.fullmatch(r"[3-6]\d{4}(?:[.,]\d+)?", text, re.ASCII):
        return _SPREADSHEET_START + timedelta(days=float(text.replace(",", ".")))
    if re.fullmatch(r"1\d{9}", text, re.ASCII):
        return datetime.fromtimestamp(int(text), tz=UTC)
    return None
