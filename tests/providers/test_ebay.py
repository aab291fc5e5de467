"""eBay's Browse API against a real server that speaks it: tokens, pages, errors, limits, and what is made of items."""

import threading
from decimal import Decimal

import pytest

from tests.pipeline.conftest import answer_bells, client, fresh, make_run  # noqa: F401 - fixtures
from tests.providers import ebay_server
from tests.providers.ebay_server import ID, SECRET, fault, item
from tests.providers.test_market_asks import market, work
from webapp.endpoint import LONGEST_RETRY_SECONDS
from webapp.errors import ConfigError, PermanentError, ProviderDown
from webapp.phases.facts import Condition
from webapp.pipeline.models import PhaseName, Run, RunState
from webapp.pipeline.tasks import ENGINES
from webapp.providers import ebay
from webapp.providers.interface import Question

PEN = Question(gtin14="04006381333931")
WORDS = Question(words="Stabilo pen")


@pytest.fixture
def server():
    with ebay_server.running() as server:
        yield server


def configured(server, **more):
    keys = {"LOTLINE_EBAY_ID": ID, "LOTLINE_EBAY_SECRET": SECRET, "LOTLINE_EBAY_URL": server.url}
    return ebay.configured(keys | more)


@pytest.fixture
def source(server):
    return configured(server)


# --- what is made of items --------------------------------------------------------------------------------------------


def test_an_item_becomes_an_offer(server, source):
    server.items = [item(1, conditionId="3000", itemAffiliateWebUrl="https://www.ebay.com/itm/1?mkcid=1")]
    (found,) = source.search(PEN).offers
    assert (found.id, found.title, found.source) == ("v1|1|0", "Stabilo point 88 pen 1", "eBay")
    assert (found.price, found.shipping, found.currency) == (Decimal("11.50"), Decimal("4.00"), "USD")
    assert (found.condition, found.category) == (Condition.USED, "Fineliners")
    assert found.link == "https://www.ebay.com/itm/1?mkcid=1"
    assert (found.gtin14, found.marketplace) == (PEN.gtin14, "eBay")


def test_what_was_found_by_words_has_no_number(server, source):
    server.items = [item(1)]
    assert source.search(WORDS).offers[0].gtin14 is None


def test_shipping_that_depends_on_the_buyer_is_not_known(server, source):
    server.items = [
        item(1, shippingOptions=[{"shippingCostType": "CALCULATED"}]),
        item(2, shippingOptions=[{"shippingCost": {"value": "0.00", "currency": "USD"}}]),
        item(3, shippingOptions=[{"shippingCost": {"value": "3.00", "currency": "EUR"}}]),
        item(4, shippingOptions=None),
        item(5, shippingOptions=[{"shippingCost": {"value": price, "currency": "USD"}} for price in ("9.00", "2.50")]),
    ]
    assert [found.shipping for found in source.search(PEN).offers] == [None, 0, None, None, Decimal("2.50")]
    strange = ("²", "①", "1.²", "", "1e9", "-1")
    server.items = [item(1, shippingOptions=[{"shippingCost": {"value": v, "currency": "USD"}}]) for v in strange]
    assert {found.shipping for found in source.search(PEN).offers} == {None}


def test_auctions_and_groups_of_variants_are_no_offers(server, source):
    server.items = [
        item(1, buyingOptions=["AUCTION"]),
        item(2, buyingOptions=["FIXED_PRICE", "BEST_OFFER"]),
        item(3, itemGroupType="SELLER_DEFINED_VARIATIONS"),
    ]
    answer = source.search(PEN)
    assert [found.id for found in answer.offers] == ["v1|2|0"]
    assert answer.unreadable == 0


def test_a_makers_list_price_is_kept_as_one_and_a_sellers_markdown_is_not(server, source):
    original = {"originalPrice": {"value": "19.99", "currency": "USD"}}
    server.items = [
        item(1, marketingPrice=original | {"priceTreatment": "LIST_PRICE"}),
        item(2, marketingPrice=original | {"priceTreatment": "MARKDOWN_PRICE"}),
    ]
    found = {one.id: (one.kind, one.price) for one in source.search(PEN).offers}
    assert found["v1|1|0#list"] == ("list", Decimal("19.99"))
    assert len(found) == 3


def test_a_bad_item_spoils_no_other(server, source):
    server.items = [
        item(1),
        item(2, price=None),
        item(3, title=""),
        item(4, price={"value": "1"}),
        {},
        item(6, price=3),
    ]
    answer = source.search(PEN)
    assert [found.id for found in answer.offers] == ["v1|1|0"]
    assert answer.unreadable == 5


# --- questions and pages ----------------------------------------------------------------------------------------------


