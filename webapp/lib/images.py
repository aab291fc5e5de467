"""Photos: from whatever was uploaded to an upright picture in sRGB with 8 bits and nothing else in it.

Loads Pillow: only for worker slots and for the imaging child, never in the web process.
"""

import io
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image, ImageCms

from webapp.lib.image_errors import ImageError, ImageProblem
from webapp.lib.image_formats import Format, declared_size, recognise

MAX_BYTES = 25 * 1024 * 1024
MAX_PIXELS = 50_000_000
DISPLAY_SIDE = 2048
THUMB_SIDE = 320
DISPLAY_QUALITY = 88
THUMB_QUALITY = 80
ORIENTATION_TAG = 0x0112
WHITE = (255, 255, 255)
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

RGB = NDArray[np.uint8]

pillow_heif.register_heif_opener(thumbnails=False)
pillow_heif.options.DECODE_THREADS = 2
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


@dataclass(frozen=True)
class ImageInfo:
    """What a file is by its content. `width` and `height` are the stored ones, in pixels, before it is turned."""

    format: str
    mime: str
    extension: str
    width: int
    height: int


@dataclass(frozen=True)
class Normalised:
    """Copies that may be served: JPEG, upright, sRGB, without metadata. `width` and `height` are the upright
    original's, in pixels; `format`, `mime` and `extension` are the original's, by content. `rgb`: the display copy's
    pixels before they were compressed."""

    rgb: RGB
    display: bytes
    thumb: bytes
    width: int
    height: int
    format: str
    mime: str
    extension: str


def inspect(data: bytes) -> ImageInfo:
    """What `data` is, without decoding its pixels. Raises ImageError."""
    form = _admit(data)
    image = _open(data, form)
    return ImageInfo(form.name, form.mime, form.extension, image.width, image.height)


def normalise(data: bytes) -> Normalised:
    """The served copies of an uploaded file. Raises ImageError. At most about 0.85 GB of memory, for 50 megapixels."""
    form = _admit(data)
    image = _open(data, form)
    size = image.size
    picture, turned = _upright(image, DISPLAY_SIDE)
    thumb = picture.copy()
    thumb.thumbnail((THUMB_SIDE, THUMB_SIDE), Image.Resampling.LANCZOS)
    width, height = size[::-1] if turned else size
    return Normalised(
        rgb=np.asarray(picture),
        display=_jpeg(picture, DISPLAY_QUALITY),
        thumb=_jpeg(thumb, THUMB_QUALITY),
        width=width,
        height=height,
        format=form.name,
        mime=form.mime,
        extension=form.extension,
    )


def upright(data: bytes, max_side: int | None = None) -> RGB:
    """The picture as rows x columns x 3 of 8-bit sRGB, its longer side at most `max_side` pixels. Raises ImageError."""
    picture, _ = _upright(_open(data, _admit(data)), max_side)
    return np.asarray(picture)


def reduced(data: bytes, max_side: int, quality: int) -> bytes:
    """The picture as a JPEG, upright, without metadata, no side above `max_side` pixels. Raises ImageError."""
    picture, _ = _upright(_open(data, _admit(data)), max_side)
    return _jpeg(picture, quality)


def _admit(data: bytes) -> Format:
    """Format by content, once bytes and declared pixels are within the limits."""
    if len(data) > MAX_BYTES:
        raise ImageError(
            ImageProblem.TOO_LARGE, f"has {len(data) / 2**20:.0f} MB; at most {MAX_BYTES // 2**20} MB are taken"
        )
    form = recognise(data)
    if (size := declared_size(data, form)) is not None:
        _check_pixels(*size)
    return form


