"""Phase 1 as a whole, on drawn photos, with real decoders and real OCR."""

import cv2
import msgspec
import numpy as np
import pytest
from PIL import ImageOps

from tests.phases.photos import Known, as_record, barcode, jpeg, photo, scene, spoiled
from webapp.phases.analysis import analyse
from webapp.phases.analysis.pictures import picture_of
from webapp.phases.facts import POOR, Analysis, Condition, Hints, Photo, PhotoQuality, Record
from webapp.phases.quality import judge

NUMBER = "9521101530018"
BOTTLE = Record(
    source="catalog", id="r1", name="Nordvik Trail Bottle 750 ml", brand="Nordvik", model="NV-750", gtin14="0" + NUMBER
)
LABEL = ("Nordvik", "Trail Bottle 750 ml", "Model NV-750")


def quiet(_percent: float, _step: str) -> None:
    """Nobody watches."""


@pytest.fixture(scope="module")
def known_bottle() -> tuple[Analysis, list[tuple[float, str]]]:
    """A two-photo product with a catalog record, and everything that was reported."""
    told: list[tuple[float, str]] = []
    photos = [photo(scene(lines=LABEL, text_size=56), "front"), photo(scene(barcode(NUMBER), lines=LABEL), "back")]
    return analyse(photos, Hints(condition=Condition.NEW), Known(BOTTLE), lambda *step: told.append(step)), told


def test_a_known_product_is_identified_surely(known_bottle):
    found, _ = known_bottle
    assert found.confidence >= 90
    assert found.reasons == ()
    assert (found.name.value, found.brand.value, found.model.value) == (BOTTLE.name, "Nordvik", "NV-750")
    assert (found.gtin.value, found.condition.value) == ("0" + NUMBER, "new")
    assert [code.photo_id for code in found.barcodes] == ["back"]
    assert {line.photo_id for line in found.text_lines} == {"front", "back"}
    assert [quality.photo_id for quality in found.photos] == ["front", "back"]
    assert found.image_quality_score == max(quality.score for quality in found.photos)


def test_the_printed_digits_are_a_witness(known_bottle):
    found, _ = known_bottle
    assert "print" in found.barcodes[0].decoders


def test_every_field_has_evidence_that_points_at_something(known_bottle):
    found, _ = known_bottle
    for field in (found.name, found.model, found.brand, found.condition, found.gtin):
        assert field.evidence
        assert all(entry.says for entry in field.evidence)
    assert any(entry.record_id == "r1" for entry in found.name.evidence)
    barcode_seen = next(entry for entry in found.gtin.evidence if entry.kind == "barcode")
    assert (barcode_seen.photo_id, barcode_seen.box is not None) == ("back", True)


def test_progress_is_told_often_and_only_grows(known_bottle):
    _, told = known_bottle
    percents = [percent for percent, _ in told]
    assert percents == sorted(percents)
    assert percents[0] == 0
    assert percents[-1] == 100
    assert len(told) >= 10
    assert any("Photo 2 of 2: reading the text" in step for _, step in told)


def test_findings_survive_being_kept_as_json(known_bottle):
    found, _ = known_bottle
    assert msgspec.convert(msgspec.json.decode(msgspec.json.encode(msgspec.to_builtins(found))), Analysis) == found


def test_the_same_photos_give_the_same_findings():
    photos = [photo(spoiled(scene(barcode(NUMBER), lines=LABEL), noise=8, tilt=3))]
    first, second = (analyse(photos, Hints(), Known(BOTTLE), quiet) for _ in range(2))
    assert first == second


def test_an_unknown_product_asks_a_person_and_says_why():
    found = analyse([photo(scene(lines=("Tarnholm", "Coffee Grinder")))], Hints(), Known(BOTTLE), quiet)
    assert found.confidence < 80
    assert found.reasons
    assert found.name.value is not None
    assert found.name.confidence <= 40
    assert found.gtin.value is None


def test_a_mirror_image_is_read_all_the_same_and_its_uploader_told():
    upright = scene(barcode(NUMBER), lines=LABEL)
    found = analyse([photo(ImageOps.mirror(upright))], Hints(), Known(BOTTLE), quiet)
    assert found.name.value == BOTTLE.name
    assert found.gtin.value == f"0{NUMBER}"
    assert "mirrored" in found.photos[0].problems
    assert "mirror image" in found.photos[0].says
    assert "mirrored" not in analyse([photo(upright)], Hints(), Known(BOTTLE), quiet).photos[0].problems


def test_a_barcode_that_is_expected_and_missing_is_asked_for_and_only_then():
    photos = [photo(scene(lines=("Tarnholm", "Coffee Grinder")))]
    asked, not_asked = (analyse(photos, Hints(expects_barcode=expects), Known(), quiet) for expects in (True, False))
    assert asked.photos[0].problems == ("no_barcode",)
    assert "turn the item" in asked.photos[0].says
    assert not_asked.photos[0].problems == ()
    there = analyse([photo(scene(barcode(NUMBER), lines=LABEL))], Hints(expects_barcode=True), Known(), quiet)
    assert there.photos[0].problems == ()


