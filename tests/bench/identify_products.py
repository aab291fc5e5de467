"""The second part of `bench_identify`: the whole analysis, and what its confidence is worth."""

import csv
import json
import math
import resource
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rapidfuzz import fuzz, process

from webapp.lib import gtin
from webapp.lib.text import fold
from webapp.phases.analysis import analyse
from webapp.phases.calibration.bounds import ONE_SIDED_95, wilson
from webapp.phases.facts import Hints, Photo, Record, ReferencePhoto

ACCEPT = 80
BINS = 10
DRAWS = 1000

Item = dict[str, Any]


class Answer(NamedTuple):
    """What the analysis said of a photo whose record is known. `right`: it named that record."""

    folder: str
    confidence: int
    right: bool
    seconds: float


class FileReference:
    """A catalog in a file, searched in memory: a TSV with `code` and `product_name`, or a JSON list of `class_id`,
    `name`, `group` and `reference_image` (beside the file). `without`: the id of a record that it shall lack."""

    def __init__(self, path: Path, without: str | None = None) -> None:
        self._folder = path.parent
        self._images: dict[str, str] = {}
        self.records = [record for record in self._read(path) if record.id != without]
        self._names = [fold(record.name) for record in self.records]
        self._by_gtin: dict[str, list[Record]] = defaultdict(list)
        for record in self.records:
            if record.gtin14:
                self._by_gtin[record.gtin14].append(record)

    def _read(self, path: Path) -> Iterator[Record]:
        if path.suffix == ".json":
            for row in json.loads(path.read_text(encoding="utf-8")):
                key = str(row["class_id"])
                self._images[key] = row["reference_image"]
                yield Record(source="catalog", id=key, name=row["name"], category=row.get("group"))
            return
        with path.open(encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
                if row["product_name"]:
                    number = gtin.try_normalise(row["code"])
                    yield Record(source="catalog", id=row["code"], name=row["product_name"], gtin14=number)

    def by_gtin(self, gtin14: str) -> list[Record]:
        """See Reference."""
        return self._by_gtin.get(gtin14, [])

    def by_digits(self, pieces: Sequence[str]) -> list[Record]:
        """See Reference."""
        numbers = [number for number in self._by_gtin if any(piece in number for piece in pieces)]
        return [record for number in numbers for record in self._by_gtin[number]]

    def search(self, text: str, limit: int = 20) -> list[Record]:
        """See Reference."""
        found = process.extract(fold(text), self._names, scorer=fuzz.token_set_ratio, limit=limit, score_cutoff=55)
        return [self.records[place] for _, _, place in found]

    def brands(self) -> list[str]:
        """See Reference."""
        return []

    def photos(self, records: Sequence[Record], limit: int) -> list[ReferencePhoto]:
        """See Reference."""
        first = {record.id for record in records}
        ordered = sorted(
            (record for record in self.records if record.id in self._images), key=lambda r: r.id not in first
        )
        return [ReferencePhoto(photo_id=f"{self._folder}/{r.id}", record=r) for r in ordered][:limit]

    def photo(self, photo_id: str) -> bytes | None:
        """See Reference."""
        return (self._folder / self._images[photo_id.rpartition("/")[2]]).read_bytes()


def own_catalog(folder: Path) -> Path | None:
    """The catalog that lies in a folder of photos, as `…_catalog.json` or `…_catalog.tsv`."""
    return next((path for path in sorted(folder.glob("*_catalog.*")) if path.suffix in (".json", ".tsv")), None)


def record_of(item: Item) -> str | None:
    """The id of the item's record in its catalog, None where nothing is said of one."""
    key = item.get("catalog_key", item.get("expected_class"))
    return None if key is None else str(key)


def ask(folder: Path, items: Sequence[Item], catalog: Path, *, missing: bool = False) -> list[Answer]:
    """The analysis of every photo whose record is in the catalog; with `missing`, of a catalog that lacks just that
    record: then nothing is right but to leave it open."""
    whole = FileReference(catalog)
    known = {record.id: record for record in whole.records}
    print(f"\n{folder}: each photo with a record among {len(known)}" + (", which was taken away" if missing else ""))
    answers = []
    for item in items:
        record = known.get(record_of(item) or "")
        if record is None:
            continue
        reference = FileReference(catalog, record.id) if missing else whole
        photo = Photo(id=item["path"], file_name=item["path"], data=(folder / item["path"]).read_bytes())
        start = time.perf_counter()
        found = analyse([photo], Hints(), reference, lambda _percent, _step: None)
        seconds = time.perf_counter() - start
        right = found.name.value == record.name
        name = item["path"].split("/")[0]
        answers.append(Answer(name, found.confidence, right, seconds))
        path = found.assessment.path.value if found.assessment else ""
        print(
            f"{found.confidence:3} {'right' if right else 'WRONG'} {path:16} {item['path']}:"
            f" {found.name.value!r} for {record.name!r}",
            flush=True,
        )
    return answers


def figures(answers: Sequence[Answer]) -> dict[str, Any]:
    """Share accepted, its precision with the lower bound, and how honest the confidences are."""
    accepted = [answer.right for answer in answers if answer.confidence >= ACCEPT]
    precision = sum(accepted) / len(accepted) if accepted else None
    low, high = error_bounds(answers)
    bounds = wilson(precision or 0.0, len(accepted), ONE_SIDED_95)
    seconds = [answer.seconds for answer in answers] or [0.0]
    return {
        "products": len(answers),
        "accepted_80": len(accepted),
        "precision_80": None if precision is None else round(precision, 4),
        "precision_80_lower": round(bounds[0], 4),
        "precision_80_upper": round(bounds[1], 4),
        "coverage_80": round(len(accepted) / len(answers), 4) if answers else 0.0,
        "ece": round(calibration_error(answers), 4),
        "ece_low": low,
        "ece_high": high,
        "analysis_p50_s": round(float(np.quantile(seconds, 0.5)), 2),
        "analysis_p95_s": round(float(np.quantile(seconds, 0.95)), 2),
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def by_folder(answers: Sequence[Answer]) -> dict[str, dict[str, Any]]:
    """The same for each folder. `rss_mb` is the process's own, so it is told once, for all."""
    names = sorted({answer.folder for answer in answers})
    told = {name: figures([answer for answer in answers if answer.folder == name]) for name in names}
    return {name: {key: value for key, value in found.items() if key != "rss_mb"} for name, found in told.items()}


def calibration_error(answers: Sequence[Answer]) -> float:
    """Expected calibration error: mean distance of confidence and share right, over bins of equal width, by size."""
    groups: dict[int, list[Answer]] = defaultdict(list)
    for answer in answers:
        groups[min(BINS - 1, answer.confidence * BINS // 100)].append(answer)
    off = (abs(math.fsum(answer.confidence / 100 - answer.right for answer in group)) for group in groups.values())
    return sum(off) / max(1, len(answers))


def error_bounds(answers: Sequence[Answer]) -> tuple[float, float]:
    """The middle 90 % of the calibration error over DRAWS samples drawn with replacement."""
    if not answers:
        return 0.0, 0.0
    dice = np.random.default_rng(0)
    errors = [
        calibration_error([answers[place] for place in dice.integers(0, len(answers), len(answers))])
        for _ in range(DRAWS)
    ]
    low, high = np.quantile(errors, [0.05, 0.95])
    return round(float(low), 4), round(float(high), 4)
