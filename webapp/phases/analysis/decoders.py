"""The decoders that come as wheels: ZXing-C++ and OpenCV's."""

from collections.abc import Sequence

import cv2
import numpy as np
import zxingcpp

from webapp.phases.analysis.pictures import Points
from webapp.phases.analysis.reads import RETAIL, Read, sound
from webapp.phases.analysis.regions import QUIET
from webapp.phases.analysis.views import View

ZXING_FORMATS = zxingcpp.barcode_formats_from_str("EANUPC|Code128|Code39|ITF|QRCode|DataMatrix")
ZXING_NAMES = {
    "EAN-13": "EAN13",
    "EAN-8": "EAN8",
    "UPC-A": "UPCA",
    "UPC-E": "UPCE",
    "Code 128": "CODE128",
    "Code 39": "CODE39",
    "ITF": "ITF",
    "ITF-14": "ITF",
    "QR Code": "QR",
    "Data Matrix": "DATAMATRIX",
}
OPENCV_NAMES = {"EAN_13": "EAN13", "EAN_8": "EAN8", "UPC_A": "UPCA", "UPC_E": "UPCE"}


class ZXing:
    """ZXing-C++: the widest choice of formats."""

    name = "zxing"

    def read(self, view: View) -> Sequence[Read]:
        """See Decoder."""
        found = zxingcpp.read_barcodes(
            view.grey,
            formats=ZXING_FORMATS,
            try_rotate=not view.upright,
            text_mode=zxingcpp.TextMode.Plain,
            ean_add_on_symbol=zxingcpp.EanAddOnSymbol.Read,
        )
        reads = []
        for code in found:
            corners = code.position
            points = [corners.top_left, corners.top_right, corners.bottom_right, corners.bottom_left]
            form = ZXING_NAMES.get(str(code.format), str(code.format).upper().replace(" ", ""))
            digits = _own_digits(form, code.text)
            read = Read(
                decoder=self.name,
                view=view.name,
                format=form,
                text=code.text[:digits],
                add_on=code.text[digits:],
                points=view.back(np.array([(point.x, point.y) for point in points], dtype=np.float32)),
                is_gs1=code.content_type == zxingcpp.ContentType.GS1,
            )
            reads.append(read)
        return [read for read in reads if sound(read)]


def _own_digits(form: str, text: str) -> int:
    """How many digits of a text are the code's own: ZXing writes those of an add-on, two or five, behind them."""
    lengths = (8,) if form == "EAN8" else (12, 13) if form in RETAIL else ()
    return next((length for length in lengths if len(text) - length in (0, 2, 5)), len(text))


class OpenCV:
    """OpenCV's detector: finds skewed EAN and UPC codes well, and misreads other stripes as such."""

    name = "opencv"

    def __init__(self) -> None:
        self._detector = cv2.barcode.BarcodeDetector()

    def read(self, view: View) -> Sequence[Read]:
        """See Decoder. On an upright strip the code's corners are known, which is faster and finds more."""
        try:
            if view.upright:
                corners = _inner_corners(view)
                _, texts, kinds = self._detector.decodeWithType(view.grey, corners)
            else:
                _, texts, kinds, corners = self._detector.detectAndDecodeWithType(view.grey)
        except cv2.error:  # it trips over some tiny pictures
            return []
        if corners is None:
            return []
        reads = [
            Read(
                decoder=self.name,
                view=view.name,
                format=OPENCV_NAMES[kind],
                text=text,
                points=view.back(np.asarray(corners[number], dtype=np.float32)),
            )
            for number, (text, kind) in enumerate(zip(texts, kinds, strict=True))
            if text and kind in OPENCV_NAMES
        ]
        return [read for read in reads if sound(read)]


def _inner_corners(view: View) -> Points:
    """The strip without its quiet zones: lower left, upper left, upper right, lower right, as one entry."""
    height, width = view.grey.shape
    margin = QUIET / (1 + 2 * QUIET)
    left, right, top, bottom = width * margin, width * (1 - margin), height * 0.1, height * 0.9
    return np.array([[(left, bottom), (left, top), (right, top), (right, bottom)]], dtype=np.float32)
