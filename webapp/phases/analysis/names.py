"""Words for people: what decoders and formats are called, and lists of them."""

from collections.abc import Sequence

from webapp.phases.facts import decoder_name

FORMATS = {
    "EAN13": "EAN-13",
    "EAN8": "EAN-8",
    "UPCA": "UPC-A",
    "UPCE": "UPC-E",
    "ITF14": "ITF-14",
    "CODE128": "Code 128",
    "CODE39": "Code 39",
    "QR": "QR code",
    "DATAMATRIX": "Data Matrix",
}


def decoders(keys: Sequence[str]) -> str:
    """`ZBar and ZXing`."""
    return listed([decoder_name(key) for key in keys])


def format_name(key: str) -> str:
    """`EAN-13` for `EAN13`."""
    return FORMATS.get(key, key)


def listed(parts: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def times(count: int) -> str:
    """`once`, `twice`, `5 times`."""
    return {1: "once", 2: "twice"}.get(count, f"{count} times")
