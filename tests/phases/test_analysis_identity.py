"""From reads and words to an identified product: paths, confidence, evidence, reasons. Without OCR."""

from collections.abc import Sequence

import msgspec
import pytest

from tests.phases.photos import Known
from webapp.lib import gtin
from webapp.phases.analysis import fields
from webapp.phases.analysis.candidates import brand_on_label
from webapp.phases.analysis.gallery import Resemblance
from webapp.phases.analysis.identity import Identity, identify
from webapp.phases.analysis.numbers import with_print
from webapp.phases.analysis.text import printed_numbers
from webapp.phases.analysis.witnesses import assess
from webapp.phases.analysis.words import Label
from webapp.phases.calibration.curves import WITNESSES
from webapp.phases.facts import Barcode, Box, Condition, Hints, Path, Record, TextLine
from webapp.phases.matching.judging import Match

NUMBER = "09521101530018"
OTHER = "09521101530025"
BOTTLE = Record(
    source="catalog",
    id="r1",
    name="Nordvik Trail Bottle 750 ml",
    brand="Nordvik",
    model="NV-750",
    gtin14=NUMBER,
    category="Bottles",
)
LAMP = Record(source="catalog", id="r2", name="Lumenaris Arc Desk Lamp", brand="Lumenaris", gtin14=OTHER)
BOTTLE_LABEL = ("Nordvik", "Trail Bottle 750 ml", "Stainless steel double wall", "Model NV-750")
LAMP_LABEL = ("Lumenaris", "Arc Desk Lamp", "Dimmable warm white", "USB charging port")


def full(digits: str) -> str:
    return f"{digits}{gtin.check_digit(digits)}"


def lines(*texts: str) -> list[TextLine]:
    return [
        TextLine(
            photo_id="p1",
            text=text,
            confidence=97,
            box=Box(left=0.1, top=round(0.1 * number, 2), width=0.5, height=0.08 if number < 2 else 0.03),
        )
        for number, text in enumerate(texts)
    ]


def code(
    number: str = NUMBER, *, decoders: tuple[str, ...] = ("zbar", "zxing"), votes: int = 6, runner_up: int = 0
) -> Barcode:
    return Barcode(
        photo_id="p1",
        text=gtin.written(number),
        format="EAN13",
        gtin14=number,
        votes=votes,
        runner_up=runner_up,
        decoders=decoders,
        restricted=gtin.is_restricted(number),
    )


def found(
    *codes: Barcode,
    label: Sequence[str] = (),
    known: Sequence[Record] = (BOTTLE, LAMP),
    hints: Hints | None = None,
    doubtful: Sequence[Barcode] = (),
) -> Identity:
    seen = lines(*label)
    printed = printed_numbers(seen)
    believed, open_ones = with_print(codes, doubtful, printed)
    return identify(believed, open_ones, printed, Label(seen), hints or Hints(), Known(*known))


def test_a_barcode_with_its_record_and_words_that_agree_is_sure():
    answer = found(code(), label=BOTTLE_LABEL)
    assert answer.best is not None
    assert answer.best.record is BOTTLE
    assert answer.weight.confidence >= 90
    assert answer.weight.reasons == ()


def test_a_strong_vote_with_its_record_needs_no_words():
    answer = found(code(decoders=("opencv", "zbar", "zxing")))
    assert answer.weight.confidence >= 80
    back_of_package = ("Ingredients water sugar", "Store in a cool dry place", "Best before see lid")
    assert found(code(decoders=("opencv", "zbar", "zxing")), label=back_of_package).weight.confidence >= 80


def test_a_number_of_a_reference_catalog_names_the_product_and_says_where_it_is_from():
    known = msgspec.structs.replace(BOTTLE, source="reference", origin="Everything ever bottled")
    answer = found(code(), label=BOTTLE_LABEL, known=(known, LAMP))
    assert 80 <= answer.weight.confidence < found(code(), label=BOTTLE_LABEL).weight.confidence
    says = [item.says for item in fields.name_field(answer, Hints()).evidence]
    assert any("The reference catalog “Everything ever bottled” has the barcode" in one for one in says)
    in_store = msgspec.structs.replace(known, gtin14=full("0201234500001"))
    assert found(code(in_store.gtin14), known=(in_store,)).best is None  # its number means something else in each shop


