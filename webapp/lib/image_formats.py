"""What a file is by its first bytes, and how large it says it is. Never by its name, and without decoding anything."""

import struct
from dataclasses import dataclass

from webapp.lib.image_errors import ACCEPTED, ImageError, ImageProblem


@dataclass(frozen=True)
class Format:
    """An accepted format: our name, the decoder's names, MIME type, file extension with its dot."""

    name: str
    decoders: tuple[str, ...]
    mime: str
    extension: str


JPEG = Format("JPEG", ("JPEG", "MPO"), "image/jpeg", ".jpg")
PNG = Format("PNG", ("PNG",), "image/png", ".png")
WEBP = Format("WebP", ("WEBP",), "image/webp", ".webp")
GIF = Format("GIF", ("GIF",), "image/gif", ".gif")
BMP = Format("BMP", ("BMP",), "image/bmp", ".bmp")
TIFF = Format("TIFF", ("TIFF",), "image/tiff", ".tif")
HEIF = Format("HEIC", ("HEIF",), "image/heic", ".heic")
AVIF = Format("AVIF", ("AVIF",), "image/avif", ".avif")

HEIF_BRANDS = frozenset({b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs", b"mif1", b"msf1"})
AVIF_BRANDS = frozenset({b"avif", b"avis"})

STRANGERS: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "is a PDF document"),
    (b"%!PS", "is a PostScript drawing"),
    (b"\xc5\xd0\xd3\xc6", "is an EPS drawing"),
    (b"\x1f\x8b", "is a compressed file"),
    (b"PK\x03\x04", "is an archive or an office document"),
    (b"Rar!", "is an archive"),
    (b"7z\xbc\xaf", "is an archive"),
    (b"8BPS", "is a Photoshop document"),
    (b"\x00\x00\x01\x00", "is an icon"),
    (b"\x00\x00\x00\x0cjP  ", "is a JPEG 2000 picture"),
    (b"\xff\x4f\xff\x51", "is a JPEG 2000 picture"),
    (b"\x00\x00\x00\x0cJXL ", "is a JPEG XL picture"),
    (b"\xff\x0a", "is a JPEG XL picture"),
    (b"\x1a\x45\xdf\xa3", "is a video"),
    (b"MZ", "is a program"),
    (b"\x7fELF", "is a program"),
)


def recognise(data: bytes) -> Format:
    """The format of `data` by its content. Raises ImageError for everything that is not an accepted photo."""
    if not data:
        raise ImageError(ImageProblem.EMPTY, "is empty: no bytes arrived")
    head = data[:64]
    if head.startswith(b"\xff\xd8\xff"):
        return JPEG
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if head.startswith((b"GIF87a", b"GIF89a")):
        return GIF
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return WEBP
    if head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        if head[8:10] == b"CR":
            raise _stranger("is a camera's raw picture")
        return TIFF
    if head.startswith(b"BM") and len(data) > 26:
        return BMP
    if head[4:8] == b"ftyp":
        return _iso_media(data)
    for magic, what in STRANGERS:
        if head.startswith(magic):
            raise _stranger(what)
    if _looks_like_markup(data):
        raise _stranger("is an SVG drawing" if b"<svg" in data[:4096].lower() else "is a web page or a text file")
    raise _stranger("is not a picture that we know")


def declared_size(data: bytes, form: Format) -> tuple[int, int] | None:
    """Width and height as the header of a PNG, GIF, BMP or WebP file declares them, None for the other formats.

    Read here because a decoder may already claim memory for what a header merely says. Raises ImageError for a
    header that breaks off.
    """
    try:
        match form.name:
            case "PNG":
                return _pair(struct.unpack_from(">II", data, 16))
            case "GIF":
                return _pair(struct.unpack_from("<HH", data, 6))
            case "BMP":
                if struct.unpack_from("<I", data, 14)[0] == 12:  # the header of OS/2
                    return _pair(struct.unpack_from("<HH", data, 18))
                width, height = struct.unpack_from("<ii", data, 18)
                return abs(width), abs(height)  # negative: stored from the top
            case "WebP":
                return _webp_size(data)
    except struct.error as error:
        raise ImageError(ImageProblem.DAMAGED, "is cut off: its header is not complete") from error
    return None


def _webp_size(data: bytes) -> tuple[int, int]:
    """RFC 9649: canvas of VP8X, or the frame header of a lossless or lossy picture."""
    match data[12:16]:
        case b"VP8X":
            low_w, high_w, low_h, high_h = struct.unpack_from("<HBHB", data, 24)
            return 1 + low_w + (high_w << 16), 1 + low_h + (high_h << 16)
        case b"VP8L":
            (bits,) = struct.unpack_from("<I", data, 21)
            return 1 + (bits & 0x3FFF), 1 + ((bits >> 14) & 0x3FFF)
        case _:
            width, height = struct.unpack_from("<HH", data, 26)
            return width & 0x3FFF, height & 0x3FFF


def _pair(values: tuple[int, ...]) -> tuple[int, int]:
    return values[0], values[1]


def _iso_media(data: bytes) -> Format:
    """HEIC, AVIF and films share one container: the brands in its first box tell them apart."""
    length = max(16, min(int.from_bytes(data[:4], "big"), 512))
    brands = {data[8:12]} | {data[at : at + 4] for at in range(16, length, 4)}
    if brands & AVIF_BRANDS:
        return AVIF
    if brands & HEIF_BRANDS:
        return HEIF
    raise _stranger("is a video")


def _looks_like_markup(data: bytes) -> bool:
    start = data[:4096].replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").lower()
    return start.startswith((b"<?xml", b"<svg", b"<!doctype", b"<!--", b"<html"))


def _stranger(what: str) -> ImageError:
    return ImageError(ImageProblem.NOT_A_PHOTO, f"{what}; please upload a photo ({ACCEPTED})")
