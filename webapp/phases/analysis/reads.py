"""One decoder's answer for one view, in the words that all decoders share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from webapp.lib import gs1, gtin
from webapp.phases.analysis.pictures import Points
from webapp.phases.analysis.views import View

RETAIL = frozenset({"EAN13", "EAN8", "UPCA", "UPCE"})
SELF_CORRECTING = frozenset({"QR", "DATAMATRIX"})
"""Formats whose error correction makes a false read next to impossible."""

SURE_READS = 7
"""Reads by which the decoder that knows how sure it is says that it is: more than it can reach by doubtful ones."""


@dataclass(frozen=True)
class Read:
    """A code as one decoder read it on one view. `points`: its corners or scan marks in the photo's pixels."""

    decoder: str
    view: str
    format: str
    text: str
    points: Points
    is_gs1: bool = False
    """Whether the carrier says that its text is a GS1 element string."""
    add_on: str = ""
    """The two or five digits beside a retail code (EAN-2, EAN-5), which are no part of its number."""

    @property
    def key(self) -> str:
        """What makes two reads the same: the 14-digit GTIN for retail codes, else the text without outer space."""
        if self.format in RETAIL:
            return f"gtin {self.gtin14}"
        if self.format == "CODE128":  # not every decoder knows FNC4, which stands for 128 more
            return "CODE128 " + "".join(chr(ord(sign) & 127) if ord(sign) < 256 else sign for sign in self.text.strip())
        return f"{self.format} {self.text.strip()}"

    @property
    def gtin14(self) -> str | None:
        """The world-wide or in-store number in 14 digits, for retail codes, ITF-14 and GS1 carriers."""
        if self.format == "UPCE" and len(self.text) == 8:
            expanded = gtin.expand_upce(self.text)
            return expanded.zfill(14) if expanded else None
        if self.format in RETAIL:
            return self.text.zfill(14) if gtin.is_valid(self.text) else None
        if self.format == "ITF" and len(self.text) == 14:
            return gtin.try_normalise(self.text)
        return gs1.gtin_of(self.elements)

    @property
    def elements(self) -> tuple[gs1.Element, ...]:
        """Lot, dates and whatever else a GS1 carrier says; none for a retail code or another text."""
        return () if self.format in RETAIL else gs1.parse(self.text, is_element_string=self.is_gs1)


class Decoder(Protocol):
    """An engine that reads codes."""

    name: str

    def read(self, view: View) -> Sequence[Read]:
        """Every code it finds on the view, retail codes only with a fitting check digit."""


def sound(read: Read) -> bool:
    """Whether a read is worth counting: a retail code checks, the others are long enough to mean something."""
    if read.format in RETAIL:
        return read.gtin14 is not None and read.gtin14.strip("0") != ""
    least = {"ITF": 6, "CODE39": 4, "CODE128": 3}.get(read.format, 1)
    return len(read.text.strip()) >= least
