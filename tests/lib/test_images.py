"""Photos: accepted by content, turned upright, in sRGB, without metadata; everything else refused with a reason."""

import io
import struct
import zlib

import numpy as np
import pillow_heif
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from webapp.lib import images
from webapp.lib.image_errors import ImageError, ImageProblem

SECRET = b"GPS-POSITION-OF-THE-WAREHOUSE"
CORNERS = {"red": (220, 20, 20), "green": (20, 180, 20), "blue": (20, 20, 220), "grey": (128, 128, 128)}


def four_corners(width: int = 96, height: int = 64) -> Image.Image:
    """Red top left, green top right, blue bottom left, grey bottom right: shows how a picture is turned."""
    image = Image.new("RGB", (width, height))
    for number, colour in enumerate(CORNERS.values()):
        left, top = (number % 2) * width // 2, (number // 2) * height // 2
        image.paste(colour, (left, top, left + width // 2, top + height // 2))
    return image


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def corner_names(picture: np.ndarray) -> list[str]:
    height, width = picture.shape[:2]
    points = [(height // 4, width // 4), (height // 4, 3 * width // 4)]
    points += [(3 * height // 4, width // 4), (3 * height // 4, 3 * width // 4)]
    return [
        min(CORNERS, key=lambda name: sum(abs(int(a) - b) for a, b in zip(picture[point], CORNERS[name], strict=True)))
        for point in points
    ]


def served(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


STORED = {
    1: lambda image: image,
    2: lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    3: lambda image: image.transpose(Image.Transpose.ROTATE_180),
    4: lambda image: image.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
    5: lambda image: image.transpose(Image.Transpose.TRANSPOSE),
    6: lambda image: image.transpose(Image.Transpose.ROTATE_90),
    7: lambda image: image.transpose(Image.Transpose.TRANSVERSE),
    8: lambda image: image.transpose(Image.Transpose.ROTATE_270),
}


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_ends_upright(form, orientation):
    exif = Image.Exif()
    exif[images.ORIENTATION_TAG] = orientation
    if form == "HEIF":  # HEIC stores the turn in the container; the writer takes it from the picture's EXIF
        holder = pillow_heif.from_pillow(STORED[orientation](four_corners()))
        buffer = io.BytesIO()
        holder.save(buffer, exif=exif.tobytes())
        data = buffer.getvalue()
    else:
        data = encoded(STORED[orientation](four_corners()), form, exif=exif)
    found = images.normalise(data)
    assert (found.width, found.height) == (96, 64)
    assert corner_names(served(found.display)) == list(CORNERS)
    assert corner_names(served(found.thumb)) == list(CORNERS)
    assert corner_names(images.upright(data)) == list(CORNERS)


@pytest.mark.parametrize(
    ("form", "name", "extension"),
    [
        ("JPEG", "JPEG", ".jpg"),
        ("PNG", "PNG", ".png"),
        ("WEBP", "WebP", ".webp"),
        ("GIF", "GIF", ".gif"),
        ("BMP", "BMP", ".bmp"),
        ("TIFF", "TIFF", ".tif"),
        ("HEIF", "HEIC", ".heic"),
        ("AVIF", "AVIF", ".avif"),
    ],
)
def test_each_accepted_format_is_known_by_its_content(form, name, extension):
    info = images.inspect(encoded(four_corners(), form))
    assert (info.format, info.extension, info.width, info.height) == (name, extension, 96, 64)
    assert info.mime.startswith("image/")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "F"])
def test_every_colour_mode_becomes_eight_bit_rgb(mode):
    grey = np.tile(np.linspace(0, 255, 64, dtype=np.uint8), (48, 1))
    if mode == "I;16":
        data = encoded(Image.fromarray(grey.astype(np.uint16) * 257), "PNG")
    elif mode == "F":
        data = encoded(Image.fromarray(grey.astype(np.float32) / 255), "TIFF")
    else:
        data = encoded(Image.fromarray(grey).convert(mode), "TIFF" if mode in ("CMYK", "1") else "PNG")
    picture = images.upright(data)
    assert picture.shape == (48, 64, 3)
    assert picture.dtype == np.uint8
    assert picture[:, :8].mean() < 40
    assert picture[:, -8:].mean() > 215


def test_what_shows_through_is_white():
    image = Image.new("RGBA", (40, 40), (200, 0, 0, 0))
    image.paste((0, 0, 200, 255), (0, 0, 20, 40))
    for data in (encoded(image, "PNG"), encoded(image.quantize(), "PNG"), encoded(image, "WEBP", lossless=True)):
        picture = images.upright(data)
        assert picture[20, 35].min() > 250
        assert picture[20, 5, 2] > 150


def test_a_colour_profile_is_turned_into_srgb():
    lab_like = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    swapped = _profile_with_swapped_red_and_blue(lab_like.tobytes())
    picture = images.upright(encoded(Image.new("RGB", (32, 32), (255, 0, 0)), "PNG", icc_profile=swapped))
    red, _, blue = picture[16, 16]
    assert blue > 200 > 60 > red


def _profile_with_swapped_red_and_blue(profile: bytes) -> bytes:
    """An ICC profile whose table names red's colorant where blue's is, and the other way round."""
    count = struct.unpack_from(">I", profile, 128)[0]
    entries = {profile[132 + 12 * n : 136 + 12 * n]: 132 + 12 * n for n in range(count)}
    swapped = bytearray(profile)
    swapped[entries[b"rXYZ"] : entries[b"rXYZ"] + 4] = b"bXYZ"
    swapped[entries[b"bXYZ"] : entries[b"bXYZ"] + 4] = b"rXYZ"
    return bytes(swapped)


def test_a_broken_profile_is_left_out_of_account():
    data = encoded(four_corners(), "PNG", icc_profile=b"no profile at all")
    assert corner_names(images.upright(data)) == list(CORNERS)


def test_nothing_but_the_picture_is_served():
    exif = Image.Exif()
    exif[0x010E] = SECRET.decode()
    data = encoded(four_corners(), "JPEG", exif=exif, comment=SECRET, icc_profile=images.SRGB.tobytes()) + SECRET
    found = images.normalise(data)
    for copy in (found.display, found.thumb):
        assert SECRET not in copy
        again = Image.open(io.BytesIO(copy))
        assert again.format == "JPEG"
        assert not again.getexif()
        assert not {"exif", "icc_profile", "comment", "xmp"} & set(again.info)


def test_served_copies_are_bounded_and_never_larger_than_the_original():
    large = images.normalise(encoded(four_corners(3000, 1000), "JPEG"))
    assert served(large.display).shape[:2] == (683, 2048)
    assert max(served(large.thumb).shape) == 320
    assert (large.width, large.height) == (3000, 1000)
    assert served(images.normalise(encoded(four_corners(50, 40), "PNG")).thumb).shape[:2] == (40, 50)


def test_the_first_frame_is_taken():
    frames = [Image.new("RGB", (30, 30), colour) for colour in ((250, 0, 0), (0, 250, 0))]
    for form in ("GIF", "PNG", "WEBP", "TIFF"):
        data = encoded(frames[0], form, save_all=True, append_images=frames[1:])
        assert images.upright(data)[15, 15].argmax() == 0


def png_that_claims(width: int, height: int) -> bytes:
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))


def webp_that_claims(width: int, height: int) -> bytes:
    chunk = b"VP8X" + struct.pack("<I", 10) + bytes(4)
    chunk += (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF" + struct.pack("<I", len(chunk) + 4) + b"WEBP" + chunk


@pytest.mark.parametrize(
    ("data", "problem", "word"),
    [
        (b"", ImageProblem.EMPTY, "empty"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", ImageProblem.NOT_A_PHOTO, "SVG"),
        (b"\xef\xbb\xbf<?xml version='1.0'?><!-- x --><SVG/>", ImageProblem.NOT_A_PHOTO, "SVG"),
        (b"%PDF-1.7\n", ImageProblem.NOT_A_PHOTO, "PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", ImageProblem.NOT_A_PHOTO, "PostScript"),
        (b"\0\0\0\x20ftypisom" + bytes(40), ImageProblem.NOT_A_PHOTO, "video"),
        (b"PK\x03\x04" + bytes(40), ImageProblem.NOT_A_PHOTO, "archive"),
        (b"hello", ImageProblem.NOT_A_PHOTO, "not a picture"),
        (b"\x89PNG\r\n\x1a\n", ImageProblem.DAMAGED, "cut off"),
        (png_that_claims(40000, 40000), ImageProblem.TOO_MANY_PIXELS, "megapixels"),
        (webp_that_claims(16000, 16000), ImageProblem.TOO_MANY_PIXELS, "megapixels"),
        (b"\xff\xd8\xff" + bytes(images.MAX_BYTES), ImageProblem.TOO_LARGE, "25 MB"),
        (b"BM" + bytes(10), ImageProblem.NOT_A_PHOTO, "not a picture"),
    ],
)
def test_a_refused_file_is_named_with_the_reason(data, problem, word):
    with pytest.raises(ImageError, match=word) as caught:
        images.inspect(data)
    assert caught.value.problem == problem
    sentence = caught.value.named("dock 7.jpg").says
    assert sentence.startswith("dock 7.jpg ")
    assert sentence.endswith(".")
    assert 400 <= caught.value.http_status < 500


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "HEIF", "GIF"])
def test_half_a_file_is_no_photo(form):
    noise = Image.fromarray(np.random.default_rng(7).integers(0, 255, (300, 300, 3), dtype=np.uint8))
    data = encoded(noise, form)
    with pytest.raises(ImageError) as caught:
        images.normalise(data[: len(data) // 2])
    assert caught.value.problem == ImageProblem.DAMAGED


SEEDS = [encoded(four_corners(), form) for form in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF")]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(SEEDS), st.data())
def test_a_mangled_file_gives_a_picture_or_a_reason_and_never_anything_else(seed, data):
    mangled = bytearray(seed)
    for _ in range(data.draw(st.integers(1, 6))):
        mangled[data.draw(st.integers(0, len(mangled) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = images.normalise(bytes(mangled))
    except ImageError:
        return
    assert served(found.display).size