def test_the_question_is_asked_as_the_protocol_has_it(server):
    source = configured(server, LOTLINE_EBAY_MARKETPLACE="EBAY_DE", LOTLINE_EBAY_CAMPAIGN="533812")
    server.items = [item(1)]
    (found,) = source.search(PEN).offers
    assert server.asked == [
        {"gtin": "4006381333931", "limit": "200", "offset": "0", "filter": "buyingOptions:{FIXED_PRICE}"}
    ]
    assert server.headers[0]["X-EBAY-C-MARKETPLACE-ID"] == "EBAY_DE"
    assert server.headers[0]["X-EBAY-C-ENDUSERCTX"] == "affiliateCampaignId=533812"
    assert found.marketplace == "eBay DE"


def test_words_are_stripped_of_what_ebay_takes_for_operators(server, source):
    source.search(Question(words="Pen * (blue, red) " + "and more " * 20))
    assert server.asked[0]["q"].startswith("Pen blue red and more and")
    assert 80 < len(server.asked[0]["q"]) <= ebay.QUERY_LENGTH
    assert source.search(Question(words=" *** ")).offers == ()
    assert len(server.asked) == 1


def test_pages_follow_by_offset_at_our_own_address_up_to_a_limit(server, source):
    server.items = [item(number) for number in range(ebay.PAGE_ITEMS + 30)]
    answer = source.search(PEN)
    assert (len(answer.offers), answer.complete) == (ebay.PAGE_ITEMS + 30, True)
    assert [asked["offset"] for asked in server.asked] == ["0", "200"]
    server.items = [item(number) for number in range(1000)]
    answer = source.search(PEN)
    assert (len(answer.offers), answer.complete) == (ebay.PAGE_ITEMS * ebay.MAX_PAGES, False)


def test_nothing_found_is_an_answer(server, source):
    answer = source.search(PEN)
    assert (answer.offers, answer.complete) == ((), True)


def test_what_ebay_takes_for_no_question_has_no_offers(server, source):
    server.orders = [(400, {}, fault(12001, "The call must have a valid 'q' or 'gtin' query parameter."))]
    assert source.search(PEN).offers == ()


# --- tokens -----------------------------------------------------------------------------------------------------------


def test_one_token_serves_many_searches(server, source):
    for _ in range(3):
        source.search(PEN)
    assert len(server.minted) == 1


def test_a_token_is_renewed_before_it_expires(server, source):
    server.expires_in = 30
    source.search(PEN)
    source.search(PEN)
    assert len(server.minted) == 2


def test_a_token_that_was_withdrawn_is_replaced_once(server, source):
    server.items = [item(1)]
    source.search(PEN)
    server.good.clear()
    assert len(source.search(PEN).offers) == 1
    assert len(server.minted) == 2


def test_a_new_token_that_is_refused_too_is_the_end(server, source):
    server.orders = [(401, {}, fault(1001, "Invalid access token", "OAuth"))] * 2
    with pytest.raises(PermanentError, match="Invalid access token") as caught:
        source.search(PEN)
    assert caught.value.cause == "ebay.key_refused"
    assert len(server.minted) == 2
    assert len(server.asked) == 2


