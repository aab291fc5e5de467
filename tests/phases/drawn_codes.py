"""Photos nobody took: codes under the weather of a warehouse, and pictures without a code that might be taken for one.

The same seed gives the same picture. For tests, and to try a change on thousands of codes that no threshold was
chosen on: `python -m tests.phases.drawn_codes [COUNT]` prints how many are read, and how many are read wrongly.
"""

import sys
from collections import Counter

import cv2
import numpy as np
import zxingcpp
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from webapp.lib.gtin import check_digit
from webapp.phases.analysis.barcodes import scan
from webapp.phases.analysis.pictures import Picture, to_grey

Picture8 = NDArray[np.uint8]
SIZE = 900, 700


def number(rng: np.random.Generator) -> str:
    """A random EAN-13."""
    body = "".join(map(str, rng.integers(0, 10, 12)))
    return f"{body}{check_digit(body)}"


def code_photo(rng: np.random.Generator, text: str) -> Picture8:
    """An EAN-13 on a package: turned, seen at a slant, perhaps bent, out of focus, in bad light, badly saved."""
    module = int(rng.integers(3, 6))
    bars = np.asarray(zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.EAN13).to_image(scale=module))
    bars = bars[: min(len(bars), 50 * module)]
    label = np.full((len(bars) + 60, bars.shape[1] + 60), 255, np.uint8)
    label[30:-30, 30:-30] = bars
    ink, paper = rng.uniform(5, 90), rng.uniform(140, 250)
    label = np.asarray(ink + label / 255.0 * (paper - ink), dtype=np.float32)
    if rng.random() < 0.4:
        label = _bent(label, float(rng.uniform(0.3, 0.9)))
    canvas = _clutter(rng).astype(np.float32)
    scene = _placed(rng, canvas, label)
    scene *= _light(rng)
    if rng.random() < 0.3:
        scene = np.maximum(scene, _gloss(rng))
    if rng.random() < 0.25:
        scene = _shaken(rng, scene)
    scene = cv2.GaussianBlur(scene, (0, 0), float(rng.uniform(0.3, 2.4)))
    scene += rng.normal(0, rng.uniform(1, 9), scene.shape)
    return _saved(rng, scene)


def code_less(rng: np.random.Generator) -> Picture8:
    """Stripes, grids, text, shelves, fences: bars without a message."""
    kind = int(rng.integers(0, 5))
    scene = _clutter(rng).astype(np.float32)
    if kind == 0:  # stripes of random widths, such as blinds and fabric
        edges = np.cumsum(rng.integers(2, 14, 400))
        row = (np.searchsorted(edges, np.arange(SIZE[0])) % 2 * rng.uniform(60, 200)).astype(np.float32)
        scene = np.tile(row + 30, (SIZE[1], 1))
    elif kind == 1:  # a regular grid
        step = int(rng.integers(5, 24))
        scene[:, np.arange(SIZE[0]) // step % 2 == 0] *= 0.3
        if rng.random() < 0.5:
            scene[np.arange(SIZE[1]) // step % 2 == 0] *= 0.5
    elif kind == 2:  # dense text
        scene = np.asarray(_text(rng), dtype=np.float32)
    elif kind == 3:  # bars in quiet zones, at module widths, that encode nothing
        module = int(rng.integers(2, 5))
        row = np.repeat(rng.integers(0, 2, 95) * 220.0, module).astype(np.float32)
        block = np.full((160, len(row) + 80), 230, np.float32)
        block[10:-10, 40:-40] = 235 - row
        scene = _placed(rng, scene, block)
    else:  # book spines and edges of cartons
        for at in range(0, SIZE[0], int(rng.integers(12, 40))):
            scene[:, at : at + int(rng.integers(4, 30))] = rng.uniform(20, 240)
    scene = cv2.GaussianBlur(scene, (0, 0), float(rng.uniform(0.3, 1.6)))
    return _saved(rng, scene + rng.normal(0, rng.uniform(1, 6), scene.shape))


def _clutter(rng: np.random.Generator) -> NDArray[np.float64]:
    image = Image.new("L", SIZE, int(rng.integers(60, 220)))
    pen = ImageDraw.Draw(image)
    for _ in range(12):
        x, y = int(rng.integers(0, SIZE[0])), int(rng.integers(0, SIZE[1]))
        pen.rectangle((x, y, x + int(rng.integers(10, 250)), y + int(rng.integers(10, 200))), int(rng.integers(0, 255)))
    for _ in range(8):
        words = "".join(rng.choice(list("ABCDEFGHIJKLMN OPQRSTUVWXYZ 0123456789"), 24))
        pen.text(
            (int(rng.integers(-40, 600)), int(rng.integers(0, SIZE[1]))),
            words,
            int(rng.integers(0, 255)),
            font=ImageFont.load_default(int(rng.integers(12, 50))),
        )
    return np.asarray(image, dtype=np.float64)


def _text(rng: np.random.Generator) -> Image.Image:
    image = Image.new("L", SIZE, 240)
    pen = ImageDraw.Draw(image)
    size = int(rng.integers(9, 30))
    for row in range(0, SIZE[1], size + 3):
        words = "".join(rng.choice(list("iIlL1 |tfj/HMNWEB0123456789 "), 200))
        pen.text((4, row), words, 15, font=ImageFont.load_default(size))
    return image.rotate(float(rng.uniform(-20, 20)), fillcolor=240)


def _bent(label: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """The label around a bottle of which it covers `share` of the half that is seen."""
    height, width = label.shape
    at = np.linspace(-1, 1, width) * np.sin(share * np.pi / 2)
    columns = (np.arcsin(at) / (share * np.pi / 2) + 1) / 2 * (width - 1)
    across = np.tile(columns.astype(np.float32), (height, 1))
    along = np.tile(np.arange(height, dtype=np.float32)[:, None], (1, width))
    return np.asarray(cv2.remap(label, across, along, cv2.INTER_LINEAR), dtype=np.float32)


def _placed(rng: np.random.Generator, canvas: NDArray[np.float32], label: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = label.shape
    span = rng.uniform(0.25, 0.75) * SIZE[0]
    angle = rng.uniform(-0.5, 0.5) + (np.pi / 2 if rng.random() < 0.3 else 0)
    corners = np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)]) * (span, span * height / width)
    turn = np.array([(np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))])
    corners = corners @ turn + np.array(SIZE) / 2 + rng.uniform(-40, 40, 2) + rng.uniform(-0.04, 0.04, (4, 2)) * span
    flat = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    matrix = cv2.getPerspectiveTransform(flat, corners.astype(np.float32))
    small = width > 1.5 * span
    source = cv2.GaussianBlur(label, (0, 0), 0.4 * width / span) if small else label
    mask = cv2.warpPerspective(np.ones_like(label), matrix, SIZE)
    return canvas * (1 - mask) + cv2.warpPerspective(source, matrix, SIZE) * mask


