"""What reviewers say of offers: kept, undone, heeded by the next market research, and learned from."""

import re
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from sqlalchemy import delete, select, text

from tests import factories, servers
from tests.pipeline.conftest import answer_bells, fresh
from tests.pipeline.engines import unsure
from tests.pipeline.test_market_panel import pen
from tests.waiting import wait_until
from webapp.catalog.models import Product
from webapp.database import reading, tenant, transaction
from webapp.live.frames import Span
from webapp.pipeline import cards, corrections, findings, live, matcher_material, matchers, verdicts
from webapp.pipeline.models import AuditState, OfferVerdict, PhaseName, Run, RunState
from webapp.pipeline.tasks import ENGINES
from webapp.providers import imports
from webapp.providers.models import Offer
from webapp.work.models import Stream


@pytest.fixture
def priced(app, client, make_run):
    """A run of a pen that is done, priced from three offers: of 20, 21 and 22."""
    app.config["PHASE_ENGINES"][PhaseName.ANALYSIS] = "tests.providers.test_market_asks.a_pen"
    app.config["PHASE_ENGINES"][PhaseName.MARKET] = ENGINES[PhaseName.MARKET]
    with tenant(client.id), transaction() as session:
        imports.upsert(session, client.id, [pen(n, str(20 + n)) for n in range(3)])
    run = make_run()
    answer_bells()
    return run


@pytest.fixture
def member(client, sign_in):
    """`member(role)`: a browser of somebody called Ada."""

    def enter(role="reviewer", at=None):
        at = at or client
        return sign_in(factories.make_member(at, role, name="Ada Byron"), at)

    return enter


def offer_of(price):
    with transaction() as session:
        return session.execute(select(Offer.id).where(Offer.price == price)).scalar_one()


def press(browser, run, offer_id, says, seen="", **more):
    return browser.submit(f"/runs/{run.id}/offers/{offer_id}?seen={seen}", {"says": says}, **more)


def said(run):
    with transaction() as session:
        rows = session.execute(
            select(OfferVerdict.offer_id, OfferVerdict.is_same).where(OfferVerdict.product_id == run.product_id)
        )
        return {row.offer_id: row.is_same for row in rows}


def newest(run):
    with transaction() as session:
        return cards.cards_of_product(session, run.product_id)[0]


def market(run_id):
    with transaction() as session:
        return findings.read_all(session, run_id)[1][PhaseName.MARKET]


def row_of(page, offer_id):
    """What the page says in the last cell of the offer's row, as words."""
    [cell] = [each for each in re.findall(r"<td data-label=\"Used\?\">.*?</td>", page, re.S) if str(offer_id) in each]
    return " ".join(re.sub(r"<[^>]+>", " ", cell).split())


def test_a_wrong_offer_is_marked_then_left_out_and_can_be_taken_back(priced, member):
    browser, wrong = member(), offer_of(20)
    assert row_of(browser.get(f"/products/{priced.product_id}").text, wrong).endswith("Same barcode Another product")
    answer = press(browser, priced, wrong, "another")
    assert answer.status_code == 303
    page = browser.get(answer.location).text
    assert "Another product, says Ada Byron (not counted yet) Undo" in row_of(page, wrong)
    assert "What was said of 1 offer is not counted yet" in page
    assert browser.submit(f"/products/{priced.product_id}/market").status_code == 303
    answer_bells()
    second = newest(priced)
    assert (second.number, second.state) == (2, "completed")
    assert {str(one.price): one.used for one in market(second.id).offers} == {
        "21.00": True,
        "22.00": True,
        "20.00": False,
    }
    page = browser.get(f"/products/{priced.product_id}").text
    assert re.search(r"Left out by Ada Byron on \d+ \w+ \d{4} Undo$", row_of(page, wrong))
    assert "not counted yet" not in page
    assert press(browser, second, wrong, "", "another").status_code == 303
    assert said(priced) == {}
    page = browser.get(f"/products/{priced.product_id}").text
    assert row_of(page, wrong).endswith(
        "What was said of it is taken back (not counted yet) Another product Same product"
    )
    browser.submit(f"/products/{priced.product_id}/market")
    answer_bells()
    assert market(newest(priced).id).offers_used == 3