def test_threads_that_all_lost_their_token_mint_one(server, source):
    source.search(PEN)
    server.good.clear()
    threads = [threading.Thread(target=source.search, args=(PEN,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.minted) == 2


def test_wrong_keys_are_said_in_plain_words_and_never_shown(server):
    source = configured(server, LOTLINE_EBAY_SECRET="wrong")
    with pytest.raises(PermanentError) as caught:
        source.search(PEN)
    assert caught.value.cause == "ebay.key_refused"
    assert str(caught.value) == "eBay refused our keys (invalid_client: client authentication failed)"
    assert server.asked == []


# --- errors and limits ------------------------------------------------------------------------------------------------


def test_ebay_is_left_alone_for_as_long_as_it_asks(server, source):
    server.orders = [(429, {"Retry-After": "77"}, fault(2001, "Too many requests.", "ACCESS"))]
    with pytest.raises(ProviderDown) as caught:
        source.search(PEN)
    assert caught.value.after_seconds == 77


def test_a_used_up_day_leaves_it_alone_for_long(server, source):
    server.limit_per_day = 2
    server.items = [item(number) for number in range(ebay.PAGE_ITEMS)]
    source.search(PEN)
    source.search(PEN)
    with pytest.raises(ProviderDown, match=r"limit for today is used up \(2001") as caught:
        source.search(PEN)
    assert caught.value.after_seconds == LONGEST_RETRY_SECONDS


def test_errors_of_its_own_mean_that_it_is_down(server, source):
    server.down = True
    with pytest.raises(ProviderDown):
        source.search(PEN)


@pytest.mark.parametrize(
    ("status", "body", "cause", "says"),
    [
        (403, fault(1100, "Access denied", "OAuth"), "ebay.not_allowed", "1100: Access denied"),
        (400, fault(12013, "Top level category browsing is not allowed."), "ebay.12013", "12013: Top level"),
        (404, b"", "ebay.not_there", "not at the address"),
        (400, b"<html>", "ebay.http_400", "HTTP 400"),
    ],
)
def test_a_refusal_is_final_and_says_why(server, source, status, body, cause, says):
    server.orders = [(status, {}, body)]
    with pytest.raises(PermanentError, match=says) as caught:
        source.search(PEN)
    assert caught.value.cause == cause


def test_a_marketplace_that_cannot_be_searched_is_named(server):
    with pytest.raises(PermanentError, match="EBAY_XX marketplace is not supported") as caught:
        configured(server, LOTLINE_EBAY_MARKETPLACE="EBAY_XX").search(PEN)
    assert caught.value.cause == "ebay.12019"


@pytest.mark.parametrize("body", [b"<html>", b'{"itemSummaries": 3}', b'{"itemSummaries": [3]}', b"[" * 100_000])
def test_rubbish_is_no_answer(server, source, body):
    server.orders = [(200, {}, body)]
    with pytest.raises(ProviderDown) as caught:
        source.search(PEN)
    assert caught.value.cause == "ebay.unreadable"


def test_nobody_there_means_down(server):
    with pytest.raises(ProviderDown):
        configured(server, LOTLINE_EBAY_URL="http://127.0.0.1:9").search(PEN)


# --- configuration ----------------------------------------------------------------------------------------------------

BOTH = {"LOTLINE_EBAY_ID": "a", "LOTLINE_EBAY_SECRET": "b"}


@pytest.mark.parametrize(
    ("environ", "word"),
    [
        ({"LOTLINE_EBAY_ID": "a"}, "go together"),
        ({"LOTLINE_EBAY_SECRET": "a"}, "go together"),
        (BOTH | {"LOTLINE_EBAY_ID": "a\nb"}, "LOTLINE_EBAY_ID"),
        (BOTH | {"LOTLINE_EBAY_MARKETPLACE": "germany"}, "EBAY_DE"),
        (BOTH | {"LOTLINE_EBAY_URL": "http://api.ebay.com"}, "https"),
        (BOTH | {"LOTLINE_EBAY_URL": "https://me:pw@api.ebay.com"}, "LOTLINE_EBAY_URL"),
        (BOTH | {"LOTLINE_EBAY_HOURS": "often"}, "LOTLINE_EBAY_HOURS"),
        (BOTH | {"LOTLINE_EBAY_HOURS": "nan"}, "LOTLINE_EBAY_HOURS"),
        (BOTH | {"LOTLINE_EBAY_CAMPAIGN": "x,y"}, "LOTLINE_EBAY_CAMPAIGN"),
    ],
)
def test_a_wrong_key_in_the_environment_is_named(environ, word):
    with pytest.raises(ConfigError, match=word):
        ebay.configured(environ)


def test_without_keys_there_is_no_ebay_and_with_them_the_real_one():
    assert ebay.configured({}) is None
    assert ebay.configured(BOTH).endpoint.url == "https://api.ebay.com/buy/browse/v1/item_summary/search"


# --- in phase 2 -------------------------------------------------------------------------------------------------------


@pytest.fixture
def asked_by_phase_two(app, client, server, source, monkeypatch):  # noqa: F811
    app.config["PHASE_ENGINES"][PhaseName.ANALYSIS] = "tests.providers.test_market_asks.a_pen"
    app.config["PHASE_ENGINES"][PhaseName.MARKET] = ENGINES[PhaseName.MARKET]
    monkeypatch.setitem(app.extensions, "lotline_sources", (source,))
    return server


def test_phase_two_asks_once_within_the_time_to_live_and_compares_with_shipping(asked_by_phase_two, make_run):  # noqa: F811
    server = asked_by_phase_two
    server.items = [item(1), item(2, shippingOptions=[{"shippingCost": {"value": "0.00", "currency": "USD"}}])]
    run = make_run()
    answer_bells()
    assert fresh(Run, run.id).state is RunState.COMPLETED
    found = market(run)
    assert found.competitive_price.value == "12.50", "11.50 and 4.00 shipping is more"
    assert found.marketplace_link == "https://www.ebay.com/itm/2"
    assert {one.match for one in found.offers} == {100}, "found by the number, though asked by words afterwards"
    many = len(server.asked)
    make_run()
    answer_bells()
    assert len(server.asked) == many == 2


def test_a_used_up_day_lets_products_wait_and_burns_no_attempt(asked_by_phase_two, make_run):  # noqa: F811
    asked_by_phase_two.limit_per_day = 0
    run = make_run()
    answer_bells()
    assert (work(run).waits_for, work(run).failures) == ("ebay", 0)


def test_sources_are_read_in_order_from_the_environment(app, server):
    from webapp.providers import sources

    made = replace_environment(app, {"LOTLINE_EBAY_ID": ID, "LOTLINE_EBAY_SECRET": SECRET})
    assert [source.circuit.name for source in made] == ["ebay"]
    assert sources.SOURCES[0] == "webapp.providers.ebay"


def replace_environment(app, environ):
    from webapp.providers import sources

    before = dict(app.extensions)
    try:
        sources.init_app(app, environ)
        with app.app_context():
            return sources.configured()
    finally:
        app.extensions.update(before)
