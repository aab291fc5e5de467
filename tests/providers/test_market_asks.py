"""Phase 2 asks the sources: through the memo, the circuit and the time-to-live, and waits for what is away."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text

from tests.factories import make_client
from tests.pipeline.conftest import answer_bells, client, fresh, make_run  # noqa: F401 - fixtures
from tests.providers import feed_server
from tests.providers.feed_server import KEY, offer
from webapp.database import tenant, transaction
from webapp.phases import facts
from webapp.pipeline import findings, services
from webapp.pipeline.models import PhaseName, Run, RunState
from webapp.pipeline.tasks import ENGINES
from webapp.providers import asking, imports, json_feed
from webapp.work.dispatcher import Dispatcher

PEN = facts.Field(value="04006381333931", confidence=100)
NOTHING = facts.Field()
PATIENCE_IS_OVER = (
    "UPDATE work SET waits_since = waits_since - interval '31 minutes', run_at = now() WHERE waits_for IS NOT NULL"
)


def a_pen(photos, hints, reference, report, **_more):
    """An analysis that is sure of a pen."""
    name = facts.Field(value=hints.name or "Stabilo point 88 pen", confidence=100)
    brand = facts.Field(value="Stabilo", confidence=100)
    gtin = PEN if not hints.model else NOTHING
    new = facts.Field(value="new", confidence=100)
    return facts.Analysis(name=name, model=NOTHING, brand=brand, condition=new, gtin=gtin, confidence=100)


@pytest.fixture
def server(app, client, monkeypatch):  # noqa: F811
    """A feed that the app is configured with, and the real phase 2."""
    app.config["PHASE_ENGINES"][PhaseName.ANALYSIS] = f"{__name__}.a_pen"
    app.config["PHASE_ENGINES"][PhaseName.MARKET] = ENGINES[PhaseName.MARKET]
    with feed_server.running() as server:
        source = json_feed.configured(
            {"LOTLINE_FEED_URL": server.url, "LOTLINE_FEED_KEY": KEY, "LOTLINE_FEED_NAME": "eBay"}
        )
        circuit = replace(source.circuit, threshold=2)
        monkeypatch.setitem(app.extensions, "lotline_sources", (replace(source, circuit=circuit),))
        yield server


def market(run):
    with transaction() as session:
        _, found = findings.read_all(session, run.id)
        return found[PhaseName.MARKET]


def work(run):
    with transaction() as session:
        return session.execute(
            text("SELECT w.* FROM work w JOIN phases p ON p.work_id = w.id WHERE p.run_id = :run AND p.number = 2"),
            {"run": run.id},
        ).one()


def due():
    """The next try of everything is now."""
    with transaction() as session:
        session.execute(text("UPDATE work SET run_at = now() WHERE state = 'waiting' AND waits_for IS NULL"))
        session.execute(text("UPDATE circuits SET next_probe_at = now() WHERE state = 'open'"))


def go_on(app):
    dispatcher = Dispatcher(app)
    dispatcher._let_through()
    dispatcher.round()
    answer_bells()


def until_open(app, make_run):  # noqa: F811
    """A run that waits behind eBay's circuit."""
    run = make_run()
    answer_bells()
    for _ in range(5):
        if work(run).waits_for:
            return run
        due()
        go_on(app)
    raise AssertionError("the circuit did not open")


def test_offers_of_the_feed_count_with_source_and_date(server, make_run):  # noqa: F811
    server.offers = [offer(number) for number in range(4)]
    run = make_run()
    answer_bells()
    assert fresh(Run, run.id).state is RunState.COMPLETED
    found = market(run)
    assert found.offers_used == 4
    assert {one.source for one in found.offers} == {"eBay"}
    assert found.offers[0].seen_at.year == 2026
    assert found.not_asked == ()
    assert [sorted(asked) for asked in server.asked] == [["gtin", "limit"], ["limit", "q"]]


