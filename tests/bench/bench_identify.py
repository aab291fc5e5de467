"""How well photos are identified: `python -m tests.bench.bench_identify DATA [--catalog FILE] [--rounds 3]`.

DATA is a folder with a `manifest.json` whose items have `path`, `symbology`, `expected` and `class` (readable, hard:
should read; partial, unreadable_blur: right is neutral, any other read is wrong; negative: must not read).

The first part times the barcode stage alone, from the decoded picture to the accepted codes, in ROUNDS rounds. With
a catalog (TSV with the columns `code` and `product_name`) the whole analysis, OCR included, then runs on the items
that name their record in `catalog_key`, and its confidence is held against whether the record was right.

The last line is one JSON object.
"""

import argparse
import csv
import json
import math
import os
import resource
import statistics
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rapidfuzz import fuzz, process

from webapp.lib import gtin
from webapp.lib.text import fold
from webapp.phases.analysis import analyse
from webapp.phases.analysis.barcodes import engines, scan
from webapp.phases.analysis.pictures import picture_of
from webapp.phases.facts import Barcode, Hints, Photo, Record

SHOULD_READ = {"readable", "hard"}
ACCEPT = 80
Z_ONE_SIDED_95 = 1.6449

Item = dict[str, Any]


def expected_gtin(item: Item) -> str | None:
    """The 14 digits that the item's retail code has, None for other codes."""
    if item.get("gtin13"):
        return str(item["gtin13"]).zfill(14)
    if item["expected"] and item["symbology"].startswith(("EAN", "UPC")):
        if item["symbology"] == "UPCE":
            expanded = gtin.expand_upce(item["expected"])
            return expanded.zfill(14) if expanded else None
        return str(item["expected"]).zfill(14)
    return None


def is_right(code: Barcode, item: Item) -> bool:
    """By GTIN for retail codes, by text without outer space for the others."""
    number = expected_gtin(item)
    if number is not None:
        return code.gtin14 == number
    texts = [item["expected"], *(item.get("also_acceptable") or [])]
    return any(text is not None and code.text.strip() == text.strip() for text in texts)


def outcome(codes: Sequence[Barcode], item: Item) -> str:
    """What became of one photo; `extra` is a right read with others beside it (several codes on one photo)."""
    right = [code for code in codes if is_right(code, item)]
    if item["expected"] is None:
        return "false_reads" if codes else "quiet"
    if item["class"] in SHOULD_READ:
        if right:
            return "extra" if len(right) < len(codes) else "correct"
        return "wrong" if codes else "not_accepted"
    return "wrong" if len(right) < len(codes) else "neutral"


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of the values lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, math.ceil(share * len(ordered)) - 1))]


def figures(outcomes: Sequence[str], milliseconds: Sequence[float]) -> dict[str, float]:
    """One folder's figures."""
    count = Counter(outcomes)
    should = count["correct"] + count["extra"] + count["not_accepted"] + count["wrong"]
    correct = count["correct"] + count["extra"]
    return {
        "photos": len(outcomes),
        "expected": should,
        "correct": correct,
        "wrong": count["wrong"],
        "not_accepted": count["not_accepted"],
        "false_reads": count["false_reads"],
        "extra": count["extra"],
        "share": round(correct / should, 4) if should else 0.0,
        "p50_ms": round(percentile(milliseconds, 0.5), 1),
        "p95_ms": round(percentile(milliseconds, 0.95), 1),
    }


def bench_barcodes(folder: Path, items: Sequence[Item], rounds: int) -> dict[str, Any]:
    """The barcode stage on every photo."""
    engines()
    outcomes: dict[str, str] = {}
    times: dict[str, list[float]] = defaultdict(list)
    megapixels: dict[str, float] = {}
    for round_number in range(rounds):
        for item in items:
            path = item["path"]
            photo = Photo(id=path, file_name=path, data=(folder / path).read_bytes())
            picture = picture_of(photo)
            megapixels[path] = picture.width * picture.height / 1e6
            start = time.perf_counter()
            found = scan(picture)
            times[path].append(1000 * (time.perf_counter() - start))
            if round_number == 0:
                outcomes[path] = outcome(found.accepted, item)
                if outcomes[path] in ("wrong", "false_reads", "extra"):
                    read = ", ".join(f"{code.format} {code.text!r} ({code.votes} reads)" for code in found.accepted)
                    doubt = " (label not verified)" if item.get("label_verified") is False else ""
                    print(f"{outcomes[path]:12} {path}{doubt}: expected {item['expected']!r}, accepted {read}")
    middle = {path: statistics.median(values) for path, values in times.items()}
    folders: dict[str, list[str]] = defaultdict(list)
    for path in outcomes:
        folders[path.split("/")[0]].append(path)

    def of(paths: Sequence[str]) -> dict[str, float]:
        return figures([outcomes[path] for path in paths], [middle[path] for path in paths])

    by_round = [percentile([values[n] for values in times.values()], 0.95) for n in range(rounds)]
    large = [middle[path] for path, size in megapixels.items() if size >= 1.5] or [0.0]
    print(f"\n{'folder':26} photos expect correct wrong  none false   share  p50 ms  p95 ms")
    per_folder = {}
    for name in sorted(folders):
        row = per_folder[name] = of(folders[name])
        print(
            f"{name:26} {row['photos']:6} {row['expected']:6} {row['correct']:7} {row['wrong']:5}"
            f" {row['not_accepted']:5} {row['false_reads']:5} {100 * row['share']:6.1f}%"
            f" {row['p50_ms']:7} {row['p95_ms']:7}"
        )
    return {
        **of(list(outcomes)),
        "rounds": rounds,
        "p95_ms_spread": [round(min(by_round), 1), round(max(by_round), 1)],
        "p95_ms_from_1500_kilopixels": round(percentile(large, 0.95), 1),
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "folders": per_folder,
    }


