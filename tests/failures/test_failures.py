"""Failures by cause, and trying them again: one, all, once per press, by a constant number of queries."""

from uuid import uuid4

import pytest
from sqlalchemy import text

from tests.factories import make_client, make_member
from tests.pipeline.conftest import answer_bells, client, fresh, make_run  # noqa: F401 - fixtures
from webapp import queue
from webapp.access.models import Role
from webapp.database import tenant, transaction
from webapp.errors import NotFound
from webapp.failures import services
from webapp.pipeline.models import Run, RunState
from webapp.work.causes import cause_of
from webapp.work.priority import Priority

REFUSED = "feed.key_refused"
SAYS = "eBay refused our key"


def fail(run, cause=REFUSED, says=SAYS, **changes):
    """The run's first phase has failed for good."""
    values = {"run": run.id, "cause": cause, "says": says, "priority": changes.get("priority", 5)}
    with transaction() as session:
        session.execute(
            text(
                "UPDATE work SET state = 'failed', cause = :cause, last_error = :says, finished_at = clock_timestamp(),"
                " failures = 3, dispatched_at = NULL, priority = :priority"
                " WHERE id = (SELECT work_id FROM phases WHERE run_id = :run AND number = 1)"
            ),
            values,
        )
        session.execute(text("UPDATE runs SET state = 'failed' WHERE id = :run"), values)
    queue.redis().flushdb()
    return run


@pytest.fixture
def failed(make_run):  # noqa: F811
    return [fail(make_run(name=f"Pen {number}")) for number in range(5)]


@pytest.fixture
def browser(client, sign_in):  # noqa: F811
    return sign_in(make_member(client, Role.REVIEWER), client)


def groups():
    with transaction() as session:
        return services.groups(session)


def progress():
    with transaction() as session:
        return services.progress(session)


def work_of(run):
    with transaction() as session:
        return session.execute(
            text("SELECT w.* FROM work w JOIN phases p ON p.work_id = w.id WHERE p.run_id = :run AND p.number = 1"),
            {"run": run.id},
        ).one()


def press(browser, cause=REFUSED, work="", key=None, **how):
    data = {"cause": cause, "work": work, "key": str(key or uuid4())}
    return browser.submit("/failures/retries", data, **how)


def test_failures_are_grouped_by_cause_the_newest_first_with_examples(failed, make_run):  # noqa: F811
    fail(make_run(name="Torn photo"), "photo.broken", "the photo cannot be read")
    broken, refused = groups()
    assert (broken.says, broken.many) == ("The photo cannot be read", 1)
    assert (refused.says, refused.many) == (SAYS, 5)
    assert [example.title for example in refused.examples] == ["Pen 4", "Pen 3", "Pen 2"]
    assert refused.examples[0].phase == "analysis"


def test_what_differs_from_case_to_case_does_not_make_a_cause():
    one = cause_of("the photo “a.jpg” has 3 pixels (run 0198f8d1-f51a-7145-9ccb-baae807e84c7)")
    assert one == cause_of("The photo “b.jpg” has 4,5 pixels (run 01a1f8d1-f51a-7145-9ccb-baae807e84c8)")
    assert one != cause_of("the photo “a.jpg” has no pixels")
    assert cause_of("7") == cause_of("8") != ""


@pytest.mark.parametrize(
    ("cause", "says"),
    [
        ("crash_loop", "The worker broke down each time it did this"),
        ("unexpected:KeyError", "Lotline itself went wrong (KeyError)"),
        ("database:DataError", "The database refused what was to be written (DataError)"),
        ("feed.down", "Some sentence"),
    ],
)
def test_a_cause_is_said_in_plain_words(cause, says):
    assert services.in_words(cause, "some sentence.") == says


def test_an_earlier_run_that_failed_is_no_failure_any_more(failed):
    with transaction() as session:
        session.execute(text("UPDATE runs SET is_latest = false WHERE id = :id"), {"id": failed[0].id})
    assert groups()[0].many == 4


