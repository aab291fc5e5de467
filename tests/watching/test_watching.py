"""The watching page: who sees what, what it says, what may be done about it; with real rows."""

import pytest
from sqlalchemy import text

from tests.factories import make_client, make_member, make_user
from tests.pipeline.conftest import answer_bells, client, make_run  # noqa: F401 - fixtures
from webapp.access.models import Role
from webapp.database import tenant, transaction
from webapp.work import circuits, registry
from webapp.work.models import Pause


@pytest.fixture
def admin(client, sign_in):  # noqa: F811
    return sign_in(make_member(client, Role.ADMIN), client)


@pytest.fixture
def operator(client, sign_in):  # noqa: F811
    return sign_in(make_member(client, Role.ADMIN, make_user("Olga", is_operator=True)), client)


@pytest.fixture
def alive(app, in_app):
    """A dispatcher and a slot for each lane."""
    with transaction() as session:
        registry.sign_on(session, "dispatcher:here:1", kind="dispatcher", lane=None)
        for lane in ("heavy", "light"):
            registry.sign_on(session, f"slot:here:{lane}", kind="slot", lane=lane, name=f"slot-{lane}-0")


def rows(statement: str, **values):
    with transaction() as session:
        return session.execute(text(statement), values).all()


def pauses_of(owner):
    return owner.execute("SELECT client_id, activity, reason, paused_by_name FROM pauses").fetchall()


def test_all_is_well_is_said_only_when_it_is(admin, alive, make_run):  # noqa: F811
    make_run()
    assert "All is well." in admin.get("/watching").text
    with transaction() as session:
        session.execute(text("DELETE FROM workers WHERE kind = 'dispatcher'"))
    said = admin.get("/watching/now").text
    assert "All is well." not in said
    assert "No dispatcher is alive" in said


def test_work_that_no_slot_serves_is_named_with_what_to_do(admin, alive, make_run):  # noqa: F811
    make_run()
    with transaction() as session:
        session.execute(text("DELETE FROM workers WHERE queue = 'heavy'"))
    said = admin.get("/watching").text
    assert "Work waits in the heavy queue, and no slot serves it." in said
    assert "start one that serves this queue" in said


def test_a_silent_slot_and_work_that_waits_long_are_noticed(admin, alive, make_run):  # noqa: F811
    make_run()
    with transaction() as session:
        session.execute(text("UPDATE workers SET last_seen = now() - interval '1 minute' WHERE queue = 'light'"))
        session.execute(text("UPDATE work SET run_at = now() - interval '7 minutes' WHERE state = 'ready'"))
    said = admin.get("/watching").text
    assert "1 slot does not answer." in said
    assert "Work waits for 7 minutes in the heavy queue." in said


def test_a_service_that_does_not_answer_is_named_with_its_next_try(admin, alive):
    feed = circuits.Circuit("feed", "The offers feed", threshold=1)
    with transaction() as session:
        circuits.failed(session, feed, circuits.Admission(), "it answered 503")
    for address in ("/watching", "/watching/now"):
        assert "The offers feed does not answer." in admin.get(address).text
    page = admin.get("/watching").text
    assert "it answered 503" in page
    assert "next try at" in page


def test_what_is_paused_does_not_count_as_late(client, admin, alive, make_run):  # noqa: F811
    make_run()
    with transaction() as session:
        session.execute(text("UPDATE work SET run_at = now() - interval '7 minutes' WHERE state = 'ready'"))
    assert "Work waits for 7 minutes" in admin.get("/watching").text
    admin.submit("/watching/pauses", {"subject": f"client:{client.id}"})
    said = admin.get("/watching").text
    assert "Work waits for" not in said
    assert "1 thing is paused." in said


def test_what_was_done_in_the_last_hour_is_drawn_and_measured(admin, alive, make_run):  # noqa: F811
    make_run()
    empty = admin.get("/watching").text
    assert 'class="hour-done"' not in empty
    answer_bells()
    full = admin.get("/watching").text
    assert "4 done, 0 failed" in full
    assert 'class="hour-done"' in full
    assert empty.count("–") - full.count("–") == 8  # a wait and a run of each phase


def test_an_admin_sees_no_figure_and_no_name_of_another_client(admin, operator, alive, make_run):  # noqa: F811
    other = make_client("Competitor Ltd")
    with tenant(other.id), transaction() as session:
        session.execute(
            text(
                "WITH s AS (INSERT INTO streams (client_id, kind) VALUES (:client, 'run') RETURNING id)"
                " INSERT INTO work (client_id, stream_id, kind, queue, state, attempts, started_at, lease_token,"
                " lease_until, lease_owner) SELECT :client, id, 'secret_kind', 'heavy', 'running', 1, now(),"
                " gen_random_uuid(), now() + interval '1 minute', 'elsewhere:77' FROM s"
            ),
            {"client": other.id},
        )
        session.add(Pause(client_id=other.id, paused_by_name="Their admin", reason="Their reason"))
    for address in ("/watching", "/watching/now"):
        seen = admin.get(address).text
        assert not [word for word in ("Competitor", "secret_kind", "elsewhere", "Their") if word in seen]
    everything = operator.get("/watching").text
    assert not [word for word in ("Competitor", "secret_kind", "elsewhere", "Their") if word not in everything]
    assert "Their" not in operator.get("/").text  # nobody waits here because of it