class TsvReference:
    """A catalog in a TSV file, searched in memory."""

    def __init__(self, path: Path) -> None:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
        self.records = [
            Record(source="catalog", id=row["code"], name=row["product_name"], gtin14=gtin.try_normalise(row["code"]))
            for row in rows
            if row["product_name"]
        ]
        self._names = [fold(record.name) for record in self.records]
        self._by_gtin: dict[str, list[Record]] = defaultdict(list)
        for record in self.records:
            if record.gtin14:
                self._by_gtin[record.gtin14].append(record)

    def by_gtin(self, gtin14: str) -> list[Record]:
        """See Reference."""
        return self._by_gtin.get(gtin14, [])

    def by_digits(self, pieces: Sequence[str]) -> list[Record]:
        """See Reference."""
        return [
            record for number, found in self._by_gtin.items() if any(p in number for p in pieces) for record in found
        ]

    def search(self, text: str, limit: int = 20) -> list[Record]:
        """See Reference."""
        found = process.extract(fold(text), self._names, scorer=fuzz.token_set_ratio, limit=limit, score_cutoff=55)
        return [self.records[place] for _, _, place in found]

    def brands(self) -> list[str]:
        """See Reference."""
        return []


def wilson_lower(right: int, of: int) -> float:
    """One-sided 95 % lower bound of a share."""
    if of == 0:
        return 0.0
    share, z2 = right / of, Z_ONE_SIDED_95**2
    middle = share + z2 / (2 * of)
    return (middle - Z_ONE_SIDED_95 * math.sqrt(share * (1 - share) / of + z2 / (4 * of * of))) / (1 + z2 / of)


def calibration_error(answers: Sequence[tuple[int, bool]], bins: int = 10) -> float:
    """Mean distance of confidence and share right, over bins of equal width, weighted by their size."""
    groups: dict[int, list[tuple[int, bool]]] = defaultdict(list)
    for confidence, right in answers:
        groups[min(bins - 1, confidence * bins // 100)].append((confidence, right))
    return sum(
        abs(sum(confidence for confidence, _ in group) / 100 - sum(right for _, right in group))
        for group in groups.values()
    ) / max(1, len(answers))


def bench_products(folder: Path, items: Sequence[Item], catalog: Path) -> dict[str, Any]:
    """The whole analysis on every photo whose record in the catalog is known."""
    reference = TsvReference(catalog)
    known = {record.id: record for record in reference.records}
    answers: list[tuple[int, bool]] = []
    seconds = []
    print(f"\nconfidence and answer for each photo with a record among the {len(known)} of the catalog")
    for item in items:
        record = known.get(str(item.get("catalog_key")))
        if record is None:
            continue
        photo = Photo(id=item["path"], file_name=item["path"], data=(folder / item["path"]).read_bytes())
        start = time.perf_counter()
        found = analyse([photo], Hints(), reference, lambda _percent, _step: None)
        seconds.append(time.perf_counter() - start)
        right = found.name.value == record.name
        answers.append((found.confidence, right))
        print(
            f"{found.confidence:3} {'right' if right else 'WRONG'} {item['path']}:"
            f" {found.name.value!r} for {record.name!r}"
        )
    accepted = [right for confidence, right in answers if confidence >= ACCEPT]
    return {
        "products": len(answers),
        "accepted_80": len(accepted),
        "precision_80": round(sum(accepted) / len(accepted), 4) if accepted else None,
        "precision_80_lower": round(wilson_lower(sum(accepted), len(accepted)), 4),
        "coverage_80": round(len(accepted) / len(answers), 4) if answers else 0.0,
        "ece": round(calibration_error(answers), 4),
        "analysis_p50_s": round(percentile(seconds, 0.5), 2) if seconds else None,
        "rss_mb_with_ocr": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", default=os.environ.get("DATA"))
    parser.add_argument("--catalog", default=os.environ.get("CATALOG"))
    parser.add_argument("--rounds", type=int, default=int(os.environ.get("ROUNDS", "3")))
    options = parser.parse_args()
    if not options.data or not (Path(options.data) / "manifest.json").is_file():
        sys.exit("bench-identify wants a folder with a manifest.json: make bench-identify DATA=DIR")
    folder = Path(options.data)
    items = json.loads((folder / "manifest.json").read_text())["items"]
    result = bench_barcodes(folder, items, max(1, options.rounds))
    if options.catalog:
        result |= bench_products(folder, items, Path(options.catalog))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
