"""Weights of the witnesses of `likeness`, made by `python -m tests.bench.fit_likeness DIR --write` from
the packages of GroceryStoreDataset (MIT licence): 228 pairs, fingerprint 372cbedd1b596985."""

WEIGHTS = {
    "bias": -8.2476,
    "spread": 5.098,
    "cells": 0.8622,
    "drawing": 3.74,
    "differs": -1.4034,
    "colours": 1.6284,
    "colours_all": 2.1867,
}