def test_an_offer_that_was_left_out_is_taken_in(priced, client, member):
    with tenant(client.id), transaction() as session:
        other = pen(7, "23", title="Stabilo point 88 pens, pack of 10", gtin14=None)
        imports.upsert(session, client.id, [other])
    browser, left_out = member(), offer_of(23)
    browser.submit(f"/products/{priced.product_id}/runs")
    answer_bells()
    page = browser.get(f"/products/{priced.product_id}").text
    assert row_of(page, left_out).endswith("Same product")
    run = newest(priced)
    press(browser, run, left_out, "same")
    browser.submit(f"/products/{priced.product_id}/market")
    answer_bells()
    page = browser.get(f"/products/{priced.product_id}").text
    assert "Used Taken in by Ada Byron on" in row_of(page, left_out)


def test_a_press_by_htmx_brings_the_panel_and_is_a_line_of_the_log(priced, member):
    wrong = offer_of(20)
    answer = press(member(), priced, wrong, "another", headers={"HX-Request": "true"})
    assert answer.text.lstrip().startswith("<section")
    assert answer.text.count("<section") == 1
    assert f'id="market-{priced.id}"' in answer.text
    assert "not counted yet" in row_of(answer.text, wrong)
    with transaction() as session:
        events = session.execute(text("SELECT message, data ->> 'phase' FROM events WHERE kind = 'offer.judged'")).one()
    assert tuple(events) == ("Ada Byron said that it is another product: Stabilo point 88 pen", "market")


def test_whoever_looks_at_the_page_sees_it_at_once(app, priced, member):
    seq = fresh(Stream, priced.stream_id).seq
    press(member(), priced, offer_of(20), "another")
    span = Span(priced.stream_id, seq, seq + 1)
    with app.test_request_context():
        frames = live.frames(span, live.read([span])[priced.stream_id], live.run_topic(priced.id).__eq__)
    [panel] = [frame.html for frame in frames if frame.key == "market"]
    assert "not counted yet" in row_of(panel, offer_of(20))


def test_an_earlier_run_shows_no_buttons(priced, member):
    browser = member()
    assert 'name="says"' in browser.get(f"/products/{priced.product_id}?run=1").text
    browser.submit(f"/products/{priced.product_id}/runs")
    answer_bells()
    assert 'name="says"' not in browser.get(f"/products/{priced.product_id}?run=1").text


def test_it_is_written_down(priced, client, member):
    press(member(), priced, offer_of(20), "another")
    member().submit(f"/products/{priced.product_id}/market")
    with tenant(client.id), transaction() as session:
        rows = session.execute(
            text(
                "SELECT action, old, new, details, user_id FROM audit"
                " WHERE action IN ('offer_judged', 'market_researched_again') ORDER BY id"
            )
        ).all()
    assert [row.action for row in rows] == ["offer_judged", "market_researched_again"]
    assert (rows[0].old, rows[0].new) == ({"is_same": None}, {"is_same": False})
    assert rows[0].details["offer"] == "Stabilo point 88 pen"
    assert rows[0].user_id is not None


def test_staff_may_not(priced, member):
    browser = member("staff")
    assert press(browser, priced, offer_of(20), "another").status_code == 403
    assert browser.submit(f"/products/{priced.product_id}/market").status_code == 403
    assert said(priced) == {}
    assert newest(priced).number == 1


def test_without_the_forms_token_nothing_happens(priced, member):
    browser = member()
    answer = browser.post(f"/runs/{priced.id}/offers/{offer_of(20)}?seen=", data={"says": "another"})
    assert answer.status_code == 400
    assert browser.post(f"/products/{priced.product_id}/market").status_code == 400
    assert said(priced) == {}