def test_a_name_of_one_word_does_not_win_over_the_whole_name_and_no_alternative_is_surer_than_the_choice():
    short = Record(source="reference", id="a", name="Aligot", gtin14=OTHER)
    whole = Record(source="reference", id="z", name="Tripes au bourgogne aligot", gtin14=NUMBER)
    answer = found(label=("TRIPES AU BOURGOGNE", "ALIGOT"), known=(short, whole))
    assert answer.best is not None
    assert answer.best.record is whole
    name = fields.name_field(answer, Hints())
    assert [other.value for other in name.alternatives] == ["Aligot"]
    assert all(other.confidence <= name.confidence for other in name.alternatives)


def test_another_records_name_knows_what_that_record_says_besides():
    pack = msgspec.structs.replace(BOTTLE, id="r3", name="Nordvik Trail Bottle 500 ml, pack of 2", gtin14=OTHER)
    answer = found(label=BOTTLE_LABEL, known=(BOTTLE, pack))
    [other] = fields.name_field(answer, Hints()).alternatives
    assert other.value == pack.name
    assert other.record == {"gtin": OTHER, "brand": "Nordvik", "model": "NV-750", "size": "500 ml", "quantity": "2"}


def test_words_that_do_not_show_the_record_make_a_weaker_vote_unsure():
    answer = found(code(), label=LAMP_LABEL)
    assert answer.weight.confidence < 80
    assert any("do not show" in reason for reason in answer.weight.reasons)


def test_a_typed_name_that_contradicts_the_record_asks_a_person():
    answer = found(code(), label=BOTTLE_LABEL, hints=Hints(name="Garden hose 20 m"))
    assert answer.weight.confidence < 80
    assert any("Garden hose" in reason for reason in answer.weight.reasons)


def test_a_typed_size_that_the_records_name_contradicts_asks_a_person():
    answer = found(code(), label=BOTTLE_LABEL, hints=Hints(name="Nordvik Trail Bottle 500 ml"))
    assert answer.weight.confidence < 80
    assert any("Other size: 750 ml instead of 500 ml" in reason for reason in answer.weight.reasons)


def test_what_was_typed_stands_in_the_evidence_with_what_the_matcher_says_of_it():
    hints = Hints(name="Nordvik Trail Bottle 500 ml")
    told = fields.name_field(found(code(), label=BOTTLE_LABEL, hints=hints), hints).evidence
    [typed] = [entry for entry in told if entry.kind == "hint"]
    assert typed.says.endswith("500 ml” as name. Other size: 750 ml instead of 500 ml.")
    assert typed.weight <= 0.5


@pytest.mark.parametrize("name", ["bottle", "Nordvik Trail Bottle", "Trail Bottle 0,75 l", "Nordvik bottle steel"])
def test_a_typed_name_that_says_less_contradicts_nothing(name):
    assert found(code(), label=BOTTLE_LABEL, hints=Hints(name=name)).weight.confidence >= 90


SMALL_BOTTLE = msgspec.structs.replace(BOTTLE, id="r3", name="Nordvik Trail Bottle 500 ml", model=None, gtin14=None)


def test_of_two_sizes_the_typed_one_is_taken_without_a_barcode():
    label = ("Nordvik", "Trail Bottle", "Stainless steel double wall")
    known = (msgspec.structs.replace(BOTTLE, model=None), SMALL_BOTTLE)
    answer = found(label=label, known=known, hints=Hints(name="nordvik trail bottle 500ml"))
    assert answer.best.record is SMALL_BOTTLE
    assert answer.weight.confidence >= 80
    unsaid = found(label=label, known=known, hints=Hints(name="nordvik trail bottle"))
    assert unsaid.weight.confidence < 80


def test_what_was_typed_for_another_product_names_none_by_its_words():
    label = ("Nordvik", "Trail Bottle", "Stainless steel double wall")
    answer = found(label=label, known=(BOTTLE,), hints=Hints(name="Nordvik Trail Bottle 1 l"))
    assert answer.weight.confidence < 80
    assert any("Other size" in reason for reason in answer.weight.reasons)


class Judge:
    """A matcher that has made up its mind."""

    source = "a judge"

    def __init__(self, **scores):
        self.scores = scores

    def judge(self, ours, theirs):
        return [Match(self.scores[entry.id], "Learned") for entry in theirs]


