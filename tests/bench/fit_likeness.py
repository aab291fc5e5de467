"""Learns the weights of `webapp.phases.analysis.likeness`: `python -m tests.bench.fit_likeness DIR`.

DIR holds the photos of packages (`manifest.json`, items with `expected_class`) and their reference photos
(`packages_catalog.json`). Each photo gives two pairs: with its own reference, and with the most similar sister's. The
weights are a ridge regression of the logistic kind; judged in six parts, by product, each by weights that saw nothing
of it. The set that the committed weights came from is GroceryStoreDataset (MIT licence).

The last line is one JSON object; `--write` puts the weights into their module.
"""

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from webapp.lib.images import upright
from webapp.phases.analysis import likeness
from webapp.phases.analysis.pictures import MAX_SIDE

FOLDS = 6
STIFFNESS = 1.0
FEW = 4
NAMES = ("bias", "spread", "cells", "drawing", "differs", "colours", "colours_all")
TARGET = Path(likeness.__file__).with_name("likeness_weights.py")

Vector = NDArray[np.float64]


def pairs(folder: Path) -> tuple[Vector, Vector, Vector]:
    """What was seen on each pair, whether it is the same product, and the product's class."""
    catalog = json.loads((folder / "packages_catalog.json").read_text())
    references = {
        entry["class_id"]: likeness.view_of(
            upright((folder / entry["reference_image"]).read_bytes(), MAX_SIDE), reference=True
        )
        for entry in catalog
    }
    seen, same, product = [], [], []
    for item in json.loads((folder / "manifest.json").read_text())["items"]:
        wanted = item.get("expected_class")
        if wanted is None:
            continue
        photo = likeness.view_of(upright((folder / item["path"]).read_bytes(), MAX_SIDE))
        laid = {key: found for key, view in references.items() if (found := likeness.overlay(photo, view))}
        ranked = sorted(laid, key=lambda key: -laid[key].inliers)
        sisters = [key for key in ranked if key != wanted][:FEW]
        told = {key: likeness.compare(photo, references[key], laid[key]) for key in {wanted, *sisters} & set(laid)}
        sisters.sort(key=lambda key: -laid[key].inliers * max(0.01, told[key]["colours"]) ** 2)
        for key in ([wanted] if wanted in laid else []) + sisters[:1]:
            seen.append([1.0, *(told[key][name] for name in NAMES[1:])])
            same.append(float(key == wanted))
            product.append(float(wanted))
    return np.array(seen), np.array(same), np.array(product)


def fit(seen: Vector, same: Vector) -> Vector:
    """Weights in the units of the witnesses; the penalty is on standardised ones."""
    middle, scale = seen.mean(axis=0), seen.std(axis=0)
    middle[0], scale[0] = 0.0, 1.0
    scale[scale < 1e-9] = 1.0
    told = (seen - middle) / scale
    weights = np.zeros(told.shape[1])
    for _ in range(40):
        chances = 1 / (1 + np.exp(-told @ weights))
        slope = told.T @ (chances - same) + STIFFNESS * weights
        bend = (told.T * (chances * (1 - chances))) @ told + STIFFNESS * np.eye(len(weights))
        weights -= np.linalg.solve(bend, slope)
    weights /= scale
    weights[0] -= float(weights[1:] @ middle[1:])
    return weights


def main() -> None:
    """Learns, judges and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    seen, same, product = pairs(options.folder)
    told = np.zeros(len(same))
    for fold in range(FOLDS):
        here = product % FOLDS == fold
        told[here] = 1 / (1 + np.exp(-seen[here] @ fit(seen[~here], same[~here])))
    for least in (0.5, 0.6, 0.7, 0.8, 0.9):
        above = told >= least
        print(f"chance >= {least}: {int(same[above].sum())} right ones, {int((1 - same[above]).sum())} sisters")
    print_ = hashlib.sha256(np.ascontiguousarray(np.column_stack([seen, same])).tobytes()).hexdigest()[:16]
    weights = {name: round(float(value), 4) for name, value in zip(NAMES, fit(seen, same), strict=True)}
    if options.write:
        lines = "".join(f'    "{name}": {value},\n' for name, value in weights.items())
        TARGET.write_text(
            '"""Weights of the witnesses of `likeness`, made by `python -m tests.bench.fit_likeness DIR --write` from'
            f"\nthe packages of GroceryStoreDataset (MIT licence): {len(same)} pairs, fingerprint {print_}."
            f'"""\n\nWEIGHTS = {{\n{lines}}}\n'
        )
    print(json.dumps({"pairs": len(same), "products": len(set(product)), "fingerprint": print_, "weights": weights}))


if __name__ == "__main__":
    main()
