"""How often two records of two tables are rightly said to be the same product: `make bench-match TABLES=DIR TEST=FILE`.

Learns from the folder's train and valid pairs only, then judges the pairs of TEST, whose labels are used for nothing
but the figures. The unlabelled pairs of TEST are looked at beside the others, since each pair is judged among its
rivals. Without TEST, the labelled pairs are judged in five parts, each part by a matcher learned from the other four,
and that with SEEDS different divisions: mean and standard deviation.

With USED=1 also the matcher that the product makes of these tables is judged as phase 2 uses it: each left record alone
with its candidates, without price and description, inside the rules, counted from 80.
"""

import json
import os
import statistics
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from webapp.phases.matching.boosting import Floats
from webapp.phases.matching.calibration import best_f1, calibration_error, wilson_lower
from webapp.phases.matching.entry import Entry, as_ours
from webapp.phases.matching.learning import Learned, TooFewPairs, learn
from webapp.phases.matching.tables import BadTable, Pair, read_set, scene_of
from webapp.phases.matching.trained import Trained

PARTS = 5
Judged = tuple[Floats, np.ndarray, np.ndarray, np.ndarray]
"""Probability, whether it counts as the same, whether it is accepted unseen, and the label of each pair asked for."""


def main() -> int:
    """Prints the figures as one JSON object on the last line."""
    folder, test = Path(os.environ["TABLES"]), os.environ.get("TEST", "")
    try:
        lefts, rights, labelled, asked = read_set(folder, _found(folder, test) if test else None)
        asked = [pair for pair in asked if pair.same is not None]
        if test and not asked:
            raise BadTable(f"{test} has no labelled pair")
        figures = _by_test(lefts, rights, labelled, asked) if test else _by_parts(lefts, rights, labelled)
        if os.environ.get("USED"):
            figures |= _as_used(lefts, rights, labelled, asked)
    except (BadTable, TooFewPairs) as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(figures))
    return 0


def _found(folder: Path, test: str) -> Path:
    """The test file: a path as it is, else one in the folder."""
    return Path(test) if Path(test).is_file() else folder / test


def _by_test(
    lefts: Sequence[Entry], rights: Sequence[Entry], labelled: Sequence[Pair], asked: Sequence[Pair]
) -> dict[str, object]:
    judged, learned, train_s = _judge(lefts, rights, labelled, asked, seed=0)
    scene = scene_of(*_fresh(lefts, rights), (), asked)
    begun = time.perf_counter()
    learned.probabilities(scene)
    speed = len(asked) / (time.perf_counter() - begun)
    return {
        **_figures(judged),
        "train_s": round(train_s, 1),
        "pairs_per_s": round(speed),
        "cut": round(learned.cut, 4),
        "threshold": learned.accept and round(learned.accept, 4),
        "held_out_f1": learned.figures["f1"],
        "known_pairs": learned.figures["pairs"],
    }


def _by_parts(lefts: Sequence[Entry], rights: Sequence[Entry], labelled: Sequence[Pair]) -> dict[str, object]:
    """Each part is judged by a matcher that was learned from the others, with figures over all parts."""
    rounds, times = [], []
    pairs = list({(pair.left, pair.right): pair for pair in labelled if pair.same is not None}.values())
    for seed in range(int(os.environ.get("SEEDS", "1"))):
        part = np.random.default_rng(seed).permutation(len(pairs)) % PARTS
        found = []
        for number in range(PARTS):
            rest = [pair for pair, of in zip(pairs, part, strict=True) if of != number]
            asked = [pair for pair, of in zip(pairs, part, strict=True) if of == number]
            judged, _, train_s = _judge(lefts, rights, rest, asked, seed=seed)
            found.append(judged)
            times.append(train_s)
        rounds.append(_figures(tuple(np.concatenate(each) for each in zip(*found, strict=True))))
    means = {key: round(statistics.mean(each[key] for each in rounds), 4) for key in rounds[0]}
    spread = {f"{key}_sd": round(statistics.pstdev(each[key] for each in rounds), 4) for key in ("f1", "ece")}
    return {**means, **spread, "train_s": round(statistics.median(times), 1), "seeds": len(rounds)}


def _as_used(
    lefts: Sequence[Entry], rights: Sequence[Entry], labelled: Sequence[Pair], asked: Sequence[Pair]
) -> dict[str, object]:
    """Without pairs that are asked for, those of a fifth of the left records are held out."""
    if not asked:
        records = sorted({pair.left for pair in labelled})
        held = set(np.random.default_rng(0).permutation(records)[: len(records) // PARTS].tolist())
        asked = [pair for pair in labelled if pair.left in held and pair.same is not None]
        labelled = [pair for pair in labelled if pair.left not in held]
    ours = [as_ours(entry) for entry in lefts]
    matcher = Trained(learn(scene_of(ours, rights, labelled, one_sided=True), datetime.now(UTC)).learned)
    left_by, right_by = ({entry.id: entry for entry in table} for table in (ours, rights))
    candidates: dict[str, list[Pair]] = {}
    for pair in asked:
        candidates.setdefault(pair.left, []).append(pair)
    said, labels = [], []
    for left, pairs in candidates.items():
        said += [match.same for match in matcher.judge(left_by[left], [right_by[pair.right] for pair in pairs])]
        labels += [bool(pair.same) for pair in pairs]
    right = sum(is_said and label for is_said, label in zip(said, labels, strict=True))
    found = {
        "used_f1": 2 * right / max(sum(said) + sum(labels), 1),
        "used_precision": right / max(sum(said), 1),
        "used_recall": right / max(sum(labels), 1),
    }
    return {**{key: round(value, 4) for key, value in found.items()}, "used_pairs": len(labels)}


def _judge(
    lefts: Sequence[Entry], rights: Sequence[Entry], labelled: Sequence[Pair], asked: Sequence[Pair], *, seed: int
) -> tuple[Judged, Learned, float]:
    begun = time.perf_counter()
    scene = scene_of(lefts, rights, labelled, asked)
    labels = scene.labels[~scene.known]
    scene.labels[~scene.known] = 0  # what is asked is not told
    lesson = learn(scene, datetime.now(UTC), seed=seed)
    train_s = time.perf_counter() - begun
    chances, learned = lesson.probabilities[~scene.known], lesson.learned
    accepted = chances >= learned.accept if learned.accept is not None else np.zeros(len(chances), bool)
    return (chances, chances >= learned.cut, accepted, labels), learned, train_s


def _fresh(*tables: Sequence[Entry]) -> list[list[Entry]]:
    """The records as they were read, so that taking them apart counts in the speed."""
    return [[Entry(**{name: getattr(entry, name) for name in Entry.__struct_fields__}) for entry in t] for t in tables]


def _figures(judged: Judged) -> dict[str, float]:
    chances, same, accepted, labels = judged
    right, said, there = int(labels[same].sum()), int(same.sum()), int(labels.sum())
    sure = int(labels[accepted].sum())
    figures = {
        "f1": 2 * right / max(said + there, 1),
        "precision": right / max(said, 1),
        "recall": right / max(there, 1),
        "precision_at_threshold": sure / max(int(accepted.sum()), 1),
        "precision_at_threshold_lower": wilson_lower(sure, int(accepted.sum())),
        "recall_at_threshold": sure / max(there, 1),
        "ece": calibration_error(chances, labels),
        "best_f1": best_f1(chances, labels)[0],
    }
    return {**{key: round(value, 4) for key, value in figures.items()}, "pairs": len(labels), "same": there}


if __name__ == "__main__":
    sys.exit(main())
