"""Search terms, titles, descriptions, slug, structured data: from what is known, within every channel's limits."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.phases.known_offers import heard, offer, silent
from tests.phases.products import (
    BOOK,
    CAMERA,
    HEADPHONES,
    SPREAD,
    UNKNOWN,
    analysed,
    analyses,
    identities,
    markets,
    researched,
)  # fmt: skip
from webapp.lib.text import contains_words, fold
from webapp.phases import seo
from webapp.phases.channels import META_DESCRIPTION_LIMIT, TITLE_LIMITS
from webapp.phases.facts import Analysis, Condition, Identity, Offer, Seo
from webapp.phases.seo.titles import best


def optimise(identity: Identity, *offers: Offer, analysis: Analysis | None = None) -> Seo:
    return seo.optimise(identity, analysis, researched(identity, *offers), silent)


def terms(found: Seo) -> list[str]:
    return [keyword.text for keyword in found.keywords]


def test_titles_put_brand_name_and_model_once_each_and_do_not_shout() -> None:
    assert optimise(HEADPHONES).titles[0].text == "Sony WH-1000XM4 Wireless Noise Cancelling Headphones Black"
    assert optimise(SPREAD).titles[0].text == "Ferrero Nutella hazelnut spread 450 g"
    assert optimise(CAMERA).titles[0].text == "Casio EX-ZR100 Digital Camera"
    assert optimise(BOOK).titles[0].text == "The Very Hungry Caterpillar"


@pytest.mark.parametrize(
    ("identity", "title"),
    [
        (Identity(name="Headphones", brand="Sony", model="WH-1000XM4"), "Sony WH-1000XM4 Headphones"),
        (Identity(name="Sony WH-1000XM4", brand="Sony", category="Headphones"), "Sony WH-1000XM4 Headphones"),
        (Identity(name="Pfannenset Emotion antihaftbeschichtet 3-teilig induktion", brand="Tefal", model="E824"),
         "Tefal Pfannenset Emotion antihaftbeschichtet 3-teilig induktion E824"),
        (Identity(name="L'Oréal Elvive", brand="l'oreal"), "L'Oréal Elvive"),
        (Identity(model="EX-ZR100"), "EX-ZR100"),
    ],
)  # fmt: skip
def test_the_order_of_words_is_the_natural_one(identity: Identity, title: str) -> None:
    assert optimise(identity).titles[0].text == title


def test_words_that_most_sellers_use_fill_up_a_short_title() -> None:
    titles = [
        "Casio F-91W Retro Digital Watch",
        "CASIO F-91W digital watch retro NEW",
        "Casio F-91W Retro Watch FREE SHIPPING",
    ]
    watch = Identity(name="Casio F-91W", brand="Casio", model="F-91W", condition=Condition.NEW)
    assert (
        optimise(watch, *(offer(title, "12") for title in titles)).titles[0].text == "Casio F-91W Digital Retro Watch"
    )
    assert optimise(watch, offer(titles[0], "12")).titles[0].text == "Casio F-91W"


def test_the_condition_stands_in_titles_for_ebay_only() -> None:
    item = msgspec.structs.replace(HEADPHONES, condition=Condition.USED)
    found = optimise(item)
    assert best(found.titles, "ebay", Condition.USED).endswith("Headphones Black - Used")
    for channel in ("google", "amazon"):
        assert not contains_words(best(found.titles, channel, Condition.USED), "used")
    assert not contains_words(str(found.structured_data["name"]), "used")


def test_search_terms_weigh_what_several_sources_share() -> None:
    offers = [
        offer(title, "250")
        for title in ("Sony WH-1000XM4 Bluetooth Headphones", "Sony WH1000XM4 noise cancelling headphones")
    ]
    found = optimise(HEADPHONES, *offers)
    weights = {keyword.text: keyword.weight for keyword in found.keywords}
    assert list(weights.values()) == sorted(weights.values(), reverse=True)
    assert weights["sony wh-1000xm4"] >= 0.95
    assert weights["headphones"] > weights["bluetooth"]
    by_text = {keyword.text: keyword.sources for keyword in found.keywords}
    assert by_text["sony"] == ("brand", "label", "name", "offers")
    assert by_text["headphones"] == ("category", "name", "offers")


def test_search_terms_hold_no_noise_no_sizes_and_nothing_twice() -> None:
    noisy = offer("NEW!!! Nutella Hazelnut Spread 450 g FREE SHIPPING L@@K", "3", gtin14=SPREAD.gtin14)
    found = terms(optimise(SPREAD, noisy, noisy))
    assert len({fold(text) for text in found}) == len(found)
    for junk in ("new", "free", "free shipping", "450", "g", "450 g", "spread 450"):
        assert junk not in found


def test_descriptions_say_only_what_is_known() -> None:
    found = optimise(
        msgspec.structs.replace(HEADPHONES, condition=Condition.USED), analysis=analysed("scratch on the left cup")
    )
    texts = [description.text for description in found.descriptions]
    head = "Sony WH-1000XM4 Wireless Noise Cancelling Headphones Black"
    assert f"{head}. Condition: used. EAN: 4548736112001. Scratch on the left cup." in texts
    assert f"Used: {head}, EAN 4548736112001." in texts
    assert any("Scratch on the left cup. Brand: Sony. Model: WH-1000XM4. Colour: Black." in text for text in texts)
    assert sum(len(text) <= META_DESCRIPTION_LIMIT for text in texts) >= 2


def test_structured_data_is_a_complete_product_when_everything_is_known() -> None:
    data = optimise(HEADPHONES, offer("Sony WH-1000XM4", "249.99")).structured_data
    assert data == {
        "@context": "https://schema.org/",
        "@type": "Product",
        "name": "Sony WH-1000XM4 Wireless Noise Cancelling Headphones Black",
        "image": list(HEADPHONES.image_urls),
        "description": data["description"],
        "sku": "SKU-1",
        "gtin14": "04548736112001",
        "mpn": "WH-1000XM4",
        "model": "WH-1000XM4",
        "brand": {"@type": "Brand", "name": "Sony"},
        "category": "Electronics > Audio > Headphones",
        "color": "Black",
        "itemCondition": "https://schema.org/NewCondition",
        "offers": {
            "@type": "Offer",
            "price": "249.99",
            "priceCurrency": "EUR",
            "itemCondition": "https://schema.org/NewCondition",
        },
    }


def test_structured_data_leaves_out_what_is_not_known() -> None:
    assert "offers" not in optimise(HEADPHONES).structured_data
    assert optimise(UNKNOWN).structured_data == {}
    assert (
        "image"
        not in optimise(msgspec.structs.replace(HEADPHONES, image_urls=("not a link", "javascript:x"))).structured_data
    )


def test_the_score_is_the_sum_of_its_parts_and_says_how_to_gain_the_rest() -> None:
    poor, rich = optimise(CAMERA), optimise(HEADPHONES, offer("Sony WH-1000XM4", "249"), analysis=analysed())
    for found in (poor, rich, optimise(UNKNOWN)):
        assert sum(part.of for part in found.score_parts) == 100
        assert found.score == sum(part.points for part in found.score_parts)
        assert all(part.says for part in found.score_parts)
        assert all((part.says == "Nothing to add.") == (part.points == part.of) for part in found.score_parts)
    assert optimise(UNKNOWN).score == 0
    assert poor.score < 65
    assert rich.score >= 95
    says = {part.name: part.says for part in poor.score_parts}
    assert says["Identifiers"] == "Add the barcode: channels know the product by it."
    assert says["Structured data"] == "Search engines also need a photo and a price."
    assert says["Category and condition"] == "Say the condition: buyers filter by it."


def test_a_book_is_asked_for_neither_brand_nor_model() -> None:
    says = {part.name: part.says for part in optimise(BOOK).score_parts}
    assert says["Identifiers"] == "Nothing to add."
    assert "brand" not in says["Title"]


def test_a_brand_that_is_only_a_sign_before_an_endless_word_still_gives_titles() -> None:
    found = optimise(Identity(brand=":", model="x" * 500))
    assert best(found.titles, "ebay", None)


def test_slugs() -> None:
    assert optimise(SPREAD).slug == "ferrero-nutella-hazelnut-spread-450-g"
    assert optimise(Identity(name="🎉", gtin14="04548736112001")).slug == "4548736112001"
    assert optimise(UNKNOWN).slug == "product"


def test_steps_are_reported_and_a_cancelling_report_gets_through() -> None:
    steps: list[tuple[float, str]] = []
    seo.optimise(HEADPHONES, None, researched(HEADPHONES), heard(steps))
    assert [percent for percent, _ in steps] == sorted(percent for percent, _ in steps)
    assert steps[-1][0] == 100

    def stop(percent: float, step: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        seo.optimise(HEADPHONES, None, researched(HEADPHONES), stop)


@given(identities, analyses, st.data())
def test_whatever_comes_in_limits_hold(identity: Identity, analysis: Analysis | None, data: st.DataObject) -> None:
    market = data.draw(markets(identity))
    found = seo.optimise(identity, analysis, market, silent)
    assert found == seo.optimise(identity, analysis, market, silent)
    kept = json.dumps(msgspec.to_builtins(found), ensure_ascii=False)
    kept.encode()
    assert "\x00" not in kept
    assert msgspec.convert(json.loads(kept), Seo) == found
    assert 0 <= found.score <= 100
    assert 1 <= len(found.slug) <= 80
    assert len(found.keywords) <= 25
    assert all(0 < keyword.weight <= 1 and keyword.text and keyword.sources for keyword in found.keywords)
    for candidate in (*found.titles, *found.descriptions):
        assert candidate.text.strip() == candidate.text != ""
        assert candidate.length == len(candidate.text)
        assert 0 <= candidate.score <= 100
    for channel, limit in TITLE_LIMITS.items():
        title = best(found.titles, channel, identity.condition)
        assert len(title) <= limit
        assert bool(title) == bool(found.titles)
    if found.descriptions:
        assert any(description.length <= META_DESCRIPTION_LIMIT for description in found.descriptions)
    assert all(description.length <= 5000 for description in found.descriptions)