def test_an_empty_photo_gives_nothing_but_the_reason():
    found = analyse([photo(scene())], Hints(), Known(BOTTLE), quiet)
    assert (found.name.value, found.brand.value, found.model.value, found.gtin.value) == (None, None, None, None)
    assert found.confidence == 0
    assert any("Nothing was found" in reason for reason in found.reasons)


def test_a_photo_that_cannot_be_read_does_not_stop_the_others():
    broken = Photo(id="bad", file_name="bad.jpg", data=jpeg(scene())[:900])
    found = analyse([broken, photo(scene(barcode(NUMBER), lines=LABEL))], Hints(), Known(BOTTLE), quiet)
    assert found.confidence >= 80
    assert (found.photos[0].score, found.photos[0].problems) == (0, ("unreadable",))
    assert found.photos[0].says.startswith("bad.jpg ")


def test_cancelling_goes_through():
    class Stopped(Exception):
        pass

    def stop(percent: float, _step: str) -> None:
        if percent > 5:
            raise Stopped

    with pytest.raises(Stopped):
        analyse([photo(scene(barcode(NUMBER)))], Hints(), Known(), stop)


def test_a_higher_threshold_of_the_client_asks_a_person_about_the_same_product():
    photos = [photo(scene(barcode(NUMBER), lines=LABEL))]
    found = analyse(photos, Hints(threshold=99), Known(BOTTLE), quiet)
    assert 80 <= found.confidence < 99
    assert any("99 %" in reason for reason in found.reasons)


def judged(one: Photo) -> PhotoQuality:
    """The photo's quality as the upload and phase 1 judge it."""
    return judge(one.id, picture_of(one).rgb)


# --- quality -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        ({}, None),
        ({"noise": 8}, None),
        ({"blur": 6}, "blurred"),
        ({"dark": 0.12}, "dark"),
        ({"light": 160}, "bright"),
        ({"lamp": 0.1}, "glare"),
    ],
)
def test_what_is_wrong_with_a_photo_is_told_in_a_sentence(spoil, problem):
    quality = judged(photo(spoiled(scene(barcode(NUMBER), lines=LABEL, size=(1200, 900)), **spoil)))
    if problem is None:
        assert (quality.problems, quality.says) == ((), "")
        assert quality.score >= 80
    else:
        assert problem in quality.problems
        assert quality.says.endswith(".")
        assert quality.score <= POOR


def test_more_blur_never_scores_better():
    label = scene(barcode(NUMBER), lines=LABEL, size=(1200, 900))
    scores = [judged(photo(spoiled(label, blur=blur))).score for blur in (0, 1.5, 3, 6)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > scores[-1]


def test_a_shaken_camera_is_told_although_edges_along_its_way_stay_sharp():
    rgb = picture_of(photo(scene(barcode(NUMBER), lines=LABEL, size=(1200, 900)))).rgb
    kernel = np.zeros((25, 25), np.float32)
    kernel[12] = 1 / 25
    assert judge("moved", rgb).problems == ()
    assert "blurred" in judge("moved", cv2.filter2D(rgb, -1, kernel)).problems


def test_the_blurred_sample_is_called_blurred_and_the_sharp_one_is_not():
    from webapp.intake.sample_drawing import front, photographed
    from webapp.intake.samples import LABELS

    sharp, blurred = (
        judged(Photo(id="x", file_name="x.jpg", data=photographed(front(LABELS[0]), 3, blurred=spoilt)))
        for spoilt in (False, True)
    )
    assert sharp.problems == ()
    assert "blurred" in blurred.problems
    assert blurred.score <= 40


def test_white_paper_and_white_labels_on_black_are_neither_too_bright_nor_glaring():
    receipt = scene(lines=("TOTAL 12.50", "Thank you"), size=(900, 1300))
    white = np.where(np.asarray(receipt) > 180, 255, np.asarray(receipt)).astype(np.uint8)
    assert judge("receipt", white).problems == ()
    black = np.zeros((900, 1200, 3), np.uint8)
    black[250:550, 400:800] = np.asarray(barcode(NUMBER).resize((400, 300)))
    assert judge("label", black).problems == ()


def test_a_small_and_an_empty_photo_are_told():
    assert "small" in judged(photo(scene(lines=LABEL, size=(300, 240), text_size=20))).problems
    assert judged(photo(scene())).score == 0


# --- the sample products -----------------------------------------------------------------------------------------


def test_the_sample_products_are_as_sure_as_they_promise():
    from datetime import UTC, datetime

    from webapp.intake import samples

    reference = Known(*samples.RECORDS, *(as_record(offer) for offer in samples.offers(datetime.now(UTC))))
    surest = {}
    for sample in samples.samples():
        photos = [Photo(id=file.name, file_name=file.name, data=file.data) for file in sample.files]
        found = analyse(photos, Hints(name=sample.hint, condition=sample.condition), reference, quiet)
        surest[sample.key] = found.confidence
    assert {key for key, confidence in surest.items() if confidence >= 80} == {"bottle", "lamp", "earbuds"}
    assert surest["grinder"] < 80