def test_retry_all_sets_all_going_and_shows_how_far_it_is(failed, browser):
    assert press(browser).status_code == 303
    assert groups() == []
    assert {fresh(Run, run.id).state for run in failed} == {RunState.RUNNING}
    (before,) = progress()
    assert (before.many, before.going, before.done) == (5, 5, 0)
    with transaction() as session:
        session.execute(text("UPDATE work SET dispatched_at = clock_timestamp() WHERE state = 'ready'"))
    for run in failed:
        queue.ring("heavy", [(run.client_id, work_of(run).id)])
    answer_bells()
    (after,) = progress()
    assert (after.many, after.going, after.done, after.failed) == (5, 0, 5, 0)
    assert "5 of 5 worked" in browser.get("/failures").text


def test_what_is_tried_again_together_stands_behind_what_somebody_waits_for(make_run, browser):  # noqa: F811
    urgent = fail(make_run(), priority=Priority.INTERACTIVE)
    press(browser)
    work = work_of(urgent)
    assert (work.failures, work.priority, work.dispatched_at) == (0, Priority.BULK, None)
    with transaction() as session:
        later = session.execute(text("SELECT DISTINCT priority FROM work WHERE state = 'blocked'")).scalars().all()
    assert later == [Priority.BULK]


def test_what_is_tried_again_alone_keeps_its_priority(make_run, browser):  # noqa: F811
    urgent = fail(make_run(), priority=Priority.INTERACTIVE)
    press(browser, work=work_of(urgent).id)
    assert (work_of(urgent).failures, work_of(urgent).priority) == (0, Priority.INTERACTIVE)


def test_each_product_s_log_says_who_tried_again_without_gaps(failed, browser):
    press(browser)
    with transaction() as session:
        for run in failed:
            rows = session.execute(
                text("SELECT seq, kind, message FROM events WHERE stream_id = :id ORDER BY seq"), {"id": run.stream_id}
            ).all()
            assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
            assert (rows[-1].kind, rows[-1].message) == ("work.ready", "Analysis tried again by a person")


def test_a_second_press_of_the_same_button_does_nothing(failed, browser):
    key = uuid4()
    press(browser, key=key)
    fail(failed[0])
    assert press(browser, key=key).status_code == 303
    assert fresh(Run, failed[0].id).state is RunState.FAILED
    assert len(progress()) == 1


def test_what_was_tried_again_long_ago_is_forgotten(failed, browser):
    old = uuid4()
    press(browser, key=old)
    with transaction() as session:
        session.execute(text("UPDATE retries SET created_at = created_at - interval '31 days'"))
    fail(failed[0])
    press(browser)
    with transaction() as session:
        kept = session.execute(text("SELECT id FROM retries")).scalars().all()
        works = session.execute(text("SELECT count(*) FROM retried WHERE retry_id = :old"), {"old": old}).scalar_one()
    assert (len(kept), old in kept, works) == (1, False, 0)


def test_try_one_leaves_the_others(failed, browser):
    example = groups()[0].examples[0]
    page = press(browser, work=str(example.work_id), headers={"HX-Request": "true"}).text
    assert "Retry all 4" in page
    assert fresh(Run, failed[4].id).state is RunState.RUNNING
    assert groups()[0].many == 4


def test_a_group_larger_than_a_batch_is_done_in_several(failed, browser, monkeypatch):
    monkeypatch.setattr(services, "BATCH", 2)
    monkeypatch.setattr(services.retry_some, "__kwdefaults__", {"limit": 2})
    press(browser)
    assert progress()[0].many == 5
    assert groups() == []


def statements_of_a_press(browser, count_queries):
    with count_queries() as statements:
        press(browser)
    return len(statements)


def test_the_number_of_queries_does_not_grow_with_what_failed(make_run, browser, count_queries):  # noqa: F811
    fail(make_run())
    browser.form_token()
    with count_queries() as few:
        browser.get("/failures")
    few_pressed = statements_of_a_press(browser, count_queries)
    for number in range(12):
        fail(make_run(), says=SAYS, cause=REFUSED if number < 8 else f"cause {number}")
    with count_queries() as many:
        browser.get("/failures")
    assert len(many) == len(few)
    assert statements_of_a_press(browser, count_queries) == few_pressed


