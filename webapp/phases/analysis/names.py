"""Words for people: what decoders and formats are called, and lists of them."""

from collections.abc import Sequence

from webapp.lib import gtin
from webapp.phases.facts import decoder_name


def decoders(keys: Sequence[str]) -> str:
    """`ZBar and ZXing`."""
    return listed([decoder_name(key) for key in keys])


def restricted(gtin14: str) -> str:
    """Why a number cannot be matched everywhere: it is a shop's own, or a coupon's."""
    if gtin.circulation(gtin14) is gtin.Circulation.COUPON:
        return "It is a coupon's number: it names no product."
    return "It is an in-store number, which other shops use for other products."


def listed(parts: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def times(count: int) -> str:
    """`once`, `twice`, `5 times`."""
    return {1: "once", 2: "twice"}.get(count, f"{count} times")