def test_what_is_another_clients_is_not_there(priced, member, client):
    other = factories.make_client()
    with tenant(other.id), transaction() as session:
        imports.upsert(session, other.id, [pen(1, "99")])
        theirs = session.execute(select(Offer.id)).scalar_one()
    stranger = member(at=other)
    assert press(stranger, priced, theirs, "another").status_code == 404
    assert stranger.submit(f"/products/{priced.product_id}/market").status_code == 404
    assert press(member(), priced, theirs, "another").status_code == 404
    assert said(priced) == {}


@pytest.mark.parametrize("says", ["nonsense", "SAME", "\0", "same" * 1000])
def test_nonsense_is_refused_in_words(priced, member, says):
    browser, offer_id = member(), offer_of(20)
    for answer in (press(browser, priced, offer_id, says), press(browser, priced, offer_id, "same", seen="x")):
        assert answer.status_code in (400, 422)
    assert browser.submit(f"/runs/{priced.id}/offers/{offer_id}").status_code == 422
    assert said(priced) == {}


def test_what_is_not_there_is_not_found(priced, member):
    browser = member()
    assert press(browser, priced, uuid4(), "another").status_code == 404
    assert browser.submit(f"/runs/{uuid4()}/offers/{offer_of(20)}?seen=", {"says": "same"}).status_code == 404
    assert browser.submit(f"/runs/{priced.id}/offers/x?seen=", {"says": "same"}).status_code == 404
    assert browser.submit(f"/products/{uuid4()}/market").status_code == 404


def test_who_was_slower_is_told_and_the_same_press_twice_is_none(priced, member):
    first, second, offer_id = member(), member("admin"), offer_of(20)
    assert press(first, priced, offer_id, "another").status_code == 303
    assert press(second, priced, offer_id, "another").status_code == 303
    late = press(second, priced, offer_id, "same")
    assert late.status_code == 409
    assert "Somebody else has spoken of this offer" in late.text
    assert press(second, priced, offer_id, "same", seen="another").status_code == 303
    assert said(priced) == {offer_id: True}


def test_a_removed_product_says_so(priced, member):
    browser, offer_id = member(), offer_of(20)
    browser.submit(f"/products/{priced.product_id}/removal")
    for answer in (
        press(browser, priced, offer_id, "another"),
        browser.submit(f"/products/{priced.product_id}/market"),
    ):
        assert answer.status_code == 409
        assert "has been removed" in answer.text


def test_so_much_is_said_of_one_product_and_no_more(priced, member, monkeypatch):
    monkeypatch.setattr(verdicts, "MOST", 2)
    browser = member()
    assert [press(browser, priced, offer_of(20 + n), "another").status_code for n in range(3)] == [303, 303, 409]
    assert press(browser, priced, offer_of(20), "same", seen="another").status_code == 303
    assert press(browser, priced, offer_of(20), "", seen="same").status_code == 303
    assert press(browser, priced, offer_of(22), "another").status_code == 303


def test_pressing_again_does_not_pile_up_runs(priced, member):
    browser = member()
    for _ in range(3):
        assert browser.submit(f"/products/{priced.product_id}/market").status_code == 303
    run = newest(priced)
    assert (run.number, run.state) == (2, "running")


def test_a_research_under_way_gives_way_to_the_one_that_knows_more(priced, member):
    browser = member()
    browser.submit(f"/products/{priced.product_id}/market")
    answer_bells(most=2)  # analysis and market are done
    second = newest(priced)
    assert [phase.state for phase in second.phases][:2] == ["done", "done"]
    press(browser, second, offer_of(20), "another")
    browser.submit(f"/products/{priced.product_id}/market")
    answer_bells()
    assert fresh(Run, second.id).state is RunState.STOPPED
    assert market(newest(priced).id).offers_used == 2


