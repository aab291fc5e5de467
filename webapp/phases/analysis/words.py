"""Comparing names with what stands on a label."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from rapidfuzz import fuzz, process

from webapp.lib.text import fold
from webapp.phases.facts import TextLine
from webapp.phases.vocabulary import PERHAPS_READING_MATTER, READING_MATTER

WORD = re.compile(r"[^\W_]+")
FILLER = frozenset(
    WORD.findall("the and for with from aus und mit der die das les des une pour avec sans con del los las")
)
LEAST_DIGITS = 6
"""Digits in a row from which a piece of a number tells anything: fewer are found in dates and tables."""
PIECE = 10
"""Digits in a row from which a printed piece stands for a whole number: few products share so many."""
PERHAPS_ENOUGH = 2
NAME_LINES, NAME_WORDS = 3, 6
"""Lines that make up a name at most, and words that such a line has at most: more are a sentence."""
ALIKE = 84
"""Similarity (0..100) from which a longer word counts as the same, misread letters included."""


def words(text: str) -> list[str]:
    """The words and numbers in `text`, folded."""
    return WORD.findall(fold(text))


def telling(text: str) -> list[str]:
    """Words that tell one name from another: no fillers, nothing of one or two letters, each once."""
    found = dict.fromkeys(word for word in words(text) if word not in FILLER)
    return [word for word in found if len(word) > 2 or word.isdigit()]


def similarity(one: str, other: str) -> float:
    """How alike two names are, 0 to 1, whatever the order of their words."""
    return fuzz.token_sort_ratio(" ".join(words(one)), " ".join(words(other))) / 100


def covered(part: str, whole: str) -> float:
    """Which share of the telling words of `part` occur in `whole`, 0 to 1, misspellings and compounds included."""
    wanted, there = telling(part), telling(whole)
    if not wanted:
        return 0.0
    run_together = "".join(there)
    hits = [
        word in there
        or (len(word) > 3 and word in run_together)
        or (len(word) > 3 and process.extractOne(word, there, scorer=fuzz.ratio, score_cutoff=ALIKE - 6) is not None)
        for word in wanted
    ]
    return sum(hits) / len(wanted)


@dataclass(frozen=True)
class Label:
    """All text that was read on the photos of one product."""

    lines: Sequence[TextLine]

    @cached_property
    def words(self) -> frozenset[str]:
        """Every word on it, folded."""
        return frozenset(word for line in self.lines for word in words(line.text))

    @cached_property
    def telling_words(self) -> int:
        """How many words it has that could tell one product from another."""
        return sum(1 for word in self.words if len(word) > 2 and not word.isdigit())

    def digits_of(self, gtin14: str) -> int:
        """How many digits in a row of a number stand printed on it, as where bars are cut off; 0 below LEAST_DIGITS."""
        number = gtin14.lstrip("0")
        for length in range(len(number), LEAST_DIGITS - 1, -1):
            for start in range(len(number) - length + 1):
                if any(number[start : start + length] in run for run in self._digit_runs):
                    return length
        return 0

    @cached_property
    def pieces(self) -> list[str]:
        """Every PIECE digits in a row that may be part of a printed number: lines of at most 14 digits."""
        starts = ((run, at) for run in self._digit_runs if len(run) <= 14 for at in range(len(run) - PIECE + 1))
        return list(dict.fromkeys(run[at : at + PIECE] for run, at in starts))

    @cached_property
    def _digit_runs(self) -> list[str]:
        runs = ("".join(sign for sign in line.text if sign.isdigit()) for line in self.lines)
        return [run for run in runs if len(run) >= LEAST_DIGITS]

    @cached_property
    def _long_words(self) -> list[str]:
        return sorted(word for word in self.words if len(word) > 3)

    @cached_property
    def _run_together(self) -> str:
        return " ".join("".join(words(line.text)) for line in self.lines)

    def has(self, word: str) -> bool:
        """Whether a folded word stands on it: exactly, run together with others, or with a misread letter."""
        if word in self.words:
            return True
        if len(word) < 5:
            return False
        if word in self._run_together:
            return True
        return process.extractOne(word, self._long_words, scorer=fuzz.ratio, score_cutoff=ALIKE) is not None

    def share(self, name: str) -> float:
        """Which part of a name stands on the label, 0 to 1; longer words count more."""
        wanted = telling(name)
        total = sum(len(word) for word in wanted)
        return sum(len(word) for word in wanted if self.has(word)) / total if total else 0.0

    def line_with(self, name: str) -> TextLine | None:
        """The line that shows most of a name, for evidence."""
        wanted = set(telling(name))

        def shown(line: TextLine) -> int:
            return sum(len(word) for word in words(line.text) if word in wanted)

        best = max(self.lines, key=shown, default=None)
        return best if best is not None and shown(best) else None

    def prominent(self, count: int) -> list[TextLine]:
        """The most prominent lines in reading order: tall letters, surely read, with at least three letters."""
        return _tallest([line for line in self.lines if _is_readable(line)], self.lines, count)

    def headline(self) -> list[TextLine]:
        """What the label may call the product, in reading order: the most prominent lines of the photo with the tallest
        letters that are no reading matter, each text once. Another photo of it would only say the same again."""
        named = [line for line in self.lines if _is_readable(line) and may_name(line)]
        first = max(named, key=letter_height, default=None)
        if first is None:
            return []
        shown = [line for line in named if line.photo_id == first.photo_id]
        once = list({fold(line.text): line for line in reversed(shown)}.values())
        return _tallest(once, self.lines, NAME_LINES)


def _is_readable(line: TextLine) -> bool:
    return line.confidence >= 70 and sum(sign.isalpha() for sign in line.text) >= 3


def may_name(line: TextLine) -> bool:
    """Whether a line may be part of a name, rather than something to be read: ingredients, advice, a sentence."""
    said = words(line.text)
    surely = any(word.startswith(READING_MATTER) for word in said)
    perhaps = sum(word.startswith(PERHAPS_READING_MATTER) for word in said)
    return len(said) <= NAME_WORDS and not surely and perhaps < PERHAPS_ENOUGH


def letter_height(line: TextLine) -> float:
    """Of a line that runs upwards as well."""
    return min(line.box.height, line.box.width)


def _tallest(lines: Sequence[TextLine], order: Sequence[TextLine], count: int) -> list[TextLine]:
    """The `count` tallest of the lines in that order, but none below half of the tallest."""
    tallest = sorted(lines, key=lambda line: -letter_height(line))[:count]
    return [line for line in order if line in tallest and letter_height(line) >= 0.5 * letter_height(tallest[0])]