def test_the_same_question_is_asked_once_within_its_time(server, make_run):  # noqa: F811
    server.offers = [offer(1)]
    make_run()
    answer_bells()
    many = len(server.asked)
    second = make_run()
    answer_bells()
    assert market(second).offers_used == 1
    assert len(server.asked) == many
    with transaction() as session:
        session.execute(text("UPDATE lookups SET asked_at = asked_at - interval '25 hours'"))
    make_run()
    answer_bells()
    assert len(server.asked) == 2 * many


def test_offers_that_a_source_has_not_shown_for_long_are_forgotten_and_those_of_files_stay(server, make_run, client):  # noqa: F811
    old, recent = (datetime.now(UTC) - timedelta(days=days) for days in (asking.KEPT_DAYS + 1, asking.KEPT_DAYS - 9))
    known = [
        facts.Offer(id=name, source=source, title=name, price=Decimal(9), currency="USD", seen_at=seen_at, kind=kind)
        for name, source, seen_at, kind in (
            ("gone", "eBay", old, "offer"),
            ("recent", "eBay", recent, "offer"),
            ("of a file", "Fair", old, "offer"),
            ("sold", "eBay", old, "sale"),
        )
    ]
    with transaction() as session:
        imports.upsert(session, client.id, known)
    server.offers = [offer(1)]
    make_run()
    answer_bells()
    with transaction() as session:
        titles = session.execute(text("SELECT title FROM offers ORDER BY title")).scalars().all()
    assert titles == ["Stabilo point 88 pen 1", "of a file", "recent", "sold"]


def test_questions_that_were_asked_long_ago_are_forgotten(server, make_run, client):  # noqa: F811
    with transaction() as session:
        for question, days in (("old", asking.KEPT_DAYS + 1), ("recent", asking.KEPT_DAYS - 1)):
            session.execute(
                text(
                    "INSERT INTO lookups (client_id, source, question, found, asked_at)"
                    " VALUES (:client, 'feed', :question, 0, now() - make_interval(days => :days))"
                ),
                {"client": client.id, "question": question, "days": days},
            )
    server.offers = [offer(1)]
    make_run()
    answer_bells()
    with transaction() as session:
        asked = session.execute(text("SELECT question FROM lookups")).scalars().all()
    assert "recent" in asked
    assert "old" not in asked
    assert len(asked) > 1


def test_another_client_asks_for_itself(app, server, make_run):  # noqa: F811
    server.offers = [offer(1)]
    make_run()
    answer_bells()
    many = len(server.asked)
    with tenant(make_client().id), transaction() as session:
        assert session.execute(text("SELECT count(*) FROM offers")).scalar_one() == 0
        assert session.execute(text("SELECT count(*) FROM lookups")).scalar_one() == 0
    assert many == 2


def test_a_phase_that_is_done_again_does_not_ask_again(app, server, make_run):  # noqa: F811
    server.offers = [offer(1)]
    app.config["PHASE_ENGINES"][PhaseName.MARKET] = f"{__name__}.asks_and_dies"
    run = make_run()
    answer_bells()
    many = len(server.asked)
    with transaction() as session:
        session.execute(text("DELETE FROM lookups"))
    app.config["PHASE_ENGINES"][PhaseName.MARKET] = ENGINES[PhaseName.MARKET]
    due()
    go_on(app)
    assert fresh(Run, run.id).state is RunState.COMPLETED
    assert many == 1
    assert [asked for asked in server.asked if "gtin" in asked] == server.asked[:1]


def asks_and_dies(identity, offers, report, now, **more):
    """A market phase that ends badly after its first question."""
    offers.by_gtin(identity.gtin14)
    raise RuntimeError("the power went off")


def test_an_outage_lets_products_wait_and_burns_nothing(app, server, make_run):  # noqa: F811
    server.always = 503
    run = until_open(app, make_run)
    asked = len(server.asked)
    others = [make_run() for _ in range(10)]
    for _ in range(10):
        go_on(app)
    assert len(server.asked) == asked
    for waiting in (run, *others):
        assert (work(waiting).state, work(waiting).failures, work(waiting).waits_for) == ("waiting", 0, "feed")
    for _ in range(6):
        due()
        go_on(app)
    assert len(server.asked) == asked + 6, "one probe at a time"
    assert {work(waiting).failures for waiting in (run, *others)} == {0}
    server.always = None
    server.offers = [offer(1)]
    due()
    for _ in range(10):
        go_on(app)
    assert {fresh(Run, waiting.id).state for waiting in (run, *others)} == {RunState.COMPLETED}