def _light(rng: np.random.Generator) -> NDArray[np.float32]:
    x, y = np.meshgrid(np.linspace(-1, 1, SIZE[0]), np.linspace(-1, 1, SIZE[1]))
    slope = rng.uniform(-0.3, 0.3, 2)
    return np.asarray(np.clip(rng.uniform(0.35, 1.0) + slope[0] * x + slope[1] * y, 0.1, 1.1), dtype=np.float32)


def _gloss(rng: np.random.Generator) -> NDArray[np.float32]:
    x, y = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
    dx, dy = x - SIZE[0] * rng.uniform(0.3, 0.7), y - SIZE[1] * rng.uniform(0.3, 0.7)
    reach = rng.uniform(20, 70)
    return np.asarray(300 * np.exp(-(dx**2 / (3 * reach) ** 2 + dy**2 / reach**2)), dtype=np.float32)


def _shaken(rng: np.random.Generator, scene: NDArray[np.float32]) -> NDArray[np.float32]:
    length = int(rng.integers(3, 8)) | 1
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1
    turn = cv2.getRotationMatrix2D((length // 2, length // 2), float(rng.uniform(0, 180)), 1)
    kernel = cv2.warpAffine(kernel, turn, (length, length))
    return np.asarray(cv2.filter2D(scene, -1, kernel / kernel.sum()), dtype=np.float32)


def _saved(rng: np.random.Generator, scene: NDArray[np.floating]) -> Picture8:
    data = np.clip(scene, 0, 255).astype(np.uint8)
    _, jpeg = cv2.imencode(".jpg", data, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(35, 95))])
    return np.asarray(cv2.cvtColor(cv2.imdecode(jpeg, cv2.IMREAD_GRAYSCALE), cv2.COLOR_GRAY2RGB))


def picture(rgb: Picture8) -> Picture:
    """As the analysis sees it."""
    return Picture("drawn", rgb, to_grey(rgb))


def main(count: int) -> None:
    """Reads `count` codes and `count` pictures without one."""
    outcomes: Counter[str] = Counter()
    for seed in range(count):
        rng = np.random.default_rng(seed)
        text = number(rng)
        read = [code.text.zfill(13) for code in scan(picture(code_photo(rng, text))).accepted]
        outcomes["read" if read == [text] else "wrong" if read else "not read"] += 1
        if read and read != [text]:
            print("wrong", seed, text, read)
        seen = scan(picture(code_less(np.random.default_rng(10_000_000 + seed)))).accepted
        outcomes["false" if seen else "nothing"] += 1
        if seen:
            print("false", seed, [(code.format, code.text, code.decoders) for code in seen])
    print(dict(outcomes))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