def test_the_matcher_says_which_record_is_what_was_typed():
    label, hints = lines("Nordvik", "Trail Bottle", "Stainless steel"), Hints(name="nordvik drinking bottle, steel")
    asked = [
        identify((), (), {}, Label(label), hints, Known(BOTTLE, LAMP), matcher=Judge(r1=score, r2=0))
        for score in (79, 80)
    ]
    assert [answer.best.record for answer in asked] == [BOTTLE, BOTTLE]
    assert asked[0].weight.confidence < 80 <= asked[1].weight.confidence


def resemblance(record, chance, marks, among):
    whole = Box(left=0, top=0, width=1, height=1)
    return Resemblance(record, f"photo of {record.id}", "p1", whole, chance, marks, among)


@pytest.mark.parametrize(
    ("chance", "next_chance", "next_marks", "among", "is_sure"),
    [
        (0.3, 0.1, 12, 2, True),  # 20 marks against 12
        (0.3, 0.1, 18, 2, False),
        (0.7, 0.1, 18, 2, True),
        (0.7, 0.65, 12, 2, False),
        (0.3, 0.0, 0, 20, True),  # of many nobody else resembles it at all
        (0.6, 0.0, 0, 19, False),  # of a few that says nothing
        (0.7, 0.0, 0, 1, True),
    ],
)
def test_a_reference_photo_names_the_product_where_it_clearly_leads_in_marks_or_is_likely(
    chance, next_chance, next_marks, among, is_sure
):
    def look(_records):
        views = [(BOTTLE, chance, 20)] + [(LAMP, next_chance, next_marks)] * bool(next_marks)
        return [resemblance(*view, among) for view in views]

    answer = identify((), (), {}, Label(lines("something")), Hints(), Known(BOTTLE, LAMP), look)
    assert answer.best.record is BOTTLE
    assert (answer.weight.confidence >= 80) is is_sure


@pytest.mark.parametrize(
    ("label", "others", "is_sure"),
    [
        (BOTTLE_LABEL, (), True),
        (("Nordvik", "Trail"), (), False),
        (BOTTLE_LABEL, ("Nordvik Trail Bottle 500 ml",), False),  # nearly the same words: the label may mean that
        (("Nordvik", "Trail Bottle 500 ml"), (), False),  # a word is missing, and the size is another
        (("Nordvik", "Trail Bottle 750 ml", "500 ml free"), (), True),
        (("Nordvik", "TraiI Bottle 750 ml"), (), False),  # misread
    ],
)
def test_a_photo_that_leads_without_clear_marks_needs_the_name_in_full_on_the_label(label, others, is_sure):
    known = [BOTTLE, *(msgspec.structs.replace(BOTTLE, id=name, name=name, gtin14=None) for name in others)]

    def look(_records):
        return [resemblance(BOTTLE, 0.4, 20, 2), resemblance(LAMP, 0.1, 18, 2)]

    answer = identify((), (), {}, Label(lines(*label)), Hints(), Known(*known), look)
    assert (answer.path, answer.best.record) == (Path.PICTURE_RECORD, BOTTLE)
    assert (answer.weight.confidence >= 80) is is_sure


@pytest.mark.parametrize("known", [(BOTTLE, LAMP), (BOTTLE,), ()])
def test_codes_of_two_products_ask_a_person_whether_they_are_known_or_not(known):
    answer = found(code(NUMBER), code(OTHER), label=(*BOTTLE_LABEL, *LAMP_LABEL), known=known)
    assert answer.rivals == 1
    assert answer.weight.confidence < 80
    assert "more than one item?" in answer.weight.reasons[0]


def test_five_unknown_codes_are_counted_and_written_out_as_far_as_they_fit():
    answer = found(code(NUMBER), *(code(full(f"09521101530{last}")) for last in range(30, 35)), known=())
    assert answer.rivals == 5
    assert answer.weight.reasons[0].startswith("The photos show the barcodes of 5 other products (")
    assert answer.weight.reasons[0].count(", ") == 4


@pytest.mark.parametrize("other", [full(f"1{NUMBER[1:13]}"), full("0020000000123")])
def test_a_case_of_the_same_item_and_a_shops_own_label_are_no_other_product(other):
    answer = found(code(NUMBER), code(other), label=BOTTLE_LABEL)
    assert answer.rivals == 0
    assert answer.weight.confidence >= 80


