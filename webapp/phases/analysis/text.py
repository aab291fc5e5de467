"""Reading the text on a photo with RapidOCR; its models lie in its wheel, nothing is downloaded."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import cv2
import numpy as np

from webapp.lib import gtin
from webapp.lib.text import clean
from webapp.phases.analysis.pictures import Picture, Pixels, Points
from webapp.phases.analysis.turning import Strip, mirrored, quarter_turns, reading_order
from webapp.phases.facts import Box, TextLine
from webapp.phases.resizing import resized

TEXT_SIDE = 1280
"""Longer side of what is read, in pixels: about 2 s of one core and 0.5 GB for a dense label."""
LONGEST_SHAPE = 4
"""How many times its shorter side the longer one may be. The engine enlarges every picture until its shorter side has
736 pixels, so that a strip of 500 x 1 would become 368 000 long and ask for 20 GB; 4:1 takes 0.7 GB."""
THINNEST = 8
"""Pixels of the shorter side below which no letter is left to be read."""
MOST_LENGTH, SHORTEST = 1500, 7
"""How long all lines of a photo that are read may be together, in heights of a line, of which each counts for as many
as the second at least: a height costs about 10 CPU-ms. Of 57 dense labels and receipts none has more than 700."""
THREADS = 2
LEAST_CONFIDENCE = 50
SURE = 0.9
"""Score, 0..1, from which a line was surely read."""
LEAST_LETTERS, MIRRORED_SURE, MIRRORED_MORE = 8, 0.5, 3
"""A photo with so many letters, of which less than this share was surely read, may be a mirror image. It is one where
its mirror image has more than so many times as many that are sure. Of 181 photos 20 are read twice so, none is called
mirrored, and of their mirror images 148 are."""
DIGITS = re.compile(r"(?<!\d)\d[\d ]{6,16}\d(?!\d)")
ISBN = re.compile(r"\bISBN(?:[- ]?1[03])?[:\s]*((?:97[89][- ]?)?\d[\d -]{7,13}[\dXx])(?![\dXx])", re.IGNORECASE)
"""What is called an ISBN, with its hyphens: ten signs, or thirteen."""


@lru_cache(maxsize=1)
def engine() -> Any:
    """The OCR engine of this process, made at its first use (about a second)."""
    from rapidocr import RapidOCR

    made = RapidOCR(
        params={
            "Global.log_level": "error",
            "Global.max_side_len": TEXT_SIDE,
            "EngineConfig.onnxruntime.intra_op_num_threads": THREADS,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )
    detect = made.detect_and_crop

    def detect_some(pixels: Pixels, record: dict[str, Any]) -> Any:
        strips, found = detect(pixels, record)
        kept = affordable(strips)
        found.boxes, found.scores = found.boxes[kept], [found.scores[place] for place in kept]
        return [strips[place] for place in kept], found

    made.detect_and_crop = detect_some
    return made


def affordable(strips: Sequence[Pixels]) -> list[int]:
    """The places of the strips (height x width x 3) that are read: the largest one, and as many of the next largest as
    MOST_LENGTH allows. A pattern of a thousand strokes would else be read for a minute."""
    largest = sorted(range(len(strips)), key=lambda place: -strips[place].shape[0] * strips[place].shape[1])
    lengths = [max(SHORTEST, strips[place].shape[1] / max(1, strips[place].shape[0])) for place in largest]
    most = max(1, int(np.searchsorted(np.cumsum(lengths), MOST_LENGTH, side="right")))
    return sorted(largest[:most])


class Reading(NamedTuple):
    """The lines of text on a photo. `is_mirrored`: they were read on its mirror image."""

    lines: list[TextLine]
    is_mirrored: bool = False


class _Found(NamedTuple):
    """What the engine found on a sheet: texts, their scores 0..1, and their corners in its pixels."""

    texts: Sequence[str]
    scores: Sequence[float]
    corners: Sequence[Points]

    @property
    def letters(self) -> int:
        return sum(map(len, self.texts))

    @property
    def sure_letters(self) -> int:
        return sum(len(text) for text, score in zip(self.texts, self.scores, strict=True) if score >= SURE)


def read_text(picture: Picture) -> Reading:
    """The lines of text on the photo in reading order, whichever way it lies, those with at least LEAST_CONFIDENCE.

    Of a mirror image, boxes say where the lines are on the photo as it is.
    """
    factor = min(1.0, TEXT_SIDE / max(picture.width, picture.height))
    small = resized(picture.rgb, factor, cv2.INTER_AREA)
    if min(small.shape[:2]) < THINNEST:
        return Reading([])
    sheet, corner = _on_sheet(np.ascontiguousarray(small[:, :, ::-1]))
    found, is_mirrored = _found_on(sheet), False
    if found.letters >= LEAST_LETTERS and found.sure_letters < MIRRORED_SURE * found.letters:
        mirror = np.ascontiguousarray(sheet[:, ::-1])
        other = _found_on(mirror)
        if other.sure_letters >= LEAST_LETTERS and other.sure_letters > MIRRORED_MORE * found.sure_letters:
            found, sheet, is_mirrored = other, mirror, True
    turns = quarter_turns(sheet, [Strip(*each) for each in zip(found.texts, found.corners, strict=True)], _on_its_head)
    lines = []
    for text, score, corners in zip(found.texts, found.scores, found.corners, strict=True):
        confidence = round(100 * score)
        if confidence >= LEAST_CONFIDENCE and clean(text):
            as_is = corners * (-1, 1) + (sheet.shape[1], 0) if is_mirrored else corners
            box = picture.box((as_is - corner) / factor)
            line = TextLine(photo_id=picture.photo_id, text=clean(text), confidence=confidence, box=box)
            lines.append((reading_order(mirrored(box) if is_mirrored else box, turns), line))
    return Reading([line for _, line in sorted(lines, key=lambda entry: entry[0])], is_mirrored)


def _found_on(sheet: Pixels) -> _Found:
    found = engine()(sheet)
    if found.txts is None or found.boxes is None:
        return _Found((), (), ())
    corners = [np.asarray(box, dtype=np.float32) for box in found.boxes]
    return _Found(found.txts, [float(score) for score in found.scores], corners)


def _on_its_head(strips: list[Pixels]) -> Sequence[tuple[str, float]]:
    """What the engine's classifier says of each strip: "0" or "180" degrees, and how surely."""
    said: list[tuple[str, float]] = engine().cls_and_rotate(strips)[1].cls_res
    return said


