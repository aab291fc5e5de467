"""Photos that tests draw: labels, barcodes of every kind, and what goes wrong with them."""

import io
from collections.abc import Sequence

import cv2
import numpy as np
import zxingcpp
from PIL import Image, ImageDraw, ImageFont

from webapp.intake.sample_drawing import ean13
from webapp.phases.analysis.patterns import LEFT
from webapp.phases.facts import Offer, Photo, Record, ReferencePhoto

FORMATS = {
    "EAN13": zxingcpp.BarcodeFormat.EAN13,
    "EAN8": zxingcpp.BarcodeFormat.EAN8,
    "UPCA": zxingcpp.BarcodeFormat.UPCA,
    "UPCE": zxingcpp.BarcodeFormat.UPCE,
    "CODE128": zxingcpp.BarcodeFormat.Code128,
    "CODE39": zxingcpp.BarcodeFormat.Code39,
    "ITF": zxingcpp.BarcodeFormat.ITF,
    "QR": zxingcpp.BarcodeFormat.QRCode,
    "DATAMATRIX": zxingcpp.BarcodeFormat.DataMatrix,
}


def barcode(text: str, form: str = "EAN13", module: int = 3, *, gs1: bool = False) -> Image.Image:
    """A printed code with quiet zones; `module` is the width of its narrowest bar in pixels. `gs1`: `text` is `(01)…`,
    and goes in as an element string with FNC1."""
    if form == "EAN13":
        return ean13(text, module)
    symbol = zxingcpp.create_barcode(text, FORMATS[form], **({"gs1": True} if gs1 else {}))
    drawn = Image.fromarray(np.array(zxingcpp.write_barcode_to_image(symbol, scale=module, add_quiet_zones=True)))
    return drawn.convert("RGB")


FIVE = ("GGLLL", "GLGLL", "GLLGL", "GLLLG", "LGGLL", "LLGGL", "LLLGG", "LGLGL", "LGLLG", "LLGLG")
TWO = ("LL", "LG", "GL", "GG")


def add_on_bars(digits: str, module: int, height: int) -> Image.Image:
    """The bars of an EAN-2 or EAN-5 add-on: its parities tell the check sum (GS1 General Specifications, 5.2.2.5)."""
    values = [int(digit) for digit in digits]
    weights = (3, 9, 3, 9, 3)
    check = sum(value * weight for value, weight in zip(values, weights, strict=False)) % 10
    parities = FIVE[check] if len(digits) == 5 else TWO[int(digits) % 4]
    drawn = []
    for value, parity in zip(values, parities, strict=True):
        odd = LEFT[value]
        drawn.append(odd if parity == "L" else "".join("10"[int(bar)] for bar in odd)[::-1])
    row = np.repeat([255 * (bar == "0") for bar in "1011" + "01".join(drawn)], module).astype(np.uint8)
    return Image.fromarray(np.repeat(row[None], height, axis=0)).convert("RGB")


def scene(
    *parts: Image.Image, lines: Sequence[str] = (), size: tuple[int, int] = (900, 700), text_size: int = 40
) -> Image.Image:
    """A light label with lines of text on top and the given pictures below them, side by side."""
    image = Image.new("RGB", size, (226, 224, 218))
    pen = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        pen.text(
            (50, 40 + number * round(1.5 * text_size)), line, font=ImageFont.load_default(text_size), fill=(20, 20, 24)
        )
    left = 60
    for part in parts:
        image.paste(part, (left, size[1] - part.height - 60))
        left += part.width + 40
    return image


def jpeg(image: Image.Image, quality: int = 88) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def photo(image: Image.Image, photo_id: str = "p1") -> Photo:
    return Photo(id=photo_id, file_name=f"{photo_id}.jpg", data=jpeg(image))


def spoiled(
    image: Image.Image,
    *,
    blur: float = 0,
    noise: float = 0,
    tilt: float = 0,
    dark: float = 1.0,
    light: float = 0,
    lamp: float = 0,
) -> Image.Image:
    """The picture after a bad day: `blur` in pixels, `noise` and `light` (too much of it everywhere) in grey levels,
    `tilt` in degrees, `dark` as a factor, `lamp` as the radius of a reflection, a share of the width."""
    pixels = np.asarray(
        image.rotate(tilt, Image.Resampling.BICUBIC, expand=True, fillcolor=(226, 224, 218)), np.float32
    )
    if blur:
        pixels = cv2.GaussianBlur(pixels, (0, 0), blur)
    if lamp:
        rows, columns = np.indices(pixels.shape[:2])
        away = np.hypot(columns - 0.55 * pixels.shape[1], rows - 0.4 * pixels.shape[0]) / (lamp * pixels.shape[1])
        pixels = 0.75 * pixels + 400 * np.exp(-(away**2))[:, :, None]
    pixels = pixels * dark + light + np.random.default_rng(3).normal(0, noise, pixels.shape[:2])[:, :, None]
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


class Known:
    """A Reference made of a list of records."""

    def __init__(self, *records: Record, pictures: dict[str, tuple[Record, bytes]] | None = None) -> None:
        self.records = records
        self.pictures = pictures or {}

    def by_gtin(self, gtin14: str) -> list[Record]:
        return sorted((r for r in self.records if r.gtin14 == gtin14), key=lambda record: record.source != "catalog")

    def by_digits(self, pieces: Sequence[str]) -> list[Record]:
        return [r for r in self.records if r.gtin14 and any(piece in r.gtin14 for piece in pieces)]

    def search(self, text: str, limit: int = 20) -> list[Record]:
        wanted = set(text.casefold().split())
        fitting = [r for r in self.records if wanted & set(r.name.casefold().split())]
        return sorted(fitting, key=lambda r: -len(wanted & set(r.name.casefold().split())))[:limit]

    def brands(self) -> list[str]:
        return sorted({record.brand for record in self.records if record.brand})

    def photos(self, records: Sequence[Record], limit: int) -> list[ReferencePhoto]:
        return [ReferencePhoto(photo_id=key, record=record) for key, (record, _) in self.pictures.items()][:limit]

    def photo(self, photo_id: str) -> bytes | None:
        return self.pictures[photo_id][1]


def as_record(offer: Offer) -> Record:
    """An offer as analysis sees it."""
    return Record(
        source="offer",
        id=offer.id,
        name=offer.title,
        brand=offer.brand,
        model=offer.model,
        gtin14=offer.gtin14,
        category=offer.category,
    )