def test_an_offer_counts_less_than_a_catalog_record():
    offer = Record(source="offer", id="o1", name=BOTTLE.name, gtin14=NUMBER)
    from_offer = found(code(), label=BOTTLE_LABEL, known=(offer,))
    both = found(code(), label=BOTTLE_LABEL, known=(offer, BOTTLE))
    assert 80 <= from_offer.weight.confidence < both.weight.confidence
    assert both.best is not None
    assert both.best.record is BOTTLE


def test_a_rival_number_at_the_same_place_lowers_the_confidence():
    clear = found(code(votes=8)).weight.confidence
    contested = found(code(votes=8, runner_up=3)).weight.confidence
    assert contested <= clear
    assert fields.gtin_field(found(code(runner_up=3)), bars_seen=True).confidence < 90


def test_an_unknown_barcode_is_not_sure_and_says_why():
    answer = found(code(), label=("Tarnholm", "Coffee Grinder"), known=())
    assert answer.best is None
    assert answer.weight.confidence < 80
    assert any("no offer has the barcode 9521101530018" in reason for reason in answer.weight.reasons)


def test_an_unknown_barcode_with_a_typed_name_that_the_label_shows_is_sure():
    hints = Hints(name="Tarnholm Coffee Grinder")
    assert found(code(), label=("Tarnholm", "Coffee Grinder"), known=(), hints=hints).weight.confidence >= 80
    assert found(code(), label=("Something", "else entirely"), known=(), hints=hints).weight.confidence < 80


def test_words_alone_never_pass_eighty():
    answer = found(label=BOTTLE_LABEL)
    assert answer.best is not None
    assert answer.best.record is BOTTLE
    assert answer.weight.confidence < 80
    assert any("words only" in reason for reason in answer.weight.reasons)


def test_words_together_with_a_typed_name_that_equals_the_record_pass():
    assert found(label=BOTTLE_LABEL, hints=Hints(name=BOTTLE.name)).weight.confidence >= 80


def test_a_record_with_another_number_is_another_product():
    answer = found(code(OTHER), label=BOTTLE_LABEL, known=(BOTTLE,))
    assert answer.best is None
    assert answer.weight.confidence < 80


def test_an_in_store_number_is_matched_in_the_catalog_only():
    number = complete("200000000012")
    offer = Record(source="offer", id="o9", name="Cheese", gtin14=number)
    assert found(code(number), known=(offer,)).best is None
    answer = found(code(number), known=(Record(source="catalog", id="c9", name="Cheese", gtin14=number),))
    assert answer.best is not None
    assert answer.weight.confidence < 80
    assert any("in-store" in reason for reason in answer.weight.reasons)


def complete(start: str) -> str:
    return (start + str(gtin.check_digit(start))).zfill(14)


def test_printed_digits_make_a_doubtful_code_believed():
    doubtful = code(decoders=("zxing",), votes=1)
    alone = found(doubtful=[doubtful], label=BOTTLE_LABEL)
    answer = found(doubtful=[doubtful], label=(*BOTTLE_LABEL, "9 521101 530018"))
    assert answer.number is not None
    assert answer.number.is_sure
    assert answer.weight.confidence > alone.weight.confidence
    assert "printed digits say the same" in answer.number.evidence[0].says


def test_a_shops_label_that_is_known_and_the_makers_number_are_one_product():
    shops = full("0020000000123")
    known = msgspec.structs.replace(BOTTLE, gtin14=shops)
    assert found(code(shops), code(NUMBER), label=BOTTLE_LABEL, known=(known,)).rivals == 0


def test_digits_in_pieces_under_the_bars_are_put_together():
    row = [
        TextLine(photo_id="p1", text=text, confidence=90, box=Box(left=left, top=0.8, width=0.1, height=0.03))
        for text, left in (("9", 0.1), ("521101", 0.15), ("530018", 0.3))
    ]
    assert list(printed_numbers(row)) == [NUMBER]
    assert printed_numbers(lines("Tel. 0123 456 789", "Lot 9521101530019")) == {}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("ISBN 978-0-306-40615-7", "09780306406157"),
        ("ISBN-10: 0-306-40615-2", "09780306406157"),
        ("isbn 080442957X", "09780804429573"),
        ("ISBN 0-306-40615-3", None),  # its check digit does not fit
        ("Tel. 0-306-40615-2", None),
    ],
)
def test_an_isbn_in_print_is_a_number_with_its_hyphens(text, number):
    assert list(printed_numbers(lines(text))) == ([number] if number else [])


