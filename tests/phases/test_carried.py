"""What GS1 carriers say of an item becomes findings with evidence, and what a listing may tell goes into it."""

from tests.phases.photos import Known, barcode, photo, scene
from tests.phases.products import HEADPHONES, analysed, researched
from webapp.phases import listing, seo
from webapp.phases.analysis import analyse
from webapp.phases.analysis.carried import carried
from webapp.phases.facts import Barcode, Carried, Element, Hints
from webapp.phases.facts import Field as FoundField

NUMBER = "09521101530018"


def code(
    lot: str, *, votes: int = 3, gtin14: str | None = NUMBER, decoders: tuple[str, ...] = ("zbar", "zxing")
) -> Barcode:
    element = Element(ai="10", key="lot", value=lot, raw=lot)
    return Barcode(
        photo_id="p1", text="", format="CODE128", gtin14=gtin14, votes=votes, decoders=decoders, elements=(element,)
    )


def test_lot_and_dates_are_findings_that_point_at_their_code():
    both = [
        photo(scene(barcode(f"(01){NUMBER}(17)270131(10)LOT-7(21)S1", "DATAMATRIX", module=5, gs1=True)), "one"),
        photo(scene(barcode(NUMBER[1:])), "two"),
    ]
    found = analyse(both, Hints(), Known(), lambda _percent, _step: None)
    assert found.gtin.value == NUMBER
    said = {entry.key: entry.field for entry in found.carried}
    assert {key: field.value for key, field in said.items()} == {
        "expiry": "2027-01-31",
        "lot": "LOT-7",
        "serial": "S1",
    }
    (evidence,) = said["expiry"].evidence
    assert (evidence.kind, evidence.photo_id) == ("barcode", "one")
    assert evidence.box is not None
    assert "(17) 270131" in evidence.says


def test_codes_that_contradict_each_other_leave_it_open():
    (entry,) = carried([code("A", votes=2), code("B", votes=5)], None)
    assert (entry.field.value, entry.field.confidence) == ("B", 50)
    assert [other.value for other in entry.field.alternatives] == ["A"]


def test_one_decoder_alone_is_less_sure_than_two():
    (alone,) = carried([code("A", decoders=("zbar",))], None)
    (agreed,) = carried([code("A")], None)
    assert alone.field.confidence < agreed.field.confidence


def test_another_products_code_says_nothing_about_this_one():
    from webapp.phases.analysis.numbers import Number

    chosen = Number(NUMBER, 95, (), restricted=False)
    assert carried([code("A", gtin14="06291041500213")], chosen) == ()
    assert [entry.field.value for entry in carried([code("A", gtin14=None)], chosen)] == ["A"]


def test_the_listing_tells_dates_and_lot_but_no_serial_number_and_nothing_in_doubt():
    import msgspec

    def entry(key: str, value: str, confidence: int = 97) -> Carried:
        return Carried(key=key, field=FoundField(value=value, confidence=confidence))

    analysis = msgspec.structs.replace(
        analysed(), carried=(entry("expiry", "2027-01-31"), entry("serial", "S1"), entry("lot", "A", 50))
    )
    market = researched(HEADPHONES)
    silent = lambda _percent, _step: None  # noqa: E731
    written = listing.compose(HEADPHONES, analysis, market, seo.optimise(HEADPHONES, analysis, market, silent), silent)
    specifics = {specific.name: specific.value for specific in written.specifics}
    assert specifics["Expiry date"] == "2027-01-31"
    assert "S1" not in specifics.values()
    assert "Lot number" not in specifics