def _on_sheet(pixels: Pixels) -> tuple[Pixels, Points]:
    """The picture in the middle of one no longer than LONGEST_SHAPE allows, and where its corner lies there.

    What is added has the picture's middle colour: an edge around it would be read as a stroke.
    """
    height, width = pixels.shape[:2]
    least = -(-max(height, width) // LONGEST_SHAPE)
    rows, columns = max(0, least - height), max(0, least - width)
    top, left = rows // 2, columns // 2
    corner = np.array([left, top], dtype=np.float32)
    if rows or columns:
        middle = [float(value) for value in np.median(pixels, axis=(0, 1))]
        made = cv2.copyMakeBorder(pixels, top, rows - top, left, columns - left, cv2.BORDER_CONSTANT, value=middle)
        pixels = np.asarray(made, dtype=np.uint8)
    return pixels, corner


def printed_numbers(lines: Sequence[TextLine]) -> dict[str, TextLine]:
    """GTINs of 12 or 13 digits that stand printed in one line, or in neighbouring pieces of one, as under the bars, and
    what is called an ISBN.

    Keys have 14 digits; the check digit fits, which one in ten numbers does by chance: a witness, not a proof.
    """
    found: dict[str, TextLine] = {}
    for line in (*lines, *_joined(lines)):
        for match in DIGITS.finditer(line.text):
            digits = match.group().replace(" ", "")
            if len(digits) in (12, 13) and (number := gtin.try_normalise(digits)):
                found.setdefault(number, line)
        for match in ISBN.finditer(line.text):
            digits = re.sub(r"[ -]", "", match.group(1))
            if len(digits) in (10, 13) and (number := gtin.try_normalise(digits)):
                found.setdefault(number, line)
    return found


def _joined(lines: Sequence[TextLine]) -> Iterable[TextLine]:
    """Lines of digits that stand side by side at the same height, as one: `4` `006381` `333931`."""
    pieces = [line for line in lines if re.fullmatch(r"[\d ]{1,8}", line.text)]
    for first in pieces:
        row = [
            piece
            for piece in pieces
            if abs(_middle(piece) - _middle(first)) < 0.6 * first.box.height and piece.box.left >= first.box.left
        ]
        row.sort(key=lambda piece: piece.box.left)
        for count in (2, 3, 4):
            if len(row) >= count:
                yield TextLine(
                    photo_id=first.photo_id,
                    text="".join(piece.text for piece in row[:count]),
                    confidence=min(piece.confidence for piece in row[:count]),
                    box=_around([piece.box for piece in row[:count]]),
                )


def _around(boxes: Sequence[Box]) -> Box:
    left, top = min(box.left for box in boxes), min(box.top for box in boxes)
    right, bottom = max(box.left + box.width for box in boxes), max(box.top + box.height for box in boxes)
    return Box(left=left, top=top, width=right - left, height=bottom - top)


def _middle(line: TextLine) -> float:
    return line.box.top + line.box.height / 2
