"""Matching sets as CSV files: labelled pairs of records, in either of two forms. Columns are found by name.

As DeepMatcher has them: `tableA.csv` and `tableB.csv` (any names that sort left before right, but not those of pairs)
with the records, and pairs of their ids in `train.csv` and, as a rule, `valid.csv`. As the WDC corpus has them: no
tables, each line of pairs holds both records, `title_left` (or `left_title`) beside `title_right`. The names of files
with pairs may go on: `train_small.csv`.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from webapp.lib import csv_table
from webapp.lib.text import fold
from webapp.phases.matching.entry import Entry
from webapp.phases.matching.learning import Scene

_FIELDS = {
    "id": ("id", "_id", "key", "sku", "code"),
    "title": ("title", "name", "product name", "product title", "product", "label"),
    "description": ("description", "desc", "details", "features", "text"),
    "brand": ("brand", "manufacturer", "maker", "vendor", "brand name"),
    "model": ("modelno", "model", "model no", "model number", "mpn", "part number", "partno"),
    "category": ("category", "categories", "product type", "type", "department"),
    "price": ("price", "list price", "amount", "cost"),
}
_LEFT = ("ltable id", "left id", "id left", "id a", "left", "idabt", "idamazon", "a", "id1", "product id")
_RIGHT = ("rtable id", "right id", "id right", "id b", "right", "idbuy", "idgooglebase", "b", "id2", "offer id")
_LABEL = ("label", "match", "gold", "same", "is match", "y")
_SAME = frozenset(("1", "1.0", "true", "yes", "y", "match"))
_LEARNED_FROM = frozenset(("train", "training", "valid", "validation", "val"))
_PAIR_FILES = _LEARNED_FROM | {"test", "gs", "gold", "pairs"}
_SIDES = (("{} left", "left {}", "ltable {}", "{} a", "{} 1"), ("{} right", "right {}", "rtable {}", "{} b", "{} 2"))
_NUMBER = re.compile(r"\d[\d., ]*")


Cells = Sequence[str]
IdsOf = Callable[[Path, Cells], Callable[[Cells], tuple[str, str]]]
"""What gives, for a file and its header, the ids of the two records of a line."""


class BadTable(ValueError):
    """A file is not a table or a list of pairs; says which and what is missing."""


class Pair(NamedTuple):
    """Two ids and whether they are the same product; None where nobody says."""

    left: str
    right: str
    same: bool | None


class MatchingSet(NamedTuple):
    """Two tables, the pairs of their records that may be learned from, and those that are asked for."""

    lefts: Sequence[Entry]
    rights: Sequence[Entry]
    labelled: Sequence[Pair]
    asked: Sequence[Pair]


def read_set(folder: Path, test: Path | None = None) -> MatchingSet:
    """The set in a folder: `labelled` are the pairs of its train and valid files and of no other, `asked` those of
    `test`, each once, the last label counting.

    Raises:
        BadTable: there is no file to learn from, neither two tables nor both records in the lines of pairs, or a file
            cannot be read.
    """
    learned_from = [path for path in sorted(folder.glob("*.csv")) if _kind(path) in _LEARNED_FROM]
    if not any(_kind(path).startswith("train") for path in learned_from):
        raise BadTable(f"{folder} has no train.csv")
    tables, in_lines = [_entries(path) for path in _tables(folder)], _InLines()
    ids_of = _by_id if tables else in_lines
    labelled = [pair for path in learned_from for pair in _pairs(path, ids_of)]
    asked = _pairs(test, ids_of) if test else []
    lefts, rights = tables or in_lines.tables()
    return MatchingSet(lefts, rights, labelled, asked)


def _kind(path: Path) -> str:
    """The first word of a file's name."""
    return re.split(r"[^a-z]", path.stem.lower())[0]


def _tables(folder: Path) -> list[Path]:
    """The left and the right table of a folder, or nothing where the records stand in the lines of pairs."""
    tables = [path for path in sorted(folder.glob("*.csv")) if _kind(path) not in _PAIR_FILES]
    named = [path for path in tables if path.stem.lower() in ("tablea", "tableb", "left", "right")]
    chosen = named if len(named) == 2 else tables
    if len(chosen) not in (0, 2):
        raise BadTable(f"{folder} wants two tables, tableA.csv and tableB.csv, or none")
    return chosen


def _entries(path: Path) -> list[Entry]:
    """The records of a table. Raises BadTable where ids or titles lack, there is no row, or an id comes twice."""
    header, rows = _rows(path)
    columns = _columns(header, _FIELDS)
    for needed in ("id", "title"):
        if needed not in columns:
            raise BadTable(f"{path.name} has no column named {_FIELDS[needed][0]}")
    found: dict[str, Entry] = {}
    for cells in rows:
        entry = _entry(cells, columns)
        if entry.id in found:
            raise BadTable(f"{path.name} has the id {entry.id[:60]} twice")
        found[entry.id] = entry
    if not found:
        raise BadTable(f"{path.name} has no rows")
    return list(found.values())