def test_a_product_that_waits_for_a_person_is_not_started_behind_their_back(app, priced, member):
    app.config["PHASE_ENGINES"][PhaseName.ANALYSIS] = f"tests.pipeline.engines.{unsure.__name__}"
    browser = member()
    browser.submit(f"/products/{priced.product_id}/runs")
    answer_bells()
    late = browser.submit(f"/products/{priced.product_id}/market")
    assert late.status_code == 409
    assert "waits for a person" in late.text
    assert newest(priced).number == 2


def test_what_a_person_settled_is_not_asked_again(app, priced, member):
    """Phase 1 would be unsure now, but nobody is asked a second time."""
    with transaction() as session:
        session.get_one(Product, priced.product_id).fixed_fields = ["brand", "gtin14", "name"]
    app.config["PHASE_ENGINES"][PhaseName.ANALYSIS] = f"tests.pipeline.engines.{unsure.__name__}"
    member().submit(f"/products/{priced.product_id}/market")
    answer_bells()
    run = newest(priced)
    assert (run.number, run.state) == (2, "completed")
    assert market(run.id).offers_used == 3


def test_the_word_of_who_has_left_stays(priced, member):
    browser, wrong = member(), offer_of(20)
    press(browser, priced, wrong, "another")
    with transaction() as session:
        session.execute(text("UPDATE offer_verdicts SET said_by = NULL"))
    page = browser.get(f"/products/{priced.product_id}").text
    assert "Another product, says a person" in row_of(page, wrong)
    browser.submit(f"/products/{priced.product_id}/market")
    answer_bells()
    assert "Left out by a person on" in row_of(browser.get(f"/products/{priced.product_id}").text, wrong)


def test_an_offer_that_is_gone_takes_what_was_said_with_it(priced, member):
    press(member(), priced, offer_of(20), "another")
    with transaction() as session:
        session.execute(delete(Offer).where(Offer.price == 20))
    assert said(priced) == {}


def test_the_number_of_queries_does_not_grow_with_what_was_said(priced, client, member, count_queries):
    browser = member()
    address = f"/products/{priced.product_id}"

    def cost():
        browser.get(address)
        with count_queries() as page:
            browser.get(address)
        browser.submit(f"{address}/market")
        with count_queries() as work:
            answer_bells()
        return len(page), len(work)

    press(browser, priced, offer_of(20), "another")
    few = cost()
    with tenant(client.id), transaction() as session:
        imports.upsert(session, client.id, [pen(n, str(20 + n)) for n in range(3, 30)])
    for n in range(3, 30):
        press(browser, newest(priced), offer_of(20 + n), "another" if n % 2 else "same")
    assert cost() == few


def test_a_matcher_learns_what_people_said_also_of_offers_without_a_barcode(priced, client, member):
    with tenant(client.id), transaction() as session:
        imports.upsert(session, client.id, [pen(9, "29", gtin14=None, title="Point 88 fineliner")])
    browser = member()
    press(browser, priced, offer_of(29), "same")
    press(browser, priced, offer_of(20), "another")
    with reading() as session:
        lefts, rights, pairs = matchers.settled_pairs(session)
    assert [left.title for left in lefts] == ["Stabilo point 88 pen"]
    assert {(right.title, right.price) for right in rights} == {
        ("Point 88 fineliner", 29.0),
        ("Stabilo point 88 pen", 20.0),
    }
    assert {pair.right: pair.same for pair in pairs} == {str(offer_of(29)): True, str(offer_of(20)): False}


def test_a_persons_word_is_learned_rather_than_the_barcodes(priced, member):
    with transaction() as session:
        session.get_one(Product, priced.product_id).fixed_fields = ["brand", "gtin14", "name"]
    press(member(), priced, offer_of(20), "another")
    with reading() as session:
        _, _, pairs = matchers.settled_pairs(session)
    assert len(pairs) == len({pair[:2] for pair in pairs}) == 3
    assert {pair.right: pair.same for pair in pairs}[str(offer_of(20))] is False
    assert sum(bool(pair.same) for pair in pairs) == 2


