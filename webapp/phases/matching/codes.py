"""What the model numbers of two records have in common and where they contradict, for a learned matcher to weigh.

Shops write one number in many ways: `VER97185`, `97185-US` and `097185` are one disk. Besides the whole code its
digits are compared, which most shops leave as they are.
"""

import math
from collections.abc import Set
from itertools import product

from rapidfuzz import fuzz
from rapidfuzz.distance import Prefix

from webapp.phases.matching.entry import Entry

NAN = math.nan
_LEAST_CODE = 3


def code_features(left: Entry, right: Entry) -> dict[str, float]:
    """The features of one pair, always in the same order."""
    return {**_codes(left, right), **_models(left, right), **_digits(left, right)}


def _codes(left: Entry, right: Entry) -> dict[str, float]:
    mine, other = left.codes, right.codes
    both = mine & other
    crossed = list(product(sorted(mine), sorted(other)))
    return {
        "codes left": len(mine),
        "codes right": len(other),
        "codes shared": len(both),
        "longest code shared": max(map(len, both), default=0),
        "code ratio": max((fuzz.ratio(a, b) for a, b in crossed), default=NAN),
        "code prefix": max((_prefix(a, b) for a, b in crossed), default=NAN),
        "code partial ratio": max((fuzz.partial_ratio(a, b) for a, b in crossed), default=NAN),
        "left code in right": _longest_in(mine, right.run_on),
        "right code in left": _longest_in(other, left.run_on),
        "left code begun in right": _begun(mine, right.run_on),
        "right code begun in left": _begun(other, left.run_on),
        "codes shared anywhere": len(left.all_codes & right.all_codes),
        "code ratio anywhere": max((fuzz.ratio(a, b) for a, b in product(mine, right.all_codes)), default=NAN),
    }


def _models(left: Entry, right: Entry) -> dict[str, float]:
    mine, other = left.model_code, right.model_code
    given = bool(mine and other)
    return {
        "model ratio": fuzz.ratio(mine, other) if given else NAN,
        "model partial ratio": fuzz.partial_ratio(mine, other) if given else NAN,
        "model prefix": _prefix(mine, other) if given else NAN,
        "model equal": float(mine == other) if given else NAN,
        "left model in right": float(mine in right.run_on) if len(mine) >= _LEAST_CODE else NAN,
        "right model in left": float(other in left.run_on) if len(other) >= _LEAST_CODE else NAN,
        "left model begun in right": _begun({mine} - {""}, right.run_on),
        "right model begun in left": _begun({other} - {""}, left.run_on),
    }


def _digits(left: Entry, right: Entry) -> dict[str, float]:
    mine, other = left.code_digits, right.code_digits
    left_in, right_in = _longest_in(mine, right.run_on), _longest_in(other, left.run_on)
    return {
        "digits shared": len(mine & other),
        "left digits in right": left_in,
        "right digits in left": right_in,
        "left digits missed": max(map(len, mine)) - left_in if mine else NAN,
        "right digits missed": max(map(len, other)) - right_in if other else NAN,
        "digits ratio": max((fuzz.ratio(a, b) for a, b in product(mine, other)), default=NAN),
    }


def _prefix(one: str, other: str) -> float:
    return Prefix.similarity(one, other) / min(len(one), len(other))


def _longest_in(codes: Set[str], text: str) -> float:
    return max((len(code) for code in codes if code in text), default=0) if codes else NAN


def _begun(codes: Set[str], text: str) -> float:
    """The largest share of a code, from its beginning, that stands in the text; three signs at least."""
    return max((_share_begun(code, text) for code in codes), default=NAN)


def _share_begun(code: str, text: str) -> float:
    long = len(code)
    while long >= _LEAST_CODE and code[:long] not in text:
        long -= 1
    return long / len(code) if long >= _LEAST_CODE else 0.0
