"""Money: reading amounts as people write them, keeping them as decimals, showing them.

An amount is a `Decimal` beside an ISO 4217 code. Amounts of different currencies are never compared or added here.
"""

import re
import unicodedata
from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from webapp.lib.text import clean, word_set

LARGEST = Decimal("9999999999.99")
"""What a `Numeric(12, 2)` column holds; no price of a thing comes near."""

# ISO 4217, active codes of money that circulates; funds codes, metals and test codes are left out.
CURRENCIES = word_set(
    """AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF
    CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL
    HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL
    MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON
    RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH
    UGX USD UYU UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG"""
)
_NO_MINOR_UNIT = word_set("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF")
_THREE_DIGITS = word_set("BHD IQD JOD KWD LYD OMR TND")

# `$`, `£` and `¥` are shared by several currencies; they stand for the best known one unless a code says otherwise.
_SIGNS = {
    "€": "EUR", "US$": "USD", "CA$": "CAD", "C$": "CAD", "AU$": "AUD", "A$": "AUD", "NZ$": "NZD", "HK$": "HKD",
    "S$": "SGD", "NT$": "TWD", "R$": "BRL", "MX$": "MXN", "$": "USD", "£": "GBP", "¥": "JPY", "円": "JPY",
    "元": "CNY", "₹": "INR", "₩": "KRW", "₽": "RUB", "₺": "TRY", "₴": "UAH", "₫": "VND", "₪": "ILS", "₱": "PHP",
    "฿": "THB", "₦": "NGN", "zł": "PLN", "Kč": "CZK", "Ft": "HUF", "lei": "RON", "лв": "BGN", "Fr": "CHF",
    "SFr": "CHF", "Rs": "INR", "Rp": "IDR", "RM": "MYR", "Euro": "EUR", "Euros": "EUR",
}  # fmt: skip
_SIGN_KEYS = {sign.casefold(): currency for sign, currency in _SIGNS.items()}
_SHARED_SIGNS = {
    "$": word_set("USD CAD AUD NZD HKD SGD TWD MXN ARS CLP COP"),
    "£": word_set("GBP EGP GIP FKP SHP"),
    "¥": frozenset(("JPY", "CNY")),
}
_NUMBER = re.compile(r"[-−+]?(?:\d{1,3}(?:[ '’]\d{3})+(?:[.,]\d+)?(?![\d.,'’])|[.,]?\d(?:[\d.,]*\d)?)")

_SCIENTIFIC = re.compile(r"(\d)[.,](\d{6,})[eE][+]?(\d\d?)")
_ARABIC_MARKS = {ord("٫"): ".", ord("٬"): "'"}


class AmountError(ValueError):
    """A text that is not one clear amount of money. `str()` says why, in words for the person who wrote it."""


def minor_digits(currency: str) -> int:
    """Digits after the decimal mark that a currency uses: 2 for most, 0 for JPY, 3 for KWD."""
    return 0 if currency in _NO_MINOR_UNIT else 3 if currency in _THREE_DIGITS else 2


def currency_code(text: str) -> str | None:
    """The ISO 4217 code that a text stands for: a code in any case (`eur`) or a sign (`€`, `zł`); None if unknown."""
    text = clean(text)
    if text.upper() in CURRENCIES:
        return text.upper()
    return _SIGN_KEYS.get(text.casefold().rstrip("."))


def may_mean(text: str, currency: str) -> bool:
    """Whether a currency text can stand for `currency`: `$` can be CAD, `USD` can't."""
    return currency in _SHARED_SIGNS.get(clean(text), frozenset({currency_code(text)}))


def rounded(amount: Decimal, currency: str, rounding: str = ROUND_HALF_UP) -> Decimal:
    """The amount in whole minor units of its currency."""
    return amount.quantize(Decimal(1).scaleb(-minor_digits(currency)), rounding=rounding)


def decimal_string(amount: Decimal, currency: str) -> str:
    """The amount as the findings keep it: `1234.50`, no sign, no grouping, as many digits as the currency has."""
    return f"{rounded(amount, currency):f}"


def shown(amount: Decimal, currency: str) -> str:
    """The amount for a person to read in English text: `1,234.50 EUR`."""
    return f"{rounded(amount, currency):,f} {currency}"


