"""Reading text: photos of any shape, and what reading them may cost."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from webapp.phases.analysis.pictures import Picture, to_grey
from webapp.phases.analysis.text import read_text

ROOT = Path(__file__).resolve().parents[2]
READS_WITH_LITTLE = """
import resource, sys
resource.setrlimit(resource.RLIMIT_DATA, (1_200 << 20, 1_200 << 20))
import numpy as np
from webapp.phases.analysis.pictures import Picture, to_grey
from webapp.phases.analysis.text import read_text
width, height = map(int, sys.argv[1:])
rgb = np.full((height, width, 3), 255, np.uint8)
print(read_text(Picture("a", rgb, to_grey(rgb))))
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
    (line,) = read_text(picture(rgb))
    assert line.text == "NORDVIK"
    along, across = (1 - line.box.top - line.box.height, line.box.left) if turned else (line.box.left, line.box.top)
    assert 0.62 < along < 0.69
    assert 0.05 < across < 0.4