def _check_pixels(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise ImageError(
            ImageProblem.TOO_MANY_PIXELS,
            f"says it is {width} x {height} pixels; at most {MAX_PIXELS // 1_000_000} megapixels are taken",
        )
    if width < 1 or height < 1:
        raise ImageError(ImageProblem.DAMAGED, "is damaged: it says that it has no pixels")


def _open(data: bytes, form: Format) -> Image.Image:
    """The picture with its header read and its pixels still closed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(data), formats=form.decoders)
    except MemoryError:
        raise
    except Image.DecompressionBombError as error:
        raise ImageError(ImageProblem.TOO_MANY_PIXELS, "says it has more pixels than any camera makes") from error
    except Exception as error:  # whatever a decoder raises on foreign bytes, it means the same to us
        raise ImageError(ImageProblem.DAMAGED, f"is damaged: it begins like {form.name} but cannot be read") from error
    _check_pixels(image.width, image.height)
    return image


def _upright(image: Image.Image, max_side: int | None) -> tuple[Image.Image, bool]:
    """The decoded picture, upright, RGB in sRGB, and whether its sides were swapped."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if max_side is not None:
                image.draft(None, (max_side, max_side))  # lets JPEG skip detail that would be thrown away
            image.load()
            orientation = _orientation(image)
            profile = image.info.get("icc_profile")
            # Small first: turning and converting then cost a tenth of the memory.
            picture = _eight_bits(image)
            if max_side is not None:
                picture.thumbnail((max_side, max_side), Image.Resampling.LANCZOS, reducing_gap=2.0)
            picture = _in_srgb(_without_alpha(picture), profile)
            if orientation in TURNS:
                picture = picture.transpose(TURNS[orientation])
    except (ImageError, MemoryError):
        raise
    except Exception as error:  # see _open
        raise ImageError(
            ImageProblem.DAMAGED, "is damaged or cut off: only a part of the picture can be read"
        ) from error
    picture.info = {}
    return picture, orientation >= 5


def _orientation(image: Image.Image) -> int:
    """EXIF orientation 1 to 8; 1 where there is none, or none that means anything."""
    try:
        value = image.getexif().get(ORIENTATION_TAG, 1)
    except Exception:  # broken EXIF says nothing about the picture
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _eight_bits(image: Image.Image) -> Image.Image:
    """The picture in one of the modes L, LA, RGB, RGBA, CMYK, LAB with 8 bits a channel."""
    if image.mode in ("L", "RGB", "RGBA", "LA", "CMYK", "LAB"):
        return image
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_to_bytes(np.asarray(image)), "L")
    if "transparency" in image.info or image.mode in ("PA", "La", "RGBa"):
        return image.convert("RGBA")
    return image.convert("L" if image.mode == "1" else "RGB")


def _to_bytes(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Grey values of 16 or 32 bits or floating point as 0..255. Floating point means 0..1 unless it goes beyond."""
    if values.dtype.kind == "f":
        grey = np.nan_to_num(values.astype(np.float32))
        top = float(grey.max(initial=0.0))
        factor = 255.0 / top if top > 255 else 255.0 if top <= 1 else 1.0
        return np.asarray(np.clip(grey * factor, 0, 255), dtype=np.uint8)
    if values.dtype.itemsize > 2:  # 32 bits, of which 8 or 16 are used
        values = np.clip(values, 0, 65535).astype(np.uint16)
    shift = 8 if values.max(initial=0) > 255 else 0
    return np.asarray(values >> shift, dtype=np.uint8)


def _without_alpha(image: Image.Image) -> Image.Image:
    """What shows through is white, as on paper."""
    if image.mode == "LA" or (image.mode in ("L", "RGB") and "transparency" in image.info):
        image = image.convert("RGBA")
    if image.mode != "RGBA":
        return image
    paper = Image.new("RGB", image.size, WHITE)
    paper.paste(image, mask=image.getchannel("A"))
    return paper


def _in_srgb(image: Image.Image, profile: object) -> Image.Image:
    """RGB in sRGB. A profile that is broken or belongs to other colours is left out of account."""
    if isinstance(profile, bytes) and profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            space = source.profile.xcolor_space.strip()
            if {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK"}.get(image.mode) == space:
                converted = ImageCms.profileToProfile(image, source, SRGB, outputMode="RGB")
                if converted is not None:
                    return converted
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            pass
    return image if image.mode == "RGB" else image.convert("RGB")


def _jpeg(image: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, optimize=True, progressive=True)
    return buffer.getvalue()
