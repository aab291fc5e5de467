"""Reading text: photos of any shape, and what reading them may cost."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from webapp.phases.analysis.pictures import Picture, to_grey
from webapp.phases.analysis.text import MOST_LENGTH, SHORTEST, affordable, read_text
from webapp.phases.analysis.turning import Strip, quarter_turns

ROOT = Path(__file__).resolve().parents[2]
READS_WITH_LITTLE = """
import resource, sys
resource.setrlimit(resource.RLIMIT_DATA, (1_200 << 20, 1_200 << 20))
import numpy as np
from webapp.phases.analysis.pictures import Picture, to_grey
from webapp.phases.analysis.text import read_text
width, height = map(int, sys.argv[1:])
rgb = np.full((height, width, 3), 255, np.uint8)
print(read_text(Picture("a", rgb, to_grey(rgb))).lines)
"""


def picture(rgb) -> Picture:
    return Picture("a", rgb, to_grey(rgb))


@pytest.mark.parametrize("size", [(1, 500), (4000, 1), (30, 600), (1280, 200), (9, 1280)])
def test_no_shape_of_a_photo_takes_much_memory(size):
    command = [sys.executable, "-c", READS_WITH_LITTLE, *map(str, size)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-500:]
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("turned", [False, True])
def test_a_long_strip_is_read_and_its_lines_are_where_they_stand(turned):
    strip = np.full((90, 900, 3), 255, np.uint8)
    cv2.putText(strip, "NORDVIK", (600, 62), cv2.FONT_HERSHEY_SIMPLEX, 1.5, (0, 0, 0), 3)
    rgb = np.ascontiguousarray(np.rot90(strip)) if turned else strip
    (line,) = read_text(picture(rgb)).lines
    assert line.text == "NORDVIK"
    along, across = (1 - line.box.top - line.box.height, line.box.left) if turned else (line.box.left, line.box.top)
    assert 0.62 < along < 0.69
    assert 0.05 < across < 0.4


LABEL = ("NORDVIK HERRING", "in mustard sauce", "drained weight two hundred", "keep in a cool place")


def label():
    pixels = np.full((700, 900, 3), 235, np.uint8)
    for row, line in enumerate(LABEL):
        cv2.putText(pixels, line, (60, 120 + 150 * row), cv2.FONT_HERSHEY_SIMPLEX, 1.6, (20, 20, 20), 3)
    return pixels


def run_together(lines):
    return [line.replace(" ", "").lower() for line in lines]


@pytest.mark.parametrize("is_mirrored", [False, True])
@pytest.mark.parametrize("turns", range(4))
def test_lines_come_in_reading_order_whichever_way_the_photo_lies(turns, is_mirrored):
    rgb = np.rot90(label(), -turns)
    found = read_text(picture(np.ascontiguousarray(rgb[:, ::-1] if is_mirrored else rgb)))
    assert run_together(line.text for line in found.lines) == run_together(LABEL)
    assert found.is_mirrored is is_mirrored


def test_lines_of_a_mirror_image_are_where_they_stand_on_it():
    first = read_text(picture(label())).lines[0].box
    other = read_text(picture(np.ascontiguousarray(label()[:, ::-1]))).lines[0].box
    assert other.left + other.width == pytest.approx(1 - first.left, abs=0.02)
    assert other.top == pytest.approx(first.top, abs=0.02)


def strips(count, height, width):
    return [np.zeros((height, width, 3), np.uint8)] * count


def test_reading_is_bounded_and_the_largest_lines_go_first():
    mixed = strips(60, 10, 300) + strips(20, 40, 1200)
    assert affordable(mixed) == [*range(MOST_LENGTH // 30 - 20), *range(60, 80)]
    assert len(affordable(strips(1000, 10, 10))) == MOST_LENGTH // SHORTEST
    assert affordable(strips(3, 3, 1280 * 4)) == [0]
    assert affordable([]) == []


def test_a_sheet_of_a_thousand_words_is_read_in_part():
    sheet = np.full((1280, 1280, 3), 255, np.uint8)
    for at in range(1000):
        cv2.putText(sheet, "word", (5 + 50 * (at % 25), 20 + 31 * (at // 25)), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0))
    lines = read_text(picture(sheet)).lines  # forty lines of 25 words, or pieces of them
    assert 0 < sum(len(line.text.split()) for line in lines) < 900


def said(*labels):
    return lambda strips: [(label, 1.0) for label, _ in zip(labels, strips, strict=True)]


def strip(text, width, height):
    return Strip(text, np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32))


def test_where_lines_disagree_or_there_is_but_one_nothing_is_turned():
    pixels = np.zeros((300, 300, 3), np.uint8)
    lying, standing = strip("nordvik", 20, 200), strip("herring", 200, 20)
    assert quarter_turns(pixels, [lying, lying], said("0", "0")) == 1
    assert quarter_turns(pixels, [lying, standing], said("0", "0")) == 0
    assert quarter_turns(pixels, [lying], said("0")) == 0
    assert quarter_turns(pixels, [lying, lying, strip("12", 20, 200)], said("180", "180")) == 3
