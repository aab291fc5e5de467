"""From many reads to the codes that are believed. A read whose check digit fits is not yet proof.

Every decoder returns codes that are not there: stripes of other symbologies, half codes, single bars misjudged. But
different decoders seldom invent the same number, so what counts most is that two of them agree, and that no other
number was read at the same place nearly as often.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from webapp.phases.analysis.pictures import Points
from webapp.phases.analysis.reads import RETAIL, SELF_CORRECTING, SURE_READS, Read

CAP = 3
"""Reads of one decoder count at most this often: views of one photo fail in the same way."""
LEAD = 2.0
"""How many times the runner-up's weight a code must have."""
DECIDED_WEIGHT = 5


@dataclass
class Code:
    """All reads of one code on one photo."""

    reads: list[Read] = field(default_factory=list)

    @property
    def first(self) -> Read:
        """The read that its text and format are taken from: ZXing's where there is one, it knows encodings best."""
        return min(self.reads, key=lambda read: read.decoder != "zxing")

    @property
    def decoders(self) -> tuple[str, ...]:
        """Names of the decoders that read it, in alphabetical order."""
        return tuple(sorted({read.decoder for read in self.reads}))

    @property
    def add_on(self) -> str:
        """The add-on that most reads saw beside it, '' without one."""
        seen = Counter(read.add_on for read in self.reads if read.add_on)
        return min(seen, key=lambda add_on: (-seen[add_on], add_on), default="")

    @property
    def weight(self) -> int:
        """Reads, but at most CAP of each decoder."""
        return sum(min(CAP, count) for count in Counter(read.decoder for read in self.reads).values())

    @property
    def points(self) -> Points:
        """All places where it was read."""
        return np.concatenate([read.points for read in self.reads])

    @property
    def is_linear(self) -> bool:
        """Whether it is made of bars."""
        return self.first.format not in SELF_CORRECTING

    @property
    def is_hearsay(self) -> bool:
        """Whether only OpenCV read it, which sees EAN codes in any stripes."""
        return self.decoders == ("opencv",)

    def touches(self, other: "Code") -> bool:
        """Whether both were read at the same place: a centre of one lies in the middle of the other."""
        return _holds(self.points, other) or _holds(other.points, self)


@dataclass(frozen=True)
class Verdict:
    """A code with what speaks against it: `runner_up` is the strongest rival's weight at the same place."""

    code: Code
    runner_up: Code | None
    accepted: bool
    decided: bool
    """Whether further views could hardly change it."""


class Ballot:
    """Collects the reads of one photo."""

    def __init__(self) -> None:
        self._codes: dict[str, Code] = {}

    def add(self, reads: Iterable[Read]) -> int:
        """Counts the reads; returns how many there were."""
        count = 0
        for count, read in enumerate(reads, start=1):  # noqa: B007
            self._codes.setdefault(read.key, Code()).reads.append(read)
        return count

    def verdicts(self) -> list[Verdict]:
        """Every code with its verdict, the heaviest first."""
        codes = sorted(self._codes.values(), key=lambda code: (-code.weight, code.first.key))
        return [self._verdict(code, codes) for code in codes]

    def decided_at(self, points: Points) -> bool:
        """Whether a code that is decided was read at `points`."""
        return any(verdict.decided and _holds(points, verdict.code) for verdict in self.verdicts())

    def _verdict(self, code: Code, codes: list[Code]) -> Verdict:
        rivals = [other for other in codes if other is not code and _competes(other, code) and other.touches(code)]
        runner_up = max(rivals, key=lambda rival: rival.weight, default=None)
        against = runner_up.weight if runner_up else 0
        leads = code.weight >= LEAD * against and not any(_contains(rival, code) for rival in rivals)
        accepted = leads and _believable(code, against)
        agreeing = len(code.decoders)
        decided = accepted and (
            code.first.format in SELF_CORRECTING
            or (agreeing > 1 and code.weight >= DECIDED_WEIGHT + against)
            or (agreeing > 2 and not against)
        )
        return Verdict(code, runner_up, accepted, decided)


def _believable(code: Code, against: int) -> bool:
    """Whether the reads of a code are enough, by how well its format protects itself."""
    form, agree = code.first.format, len(code.decoders) > 1
    counts = Counter(read.decoder for read in code.reads)
    if form in SELF_CORRECTING:
        return True
    if form in ("EAN8", "UPCE"):
        return agree and code.weight >= 4
    if form in RETAIL:
        return (agree and code.weight >= 3) or counts["template"] >= SURE_READS
    if form == "CODE128":
        return agree or (code.weight >= 3 and not against)
    return agree and code.weight >= 3  # ITF and Code 39 have no check digit of their own


def _competes(other: Code, code: Code) -> bool:
    """Whether `other` at the same place speaks against `code`. The half of a longer code does not."""
    if {other.first.format, code.first.format} & SELF_CORRECTING:
        return False
    return not _contains(code, other)


def _contains(longer: Code, shorter: Code) -> bool:
    """Whether one code without check digit is a piece of another: it was cut off."""
    same = longer.first.format == shorter.first.format in ("ITF", "CODE39")
    return same and shorter.first.text != longer.first.text and shorter.first.text in longer.first.text


def _holds(points: Points, code: Code) -> bool:
    """Whether the middle of one of the code's reads lies in the (somewhat larger) rectangle around `points`."""
    low, high = points.min(axis=0), points.max(axis=0)
    slack = 0.15 * float((high - low).max())
    return any(
        bool(np.all(middle >= low - slack) and np.all(middle <= high + slack))
        for middle in (read.points.mean(axis=0) for read in code.reads)
    )