PENCIL = {"name": "Faber-Castell Grip 2001 pencil", "brand": "Faber-Castell", "gtin": "4005401170013"}


def correct(browser, run, **values):
    mark = corrections.mark_of(fresh(Product, run.product_id))
    assert browser.submit(f"/reviews/{run.id}/correction", {**values, "seen": mark}).status_code == 303
    answer_bells()


def test_what_was_said_of_another_product_teaches_no_name(priced, member):
    browser, same = member(), offer_of(20)
    press(browser, priced, same, "same")
    press(browser, priced, offer_of(21), "another")
    correct(browser, priced, **PENCIL)
    with reading() as session:
        assert matchers.settled_pairs(session).pairs == []
        assert matcher_material.material(session)[2:] == (0, 0)
    page = browser.get(f"/products/{priced.product_id}").text
    assert "What was said of 2 offers was said when the product was called otherwise" in page
    assert "(when the product was called otherwise) Undo Same product" in row_of(page, same)
    assert press(browser, newest(priced), same, "same", seen="same").status_code == 303
    page = browser.get(f"/products/{priced.product_id}").text
    assert "otherwise" not in row_of(page, same)
    with reading() as session:
        assert [(left.title, pair.same) for left, pair in learned_pairs(session)] == [(PENCIL["name"], True)]


def learned_pairs(session):
    lefts, _, pairs = matchers.settled_pairs(session)
    names = {left.id: left for left in lefts}
    return [(names[pair.left], pair) for pair in pairs]


def test_a_name_made_longer_is_learned_as_it_is_now(priced, member):
    browser = member()
    press(browser, priced, offer_of(20), "same")
    product = fresh(Product, priced.product_id)
    correct(browser, priced, name=f"{product.name}, black", brand=product.brand)
    with reading() as session:
        assert ("Stabilo point 88 pen, black", True) in [
            (left.title, pair.same) for left, pair in learned_pairs(session)
        ]


def test_an_audit_that_is_taken_back_makes_it_another_product_again(priced, member):
    with transaction() as session:
        run = session.get_one(Run, priced.id)
        run.audit, run.audit_percent = AuditState.OPEN, 100
    browser = member()
    browser.submit(f"/reviews/{priced.id}/decision", PENCIL)
    answer_bells()
    press(browser, newest(priced), offer_of(20), "same")
    browser.submit(f"/reviews/{priced.id}/decision/return", {})
    assert fresh(Product, priced.product_id).name == "Stabilo point 88 pen"
    with reading() as session:
        assert matchers.settled_pairs(session).pairs == []


def test_an_offer_that_goes_as_it_is_spoken_of_is_not_found(app, priced, member, owner):
    browser, offer_id = member(), offer_of(20)
    with servers.as_owner(app.extensions["lotline_config"].database_url) as other, ThreadPoolExecutor(1) as pool:
        with other.transaction():
            other.execute("DELETE FROM offers WHERE id = %s", [offer_id])
            answer = pool.submit(press, browser, priced, offer_id, "another")
            waiting = "SELECT 1 FROM pg_locks WHERE NOT granted"
            wait_until(lambda: owner.execute(waiting).fetchone())
        assert answer.result(20).status_code == 404


def test_of_two_who_ask_for_the_market_at_once_neither_is_refused(app, priced, member, owner):
    browsers = [member(), member("admin")]
    with servers.as_owner(app.extensions["lotline_config"].database_url) as other, ThreadPoolExecutor(2) as pool:
        with other.transaction():
            other.execute("SELECT 1 FROM work FOR UPDATE")  # both are held up where they lock the run
            where = f"/products/{priced.product_id}/market"
            answers = [pool.submit(browser.submit, where) for browser in browsers]
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            wait_until(lambda: owner.execute(waiting).fetchone()[0] >= 2)
        assert [answer.result(20).status_code for answer in answers] == [303, 303]
    assert newest(priced).number == 2
