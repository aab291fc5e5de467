"""A glance for bars at the upload: silent wherever there could be any, since a wrong alarm costs more than none."""

import cv2
import numpy as np
import pytest

from tests.phases.drawn_codes import code_photo, number
from webapp.intake.sample_drawing import back, front, photographed
from webapp.intake.samples import LABELS
from webapp.lib import images
from webapp.phases.analysis.glance import may_show_bars
from webapp.phases.facts import PhotoQuality
from webapp.phases.quality import judge

GOOD = PhotoQuality(photo_id="", score=100)


def pixels(data: bytes):
    return images.normalise(data).rgb


@pytest.mark.parametrize("label", [label for label in LABELS if not label.blurred], ids=lambda label: label.key)
def test_a_front_shows_no_bars_and_a_back_with_a_barcode_does(label):
    assert not may_show_bars(pixels(photographed(front(label), 3)), GOOD)
    assert may_show_bars(pixels(photographed(back(label), 3)), GOOD) == bool(label.gtin)


def test_no_code_under_a_warehouses_weather_is_overlooked_on_a_photo_that_is_not_poor():
    overlooked = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        rgb = code_photo(rng, number(rng))
        if not may_show_bars(rgb, judge("", rgb)):
            overlooked.append(seed)
    assert overlooked == []


def test_a_poor_photo_may_show_anything():
    blank = np.full((600, 800, 3), 120, np.uint8)
    assert may_show_bars(blank, judge("", blank))
    assert not may_show_bars(blank, GOOD)


@pytest.mark.parametrize("size", [(1, 1), (1, 2048), (2048, 1), (2, 3), (9, 2048), (16, 16), (2048, 2048)])
def test_pictures_of_any_shape_are_looked_at_and_an_empty_one_shows_nothing(size):
    assert may_show_bars(np.full((*size, 3), 120, np.uint8), GOOD) is False
    noise = np.random.default_rng(1).integers(0, 255, (*size, 3), dtype=np.uint8)
    for rgb in (noise, np.asarray(cv2.GaussianBlur(noise, (0, 0), 2))):
        assert isinstance(may_show_bars(rgb, GOOD), bool)