def test_a_number_in_a_qr_code_is_only_suspected_and_needs_its_record():
    held = Barcode(photo_id="p1", text=NUMBER[1:], format="QR", decoders=("zxing",), votes=3)
    answer = found(held, label=BOTTLE_LABEL)
    assert (answer.path, answer.best.record) == (Path.SUSPECTED_RECORD, BOTTLE)
    assert found(held, known=()).number is None
    assert "may be a product's number" in answer.number.evidence[0].says


def test_a_coupons_number_is_said_to_be_one():
    coupon = found(code(full("0990000000123")), known=())
    assert any("coupon's number" in reason for reason in coupon.weight.reasons)
    assert "coupon's number" in coupon.number.evidence[0].says


def test_nothing_to_identify_gives_no_guess():
    answer = found()
    assert answer.weight.confidence == 0
    name = fields.name_field(answer, Hints())
    assert name.value is None
    assert name.evidence[0].kind == "rule"
    assert fields.gtin_field(answer, bars_seen=False).value is None
    assert any("Nothing was found" in reason for reason in answer.weight.reasons)


def test_the_name_without_a_record_is_the_largest_text_with_little_confidence():
    name = fields.name_field(found(label=("Tarnholm", "Burr Coffee Grinder", "18 settings"), known=()), Hints())
    assert name.value == "Tarnholm Burr Coffee Grinder"
    assert name.confidence <= 40
    assert all(entry.box is not None and entry.photo_id == "p1" for entry in name.evidence)


def label_line(text, *, height, photo="p1", width=0.6, top=0.1, confidence=95):
    return TextLine(
        photo_id=photo, text=text, confidence=confidence, box=Box(left=0.1, top=top, width=width, height=height)
    )


def named(*label):
    return fields.name_field(identify([], [], {}, Label(label), Hints(), Known()), Hints())


def test_a_doubtful_number_gives_way_to_the_one_of_the_record_that_the_words_name():
    """A record that was found by its words says nothing for a number of another product."""
    other = msgspec.structs.replace(BOTTLE, gtin14=OTHER)
    doubtful = code(decoders=("zbar",), votes=1, runner_up=2)
    answer = found(doubtful, label=BOTTLE_LABEL, known=[other])
    number = fields.gtin_field(answer, bars_seen=True)
    assert answer.best is not None
    assert (number.value, number.trusted) == (OTHER, None)
    assert [entry.value for entry in number.alternatives] == [NUMBER]
    assert not any(entry.kind == "barcode" for entry in number.evidence), "what was read speaks for another number"
    assert answer.weight.confidence < 80
    sure = fields.gtin_field(found(code(), label=BOTTLE_LABEL, known=[other]), bars_seen=True)
    assert sure.value == NUMBER


def test_what_only_a_suspected_number_shows_is_counted_among_the_witnesses():
    def witnesses(answer):
        return assess(answer, (), {}, ()).witnesses

    read = witnesses(found(label=BOTTLE_LABEL, doubtful=[code(decoders=("zbar",), votes=2)]))
    assert (read["votes"], read["decoders"], read["photos"]) == (2, 1, 1)
    printed = witnesses(found(label=(*BOTTLE_LABEL, gtin.written(NUMBER))))
    assert (printed["votes"], printed["printed"], printed["photos"]) == (0, 1, 1)


def test_printed_digits_that_bear_out_the_bars_are_shown_where_they_stand():
    number = fields.gtin_field(found(code(), label=("Nordvik", gtin.written(NUMBER))), bars_seen=False)
    [printed] = [entry for entry in number.evidence if entry.kind == "text"]
    assert printed.box is not None
    assert "printed on the label" in printed.says


def test_an_in_store_number_is_said_to_be_one():
    number = fields.gtin_field(found(code(complete("02123456"))), bars_seen=False)
    assert "in-store" in number.evidence[0].says


@pytest.mark.parametrize(("typed", "word"), [("Unused camera bag", None), ("Camera bag, used", "used")])
def test_a_condition_is_a_word_of_its_own(typed, word):
    assert fields.condition_field(Hints(name=typed), Label(())).value == word


@pytest.mark.parametrize(
    ("typed", "is_shown"), [("NV-750", True), ("NV750", True), ("75", False), ("50", False), ("-", False)]
)
def test_a_typed_model_is_confirmed_by_words_of_its_own_only(typed, is_shown):
    model = fields.model_field(found(label=BOTTLE_LABEL, known=()), Hints(model=typed))
    assert (model.confidence == 90) is is_shown
    assert all(fields.fold(other.value) != fields.fold(typed) for other in model.alternatives)


