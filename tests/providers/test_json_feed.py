"""The JSON feed against a real server: what it reads, and how each kind of trouble is sorted."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime

import pytest

from tests.providers import feed_server
from tests.providers.feed_server import KEY, offer
from webapp import endpoint
from webapp.errors import ConfigError, PermanentError, ProviderDown
from webapp.phases.facts import Condition
from webapp.providers import json_feed
from webapp.providers.interface import Question

PEN = Question(gtin14="04006381333931")


@pytest.fixture
def server():
    with feed_server.running() as server:
        yield server


@pytest.fixture
def source(server):
    return patient(json_feed.configured({"LOTLINE_FEED_URL": server.url, "LOTLINE_FEED_KEY": KEY}))


def patient(source, **limits):
    return replace(source, endpoint=replace(source.endpoint, **limits))


def test_offers_are_read_by_the_rules_of_an_offers_file(server, source):
    server.offers = [offer(1, price=12.5, condition="pre-owned", kind="offer")]
    (found,) = source.search(PEN).offers
    assert (found.id, found.price, found.currency) == ("offer1", Decimal("12.50"), "USD")
    assert (found.condition, found.gtin14) == (Condition.USED, "04006381333931")
    assert (found.link, found.source) == ("https://shop.example/1", "The offers feed")
    assert found.seen_at == datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert server.asked == [{"gtin": "04006381333931", "limit": "100"}]


def test_words_are_asked_for_as_they_are(server, source):
    source.search(Question(words="Pen & ink 50%"))
    assert server.asked[0]["q"] == "Pen & ink 50%"


def test_a_bad_offer_spoils_no_other(server, source):
    server.offers = [
        offer(1),
        offer(2, price="a lot"),
        offer(3, title=""),
        offer(4, currency=None),
        offer(5, title=["a", "list"]),
        offer(6, seen_at="2999-01-01"),
        offer(7, price="-3"),
        offer(8, url="javascript:alert(1)"),
    ]
    answer = source.search(PEN)
    assert [found.id for found in answer.offers] == ["offer1", "offer8"]
    assert answer.offers[1].link is None
    assert answer.unreadable == 6


def test_pages_are_followed_up_to_a_limit(server, source):
    server.page = 2
    server.offers = [offer(number) for number in range(5)]
    answer = source.search(PEN)
    assert len(answer.offers) == 5
    assert answer.complete
    assert [asked.get("cursor") for asked in server.asked] == [None, "2", "4"]
    server.offers = [offer(number) for number in range(100)]
    answer = source.search(PEN)
    assert len(answer.offers) == 2 * json_feed.MAX_PAGES
    assert not answer.complete


def test_a_cursor_that_never_ends_ends(server, source):
    server.always = b'{"offers": [], "next": "again"}'
    assert source.search(PEN).offers == ()
    assert len(server.asked) == json_feed.MAX_PAGES


def test_an_entry_that_no_reader_takes_spoils_no_other(server, source):
    good = json.dumps(offer(1)).encode()
    numbers = b'{"id": "x", "price": 1e400}, {"id": "y", "price": ' + b"9" * 5000 + b'}, 7, {"id": "\xff"}'
    server.orders = [b'{"offers": [' + numbers + b", " + good + b"]}"]
    answer = source.search(PEN)
    assert ([found.id for found in answer.offers], answer.unreadable) == (["offer1"], 4)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408])
def test_errors_of_its_own_mean_that_it_is_down(server, source, status):
    server.orders = [status]
    with pytest.raises(ProviderDown) as caught:
        source.search(PEN)
    assert caught.value.after_seconds is None


def test_it_is_left_alone_for_as_long_as_it_asks(server, source):
    server.orders = [(429, {"Retry-After": "77"}), (503, {"Retry-After": "99999999"}), 429]
    for seconds in (77, endpoint.LONGEST_RETRY_SECONDS, endpoint.BUSY_SECONDS):
        with pytest.raises(ProviderDown) as caught:
            source.search(PEN)
        assert caught.value.after_seconds == seconds


def test_retry_after_may_be_a_date():
    moment = datetime.now(UTC) + timedelta(seconds=120)
    assert endpoint.retry_after_seconds(format_datetime(moment, usegmt=True)) == pytest.approx(120, abs=2)
    assert endpoint.retry_after_seconds("Fri, 20 Nov 2020 12:00:00 GMT") == 1
    assert endpoint.retry_after_seconds("soon") is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("9" * 400, 3600),
        ("0", 1),
        ("Fri, 20 Nov 99999999999999999999 12:00:00 GMT", None),
        ("Fri, 20 Nov 2020 12:00:00 +9999999999999", None),
        ("-5", None),
        ("１２", None),
    ],
)
def test_retry_after_may_say_anything(header, seconds):
    assert endpoint.retry_after_seconds(header) == seconds


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("64:ff9b::5db8:d822", True),
        ("127.0.0.1", False),
        ("::1", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::a00:1", False),
        ("2002:7f00:1::", False),
        ("::127.0.0.1", False),
        ("::ffff:93.184.216.34", True),
        ("2002:5db8:d822::1", True),
        ("224.0.0.251", False),
        ("239.255.255.250", False),
        ("::ffff:224.0.0.1", False),
        ("64:ff9b::e000:1", False),
        ("ff0e::1", False),
        ("fec0::1", False),
        ("64:ff9b:1::1", False),
        ("5f00::1", False),
        ("3fff::1", False),
        ("192.0.0.8", False),
    ],
)
def test_an_address_that_carries_a_private_one_is_private(address, public):
    assert endpoint.is_public(address) is public


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (401, "key_refused"),
        (403, "key_refused"),
        (404, "not_there"),
        (302, "redirects"),
        (422, "http_422"),
        (402, "payment_required"),
    ],
)
def test_a_refusal_is_final(server, source, status, cause):
    server.orders = [(status, {"Location": "http://127.0.0.1:1/"})]
    with pytest.raises(PermanentError) as caught:
        source.search(PEN)
    assert caught.value.cause == f"feed.{cause}"
    assert len(server.asked) == 1


def test_a_wrong_key_is_said_in_plain_words_and_never_shown(server):
    source = json_feed.configured({"LOTLINE_FEED_URL": server.url, "LOTLINE_FEED_KEY": "wrong"})
    with pytest.raises(PermanentError) as caught:
        source.search(PEN)
    assert str(caught.value) == "The offers feed refused our key"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b'{"offers": 3}',
        b'{"offers": [1]}',
        b'{"offers"',
        b"[" * 100_000,
        b'{"offers": [{"a": "\xff"}]}',
    ],
)
def test_rubbish_is_no_answer(server, source, body):
    server.orders = [body or b" "]
    with pytest.raises(ProviderDown) as caught:
        source.search(PEN)
    assert caught.value.cause == "feed.unreadable"


def test_a_body_without_end_is_cut(server, source):
    server.orders = ["huge"]
    with pytest.raises(PermanentError) as caught:
        source.search(PEN)
    assert caught.value.cause == "feed.too_large"


@pytest.mark.parametrize(
    ("order", "limits"),
    [
        ("hang", {"read_seconds": 0.3}),
        ("drip", {"total_seconds": 0.5}),
        ("drop", {"read_seconds": 0.5}),
        ("babble", {}),
    ],
)
def test_a_peer_that_stalls_or_speaks_no_http_is_given_up(server, source, order, limits):
    server.orders = [order]
    with pytest.raises(ProviderDown):
        patient(source, **limits).search(PEN)


def test_nobody_there_means_down_and_surely_not_asked(server, source):
    gone = patient(source, url="http://127.0.0.1:9/offers")
    with pytest.raises(ProviderDown) as caught:
        gone.search(PEN)
    assert caught.value.not_done


def test_a_public_name_that_leads_into_this_machine_is_refused(server, source, monkeypatch):
    named = server.url.replace("127.0.0.1", "feed.example.com")
    real = endpoint.socket.getaddrinfo

    def lies(host, *rest, **more):
        return real("127.0.0.1" if host == "feed.example.com" else host, *rest, **more)

    monkeypatch.setattr(endpoint.socket, "getaddrinfo", lies)
    with pytest.raises(PermanentError) as caught:
        patient(source, url=named).search(PEN)
    assert caught.value.cause == "feed.private_address"
    assert server.asked == []
    assert patient(source, url=named, private=True).search(PEN).offers == ()


@pytest.mark.parametrize(
    ("environ", "word"),
    [
        ({"LOTLINE_FEED_URL": "ftp://example.com"}, "LOTLINE_FEED_URL"),
        ({"LOTLINE_FEED_URL": "https://me:secret@example.com"}, "LOTLINE_FEED_URL"),
        ({"LOTLINE_FEED_URL": "http://example.com", "LOTLINE_FEED_KEY": "k"}, "https"),
        ({"LOTLINE_FEED_URL": "https://example.com", "LOTLINE_FEED_KEY": "a\nb"}, "LOTLINE_FEED_KEY"),
        ({"LOTLINE_FEED_URL": "https://example.com", "LOTLINE_FEED_HOURS": "many"}, "LOTLINE_FEED_HOURS"),
    ],
)
def test_a_wrong_key_in_the_environment_is_named(environ, word):
    with pytest.raises(ConfigError, match=word):
        json_feed.configured(environ)


def test_without_an_address_there_is_no_feed():
    assert json_feed.configured({}) is None
