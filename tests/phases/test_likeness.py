"""Photos against reference photos: drawn packages, seen from elsewhere, beside their sisters and beside others."""

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.phases.photos import Known, jpeg, photo, spoiled
from webapp.phases.analysis import analyse, gallery, likeness
from webapp.phases.facts import Hints, Path, Record


def package(seed: int, colour: str, flavour: int) -> Image.Image:
    """A front without words: shapes that its `seed` gives it, on a ground of one colour; sisters share the seed's upper
    half (the brand) and differ in the lower one (`flavour`)."""
    image = Image.new("RGB", (420, 600), colour)
    draw = ImageDraw.Draw(image)
    for part, number in ((0, seed), (1, 1000 * seed + flavour)):
        dice = np.random.default_rng(number)
        for _ in range(60):
            x, y, size = dice.integers(10, 380), dice.integers(10, 270) + 290 * part, dice.integers(10, 46)
            ink = tuple(int(value) for value in dice.integers(0, 255, 3))
            corners = (int(x), int(y), int(x + size), int(y + size))
            draw.ellipse(corners, fill=ink) if dice.random() < 0.5 else draw.rectangle(corners, fill=ink)
    return image


def held(image: Image.Image, *, tilt: float = 9) -> Image.Image:
    """The package on a shelf, smaller, tilted, seen from the side, in worse light."""
    pixels = np.asarray(spoiled(image, tilt=tilt, blur=0.8, noise=5, dark=0.85))
    height, width = pixels.shape[:2]
    source = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    target = np.array([[160, 120], [560, 150], [540, 690], [180, 730]], np.float32)
    shelf = np.random.default_rng(9).integers(90, 160, (900, 760, 3)).astype(np.uint8)
    lens = cv2.getPerspectiveTransform(source, target)
    placed = cv2.warpPerspective(pixels, lens, (760, 900), dst=shelf, borderMode=cv2.BORDER_TRANSPARENT)
    return Image.fromarray(placed)


def record(number: int) -> Record:
    return Record(source="catalog", id=f"r{number}", name=f"Package {number}")


FRONTS = {f"front{n}": package(n, colour, 1) for n, colour in ((1, "#f4e9d2"), (2, "#cfe3f2"), (3, "#e6d0dd"))}


def known(prefix: str, *fronts: str) -> Known:
    pictures = {f"{prefix}-{name}": (record(int(name[5:])), jpeg(FRONTS[name])) for name in fronts}
    return Known(*(record for record, _ in pictures.values()), pictures=pictures)


def seen(image: Image.Image, reference: Known) -> list[gallery.Resemblance]:
    return gallery.resemblances([("p1", likeness.small(np.asarray(image)))], [], reference)


@pytest.mark.parametrize("tilt", [-20, 4, 30])
def test_a_package_is_known_by_its_reference_photo_from_elsewhere(tilt: float):
    found = seen(held(FRONTS["front1"], tilt=tilt), known("a", "front1", "front2", "front3"))
    assert [entry.record.id for entry in found][:1] == ["r1"]
    assert found[0].chance > 0.8
    assert found[0].reference_photo_id == "a-front1"
    assert 0.1 < found[0].box.left + found[0].box.width / 2 < 0.9


def test_another_package_resembles_nothing():
    assert seen(held(FRONTS["front1"]), known("b", "front2", "front3")) == []


def test_of_two_sisters_with_half_the_same_drawing_the_right_one_is_likelier():
    sister = package(1, "#f4e9d2", 2)
    both = Known(
        record(1),
        record(4),
        pictures={"c-1": (record(1), jpeg(FRONTS["front1"])), "c-4": (record(4), jpeg(sister))},
    )
    assert seen(held(FRONTS["front1"]), both)[0].record.id == "r1"
    assert seen(held(sister), both)[0].record.id == "r4"


def test_a_mirrored_package_is_not_the_package():
    mirrored = FRONTS["front1"].transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    assert seen(held(mirrored), known("d", "front1")) == []


def test_a_plain_photo_or_reference_resembles_nothing():
    plain = Image.new("RGB", (600, 600), "#cccccc")
    assert seen(plain, known("e", "front1")) == []
    blank = Known(record(9), pictures={"e-blank": (record(9), jpeg(plain))})
    assert seen(held(FRONTS["front1"]), blank) == []


def test_a_reference_whose_bytes_are_no_photo_is_passed_over():
    broken = Known(record(1), pictures={"f-1": (record(1), b"no photo"), "f-2": (record(1), jpeg(FRONTS["front1"]))})
    assert [entry.reference_photo_id for entry in seen(held(FRONTS["front1"]), broken)] == ["f-2"]


def test_analysis_names_the_product_by_its_reference_photo_and_shows_it_as_evidence():
    image = held(FRONTS["front1"])
    found = analyse([photo(image)], Hints(), known("g", "front1", "front2"), lambda _percent, _step: None)
    assert found.name.value == "Package 1"
    assert found.confidence >= 80
    assert found.assessment is not None
    assert found.assessment.path is Path.PICTURE_RECORD
    witness = next(entry for entry in found.name.evidence if entry.kind == "photo")
    assert witness.reference_photo_id == "g-front1"
    assert witness.photo_id == "p1"
    assert witness.box is not None


def test_two_known_products_with_the_same_front_ask_a_person():
    twins = Known(
        record(1),
        record(2),
        pictures={"h-1": (record(1), jpeg(FRONTS["front1"])), "h-2": (record(2), jpeg(FRONTS["front1"]))},
    )
    found = analyse([photo(held(FRONTS["front1"]))], Hints(), twins, lambda _percent, _step: None)
    assert found.confidence < 80
    assert any("several known products" in reason for reason in found.reasons)
    assert [entry.value for entry in found.name.alternatives] != []