def test_the_number_of_queries_does_not_grow(admin, alive, make_run, count_queries):  # noqa: F811
    make_run()
    admin.get("/watching/now")
    with count_queries() as few:
        assert admin.get("/watching/now").status_code == 200
    for number in range(6):
        make_run()
        with transaction() as session:
            registry.sign_on(session, f"slot:there:{number}", kind="slot", lane="light", name=f"more-{number}")
    with count_queries() as many:
        assert "more-5" in admin.get("/watching/now").text
    assert len(many) == len(few) <= 10


def test_a_pause_keeps_work_from_starting_and_is_told_where_people_wait(client, admin, make_run, owner, sign_in):  # noqa: F811
    staff = sign_in(make_member(client), client)
    run = make_run()
    answer = admin.submit("/watching/pauses", {"subject": f"client:{client.id}", "reason": " Stock-taking  today "})
    assert answer.status_code == 303
    answer_bells()
    assert rows("SELECT DISTINCT state FROM work WHERE attempts > 0") == []
    product = f"/products/{run.product_id}"
    for page in (staff.get("/"), staff.get(product), staff.get("/watching/paused")):
        assert "All work is paused" in page.text
        assert "Stock-taking today" in page.text
    [(pause_id,)] = owner.execute("SELECT id FROM pauses").fetchall()
    assert admin.submit(f"/watching/pauses/{pause_id}/end").status_code == 303
    assert "paused" not in staff.get("/watching/paused").text.replace('id="paused"', "").replace("/paused", "").replace(
        'class="paused"', ""
    )
    done = [action for (action,) in owner.execute("SELECT action FROM audit ORDER BY id").fetchall()]
    assert done[-2:] == ["paused", "resumed"]


def test_the_same_thing_is_paused_once(admin, client, owner):  # noqa: F811
    first = admin.submit("/watching/pauses", {"subject": f"client:{client.id}"})
    second = admin.submit("/watching/pauses", {"subject": f"client:{client.id}"})
    assert (first.status_code, second.status_code) == (303, 409)
    assert len(pauses_of(owner)) == 1


@pytest.mark.parametrize("subject", ["activity:market", "client:other"])
def test_an_admin_pauses_and_resumes_the_own_client_only(admin, operator, owner, subject):
    subject = subject.replace("other", str(make_client().id))
    assert admin.submit("/watching/pauses", {"subject": subject}).status_code == 403
    assert pauses_of(owner) == []
    assert operator.submit("/watching/pauses", {"subject": subject}).status_code == 303
    [(pause_id,)] = owner.execute("SELECT id FROM pauses").fetchall()
    refused = admin.submit(f"/watching/pauses/{pause_id}/end")
    assert refused.status_code == (403 if subject.startswith("activity") else 404)
    assert len(pauses_of(owner)) == 1
    assert operator.submit(f"/watching/pauses/{pause_id}/end").status_code == 303
    assert pauses_of(owner) == []


@pytest.mark.parametrize("subject", ["", "client:", "client:x", "activity:", "activity:cleaning", "all:now", "\ud7ff"])
def test_what_cannot_be_paused_is_refused_in_words(operator, owner, subject):
    assert operator.submit("/watching/pauses", {"subject": subject}).status_code == 422
    assert pauses_of(owner) == []


def test_a_client_that_does_not_exist_cannot_be_paused(operator):
    nobody = "client:01a1f8d1-f51a-7145-9ccb-baae807e84c7"
    assert operator.submit("/watching/pauses", {"subject": nobody}).status_code == 404


def test_a_reason_is_bounded(admin, client):  # noqa: F811
    assert admin.submit("/watching/pauses", {"subject": f"client:{client.id}", "reason": "x" * 201}).status_code == 422


def test_only_an_operator_drains_a_slot_and_it_shows_by_whom(admin, operator, alive, owner):
    drain = {"worker_id": "slot:here:light"}
    assert admin.submit("/watching/slots/drain", drain).status_code == 403
    assert "Drain" not in admin.get("/watching").text
    assert operator.submit("/watching/slots/drain", drain).status_code == 303
    assert operator.submit("/watching/slots/drain", drain).status_code == 409
    seen = operator.get("/watching").text
    assert "drained" in seen
    assert "by Olga" in seen
    assert "1 slot is drained and takes no work." in seen
    assert operator.submit("/watching/slots/work", drain).status_code == 303
    assert owner.execute("SELECT count(*) FROM workers WHERE drain_at IS NOT NULL").fetchone() == (0,)
    assert operator.submit("/watching/slots/drain", {"worker_id": "nobody\x01"}).status_code in (409, 422)


@pytest.mark.parametrize("role", [Role.STAFF, Role.REVIEWER])
def test_others_do_not_watch(client, sign_in, role):  # noqa: F811
    browser = sign_in(make_member(client, role), client)
    assert browser.get("/watching").status_code == 403
    assert browser.submit("/watching/pauses", {"subject": f"client:{client.id}"}).status_code == 403
    assert 'href="/watching"' not in browser.get("/").text


def test_a_button_pressed_in_a_live_part_leads_back_to_the_page(operator, alive):
    answer = operator.submit("/watching/slots/drain", {"worker_id": "slot:here:light"}, headers={"HX-Request": "true"})
    assert answer.headers["HX-Redirect"] == "/watching"
