"""Drawing the sample photos: a package on a table, its barcode, a little shadow, tilt and noise. Needs Pillow.

Run as a module it writes all photos as msgpack to standard output.
"""

import io
import sys

import msgspec
import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from webapp.intake.samples import LABELS, Label, SampleFile

SIZE = (1280, 960)
PAPER = (232, 230, 224)
INK = (22, 22, 26)
TABLE = (176, 160, 140)
JPEG_QUALITY = 85

LEFT_ODD = (
    "0001101",
    "0011001",
    "0010011",
    "0111101",
    "0100011",
    "0110001",
    "0101111",
    "0111011",
    "0110111",
    "0001011",
)
PARITIES = ("000000", "001011", "001101", "001110", "010011", "011001", "011100", "010101", "010110", "011010")


def ean13_modules(digits: str) -> str:
    """The 95 modules of an EAN-13, `1` for a bar (GS1 General Specifications, 5.2)."""
    odd = dict(zip("0123456789", LEFT_ODD, strict=True))
    right = {digit: modules.translate(str.maketrans("01", "10")) for digit, modules in odd.items()}
    even = {digit: modules[::-1] for digit, modules in right.items()}
    first = PARITIES[int(digits[0])]
    left = [(even if parity == "1" else odd)[digit] for parity, digit in zip(first, digits[1:7], strict=True)]
    return "101" + "".join(left) + "01010" + "".join(right[digit] for digit in digits[7:]) + "101"


def ean13(digits: str, module: int = 3, height: int = 150) -> Image.Image:
    """A printed EAN-13 with quiet zones and its digits; `module` and `height` in pixels."""
    image = Image.new("RGB", ((95 + 22) * module, height + 16 * module), PAPER)
    pen = ImageDraw.Draw(image)
    for place, bar in enumerate(ean13_modules(digits)):
        if bar == "1":
            guard = place < 3 or place > 91 or 45 <= place < 50
            left = (11 + place) * module
            pen.rectangle((left, 2 * module, left + module - 1, height + (5 * module if guard else 0)), fill=INK)
    font = ImageFont.load_default(9 * module)
    places: list[float] = [4, *(17.5 + 7 * n for n in range(6)), *(64.5 + 7 * n for n in range(6))]
    for digit, middle in zip(digits, places, strict=True):
        pen.text((middle * module, height + 2 * module), digit, font=font, fill=INK, anchor="mt")
    return image


def front(label: Label) -> Image.Image:
    """The front of the package: brand, title, a few lines."""
    image = Image.new("RGB", (760, 620), label.colour)
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 440, 760, 620), fill=PAPER)
    pen.text((50, 60), label.brand, font=ImageFont.load_default(92), fill=PAPER)
    pen.text((50, 200), label.title, font=ImageFont.load_default(58), fill=PAPER)
    pen.ellipse((540, 290, 700, 420), outline=PAPER, width=6)
    for number, line in enumerate(label.lines):
        pen.text((50, 462 + 48 * number), line, font=ImageFont.load_default(34), fill=INK)
    return image


def back(label: Label) -> Image.Image:
    """The back of the package: name, model, barcode."""
    image = Image.new("RGB", (760, 620), PAPER)
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 0, 760, 90), fill=label.colour)
    pen.text((40, 16), f"{label.brand} {label.title}", font=ImageFont.load_default(44), fill=PAPER)
    for number, line in enumerate(label.lines):
        pen.text((40, 120 + 46 * number), line, font=ImageFont.load_default(32), fill=INK)
    if label.gtin:
        image.paste(ean13(label.gtin), (360, 340))
    return image


def photographed(package: Image.Image, seed: int, *, blurred: bool = False) -> bytes:
    """The package as if photographed on a table: tilted, with shadow and noise. The same bytes for the same input."""
    rng = np.random.default_rng(seed)
    scene = Image.new("RGB", SIZE, TABLE)
    tilt = float(rng.uniform(-4, 4))
    turned = package.convert("RGBA").rotate(tilt, Image.Resampling.BICUBIC, expand=True)
    left, top = (SIZE[0] - turned.width) // 2, (SIZE[1] - turned.height) // 2
    shadow = Image.new("RGBA", SIZE)
    shadow.paste((0, 0, 0, 110), (left + 18, top + 24), turned.getchannel("A"))
    scene.paste(shadow.convert("RGB"), mask=shadow.getchannel("A").filter(ImageFilter.GaussianBlur(14)))
    scene.paste(turned, (left, top), turned)
    if blurred:
        scene = scene.filter(ImageFilter.GaussianBlur(5))
    light = np.linspace(1.06, 0.86, SIZE[0])[None, :, None]
    pixels = np.asarray(scene, dtype=np.float64) * light + rng.normal(0, 3.5, (SIZE[1], SIZE[0], 1))
    buffer = io.BytesIO()
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()


def photos(label: Label, seed: int) -> list[SampleFile]:
    """The photos of one sample product: its front, and its back where a barcode is printed on it."""
    drawn = [SampleFile(f"{label.key}-front.jpg", photographed(front(label), seed, blurred=label.blurred))]
    if label.gtin:
        drawn.append(SampleFile(f"{label.key}-back.jpg", photographed(back(label), seed + 1)))
    return drawn


if __name__ == "__main__":
    everything = {label.key: photos(label, 10 * number) for number, label in enumerate(LABELS)}
    sys.stdout.buffer.write(msgspec.msgpack.encode(everything))