def parse(text: str, decimal_mark: str | None = None) -> tuple[Decimal, str]:
    """Reads an amount as people write it; returns it with the currency text that stood beside it ('' if none).

    `1.234,56 €`, `$1,234.56`, `CHF 1'234.50`, `1 234,56 zł`, `12,-`, `12.–`, `EUR 5` are read. `decimal_mark`
    (`.` or `,`) settles `1.234`, which is otherwise refused as ambiguous. Raises AmountError.
    """
    text = unicodedata.normalize("NFKC", clean(text)).translate(_ARABIC_MARKS)
    if not text:
        raise AmountError("the price is empty")
    if len(text) > 60:
        raise AmountError("this is too long for a price")
    plain = re.sub(r"[.,]\s?[-–—]{1,2}(?=\D|$)", "", text)
    plain = _SCIENTIFIC.sub(_written_out, plain)
    if re.search(r"\d[eE][+-]?\d", plain):
        raise AmountError("a spreadsheet shortened it; write all digits")
    numbers = list(_NUMBER.finditer(plain))
    if not numbers:
        raise AmountError("there is no number in it")
    if len(numbers) > 1:
        raise AmountError("there is more than one number in it; write one price")
    number = numbers[0]
    beside = clean(f"{plain[: number.start()]} {plain[number.end() :]}").strip(" .,:;")
    return _amount(number.group(), decimal_mark), beside


def _written_out(match: re.Match[str]) -> str:
    """`1.9560e+02` is 195.60: a program wrote it and no digit is lost. `3.01E+12` stays as it is: digits are."""
    whole, decimals, exponent = match.group(1), match.group(2), int(match.group(3))
    if exponent >= len(decimals) - 1:
        return match.group()
    return f"{whole}{decimals[:exponent]}.{decimals[exponent : exponent + 2]}"


def _amount(number: str, decimal_mark: str | None) -> Decimal:
    number = re.sub(r"['’\s]", "", number.replace("−", "-"))
    if number.startswith("-"):
        raise AmountError("a price can't be negative")
    number = number.lstrip("+")
    mark = decimal_mark_of(number)
    if mark == "?":
        if decimal_mark is None:
            whole, part = re.split(r"[.,]", number)
            raise AmountError(f"it can mean {whole}{part} or {whole}.{part}; write {whole}{part}.00 for the first")
        mark = decimal_mark if decimal_mark in number else ""
    whole, _, decimals = number.rpartition(mark) if mark else (number, "", "")
    groups = re.split(r"[.,]", whole)
    mixed = mark in whole if mark else "." in whole and "," in whole
    # Lakhs are grouped in twos (1,23,456), but the last group is three digits everywhere.
    uneven = len(groups) > 1 and (len(groups[-1]) != 3 or any(len(group) not in (2, 3) for group in groups[1:]))
    if mixed or uneven:
        raise AmountError("its points and commas do not make one number")
    try:
        amount = Decimal(f"{''.join(groups) or 0}.{decimals or 0}")
    except InvalidOperation:
        raise AmountError("this is not a number") from None
    if amount > LARGEST:
        raise AmountError("this is too large for a price")
    return amount


def decimal_mark_of(number: str) -> str:
    """Which mark is the decimal mark of a written number: `.`, `,`, '' (there is none) or `?` (it can't be told:
    one separator with three digits behind it)."""
    points, commas = number.count("."), number.count(",")
    if points and commas:
        return max(".", ",", key=number.rfind)
    if points + commas != 1:
        return ""
    mark = "." if points else ","
    whole, _, rest = re.sub(r"[^\d.,]", "", number).partition(mark)
    return "?" if len(rest) == 3 and 1 <= len(whole) <= 3 and whole.strip("0") else mark


def common_decimal_mark(texts: Iterable[str]) -> str | None:
    """The decimal mark that a column of amounts uses, from those that leave no doubt; None when none of them tells
    or they disagree."""
    marks: set[str] = set()
    for text in texts:
        if not (number := _NUMBER.search(clean(text[:60]))):
            continue
        mark = decimal_mark_of(number.group())
        if not mark and (grouping := re.search(r"[.,]", number.group())):
            mark = "," if grouping.group() == "." else "."
        if mark in (".", ","):
            marks.add(mark)
    return marks.pop() if len(marks) == 1 else None
