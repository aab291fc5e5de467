"""Market research: which offers count, why the others do not, and what the prices are."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.phases.known_offers import NOW, KnownOffers, heard, offer, silent, used
from webapp.phases import market
from webapp.phases.facts import Condition, Field, Identity, Market, Offer, PricedOffer, Verdict
from webapp.phases.market import prices

GTIN = "04548736112001"
XM4 = Identity(name="Sony WH-1000XM4 Wireless Headphones Black", brand="Sony", model="WH-1000XM4",
               condition=Condition.NEW, gtin14=GTIN)  # fmt: skip


def research(identity: Identity, *offers: Offer, currency: str | None = None) -> Market:
    return market.research(identity, KnownOffers(offers), silent, NOW, currency)


def reason(found: Market, id: str) -> str:
    return next(one.why for one in found.offers if one.id == id)


def test_nothing_known_is_said_honestly() -> None:
    found = research(XM4)
    for field in (found.competitive_price, found.list_price, found.marketplace_price, found.category):
        assert field.value is None
        assert field.confidence == 0
        assert field.evidence
        assert field.evidence[0].says
    assert found.currency is None
    assert (found.offers_found, found.offers_used, found.offers) == (0, 0, ())


def test_a_price_below_the_smallest_coin_is_no_price() -> None:
    found = research(XM4, offer("Sony WH-1000XM4", "0.33", currency="JPY"))
    assert found.competitive_price.value is None


def test_a_product_of_which_nothing_is_known_finds_nothing() -> None:
    found = research(Identity(), offer("Sony WH-1000XM4", "250"))
    assert found.competitive_price.value is None
    assert found.offers_used == 0


def test_the_competitive_price_is_one_that_somebody_asks_from_the_cheaper_half() -> None:
    asked = ["210", "219", "225", "240", "255", "260"]
    found = research(XM4, *(offer("Sony WH-1000XM4", price, gtin14=GTIN) for price in asked))
    assert found.competitive_price.value == "219.00"
    assert (found.low, found.high) == (Decimal(210), Decimal(260))
    assert (found.offers_found, found.offers_used) == (6, 6)
    rule, first, *_ = found.competitive_price.evidence
    assert "cheaper half of 6 offers" in rule.says
    assert first.record_id == "Sony WH-1000XM4/219/3//eBay"
    assert "eBay, 219.00 EUR, new, seen 3 days ago" in first.says


def test_a_price_far_from_the_others_is_set_aside() -> None:
    wrong = [offer("Sony WH-1000XM4", "19", id="low"), offer("Sony WH-1000XM4", "2300", id="high")]
    found = research(XM4, *(offer("Sony WH-1000XM4", price) for price in ("210", "220", "230", "240")), *wrong)
    assert reason(found, "low") == reason(found, "high") == "Price is far from the others"
    assert (found.low, found.high) == (Decimal(210), Decimal(240))


def test_offers_that_are_close_together_are_no_outliers_of_each_other() -> None:
    found = research(XM4, *(offer("Sony WH-1000XM4", price) for price in ("210", "210.01", "210.02", "249")))
    assert found.offers_used == 4


def test_currencies_are_never_mixed() -> None:
    offers = [offer("Sony WH-1000XM4", "220"), offer("Sony WH-1000XM4", "230"),
              offer("Sony WH-1000XM4", "30000", currency="JPY", id="yen")]  # fmt: skip
    found = research(XM4, *offers)
    assert found.currency == "EUR"
    assert reason(found, "yen") == "In JPY, not in EUR"
    asked_for = research(XM4, *offers, currency="jpy")
    assert asked_for.competitive_price.value == "30000"
    assert asked_for.offers_used == 1


def test_asking_for_a_currency_that_no_offer_is_in_finds_no_price() -> None:
    found = research(XM4, offer("Sony WH-1000XM4", "220"), currency="USD")
    assert found.competitive_price.value is None
    assert found.currency is None
    assert found.competitive_price.evidence[0].says == "1 offer for this product, but none counts (In EUR, not in USD)."


@pytest.mark.parametrize(
    ("condition", "prices_used"),
    [
        (Condition.NEW, {"250"}),
        (Condition.USED, {"150", "160", "155"}),
        (Condition.LIKE_NEW, {"150", "160", "155", "199"}),
        (Condition.FOR_PARTS, {"40"}),
        (None, {"250"}),
    ],
)
def test_new_used_and_broken_are_kept_apart(condition: Condition | None, prices_used: set[str]) -> None:
    offers = [
        offer("Sony WH-1000XM4", "250"), used("Sony WH-1000XM4", "150"), used("Sony WH-1000XM4", "160"),
        offer("Sony WH-1000XM4 gebraucht", "155"), offer("Sony WH-1000XM4", "199", condition=Condition.LIKE_NEW),
        offer("Sony WH-1000XM4 for parts", "40"),
    ]  # fmt: skip
    found = research(msgspec.structs.replace(XM4, condition=condition), *offers)
    assert {str(one.price) for one in found.offers if one.used} == prices_used


def test_a_new_item_is_not_priced_by_used_ones() -> None:
    found = research(XM4, used("Sony WH-1000XM4", "150", id="old"))
    assert found.competitive_price.value is None
    assert reason(found, "old") == "Condition is used"


def test_a_used_item_falls_back_to_new_offers_and_says_so() -> None:
    found = research(msgspec.structs.replace(XM4, condition=Condition.USED), offer("Sony WH-1000XM4", "250"))
    assert found.competitive_price.value == "250.00"
    assert "there is none in condition “used”" in found.competitive_price.evidence[0].says


def test_fresh_offers_weigh_more_and_old_ones_are_set_aside() -> None:
    recent = research(XM4, offer("Sony WH-1000XM4", "250", days=1), offer("Sony WH-1000XM4 black", "200", days=300))
    assert recent.competitive_price.value == "250.00"
    assert (recent.newest_days, recent.oldest_days) == (1, 300)
    old = offer("Sony WH-1000XM4 black", "200", days=800, id="old")
    stale = research(XM4, offer("Sony WH-1000XM4", "250", days=1), old)
    assert reason(stale, "old") == "More than a year old"
    only = research(XM4, offer("Sony WH-1000XM4", "200", days=800))
    assert only.competitive_price.value == "200.00"
    assert only.competitive_price.confidence < 5


def test_the_same_offer_seen_again_counts_once() -> None:
    page = {"link": "https://shop.example/1"}
    found = research(
        XM4,
        offer("Sony WH-1000XM4", "240", days=30, id="before", **page),
        offer("Sony WH-1000XM4", "230", days=2, id="now", **page),
        offer("Sony WH-1000XM4", "230", days=2, id="twice", **page),
        offer("Sony WH-1000XM4", "235", days=2, id="another seller", **page),
    )
    assert {one.id for one in found.offers if one.used} == {"now", "another seller"}
    assert reason(found, "before") == "Seen again later"
    assert reason(found, "twice") == "The same offer twice"


def test_the_list_price_is_the_newest_one_and_no_offer() -> None:
    found = research(
        XM4,
        offer("Sony WH-1000XM4", "379", kind="list", days=400, id="old"),
        offer("Sony WH-1000XM4", "349", kind="list", days=10, id="new"),
        offer("Sony WH-1000XM4", "250"),
    )
    assert found.list_price.value == "349.00"
    assert found.list_price.evidence[0].record_id == "new"
    assert reason(found, "old") == "An older list price"
    assert found.competitive_price.value == "250.00"
    assert (found.offers_found, found.offers_used) == (1, 1)


def test_the_marketplace_price_is_the_cheapest_on_the_best_known_one() -> None:
    found = research(
        XM4,
        offer("Sony WH-1000XM4", "230", marketplace="Corner shop"),
        offer("Sony WH-1000XM4", "245", marketplace="Amazon.de", link="https://amazon.example/a"),
        offer("Sony WH-1000XM4", "241", marketplace="Amazon.de", link="https://amazon.example/b"),
        offer("Sony WH-1000XM4", "235", marketplace="eBay"),
    )
    assert found.marketplace == "Amazon.de"
    assert found.marketplace_price.value == "241.00"
    assert found.marketplace_link == "https://amazon.example/b"


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        "//x.example",
        "http://",
        "https://[",
        "data:text/html,x",
        "",
        "http://shop.example@evil.example/",
        "https://a\\@b/",
    ],
)
def test_only_web_addresses_are_handed_on(link: str) -> None:
    found = research(XM4, offer("Sony WH-1000XM4", "230", link=link))
    assert found.marketplace_link is None
    assert found.offers[0].link is None


def test_brand_and_category_are_voted_on() -> None:
    titles = [offer("Sony WH-1000XM4", str(200 + n), brand="SONY", category="Headphones") for n in range(3)]
    odd = offer("Sony WH-1000XM4", "210", brand="Sony", category="Cameras")
    found = research(msgspec.structs.replace(XM4, brand=None), *titles, odd)
    assert (found.brand.value, found.category.value) == ("SONY", "Headphones")
    assert [other.value for other in found.category.alternatives] == ["Cameras"]
    assert research(XM4, *titles).brand.value == "Sony"  # our spelling stays


def test_near_misses_are_listed_with_the_reason_and_do_not_count() -> None:
    older_model = offer("Sony WH-1000XM3 Wireless Headphones Black", "99", id="m3")
    found = research(XM4, offer("Sony WH-1000XM4", "250"), older_model, offer("Garden hose 20 m", "15", id="hose"))
    assert found.offers_found == 1
    assert reason(found, "m3").startswith("Other model number")
    assert "hose" not in {one.id for one in found.offers}


def test_more_fresher_and_closer_offers_make_surer() -> None:
    def sure(*offers: Offer) -> int:
        return research(XM4, *offers).competitive_price.confidence

    good = [offer("Sony WH-1000XM4", str(220 + n), gtin14=GTIN, days=1) for n in range(5)]
    assert sure(*good) > sure(*good[:2]) > sure(*good[:1])
    assert sure(*good) > sure(*(msgspec.structs.replace(one, seen_at=NOW - timedelta(days=200)) for one in good))
    assert sure(*good) > sure(*(offer("Sony WH-1000XM4", str(200 + 50 * n), gtin14=GTIN, days=1) for n in range(5)))
    assert sure(*good) > sure(*(msgspec.structs.replace(one, gtin14=None) for one in good))
    assert 80 <= sure(*good) < 100


def test_steps_are_reported_in_order_and_a_cancelling_report_gets_through() -> None:
    steps: list[tuple[float, str]] = []
    market.research(XM4, KnownOffers([offer("Sony WH-1000XM4", "250")]), heard(steps), NOW)
    percents = [percent for percent, _ in steps]
    assert percents == sorted(percents)
    assert percents[-1] == 100
    assert all(step for _, step in steps)

    class Stopped(Exception):
        pass

    def stop(percent: float, step: str) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        market.research(XM4, KnownOffers([]), stop, NOW)


# --- whatever comes in ----------------------------------------------------------------------------------------------

texts = st.text(max_size=80) | st.sampled_from(
    ["Sony WH-1000XM4", "שלום עולם", "🎧🎧", "x" * 10_000, "\x00\ud800", "Tea 5 kg"]
)
some = st.none() | texts
moments = st.datetimes(timezones=st.none() | st.just(UTC))
offers = st.builds(
    Offer,
    id=st.text(max_size=5),
    source=texts,
    title=texts,
    price=st.decimals(allow_nan=True, allow_infinity=True),
    currency=st.sampled_from(["EUR", "eur", "USD", "JPY", "", "??"]),
    kind=st.sampled_from(["offer", "list", "odd"]),
    marketplace=some,
    link=some,
    brand=some,
    model=some,
    gtin14=st.none() | st.just(GTIN) | texts,
    category=some,
    condition=st.none() | st.sampled_from(Condition),
    seen_at=moments,
)
identities = st.builds(
    Identity, name=some, model=some, brand=some, condition=st.none() | st.sampled_from(Condition),
    gtin14=st.none() | st.just(GTIN) | texts, category=some, keywords_seen=st.lists(texts, max_size=3).map(tuple),
)  # fmt: skip


class Everything(KnownOffers):
    """Finds every offer for every question."""

    def by_gtin(self, gtin14: str) -> list[Offer]:
        return self.offers

    def search(self, text: str, limit: int = 50) -> list[Offer]:
        return self.offers[:limit]


@given(identities, st.lists(offers, max_size=8), st.none() | st.sampled_from(["EUR", "usd", ""]), moments)
def test_whatever_comes_in_findings_come_out(
    identity: Identity, seen: list[Offer], currency: str | None, now: datetime
) -> None:
    found = market.research(identity, Everything(seen), silent, now, currency)
    assert found == market.research(identity, Everything(seen), silent, now, currency)
    kept = json.dumps(msgspec.to_builtins(found, builtin_types=()))
    assert "\\u0000" not in kept.replace("\\\\", "") or any("\x00" in one.id for one in seen)
    assert msgspec.convert(json.loads(kept), Market) == found
    counted = [one for one in found.offers if one.used]
    assert {one.currency for one in counted} <= {found.currency}
    for field in (found.competitive_price, found.list_price, found.marketplace_price):
        assert field.value is None or Decimal(field.value) > 0
        assert field.evidence
    assert_within_spread(found.competitive_price, counted)


def assert_within_spread(price: Field, counted: list[PricedOffer]) -> None:
    asked = [one.price for one in counted if one.kind != "list"]
    if price.value is not None:
        assert min(asked) - 1 <= Decimal(price.value) <= max(asked) + 1


# --- arithmetic -----------------------------------------------------------------------------------------------------


def test_the_weighted_median_is_the_price_at_half_of_the_weight() -> None:
    def median(*pairs: tuple[int, float]) -> Decimal:
        return prices.at_share([prices.Weighed(Decimal(p), w, i) for i, (p, w) in enumerate(pairs)], 0.5).price

    assert median((10, 1), (20, 1), (30, 1)) == 20
    assert median((10, 1), (20, 1)) == 10
    assert median((10, 0.1), (20, 0.1), (30, 1)) == 30


@pytest.mark.parametrize(("asked", "competitive"), [([20], 20), ([20, 10], 10), ([30, 10, 20], 20), ([4, 3, 2, 1], 1)])
def test_of_few_offers_the_lower_middle_counts(asked: list[int], competitive: int) -> None:
    weighed = [prices.Weighed(Decimal(price), 1.0, place) for place, price in enumerate(asked)]
    assert prices.competitive(weighed).price == competitive


@given(st.lists(st.decimals(min_value="0.01", max_value="99999", places=2), min_size=1, max_size=30), st.data())
def test_most_prices_are_never_outliers(asked: list[Decimal], data: st.DataObject) -> None:
    far = prices.outliers(asked)
    assert len(far) <= len(asked) / 2
    factor = data.draw(st.integers(2, 1000))
    assert prices.outliers([price * factor for price in asked]) == far


def verdict(one: Offer, is_same: bool) -> Verdict:
    return Verdict(offer=one, is_same=is_same, by="Ada", day=date(2026, 11, 19))


def test_what_a_person_leaves_out_makes_no_price_whatever_its_barcode_says() -> None:
    offers = [offer("Sony WH-1000XM4", price, gtin14=GTIN, id=price) for price in ("200", "210")]
    found = market.research(XM4, KnownOffers(offers), silent, NOW, verdicts=[verdict(offers[0], is_same=False)])
    assert found.competitive_price.value == "210.00"
    assert (found.offers_found, found.offers_used) == (1, 1)
    left_out = next(one for one in found.offers if one.id == "200")
    assert (left_out.used, left_out.said_same) == (False, False)
    assert left_out.why == "Left out by Ada on 19 Nov 2026"
    assert [one.said_same for one in found.offers if one.id == "210"] == [None]


def test_what_a_person_takes_in_counts_although_its_name_rules_it_out() -> None:
    ruled_out = offer("Sony WH-1000XM5", "150", id="taken")
    offers = [offer("Sony WH-1000XM4", "210"), ruled_out]
    assert research(XM4, *offers).offers_used == 1
    found = market.research(XM4, KnownOffers(offers), silent, NOW, verdicts=[verdict(ruled_out, is_same=True)])
    assert found.offers_used == 2
    assert reason(found, "taken") == "Taken in by Ada on 19 Nov 2026"


def test_what_a_person_spoke_of_is_listed_also_where_nothing_finds_it() -> None:
    taken, left = offer("Bluetooth cans", "190", id="taken"), offer("Ear pads", "9", id="left")
    many = [offer("Sony WH-1000XM4", str(200 + n), gtin14=GTIN, id=str(n)) for n in range(market.LISTED_OFFERS + 5)]
    said = [verdict(taken, is_same=True), verdict(left, is_same=False)]
    found = market.research(XM4, KnownOffers(many), silent, NOW, verdicts=said)
    assert len(found.offers) == market.LISTED_OFFERS
    assert {one.id: one.said_same for one in found.offers if one.said_same is not None} == {
        "taken": True,
        "left": False,
    }


def test_a_taken_in_offer_still_has_to_be_comparable() -> None:
    broken = used("Sony WH-1000XM4 headphones", "90", id="used")
    found = market.research(
        XM4, KnownOffers([offer("Sony WH-1000XM4", "210")]), silent, NOW, verdicts=[verdict(broken, is_same=True)]
    )
    assert reason(found, "used") == "Condition is used"