def test_a_category_is_the_records_own_and_those_of_others_are_only_offered():
    known = fields.category_field(found(code(), label=BOTTLE_LABEL))
    assert (known.value, known.trusted) == ("Bottles", "Bottles")
    assert {entry.kind for entry in known.evidence} == {"catalog"}
    alike = found(
        label=("Nordvik Trail",), known=[BOTTLE, msgspec.structs.replace(BOTTLE, id="r9", name="Nordvik Trail Mug")]
    )
    loose = fields.category_field(alike)
    assert loose.trusted is None


def test_few_signs_are_no_guess():
    answer = found(label=("CE EU",))
    assert answer.path is Path.NOTHING
    assert fields.name_field(answer, Hints()).value is None


def test_codes_that_are_no_product_numbers_are_not_called_no_barcode():
    field = fields.gtin_field(found(), bars_seen=False, codes_read=True)
    assert "none of them is a product number" in field.evidence[0].says


def test_a_record_found_by_typed_words_asks_a_person_where_another_number_was_read():
    other = msgspec.structs.replace(BOTTLE, gtin14=OTHER)
    hints = Hints(name=BOTTLE.name)
    assert found(label=BOTTLE_LABEL, known=[other], hints=hints).weight.confidence >= 80
    doubtful = code(decoders=("zbar",), votes=1, runner_up=2)
    beside = found(doubtful, label=BOTTLE_LABEL, known=[other], hints=hints)
    assert beside.weight.confidence < 80
    assert any("another product" in reason for reason in beside.weight.reasons)


def test_a_photo_that_cannot_be_opened_was_not_looked_at():
    field = fields.unread(fields.gtin_field(found(), bars_seen=False))
    assert "could be opened" in field.evidence[0].says


def test_a_second_photo_of_an_unknown_product_does_not_double_its_name():
    front = label_line("NORDVIK", height=0.1), label_line("Trail Mix", height=0.08, top=0.3)
    again = [msgspec.structs.replace(line, photo_id="p2") for line in front]
    twice = label_line("nordvik", height=0.09, top=0.6)
    assert named(*front).value == named(*front, *again).value == named(*front, twice).value == "NORDVIK Trail Mix"


@pytest.mark.parametrize(
    "matter",
    [
        "INGREDIENTS: oats, raisins",
        "Zutaten: Hafer, Rosinen",
        "À consommer de préférence avant le",
        "NET WEIGHT 500 g",
        "www.nordvik.example",
        "A handful of it gives you strength on any path",
    ],
)
def test_what_is_there_to_be_read_is_no_name(matter):
    name = label_line("Trail Mix", height=0.05)
    assert named(name, label_line(matter, height=0.09, top=0.5)).value == "Trail Mix"
    assert named(label_line(matter, height=0.09)).value is None


def test_small_print_that_runs_upwards_is_not_taller_than_the_name():
    sideways = label_line("Best of the north", width=0.02, height=0.7)
    assert named(label_line("Trail Mix", height=0.05), sideways).value == "Trail Mix"


def test_every_field_of_a_known_product_has_evidence():
    answer = found(code(), label=BOTTLE_LABEL)
    brand, brands = fields.brand_field(answer, ["Nordvik", "Lumenaris"])
    assert (brand.value, brands[0].value) == ("Nordvik", "Nordvik")
    model = fields.model_field(answer, Hints())
    assert model.value == "NV-750"
    assert any("Model NV-750" in entry.says for entry in model.evidence)
    number = fields.gtin_field(answer, bars_seen=True)
    assert (number.value, number.confidence >= 95) == (NUMBER, True)
    assert {entry.kind for entry in number.evidence} == {"barcode", "catalog"}
    assert fields.category_field(answer).value == "Bottles"
    for field in (brand, model, number):
        assert field.evidence
        assert all(entry.says.endswith(".") for entry in field.evidence)


