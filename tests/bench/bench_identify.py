"""How well photos are identified: `python -m tests.bench.bench_identify DATA [--catalog FILE] [--rounds 3]`.

DATA is a folder with a `manifest.json` whose items have `path`, `symbology`, `expected` and `class` (readable, hard:
should read; partial, unreadable_blur: right is neutral, any other read is wrong; negative: must not read).

The first part times the barcode stage alone, from the decoded picture to the accepted codes, in ROUNDS rounds (0:
leave it out). With a catalog (TSV with the columns `code` and `product_name`, or a JSON list with reference photos)
the whole analysis, OCR included, then runs on the items that name their record in `catalog_key` or `expected_class`,
and its confidence is held against whether the record was right. Several folders, each with its catalog, are pooled.
With --missing it runs once more on catalogs that lack just the record that would be right: what is accepted then is
wrong.

The last line is one JSON object.
"""

import argparse
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

from tests.bench import identify_products as products
from webapp.lib import gtin
from webapp.phases.analysis.barcodes import engines, scan
from webapp.phases.analysis.pictures import picture_of
from webapp.phases.facts import Barcode, Photo

SHOULD_READ = {"readable", "hard"}

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


def bench_barcodes(items: Sequence[tuple[Path, Item]], rounds: int) -> dict[str, Any]:
    """The barcode stage on every photo."""
    engines()
    outcomes: dict[str, str] = {}
    times: dict[str, list[float]] = defaultdict(list)
    megapixels: dict[str, float] = {}
    for round_number in range(rounds):
        for folder, item in items:
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


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="*", default=os.environ.get("DATA", "").split())
    parser.add_argument("--catalog", nargs="*", default=os.environ.get("CATALOG", "").split())
    parser.add_argument("--rounds", type=int, default=int(os.environ.get("ROUNDS", "3")))
    parser.add_argument("--missing", action="store_true", default=bool(os.environ.get("MISSING")))
    options = parser.parse_args()
    folders, catalogs = [Path(name) for name in options.data], [Path(name) for name in options.catalog]
    if not folders or not all((folder / "manifest.json").is_file() for folder in folders):
        sys.exit("bench-identify wants folders with a manifest.json: make bench-identify DATA=DIR")
    if catalogs and len(catalogs) != len(folders):
        sys.exit("bench-identify wants a catalog for each folder: DATA='ONE TWO' CATALOG='FIRST SECOND'")
    manifests = [json.loads((folder / "manifest.json").read_text())["items"] for folder in folders]
    with_codes = [
        (folder, item)
        for folder, items in zip(folders, manifests, strict=True)
        for item in items
        if "symbology" in item
    ]
    result = bench_barcodes(with_codes, options.rounds) if with_codes and options.rounds > 0 else {"folders": {}}
    found = catalogs or [products.own_catalog(folder) for folder in folders]
    asked = [each for each in zip(folders, manifests, found, strict=True) if each[2] is not None]
    if not with_codes and not asked:
        sys.exit("bench-identify finds neither photos with codes nor a catalog: CATALOG=FILE names the known products")
    if asked:
        answers = [answer for each in asked for answer in products.ask(*each)]
        result |= products.figures(answers)
        for name, found in products.by_folder(answers).items():
            result["folders"].setdefault(name, {}).update(found)
    if asked and options.missing:
        gone = [answer for each in asked for answer in products.ask(*each, missing=True)]
        result["missing"] = len(gone)
        result["missing_accepted_80"] = sum(answer.confidence >= products.ACCEPT for answer in gone)
        by_path = products.by_folder(gone)
        result["missing_by_folder"] = {name: found["accepted_80"] for name, found in by_path.items()}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
