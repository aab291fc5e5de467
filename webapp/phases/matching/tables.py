"""Matching sets as CSV files: two tables of records and pairs of their ids, some labelled. Columns are found by name.

A folder holds `tableA.csv`, `tableB.csv` (any names that sort left before right, but not those of pairs), `train.csv`
and, as a rule, `valid.csv`.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

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
_PAIR_FILES = frozenset(("train", "valid", "validation", "test", "pairs"))
_NUMBER = re.compile(r"\d[\d., ]*")


class BadTable(ValueError):
    """A file is not a table or a list of pairs; says which and what is missing."""


class Pair(NamedTuple):
    """Two ids and whether they are the same product; None where nobody says."""

    left: str
    right: str
    same: bool | None


def read_entries(path: Path) -> list[Entry]:
    """The records of a table.

    Raises:
        BadTable: there is no column with ids or none with titles, or no row, or an id comes twice.
    """
    header, rows = _rows(path)
    columns = _columns(header, _FIELDS)
    for needed in ("id", "title"):
        if needed not in columns:
            raise BadTable(f"{path.name} has no column named {_FIELDS[needed][0]}")
    found: dict[str, Entry] = {}
    for cells in rows:
        texts = {name: cells[place].strip() for name, place in columns.items() if name != "price"}
        price = _price(cells[columns["price"]]) if "price" in columns else None
        entry = Entry(**texts, price=price)
        if entry.id in found:
            raise BadTable(f"{path.name} has the id {entry.id[:60]} twice")
        found[entry.id] = entry
    if not found:
        raise BadTable(f"{path.name} has no rows")
    return list(found.values())


def read_pairs(path: Path) -> list[Pair]:
    """The pairs of a file, each once, the last label counting.

    Raises:
        BadTable: there are no two columns with ids.
    """
    header, rows = _rows(path)
    columns = _columns(header, {"left": _LEFT, "right": _RIGHT, "label": _LABEL})
    if not {"left", "right"} <= columns.keys():
        raise BadTable(f"{path.name} wants columns named ltable_id and rtable_id")
    found: dict[tuple[str, str], bool | None] = {}
    for cells in rows:
        label = cells[columns["label"]].strip().lower() if "label" in columns else ""
        found[cells[columns["left"]].strip(), cells[columns["right"]].strip()] = label in _SAME if label else None
    return [Pair(left, right, same) for (left, right), same in found.items()]


def read_tables(folder: Path) -> tuple[list[Entry], list[Entry]]:
    """The left and the right table of a folder.

    Raises:
        BadTable: there are not exactly two tables, or one cannot be read.
    """
    tables = [path for path in sorted(folder.glob("*.csv")) if path.stem.lower() not in _PAIR_FILES]
    named = [path for path in tables if path.stem.lower() in ("tablea", "tableb", "left", "right")]
    chosen = named if len(named) == 2 else tables
    if len(chosen) != 2:
        raise BadTable(f"{folder} wants two tables, tableA.csv and tableB.csv")
    return read_entries(chosen[0]), read_entries(chosen[1])


def read_labelled(folder: Path) -> list[Pair]:
    """The pairs of the folder's train and valid files, and of no other.

    Raises:
        BadTable: there is no train file, or one cannot be read.
    """
    if not (folder / "train.csv").is_file():
        raise BadTable(f"{folder} has no train.csv")
    paths = [folder / f"{name}.csv" for name in ("train", "valid", "validation")]
    return [pair for path in paths if path.is_file() for pair in read_pairs(path)]


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
