"""Small matching sets, drawn by the tests: shops that name the same things differently, among things alike."""

import csv
import random
from pathlib import Path

from webapp.phases.matching.entry import Entry
from webapp.phases.matching.tables import Pair

_MAKERS = ("Acme", "Bolt", "Corvus", "Delta", "Ember", "Fjord")
_THINGS = ("toaster", "kettle", "camera", "printer", "headset", "monitor", "drill", "lamp")
_WORDS = ("steel", "compact", "wireless", "digital", "portable", "home", "office", "travel", "silent", "quick")
_COLOURS = ("black", "white", "red", "silver")


def matching_set(count: int = 60, seed: int = 1) -> tuple[list[Entry], list[Entry], list[Pair]]:
    """Two tables of `count` products each in other words, and pairs: the right one, and three of the same kind."""
    draw = random.Random(seed)
    lefts, rights = [], []
    for number in range(count):
        maker, thing = draw.choice(_MAKERS), _THINGS[number % len(_THINGS)]
        model = f"{maker[0]}{thing[0]}-{draw.randint(100, 999)}{number}"
        words, price = draw.sample(_WORDS, 3), draw.uniform(10, 400)
        colour = draw.choice(_COLOURS)
        lefts.append(
            Entry(id=f"l{number}", title=f"{maker} {' '.join(words)} {thing} {model}", brand=maker, price=price)
        )
        said = model.replace("-", "") if draw.random() < 0.8 else ""
        title = f"{thing} {words[0]} {colour} {said} by {maker.upper()}"
        rights.append(Entry(id=f"r{number}", title=title, model=said, price=price * draw.uniform(0.9, 1.1)))
    pairs = []
    for number in range(count):
        pairs.append(Pair(f"l{number}", f"r{number}", True))
        alike = [other for other in range(number % len(_THINGS), count, len(_THINGS)) if other != number]
        pairs += [Pair(f"l{number}", f"r{other}", False) for other in draw.sample(alike, min(3, len(alike)))]
    draw.shuffle(pairs)
    return lefts, rights, pairs


def write_set(folder: Path, count: int = 60, seed: int = 1) -> Path:
    """The set as a folder of CSV files; returns the path of the test pairs, which lie outside of it."""
    lefts, rights, pairs = matching_set(count, seed)
    folder.mkdir()
    _write(folder / "tableA.csv", ("id", "Title", "Manufacturer", "Price"), [
        (entry.id, entry.title, entry.brand, f"$ {entry.price:,.2f}") for entry in lefts
    ])  # fmt: skip
    _write(folder / "tableB.csv", ("id", "name", "modelno", "price"), [
        (entry.id, entry.title, entry.model, entry.price) for entry in rights
    ])  # fmt: skip
    parts = {
        folder / "train.csv": pairs[0::2],
        folder / "valid.csv": pairs[1::4],
        folder.parent / "test.csv": pairs[3::4],
    }
    for path, some in parts.items():
        _write(path, ("ltable_id", "rtable_id", "label"), [(p.left, p.right, int(bool(p.same))) for p in some])
    return folder.parent / "test.csv"


def _write(path: Path, header: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
