"""What is wrong with a file, by reason: a hundred lines that say the same are one sentence and their numbers."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from webapp.phases.offers_csv import Problem

RANGES = 12
EXAMPLES = 3


class Reason(NamedTuple):
    """Problems that say the same of the same column. `lines`: their lines as people write them ("2–4, 9"), the first
    RANGES of them; `more_ranges` counts those after. `examples`: some of what stands there."""

    says: str
    column: str
    rejected: bool
    many: int
    lines: str
    more_ranges: int
    examples: tuple[str, ...]


def by_reason(problems: Iterable[Problem]) -> list[Reason]:
    """Problems by what they say, in the order of their first lines; what keeps a row out comes before notes."""
    groups: dict[tuple[bool, str, str], list[Problem]] = {}
    for problem in problems:
        # "the same as line 3" and "the same as line 8" are one reason.
        key = (problem.rejected, problem.column, re.sub(r"\d+", "…", problem.says))
        groups.setdefault(key, []).append(problem)
    return sorted((_reason(says, alike) for (_, _, says), alike in groups.items()), key=lambda each: not each.rejected)


def _reason(pattern: str, alike: Sequence[Problem]) -> Reason:
    first, ranges = alike[0], _ranges(problem.line for problem in alike)
    return Reason(
        says=first.says if all(problem.says == first.says for problem in alike) else pattern,
        column=first.column,
        rejected=first.rejected,
        many=len(alike),
        lines=", ".join(f"{low}" if low == high else f"{low}–{high}" for low, high in ranges[:RANGES]),
        more_ranges=max(0, len(ranges) - RANGES),
        examples=tuple(dict.fromkeys(problem.value for problem in alike if problem.value))[:EXAMPLES],
    )


def _ranges(lines: Iterable[int]) -> list[tuple[int, int]]:
    """Numbers in their order as (first, last) of each unbroken row."""
    found: list[tuple[int, int]] = []
    for line in sorted(set(lines)):
        if found and found[-1][1] == line - 1:
            found[-1] = (found[-1][0], line)
        else:
            found.append((line, line))
    return found
