"""The listing: ready to be copied, nothing claimed that was not found, what is missing said in plain words."""

import json
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.phases.known_offers import heard, offer, silent, used
from tests.phases.products import BOOK, HEADPHONES, SPREAD, UNKNOWN, analysed, analyses, identities, markets, researched
from webapp.phases import listing, seo
from webapp.phases.channels import (
    AMAZON_CONDITIONS,
    CONDITION_WORDS,
    DESCRIPTION_LIMIT,
    EBAY_CONDITIONS,
    SCHEMA_CONDITIONS,
    TITLE_LIMITS,
)  # fmt: skip
from webapp.phases.facts import Analysis, Condition, Field, Identity, Listing, Offer


def compose(identity: Identity, *offers: Offer, analysis: Analysis | None = None) -> Listing:
    market = researched(identity, *offers)
    return listing.compose(identity, analysis, market, seo.optimise(identity, analysis, market, silent), silent)


USED = msgspec.structs.replace(HEADPHONES, condition=Condition.USED)


def test_a_listing_of_a_known_product_is_whole() -> None:
    offers = [
        used("Sony WH-1000XM4", "189"),
        used("Sony WH-1000XM4 black", "199"),
        used("Sony WH-1000XM4 headphones", "175.50"),
    ]
    found = compose(USED, *offers, analysis=analysed("scratch on the left cup"))
    title = "Sony WH-1000XM4 Wireless Noise Cancelling Headphones Black"
    assert found == Listing(
        title=f"{title} - Used",
        bullets=(
            "Condition: used. Scratch on the left cup",
            "Brand: Sony",
            "Model: WH-1000XM4",
            "Colour: Black",
            "Category: Headphones",
            "EAN: 4548736112001",
        ),
        description=f"{title}.\n\nCondition: used. Scratch on the left cup.\n\n- Brand: Sony\n- Model: WH-1000XM4\n"
        "- Colour: Black\n- Category: Headphones\n- EAN: 4548736112001",
        price="188.99",
        currency="EUR",
        price_reasons=("Competitive price 189.00 EUR, from 3 offers.", "Rounded down to 188.99 EUR."),
        category="Electronics > Audio > Headphones",
        condition=Condition.USED,
        specifics=found.specifics,
        titles={"ebay": f"{title} - Used", "google": title, "amazon": title},
        missing=(),
    )
    assert {specific.name: specific.value for specific in found.specifics} == {
        "Brand": "Sony", "Model": "WH-1000XM4", "MPN": "WH-1000XM4", "EAN": "4548736112001", "Condition": "Used",
        "Type": "Headphones", "Colour": "Black",
    }  # fmt: skip


def test_sizes_packs_and_the_kind_of_barcode_become_specifics() -> None:
    pack = msgspec.structs.replace(SPREAD, name="Nutella hazelnut spread 6 x 450 g", gtin14="00036000291452")
    values = {specific.name: specific.value for specific in compose(pack).specifics}
    assert values["Weight"] == "450 g"
    assert values["Unit quantity"] == "6"
    assert values["UPC"] == "036000291452"
    assert {specific.name for specific in compose(BOOK).specifics} == {"ISBN", "Condition", "Type"}


def test_what_a_person_said_of_size_and_pieces_goes_before_the_name() -> None:
    pack = msgspec.structs.replace(SPREAD, name="Nutella hazelnut spread 6 x 450 g")

    def values(size: Field, quantity: Field) -> dict[str, str]:
        analysis = msgspec.structs.replace(analysed(), size=size, quantity=quantity)
        return {specific.name: specific.value for specific in compose(pack, analysis=analysis).specifics}

    given = values(*(Field(value=value, confidence=100, written_by="reviewer") for value in ("400 g", "12")))
    assert (given["Weight"], given["Unit quantity"]) == ("400 g", "12")
    left_empty = values(*(Field(confidence=100, written_by="reviewer") for _ in range(2)))
    assert (left_empty["Weight"], left_empty["Unit quantity"]) == ("450 g", "6")
    found = values(*(Field(value=value, confidence=90) for value in ("400 g", "12")))
    assert (found["Weight"], found["Unit quantity"]) == ("450 g", "6")


def test_an_unknown_product_says_what_is_missing() -> None:
    found = compose(UNKNOWN)
    assert (found.title, found.description, found.price, found.bullets, found.titles) == ("", "", None, (), {})
    assert found.missing[0] == "A name: say what it is."
    assert "Photos." in found.missing
    assert len(found.missing) == 8


def test_only_what_is_missing_is_asked_for() -> None:
    priced = offer("Sony WH-1000XM4", "250")
    assert compose(HEADPHONES, priced, analysis=analysed()).missing == ()
    assert compose(USED, used("Sony WH-1000XM4", "150")).missing == (
        "Details of the condition: marks, wear, what is missing.",
    )
    one_photo = msgspec.structs.replace(HEADPHONES, image_urls=("/photos/1",))
    assert compose(one_photo, priced).missing == ("A second photo, from another side.",)
    assert "The brand, or that it has none." not in compose(BOOK).missing


def test_every_condition_has_words_and_codes() -> None:
    assert set(CONDITION_WORDS) == set(SCHEMA_CONDITIONS) == set(EBAY_CONDITIONS) == set(Condition)
    assert EBAY_CONDITIONS[Condition.FOR_PARTS] == 7000
    assert Condition.FOR_PARTS not in AMAZON_CONDITIONS


def test_steps_are_reported_and_a_cancelling_report_gets_through() -> None:
    steps: list[tuple[float, str]] = []
    market = researched(HEADPHONES)
    search = seo.optimise(HEADPHONES, None, market, silent)
    listing.compose(HEADPHONES, None, market, search, heard(steps))
    assert [percent for percent, _ in steps] == sorted(percent for percent, _ in steps)
    assert steps[-1][0] == 100

    def stop(percent: float, step: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        listing.compose(HEADPHONES, None, market, search, stop)


@given(identities, analyses, st.data())
def test_whatever_comes_in_limits_hold(identity: Identity, analysis: Analysis | None, data: st.DataObject) -> None:
    market = data.draw(markets(identity))
    search = seo.optimise(identity, analysis, market, silent)
    found = listing.compose(identity, analysis, market, search, silent)
    assert found == listing.compose(identity, analysis, market, search, silent)
    kept = json.dumps(msgspec.to_builtins(found), ensure_ascii=False)
    kept.encode()
    assert "\\u0000" not in kept
    assert msgspec.convert(json.loads(kept), Listing) == found
    assert all(0 < len(title) <= TITLE_LIMITS[channel] for channel, title in found.titles.items())
    assert found.title == found.titles.get("ebay", "")
    assert len(found.description) <= DESCRIPTION_LIMIT
    assert all(0 < len(specific.value) <= 65 for specific in found.specifics)
    assert len({specific.name for specific in found.specifics}) == len(found.specifics)
    assert len(found.bullets) <= 8
    assert found.price_reasons
    assert (found.price is None) == (found.currency is None)
    assert found.price is None or Decimal(found.price) > 0
    assert (found.price is None) == any(gap.startswith("A price") for gap in found.missing)