def test_one_bad_product_is_set_aside_and_the_others_go_on(app, server, make_run, monkeypatch):  # noqa: F811
    source = app.extensions["lotline_sources"][0]
    monkeypatch.setitem(app.extensions, "lotline_sources", (Picky(source),))
    bad = make_run(name="Cursed pen", model="x")
    good = [make_run(name=f"Good pen {number}", model="x") for number in range(4)]
    for _ in range(8):
        answer_bells()
        due()
        go_on(app)
    assert fresh(Run, bad.id).state is RunState.FAILED
    assert {fresh(Run, run.id).state for run in good} == {RunState.COMPLETED}


class Picky:
    """A source that chokes on one product, while it answers for all others."""

    def __init__(self, source):
        self.circuit, self.hours, self._source = replace(source.circuit, threshold=3), 0, source

    def search(self, question):
        from webapp.errors import ProviderDown

        if "Cursed" in (question.words or ""):
            raise ProviderDown("eBay does not answer: it hangs up", cause="feed.down")
        return self._source.search(question)


def test_when_patience_ends_the_product_goes_on_and_says_so(app, server, make_run, sign_in):  # noqa: F811
    from tests.factories import make_member
    from webapp.access.models import Client

    server.always = 503
    run = until_open(app, make_run)
    with transaction() as session:
        session.execute(text(PATIENCE_IS_OVER))
    asked = len(server.asked)
    go_on(app)
    assert fresh(Run, run.id).state is RunState.COMPLETED
    assert market(run).not_asked == ("eBay",)
    assert len(server.asked) == asked
    with transaction() as session:
        client = session.get_one(Client, run.client_id)
    page = sign_in(make_member(client), client).get(f"/products/{run.product_id}").text
    assert "eBay did not answer for a long time, so it was not asked" in page


def test_retry_after_is_honoured_for_all(app, server, make_run):  # noqa: F811
    server.orders = [(429, {"Retry-After": "500"})]
    run = make_run()
    answer_bells()
    make_run()
    answer_bells()
    assert len(server.asked) == 1
    assert (work(run).waits_for, work(run).failures) == ("feed", 0)
    with transaction() as session:
        wait = session.execute(
            text("SELECT extract(epoch FROM next_probe_at - clock_timestamp()) FROM circuits")
        ).scalar_one()
    assert 400 < wait <= 500


def test_the_product_page_says_what_it_waits_for_and_until_when(app, server, make_run, sign_in):  # noqa: F811
    from tests.factories import make_member
    from webapp.access.models import Client

    server.always = 503
    run = until_open(app, make_run)
    with transaction() as session:
        client = session.get_one(Client, run.client_id)
    browser = sign_in(make_member(client), client)
    page = browser.get(f"/products/{run.product_id}").text
    assert "eBay does not answer; next try at" in page
    assert "eBay does not answer" in browser.get("/").text
    assert "eBay does not answer; next try at" in browser.get("/circuits/feed/next-try").text
    with transaction() as session:
        session.execute(text("UPDATE circuits SET state = 'closed'"))
    assert "eBay is being tried" in browser.get("/circuits/feed/next-try").text
    assert browser.get("/circuits/nobody/next-try").status_code == 404


def test_a_refused_key_fails_for_good_and_all_alike(app, server, make_run):  # noqa: F811
    server.always = 401
    runs = [make_run() for _ in range(3)]
    answer_bells()
    assert {(work(run).state, work(run).cause, work(run).last_error) for run in runs} == {
        ("failed", "feed.key_refused", "eBay refused our key")
    }
    server.always = None
    with transaction() as session:
        services.retry_phase(session, runs[0].id, 2)
    answer_bells()
    assert fresh(Run, runs[0].id).state is RunState.COMPLETED