def test_a_product_that_somebody_started_anew_meanwhile_is_left_alone(failed, browser):
    work_id = str(work_of(failed[0]).id)
    with transaction() as session:
        session.execute(text("UPDATE runs SET is_latest = false WHERE id = :id"), {"id": failed[0].id})
    assert press(browser, work=work_id).status_code == 404
    press(browser)
    assert fresh(Run, failed[0].id).state is RunState.FAILED


def test_an_unknown_outcome_is_made_again_one_by_one_on_a_persons_word(make_run, browser):  # noqa: F811
    cause = "outcome_unknown:payment"
    run = fail(make_run(), cause, "nobody knows whether “payment” happened")
    other = fail(make_run(), cause, "nobody knows whether “payment” happened")
    for one in (run, other):
        with transaction() as session:
            session.execute(
                text("INSERT INTO steps (client_id, work_id, key, intent) VALUES (:client, :work, 'payment', '{}')"),
                {"client": one.client_id, "work": work_of(one).id},
            )
    page = browser.get("/failures").text
    assert "It did not happen: make it again" in page
    assert "Retry all" not in page
    assert press(browser, cause).status_code == 422
    press(browser, cause, str(work_of(run).id))
    assert fresh(Run, run.id).state is RunState.RUNNING
    with transaction() as session:
        left = session.execute(text("SELECT work_id FROM steps")).scalars().all()
    assert left == [work_of(other).id]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        ({"key": "x"}, 422),
        ({"key": ""}, 422),
        ({"work": "x"}, 404),
        ({"work": "9" * 30}, 404),
        ({"work": "9" * 5000}, 404),
        ({"work": "-1"}, 404),
        ({"cause": "nothing like it"}, 404),
        ({"cause": ""}, 404),
        ({"cause": "x" * 5000}, 404),
    ],
)
def test_a_strange_form_is_refused(failed, browser, data, status):
    form = {"cause": REFUSED, "work": "", "key": str(uuid4())} | data
    assert browser.submit("/failures/retries", form).status_code == status
    assert {fresh(Run, run.id).state for run in failed} == {RunState.FAILED}


def test_another_client_sees_and_moves_nothing(failed, sign_in):
    other = make_client()
    stranger = sign_in(make_member(other, Role.REVIEWER), other)
    assert "Nothing has failed" in stranger.get("/failures").text
    assert press(stranger).status_code == 404
    assert press(stranger, work=str(work_of(failed[0]).id)).status_code == 404
    with tenant(other.id), transaction() as session, pytest.raises(NotFound):
        services.begin(session, uuid4(), other.id, REFUSED, None)
    assert {fresh(Run, run.id).state for run in failed} == {RunState.FAILED}


def test_staff_may_not_and_reviewers_are_led_there(failed, client, sign_in, browser):  # noqa: F811
    staff = sign_in(make_member(client), client)
    assert staff.get("/failures").status_code == 403
    assert "/failures" not in staff.get("/").text
    assert 'href="/failures"' in browser.get("/").text
    assert "See why, by cause" in browser.get("/?state=failed").text


def open_circuit():
    with transaction() as session:
        session.execute(
            text(
                "INSERT INTO circuits (name, label, state, reason, opened_at, next_probe_at) VALUES ('feed', 'eBay',"
                " 'open', 'eBay does not answer: it hangs up', now(), now() + interval '1 hour')"
            )
        )


def test_open_circuits_are_shown_and_an_admin_has_them_tried_now(client, browser, sign_in):  # noqa: F811
    open_circuit()
    page = browser.get("/failures").text
    assert "eBay does not answer" in page
    assert "it hangs up" in page
    assert browser.submit("/circuits/feed/probe").status_code == 403
    admin = sign_in(make_member(client, Role.ADMIN), client)
    assert admin.submit("/circuits/feed/probe").status_code == 303
    assert admin.submit("/circuits/nobody/probe").status_code == 404
    with transaction() as session:
        assert session.execute(text("SELECT next_probe_at <= now() FROM circuits")).scalar_one()
        assert session.execute(text("SELECT count(*) FROM audit WHERE action = 'circuit_probed'")).scalar_one() == 1