def test_a_brand_is_found_with_a_misread_letter_and_the_largest_comes_first():
    label = Label(lines("LUMENARlS", "made for Nordvik Group"))
    assert brand_on_label(label, ["Nordvik", "Lumenaris", "Absent"]) == ["Lumenaris", "Nordvik"]


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ("Model: WH-1000XM4", "WH-1000XM4"),
        ("MODEL NO. SC-44", "SC-44"),
        ("Typ KX200", "KX200"),
        ("Nordvik NV-750", "NV-750"),
        ("Net 750ML 230V 50HZ IP67 E330", None),
        ("Best before 12 2027", None),
        ("Energie 1506KJ 360KCAL", None),
        ("certified by FR-BIO-01, E-621 added", None),
        ("Ingredients: WATER, SALT, R2D2", None),
    ],
)
def test_model_numbers_on_a_label(text, model):
    assert fields.model_field(found(label=(text,), known=()), Hints()).value == model


def test_what_the_label_calls_a_model_number_is_surer_than_what_only_looks_like_one():
    called, alike = (fields.model_field(found(label=(text,), known=()), Hints()) for text in ("Model KX200", "KX200"))
    assert called.confidence > 45 > alike.confidence


def test_the_condition_is_what_was_set_and_is_not_guessed():
    label = Label(lines("Certified Refurbished"))
    assert fields.condition_field(Hints(condition=Condition.NEW), label).value == "new"
    assert fields.condition_field(Hints(), label).value == "refurbished"
    nothing = fields.condition_field(Hints(), Label(lines("Nordvik")))
    assert nothing.value is None
    assert nothing.evidence
    assert fields.condition_field(Hints(name="Lamp for parts"), Label([])).value == "for_parts"


def test_every_confidence_stays_within_its_bounds():
    for doubtful in ([], [code(decoders=("zxing",), votes=2)]):
        for codes in ([], [code()], [code(), code(OTHER)], [code(runner_up=3)]):
            for label in ((), BOTTLE_LABEL, LAMP_LABEL):
                for hints in (Hints(), Hints(name="Nordvik Trail Bottle"), Hints(name="x", model="NV-750")):
                    answer = found(*codes, label=label, hints=hints, doubtful=doubtful)
                    assert 0 <= answer.weight.confidence <= 100
                    assert answer.weight.confidence >= 80 or answer.weight.reasons


def test_the_same_photo_of_a_settled_product_is_sure_unless_a_barcode_denies_it():
    hints = Hints(same_photo=(BOTTLE,))
    answer = found(known=(), hints=hints)
    assert (answer.path, answer.weight.confidence >= 80) == (Path.SAME_PHOTO, True)
    assert "very same photo" in fields.name_field(answer, hints).evidence[0].says
    assert fields.gtin_field(answer, bars_seen=False).value == NUMBER
    assert found(code(OTHER), known=(), hints=hints).path is Path.BARCODE_ONLY
    assert found(known=(), hints=Hints(same_photo=(BOTTLE, LAMP))).path is Path.NOTHING
    assert found(known=(), hints=Hints(same_photo=(BOTTLE,), name="Garden hose")).weight.confidence < 80


@pytest.mark.parametrize(
    ("codes", "label", "known", "typed", "path"),
    [
        ([code()], BOTTLE_LABEL, (BOTTLE,), None, Path.BARCODE_RECORD),
        ([code()], (), (), None, Path.BARCODE_ONLY),
        ([], BOTTLE_LABEL, (BOTTLE,), None, Path.WORDS_RECORD),
        ([], ("9 521101 530018",), (BOTTLE,), None, Path.SUSPECTED_RECORD),
        ([], BOTTLE_LABEL, (), "Bottle", Path.TYPED_NAME),
        ([], BOTTLE_LABEL, (), None, Path.LABEL_ONLY),
        ([], (), (), None, Path.NOTHING),
    ],
)
def test_every_way_of_the_evidence_has_its_name_and_its_witnesses(codes, label, known, typed, path):
    answer = found(*codes, label=label, known=known, hints=Hints(name=typed))
    told = assess(answer, [], {"name": fields.name_field(answer, Hints(name=typed))}, answer.weight.reasons)
    assert (told.path, told.raw, told.shown) == (path, answer.weight.confidence, answer.weight.confidence)
    assert ("votes" in told.witnesses) == (answer.number is not None)
    assert ("on_label" in told.witnesses) == (answer.best is not None)
    assert all(isinstance(value, float) for value in told.witnesses.values())
    assert told.witnesses.keys() <= {*WITNESSES, "telling_words"}
    assert ("name" in told.fields) == bool(label)  # nothing to identify, no guess
