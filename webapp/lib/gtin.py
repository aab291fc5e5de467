"""Global Trade Item Numbers: every written form to 14 digits, and what kind of number it is.

Rules after the GS1 General Specifications and the Google Merchant help (6324461, 6286293): spaces and dashes do not
count, 8, 12, 13 or 14 digits are left-padded to 14, the last digit checks the others. Eight digits may be a GTIN-8
or a zero-suppressed UPC-E, so that one text can have two readings.
"""

import re
import unicodedata
from enum import StrEnum

DASHES = re.compile(r"[\s\-\u2010-\u2015\u2212_.]")
SCIENTIFIC = re.compile(r"\d+([.,]\d+)?[eE]\+?\d+")
DECIMAL = re.compile(r"(\d{7,14})[.,]0+")


class GtinError(ValueError):
    """The text is no GTIN. `says` is the reason in plain words; `proposal` the 14 digits that were perhaps meant."""

    def __init__(self, says: str, proposal: str | None = None) -> None:
        super().__init__(says)
        self.says = says
        self.proposal = proposal


class Circulation(StrEnum):
    """Where a number means something: only a world-wide one may be matched between companies."""

    WORLDWIDE = "worldwide"
    IN_STORE = "in_store"
    COUPON = "coupon"


def normalise(text: str) -> str:
    """The 14 digits that `text` most likely means. Raises GtinError with a reason, where possible with a proposal."""
    return readings(text)[0]


def readings(text: str) -> tuple[str, ...]:
    """Every valid 14-digit reading of `text`, the likeliest first; never empty. Raises GtinError.

    Only eight digits can have two: as GTIN-8 and as UPC-E. A leading 0 speaks for UPC-E, since GTIN-8 with a
    leading 0 exists only inside a company.
    """
    code = _bare(text)
    if len(code) == 10 and is_isbn10(code):
        return (isbn10_to_gtin14(code),)
    if not (code.isascii() and code.isdigit()):
        raise GtinError("A barcode number has digits only.")
    if not code.strip("0"):
        raise GtinError("A barcode number is not zeros only.")
    if len(code) not in (8, 12, 13, 14):
        raise GtinError(
            f"A barcode number has 8, 12, 13 or 14 digits, this one has {len(code)}.", proposal=_with_zeros_back(code)
        )
    found = [code.zfill(14)] if is_valid(code) else []
    if len(code) == 8 and (upca := expand_upce(code)) is not None:
        found.insert(0 if code[0] == "0" else len(found), upca.zfill(14))
    if not found:
        raise GtinError("The last digit does not fit the others: there is a typing error somewhere in the number.")
    return tuple(found)


def try_normalise(text: str) -> str | None:
    """Like `normalise`, with None instead of an error."""
    try:
        return normalise(text)
    except GtinError:
        return None


def check_digit(digits: str) -> int:
    """The check digit that belongs behind `digits` (7 to 13 of them, without their check digit)."""
    return -sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits))) % 10


def is_valid(digits: str) -> bool:
    """Whether the last of `digits` checks the others. Says nothing about the length."""
    return digits.isascii() and digits.isdigit() and check_digit(digits[:-1]) == int(digits[-1])


def expand_upce(code: str) -> str | None:
    """The 12 digits of UPC-A behind eight digits of UPC-E, or None if they are no valid UPC-E.

    The sixth middle digit says where zeros were left out (GS1 General Specifications, UPC-E symbol).
    """
    if len(code) != 8 or code[0] not in "01" or not (code.isascii() and code.isdigit()):
        return None
    system, middle, check = code[0], code[1:7], code[7]
    match middle[5]:
        case "0" | "1" | "2":
            body = middle[:2] + middle[5] + "0000" + middle[2:5]
        case "3":
            body = middle[:3] + "00000" + middle[3:5]
        case "4":
            body = middle[:4] + "00000" + middle[4]
        case _:
            body = middle[:5] + "0000" + middle[5]
    upca = system + body + check
    return upca if is_valid(upca) else None


def is_isbn10(code: str) -> bool:
    """Whether ten characters are an ISBN-10: weights 10 to 1, sum divisible by 11, `X` is ten."""
    if not re.fullmatch(r"\d{9}[\dXx]", code, re.ASCII):
        return False
    values = [10 if sign in "Xx" else int(sign) for sign in code]
    return sum(value * weight for value, weight in zip(values, range(10, 0, -1), strict=True)) % 11 == 0


def isbn10_to_gtin14(code: str) -> str:
    """978, the first nine digits and a new check digit, padded to 14."""
    body = "978" + code[:9]
    return f"0{body}{check_digit(body)}"


def circulation(gtin14: str) -> Circulation:
    """Where this number may be matched. A GTIN-14's first digit is the packaging level, not part of the prefix."""
    if gtin14.startswith("000000"):  # a GTIN-8: its own prefixes, 0 and 2 stay inside a company
        return Circulation.IN_STORE if gtin14[6] in "02" else Circulation.WORLDWIDE
    prefix = gtin14[1:]
    if prefix.startswith(("02", "04", "2")):
        return Circulation.IN_STORE
    if prefix.startswith(("05", "981", "982", "983", "984", "99")):
        return Circulation.COUPON
    return Circulation.WORLDWIDE


def is_restricted(gtin14: str) -> bool:
    """Whether the number means something only in one shop or company, or is a coupon: never match it globally."""
    return circulation(gtin14) is not Circulation.WORLDWIDE


def written(gtin14: str) -> str:
    """The number as it stands under the bars: 8, 12, 13 or 14 digits."""
    for length in (8, 12, 13):
        if gtin14.startswith("0" * (14 - length)):
            return gtin14[-length:]
    return gtin14


def _bare(text: str) -> str:
    """`text` without spaces, dashes and a spreadsheet's text mark. Raises GtinError for what a spreadsheet mangled."""
    code = unicodedata.normalize("NFKC", text).strip().lstrip("'")
    if not code:
        raise GtinError("There is no number.")
    if SCIENTIFIC.fullmatch(code):
        raise GtinError(
            "A spreadsheet shortened this number and its last digits are lost. "
            "Format the column as text and export it again."
        )
    if decimal := DECIMAL.fullmatch(code):
        raise GtinError(
            "A spreadsheet treated this number as an amount. Format the column as text and export it again.",
            proposal=try_normalise(decimal.group(1)) or _with_zeros_back(decimal.group(1)),
        )
    return DASHES.sub("", code)


def _with_zeros_back(code: str) -> str | None:
    """14 digits for a code whose leading zeros a spreadsheet dropped, if the check digit agrees."""
    if not 7 <= len(code) <= 11:
        return None
    if len(code) == 7:
        return try_normalise("0" + code)
    return try_normalise(code.zfill(12))
