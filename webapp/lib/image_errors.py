"""Why a file is not taken as a photo. Without Pillow, so that the web process can import it."""

from enum import StrEnum

ACCEPTED = "JPEG, PNG, WebP, HEIC, AVIF, GIF, BMP or TIFF"


class ImageProblem(StrEnum):
    """What is wrong with a file."""

    EMPTY = "empty"
    TOO_LARGE = "too_large"
    TOO_MANY_PIXELS = "too_many_pixels"
    NOT_A_PHOTO = "not_a_photo"
    DAMAGED = "damaged"
    TOO_SLOW = "too_slow"


HTTP_STATUS = {
    ImageProblem.EMPTY: 400,
    ImageProblem.TOO_LARGE: 413,
    ImageProblem.TOO_MANY_PIXELS: 413,
    ImageProblem.NOT_A_PHOTO: 415,
    ImageProblem.DAMAGED: 422,
    ImageProblem.TOO_SLOW: 422,
}


class ImageError(ValueError):
    """A file that is not taken. `says` is one plain sentence for the uploader and begins with the file's name."""

    def __init__(self, problem: ImageProblem, what: str, file_name: str = "This file") -> None:
        super().__init__(problem, what, file_name)
        self.problem = problem
        self.what = what
        self.file_name = file_name

    def __str__(self) -> str:
        return self.says

    @property
    def says(self) -> str:
        """For example: `photo.svg is an SVG drawing; please upload a photo (JPEG, PNG, …).`"""
        return f"{self.file_name} {self.what}."

    @property
    def http_status(self) -> int:
        """The status that fits: 400 empty, 413 too large, 415 no photo, 422 damaged."""
        return HTTP_STATUS[self.problem]

    def named(self, file_name: str) -> "ImageError":
        """The same error with the file's name in its sentence."""
        return ImageError(self.problem, self.what, file_name)
