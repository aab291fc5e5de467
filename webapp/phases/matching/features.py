"""What two records have in common and where they contradict, in numbers that a learned matcher weighs.

A feature that cannot be known (no price on one side) is NaN. Changing what a feature means is a new `header.VERSION`.
"""

import math
from collections.abc import Iterable, Set

import numpy as np
from rapidfuzz import fuzz
from rapidfuzz.distance import JaroWinkler, LCSseq

from webapp.lib.text import fold
from webapp.phases import measures
from webapp.phases.matching.boosting import Floats
from webapp.phases.matching.codes import code_features
from webapp.phases.matching.corpus import Corpus
from webapp.phases.matching.entry import Entry, tokens_of
from webapp.phases.matching.overlap import overlap
from webapp.phases.vocabulary import COLOURS

NAN = math.nan
_LONG_WORD = 4


def pair_table(pairs: Iterable[tuple[Entry, Entry]], corpus: Corpus) -> tuple[tuple[str, ...], Floats]:
    """Names of the features, and one row for each pair."""
    rows = [pair_features(left, right, corpus) for left, right in pairs]
    return tuple(rows[0]), np.array([list(row.values()) for row in rows], np.float64)


def pair_features(left: Entry, right: Entry, corpus: Corpus) -> dict[str, float]:
    """All features of one pair, always in the same order."""
    return {
        **_spelling(left, right),
        **_words(left, right, corpus),
        **code_features(left, right),
        **_numbers(left, right),
        **_fields(left, right, corpus),
        **{f"has {word}": (word in left.words) + 2.0 * (word in right.words) for word in corpus.common},
    }


def _spelling(left: Entry, right: Entry) -> dict[str, float]:
    one, other = left.name, right.name
    first = JaroWinkler.similarity(left.tokens[0], right.tokens[0]) if left.tokens and right.tokens else NAN
    last = fuzz.ratio(left.tokens[-1], right.tokens[-1]) if left.tokens and right.tokens else NAN
    return {
        "ratio": fuzz.ratio(one, other),
        "partial ratio": fuzz.partial_ratio(one, other),
        "sorted ratio": fuzz.token_sort_ratio(one, other),
        "set ratio": fuzz.token_set_ratio(one, other),
        "partial sorted ratio": fuzz.partial_token_sort_ratio(one, other),
        "jaro-winkler": JaroWinkler.similarity(one, other),
        "subsequence": LCSseq.normalized_similarity(left.squeezed, right.squeezed),
        "first word": first,
        "last word": last,
        "words left": len(left.tokens),
        "words right": len(right.tokens),
        "length ratio": min(len(one), len(other)) / max(len(one), len(other), 1),
    }


def _words(left: Entry, right: Entry, corpus: Corpus) -> dict[str, float]:
    titles = overlap(left.words, right.words, corpus.word)
    texts = overlap(left.everything, right.everything, corpus.word)
    grams = overlap(left.grams, right.grams, corpus.gram)
    left_in = overlap(left.words, right.everything, corpus.word)
    right_in = overlap(right.words, left.everything, corpus.word)
    soft_left, soft_right = _found(left, right, corpus), _found(right, left, corpus)
    return {
        "title shared": titles.shared,
        "title only left": titles.left,
        "title only right": titles.right,
        "title cosine": titles.cosine,
        "title jaccard": titles.jaccard,
        "title of left": titles.of_left,
        "title of right": titles.of_right,
        "title rarest shared": titles.top_shared,
        "title rarest left": titles.top_left,
        "title rarest right": titles.top_right,
        "text shared": texts.shared,
        "text cosine": texts.cosine,
        "text jaccard": texts.jaccard,
        "text of left": texts.of_left,
        "text of right": texts.of_right,
        "text rarest shared": texts.top_shared,
        "gram cosine": grams.cosine,
        "gram jaccard": grams.jaccard,
        "gram of left": grams.of_left,
        "gram of right": grams.of_right,
        "left title in text": left_in.of_left,
        "right title in text": right_in.of_left,
        "left title missed": left_in.left,
        "right title missed": right_in.left,
        "left rarest missed": left_in.top_left,
        "right rarest missed": right_in.top_left,
        "left found": soft_left,
        "right found": soft_right,
        "found": (soft_left + soft_right) / 2,
    }


def _found(wanted: Entry, other: Entry, corpus: Corpus) -> float:
    """Share of the title's weight that the other has, written as one word or misspelled included."""
    total = hits = 0.0
    for word in sorted(wanted.words):
        weight = corpus.word(word)
        total += weight
        if word in other.words:
            hits += weight
        elif len(word) >= _LONG_WORD:
            if word in other.run_on:
                hits += 0.9 * weight
                continue
            near = max((JaroWinkler.similarity(word, seen, score_cutoff=0.85) for seen in other.words), default=0.0)
            hits += near * weight * (0.5 if _has_digit(word) else 1.0)
    return hits / total if total else 0.0


def _numbers(left: Entry, right: Entry) -> dict[str, float]:
    mine, other = left.numbers, right.numbers
    written = [frozenset(filter(_has_digit, entry.words)) for entry in (left, right)]
    any_number, any_written = mine | other, written[0] | written[1]
    sized = left.measures and right.measures
    agree = 2.0 * measures.agree(left.measures, right.measures)
    clash = measures.conflict(left.measures, right.measures) is not None
    return {
        "numbers shared": len(mine & other),
        "numbers only left": len(mine - other),
        "numbers only right": len(other - mine),
        "numbers jaccard": len(mine & other) / len(any_number) if any_number else NAN,
        "numbers clash": float(bool(mine - other and other - mine)) if mine and other else NAN,
        "digits jaccard": len(written[0] & written[1]) / len(any_written) if any_written else NAN,
        "digits only left": len(written[0] - written[1]),
        "digits only right": len(written[1] - written[0]),
        "versions": _agreement(left.versions, right.versions),
        "sizes": agree - clash if sized else NAN,
    }


def _fields(left: Entry, right: Entry, corpus: Corpus) -> dict[str, float]:
    branded = bool(left.maker and right.maker)
    described = bool(left.description and right.description)
    texts = [frozenset(tokens_of(fold(entry.description))) if described else frozenset() for entry in (left, right)]
    about = overlap(texts[0], texts[1], corpus.word)
    price = math.log(left.price) - math.log(right.price) if left.price and right.price else NAN
    filed = bool(left.category and right.category)
    return {
        "brand ratio": fuzz.token_set_ratio(left.maker, right.maker) if branded else NAN,
        "brand jaro-winkler": JaroWinkler.similarity(left.maker, right.maker) if branded else NAN,
        "left brand in right": fuzz.partial_ratio(left.maker, right.name) if left.maker else NAN,
        "right brand in left": fuzz.partial_ratio(right.maker, left.name) if right.maker else NAN,
        "category": fuzz.token_set_ratio(fold(left.category), fold(right.category)) if filed else NAN,
        "description cosine": about.cosine if described else NAN,
        "description of left": about.of_left if described else NAN,
        "description of right": about.of_right if described else NAN,
        "price ratio": price,
        "price gap": abs(price),
        "colours": _agreement(_colours(left), _colours(right)),
    }


def _colours(entry: Entry) -> Set[str]:
    return {COLOURS[word] for word in entry.everything if word in COLOURS}


def _agreement(one: Set[object], other: Set[object]) -> float:
    """1 where both give something in common, -1 where both give something else, 0 where one is silent."""
    return (1.0 if one & other else -1.0) if one and other else 0.0


def _has_digit(word: str) -> bool:
    return any(char.isdigit() for char in word)