def _entry(cells: Cells, columns: Mapping[str, int]) -> Entry:
    texts = {name: cells[place].strip() for name, place in columns.items() if name != "price"}
    return Entry(**{"id": "", **texts}, price=_price(cells[columns["price"]]) if "price" in columns else None)


def _pairs(path: Path, ids_of: IdsOf) -> list[Pair]:
    header, rows = _rows(path)
    ids, label = ids_of(path, header), _columns(header, {"label": _LABEL}).get("label")
    found: dict[tuple[str, str], bool | None] = {}
    for cells in rows:
        said = cells[label].strip().lower() if label is not None else ""
        found[ids(cells)] = said in _SAME if said else None
    return [Pair(left, right, same) for (left, right), same in found.items()]


def _by_id(path: Path, header: Cells) -> Callable[[Cells], tuple[str, str]]:
    columns = _columns(header, {"left": _LEFT, "right": _RIGHT})
    if len(columns) < 2:
        raise BadTable(f"{path.name} wants columns named ltable_id and rtable_id")
    left, right = columns["left"], columns["right"]
    return lambda cells: (cells[left].strip(), cells[right].strip())


class _InLines:
    """Records that stand in the lines of pairs. Those of one side that say the same are one record."""

    def __init__(self) -> None:
        self._ids: tuple[dict[Entry, str], dict[Entry, str]] = {}, {}

    def __call__(self, path: Path, header: Cells) -> Callable[[Cells], tuple[str, str]]:
        left, right = (_columns(header, _named_for(forms)) for forms in _SIDES)
        if "title" not in left or "title" not in right:
            raise BadTable(
                f"{path.parent} has no tableA.csv and tableB.csv, and {path.name} no columns title_left and title_right"
            )
        return lambda cells: (self._id(0, cells, left), self._id(1, cells, right))

    def _id(self, side: int, cells: Cells, columns: Mapping[str, int]) -> str:
        ids = self._ids[side]
        return ids.setdefault(_entry(cells, columns), str(len(ids)))

    def tables(self) -> tuple[list[Entry], list[Entry]]:
        """The left records and the right ones."""
        left, right = ([msgspec.structs.replace(entry, id=key) for entry, key in ids.items()] for ids in self._ids)
        return left, right


def _named_for(forms: Sequence[str]) -> dict[str, list[str]]:
    """The names of a side's columns, for each field but the id: what counts is what a record says."""
    fields = {field: names for field, names in _FIELDS.items() if field != "id"}
    return {field: [form.format(name) for name in names for form in forms] for field, names in fields.items()}


def scene_of(
    lefts: Sequence[Entry],
    rights: Sequence[Entry],
    labelled: Iterable[Pair],
    asked: Iterable[Pair] = (),
    *,
    one_sided: bool = False,
) -> Scene:
    """The pairs as a scene: labels of `labelled` are known, those of `asked` are not, whatever they say. A pair that
    is asked for is left out of what is known.

    Raises:
        BadTable: a pair names a record that is in neither table.
    """
    places = [{entry.id: place for place, entry in enumerate(table)} for table in (lefts, rights)]
    wanted = {(pair.left, pair.right): pair for pair in asked}
    known = {(pair.left, pair.right): pair for pair in labelled if pair.same is not None}
    pairs = [*(pair for key, pair in known.items() if key not in wanted), *wanted.values()]
    count = len(pairs) - len(wanted)
    return Scene(
        lefts=lefts,
        rights=rights,
        pairs=np.array(
            [(_place(places[0], pair.left), _place(places[1], pair.right)) for pair in pairs], np.int64
        ).reshape(-1, 2),
        labels=np.array([int(bool(pair.same)) for pair in pairs], np.int64),
        known=np.arange(len(pairs)) < count,
        one_sided=one_sided,
    )


def _place(places: Mapping[str, int], record_id: str) -> int:
    if record_id not in places:
        raise BadTable(f"a pair names the record {record_id[:60]}, which is not in the tables")
    return places[record_id]


def _rows(path: Path) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    try:
        table = csv_table.read(path.read_bytes())
    except (OSError, csv_table.TableError) as error:
        raise BadTable(f"{path.name} cannot be read: {error}") from None
    return table.header, [row.cells for row in table.rows if not row.problem]


def _columns(header: Sequence[str], wanted: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """The place of each column that is there, by the first of its names that is."""
    names = [re.sub(r"[\s_-]+", " ", fold(name)).strip() for name in header]
    found = {
        field: next((names.index(name) for name in known if name in names), None) for field, known in wanted.items()
    }
    return {field: place for field, place in found.items() if place is not None}


def _price(text: str) -> float | None:
    if not (match := _NUMBER.search(text)):
        return None
    try:
        value = float(match.group().replace(",", "").replace(" ", ""))
    except ValueError:
        return None
    return value if 0 < value < math.inf else None
