"""Reading codes: every format, spoiled photos, and nothing where nothing is."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.phases.photos import add_on_bars, barcode, photo, scene, spoiled
from webapp.lib import gtin
from webapp.phases.analysis import barcodes, zbar
from webapp.phases.analysis.barcodes import Scan, engines, scan
from webapp.phases.analysis.decoders import OpenCV, ZXing
from webapp.phases.analysis.pictures import picture_of
from webapp.phases.analysis.reads import Read
from webapp.phases.analysis.regions import bar_regions, strips
from webapp.phases.analysis.template import Template
from webapp.phases.analysis.views import IDENTITY, View, whole_views
from webapp.phases.analysis.votes import Ballot

NUMBER = "9521101530018"
OTHER = "9521101530025"


def scanned(image: Image.Image) -> Scan:
    return scan(picture_of(photo(image)))


@pytest.mark.parametrize(
    ("form", "text", "shown", "gtin14"),
    [
        ("EAN13", NUMBER, "EAN13", "09521101530018"),
        ("EAN8", "96385074", "EAN8", "00000096385074"),
        ("UPCA", "049000042566", "UPCA", "00049000042566"),
        ("UPCE", "04252614", "UPCE", "00042100005264"),
        ("ITF", "10614141000415", "ITF14", "10614141000415"),
        ("CODE128", "LOT-2026-07", "CODE128", None),
        ("CODE39", "ABC123", "CODE39", None),
        ("QR", "https://example.com/01/09521101530018/10/A1", "QR", "09521101530018"),
        ("DATAMATRIX", "serial 42", "DATAMATRIX", None),
    ],
)
def test_every_format_is_read(form, text, shown, gtin14):
    found = scanned(scene(barcode(text, form)))
    assert [(code.format, code.gtin14) for code in found.accepted] == [(shown, gtin14)]
    if gtin14 is None:
        assert found.accepted[0].text == text


TURNS = ("FLIP_LEFT_RIGHT", "FLIP_TOP_BOTTOM", "ROTATE_90", "ROTATE_180", "ROTATE_270", "TRANSPOSE", "TRANSVERSE")


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize(
    ("form", "text"), [("EAN13", NUMBER), ("CODE128", "LOT-42"), ("QR", "L1"), ("DATAMATRIX", "L1")]
)
def test_every_format_is_read_turned_and_mirrored(form, text, turn):
    (code,) = scanned(scene(barcode(text, form)).transpose(Image.Transpose[turn])).accepted
    assert code.text == text


@pytest.mark.parametrize("form", ["QR", "DATAMATRIX"])
def test_a_small_square_code_on_a_large_photo_is_read_from_all_its_pixels(form):
    found = scanned(scene(barcode("https://example.com/lot/2026-07/pallet/42", form, module=2), size=(4000, 3000)))
    assert [(code.format, code.text) for code in found.accepted] == [
        (form, "https://example.com/lot/2026-07/pallet/42")
    ]


@pytest.mark.parametrize("add_on", ["52495", "07"])
def test_an_add_on_is_told_and_is_no_part_of_the_number(add_on):
    book = barcode("9780306406157")
    bars = add_on_bars(add_on, 3, book.height - 40)
    both = Image.new("RGB", (book.width + bars.width + 60, book.height), "white")
    both.paste(book, (0, 0))
    both.paste(bars, (book.width - 10, 40))
    (code,) = scanned(scene(both, size=(1000, 700))).accepted
    assert (code.gtin14, code.text, code.add_on) == ("09780306406157", "9780306406157", add_on)


CARRIED = f"(01)0{NUMBER}(17)270131(10)LOT-7(21)S1"


@pytest.mark.parametrize("form", ["CODE128", "DATAMATRIX", "QR"])
def test_a_gs1_carrier_says_number_lot_date_and_serial(form):
    found = scanned(scene(barcode(CARRIED, form, module=2 if form == "CODE128" else 5, gs1=True)))
    (code,) = found.accepted
    assert (code.format, code.gtin14, code.text) == (form, "0" + NUMBER, CARRIED)
    assert {element.key: element.value for element in code.elements} == {
        "gtin": "0" + NUMBER,
        "expiry": "2027-01-31",
        "lot": "LOT-7",
        "serial": "S1",
    }


def test_the_decoders_agree_on_a_gs1_128():
    (code,) = scanned(scene(barcode(CARRIED, "CODE128", module=2, gs1=True))).accepted
    assert {"zbar", "zxing"} <= set(code.decoders)


def test_a_code_128_that_looks_like_an_element_string_but_does_not_say_so_is_a_text():
    (code,) = scanned(scene(barcode(f"010{NUMBER}10LOT7", "CODE128", module=2))).accepted
    assert (code.text, code.gtin14, code.elements) == (f"010{NUMBER}10LOT7", None, ())


@pytest.mark.parametrize(
    "spoil",
    [
        {"blur": 2.2},
        {"noise": 30},
        {"tilt": 17},
        {"tilt": 90},
        {"tilt": 180},
        {"tilt": -40, "noise": 12},
        {"dark": 0.25},
        {"blur": 1.5, "noise": 10, "tilt": 6},
    ],
    ids=str,
)
def test_a_spoiled_photo_gives_the_right_number(spoil):
    found = scanned(spoiled(scene(barcode(NUMBER)), **spoil))
    assert [code.gtin14 for code in found.accepted] == [NUMBER.zfill(14)]


def test_the_box_says_where_the_code_is():
    image = scene(barcode(NUMBER), size=(1200, 900))
    box = scanned(image).accepted[0].box
    assert box is not None
    assert 0.03 < box.left < 0.15
    assert 0.6 < box.top < 0.95
    assert box.left + box.width < 0.45


def test_several_codes_on_one_photo_are_all_kept():
    found = scanned(scene(barcode(NUMBER), barcode("K-7788", "CODE128"), size=(1100, 700)))
    assert {code.text for code in found.accepted} == {NUMBER, "K-7788"}


def test_votes_and_decoders_are_told():
    code = scanned(scene(barcode(NUMBER))).accepted[0]
    assert code.votes >= 3
    assert len(code.decoders) >= 2
    assert code.runner_up == 0


def test_an_in_store_number_is_marked():
    number = "201234500001"
    code = scanned(scene(barcode(number + str(gtin.check_digit(number))))).accepted[0]
    assert code.restricted


@pytest.mark.parametrize("kind", ["stripes", "text", "noise", "half"])
def test_no_number_where_there_is_none(kind):
    if kind == "stripes":
        rng = np.random.default_rng(11)
        widths = np.repeat(rng.integers(0, 2, 140) * 220, rng.integers(3, 9, 140))[:700]
        image = scene(Image.fromarray(np.tile(widths.astype(np.uint8), (200, 1))).convert("RGB"))
    elif kind == "text":
        image = scene(lines=["Hllill IIIlllI lilIlI", "0123456789 1111 1111"] * 3)
    elif kind == "noise":
        image = Image.fromarray(np.random.default_rng(5).integers(0, 255, (500, 700, 3), dtype=np.uint8))
    else:
        whole = barcode(NUMBER)
        image = scene(whole.crop((0, 0, whole.width * 6 // 10, whole.height)))
    assert scanned(image).accepted == ()


def test_too_blurred_is_not_guessed():
    found = scanned(spoiled(scene(barcode(NUMBER)), blur=9))
    assert found.accepted == ()


def test_reading_is_deterministic():
    image = spoiled(scene(barcode(NUMBER)), blur=1.5, noise=10)
    assert scanned(image) == scanned(image)


def test_cancelling_goes_through():
    class Stopped(Exception):
        pass

    def stop(_share: float, _step: str) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        scan(picture_of(photo(scene(barcode(NUMBER)))), stop)


# --- the parts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("decoder", [ZXing(), OpenCV(), zbar.ZBar()], ids=lambda decoder: decoder.name)
def test_each_decoder_reads_and_says_where(decoder):
    grey = np.asarray(scene(barcode(NUMBER)).convert("L"))
    reads = decoder.read(View("plain", grey, IDENTITY))
    assert [read.gtin14 for read in reads] == [NUMBER.zfill(14)]
    middle = reads[0].points.mean(axis=0)
    assert 60 < middle[0] < 420
    assert middle[1] > 400


def test_zbar_reads_many_photos_without_growing():
    decoder = zbar.ZBar()
    grey = np.asarray(scene(barcode(NUMBER)).convert("L"))
    for _ in range(5):
        decoder.read(View("plain", grey, IDENTITY))
    before = decoder._memory.data_len(decoder._store)
    for _ in range(100):
        decoder.read(View("plain", grey, IDENTITY))
    assert decoder._memory.data_len(decoder._store) == before


def test_without_the_npm_package_the_other_decoders_go_on(tmp_path, monkeypatch):
    monkeypatch.setattr(barcodes, "ZBar", lambda: zbar.ZBar(tmp_path / "missing.wasm"))
    engines.cache_clear()
    try:
        assert [decoder.name for decoder in engines().quick] == ["zxing", "opencv"]
        assert scanned(scene(barcode(NUMBER))).accepted[0].text == NUMBER
    finally:
        engines.cache_clear()


def test_another_wasm_file_is_refused(tmp_path):
    wrong = Path(tmp_path) / "other.wasm"
    wrong.write_bytes(b"\0asm\x01\0\0\0")
    with pytest.raises((KeyError, zbar.wasmtime.WasmtimeError)):
        zbar.ZBar(wrong)


def test_bars_are_found_and_straightened():
    grey = np.asarray(spoiled(scene(barcode(NUMBER)), tilt=25).convert("L"))
    region = bar_regions(grey)[0]
    assert abs(np.degrees(region.angle) % 180 - 155) < 4
    strip = next(iter(strips(grey)))
    across = np.abs(np.diff(strip.grey.astype(float), axis=1)).mean()
    along = np.abs(np.diff(strip.grey.astype(float), axis=0)).mean()
    assert across > 4 * along


def test_our_own_decoder_reads_what_is_too_soft_for_the_others():
    image = spoiled(scene(barcode(NUMBER)), blur=2.1, noise=4)
    grey = np.asarray(image.convert("L"))
    plain = next(iter(whole_views(grey)))
    assert not [read for decoder in engines().quick for read in decoder.read(plain)]
    reads = Template().read(next(iter(strips(grey))))
    assert {read.text for read in reads} == {NUMBER}


def test_our_own_decoder_confirms_the_number_and_no_other():
    strip = next(iter(strips(np.asarray(spoiled(scene(barcode(NUMBER)), blur=2).convert("L")))))
    assert Template().confirm(strip, NUMBER)
    wrong = NUMBER[:4] + "7" + NUMBER[5:12]
    wrong += str(gtin.check_digit(wrong))
    assert not Template().confirm(strip, wrong)


def test_views_lead_back_to_the_photo():
    grey = np.zeros((300, 400), np.uint8)
    for view in whole_views(grey):
        assert np.allclose(view.corners(), [(0, 0), (400, 0), (400, 300), (0, 300)], atol=1.5)


# --- votes -------------------------------------------------------------------------------------------------------


def read(decoder: str, text: str = NUMBER, form: str = "EAN13", at: float = 100) -> Read:
    points = np.array([(at, 50), (at + 200, 50), (at + 200, 150), (at, 150)], dtype=np.float32)
    return Read(decoder=decoder, view="plain", format=form, text=text, points=points)


def verdicts(*reads: Read) -> dict[str, bool]:
    ballot = Ballot()
    ballot.add(reads)
    return {verdict.code.first.text: verdict.accepted for verdict in ballot.verdicts()}


def test_a_check_digit_alone_is_no_proof():
    assert verdicts(read("zxing")) == {NUMBER: False}
    assert verdicts(*[read("zbar")] * 9) == {NUMBER: False}


def test_two_decoders_that_agree_are_believed():
    assert verdicts(read("zxing"), read("zbar"), read("zbar")) == {NUMBER: True}


def test_a_rival_at_the_same_place_takes_the_proof_away():
    mine = [read("zxing"), read("zbar"), read("zbar")]
    assert verdicts(*mine, *[read("opencv", OTHER)] * 2) == {NUMBER: False, OTHER: False}
    assert verdicts(*mine, *[read("opencv", OTHER, at=700)] * 2)[NUMBER]


def test_upc_a_and_ean_13_of_one_number_are_one_code():
    assert verdicts(
        read("zxing", "0049000042566"), read("opencv", "049000042566", "UPCA"), read("zbar", "0049000042566")
    ) == {"0049000042566": True}


def test_an_itf_that_was_cut_off_neither_wins_nor_harms():
    whole, part = "0053611912", "00536119"
    found = verdicts(
        *[read(name, whole, "ITF") for name in ("zxing", "zbar", "zbar")],
        *[read(name, part, "ITF") for name in ("zxing", "zbar", "zbar")],
    )
    assert found == {whole: True, part: False}


def test_one_read_of_a_qr_code_is_enough():
    assert verdicts(read("zxing", "hello", "QR")) == {"hello": True}


def test_bars_that_shine_brighter_than_their_ground_are_read():
    image = scene(barcode(NUMBER)).convert("L")
    shiny = Image.eval(image, lambda grey: 255 - grey // 2)
    strip = next(iter(strips(np.asarray(shiny))))
    assert {read.text for read in Template().read(strip)} == {NUMBER}


def test_a_code_on_a_bottle_under_gloss_is_read_and_nothing_is_read_where_nothing_is():
    from tests.phases import drawn_codes

    outcomes = {"read": 0, "wrong": 0, "false": 0}
    for seed in range(20):
        rng = np.random.default_rng(seed)
        text = drawn_codes.number(rng)
        read = [code.text.zfill(13) for code in scan(drawn_codes.picture(drawn_codes.code_photo(rng, text))).accepted]
        outcomes["read"] += text in read
        outcomes["wrong"] += any(other != text for other in read)
        outcomes["false"] += bool(scan(drawn_codes.picture(drawn_codes.code_less(rng))).accepted)
    assert outcomes["read"] >= 14, outcomes
    assert (outcomes["wrong"], outcomes["false"]) == (0, 0)


def test_latin_letters_in_code_128_are_one_code_although_a_decoder_does_not_know_them():
    zbar = Read("zbar", "plain", "CODE128", "ssss1234", np.zeros((2, 2), np.float32))
    zxing = Read("zxing", "plain", "CODE128", "óóóó1234", np.zeros((2, 2), np.float32))
    assert zbar.key == zxing.key
