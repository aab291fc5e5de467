"""A run from its start to its end: phases follow each other, people stop, resume, retry and confirm."""

import json
import re

import pytest
from sqlalchemy import select, text

from tests.factories import make_client, make_photo
from tests.pipeline.conftest import answer_bells, fresh
from tests.pipeline.engines import broken, hiccup, reading, unsure
from webapp import storage
from webapp.catalog.models import Photo, Product
from webapp.database import db, tenant, transaction
from webapp.errors import Conflict, NotFound
from webapp.phases import facts
from webapp.pipeline import findings, outcomes, services, tasks
from webapp.pipeline.models import Phase, PhaseName, Run, RunState
from webapp.pipeline.tasks import open_case
from webapp.statements import Statement
from webapp.work.models import Event, Work, WorkState
from webapp.work.moves import LeaseLost
from webapp.work.services import claim

MOST_STATEMENTS_OF_A_RUN = 35
"""Four claims, facts and finishes; BEGIN, the tenant and COMMIT not counted."""


def use(app, name, engine):
    app.config["PHASE_ENGINES"][name] = f"tests.pipeline.engines.{engine.__name__}"


def states(run):
    rows = db.session.execute(
        select(Work.state).join(Phase, Phase.work_id == Work.id).where(Phase.run_id == run.id).order_by(Phase.number)
    )
    found = [row.value for row in rows.scalars()]
    db.session.commit()
    return found


def work_id(run, number):
    found = db.session.execute(select(Phase.work_id).where(Phase.run_id == run.id, Phase.number == number)).scalar_one()
    db.session.commit()
    return found


def do(verb, run, *rest):
    with transaction() as session:
        return verb(session, run.id, *rest)


def test_one_transaction_makes_the_run_its_phases_and_the_first_event(client, make_run):
    run = make_run()
    assert states(run) == ["ready", "blocked", "blocked", "blocked"]
    assert (run.number, run.state) == (1, RunState.RUNNING)
    events = db.session.execute(select(Event.seq, Event.kind).where(Event.stream_id == run.stream_id)).all()
    assert events == [(1, "run.started")]


def test_four_phases_follow_each_other_to_the_end(client, make_run):
    run = make_run()
    assert answer_bells() == 4
    assert states(run) == ["done"] * 4
    assert fresh(Run, run.id).state is RunState.COMPLETED
    with transaction() as session:
        _, found = findings.read_all(session, run.id)
        epochs = session.execute(
            text(
                "SELECT f.epoch = w.epoch FROM listing_findings f JOIN phases p ON p.id = f.phase_id"
                " JOIN work w ON w.id = p.work_id WHERE p.run_id = :run"
            ),
            {"run": run.id},
        ).scalar_one()
    assert all(found[name] is not None for name in PhaseName)
    assert epochs


def test_every_phase_keeps_the_fingerprint_of_what_it_was_made_from(client, make_run):
    run = make_run(name="Kettle")
    answer_bells()
    prints = db.session.execute(select(Phase.input_fingerprint).where(Phase.run_id == run.id)).scalars().all()
    assert len(set(prints)) == 4
    assert all(len(one) == 64 for one in prints)


def test_the_four_steps_of_a_run_cost_no_more_statements_than_they_did(client, make_run, count_queries):
    make_run()
    answer_bells()  # warm
    run = make_run()
    with count_queries() as statements:
        answer_bells()
    assert fresh(Run, run.id).state is RunState.COMPLETED
    assert len(statements) <= MOST_STATEMENTS_OF_A_RUN, "\n".join(statements)


def test_a_product_gets_its_name_and_a_code_when_analysis_is_sure(client, make_run):
    run = make_run()
    answer_bells()
    product = fresh(Product, run.product_id)
    assert (product.name, product.code) == ("Nothing", "01_nothing")


def test_bars_that_the_analysis_saw_are_noted_where_the_upload_saw_none(app, client, make_run, monkeypatch):
    monkeypatch.setattr(storage, "read", lambda _key: b"")
    use(app, PhaseName.ANALYSIS, reading)
    run = make_run()
    product = fresh(Product, run.product_id)
    photos = [make_photo(product, position=place, may_show_bars=False) for place in range(3)]
    answer_bells()
    assert [fresh(Photo, photo.id).may_show_bars for photo in photos] == [True, True, False]
    assert fresh(Photo, photos[1].id).quality_says == "Unread."


def test_low_confidence_waits_for_a_person_and_says_why(app, client, make_run):
    use(app, PhaseName.ANALYSIS, unsure)
    run = make_run()
    assert answer_bells() == 1
    assert states(run) == ["held", "blocked", "blocked", "blocked"]
    found = fresh(Run, run.id)
    assert (found.state, found.confidence, found.reasons) == (RunState.REVIEW, 40, ["No barcode was found."])
    assert fresh(Product, run.product_id).name is None


def test_the_clients_own_threshold_decides(app, client, make_run):
    use(app, PhaseName.ANALYSIS, unsure)
    with transaction() as session:
        session.execute(text("UPDATE clients SET review_threshold = 40 WHERE id = :id"), {"id": client.id})
    run = make_run()
    answer_bells()
    assert fresh(Run, run.id).state is RunState.COMPLETED


def confirmed(run, **changes):
    values = {"name": "Kettle K1", "brand": "Acme", "model": "K1", "condition": "used", "gtin": None} | changes
    with transaction() as session:
        return services.confirm(session, run.id, values, by_name="Rita")


def test_a_reviewers_word_is_final_and_the_run_goes_on_with_phase_2(app, client, make_run):
    use(app, PhaseName.ANALYSIS, unsure)
    run = make_run()
    answer_bells()
    before = confirmed(run)
    assert before.name.value == "Perhaps a kettle"
    assert states(run)[:2] == ["done", "ready"]
    assert answer_bells() == 3
    assert fresh(Run, run.id).state is RunState.COMPLETED
    assert fresh(Run, run.id).confidence == 100
    product = fresh(Product, run.product_id)
    assert (product.name, product.brand, product.condition) == ("Kettle K1", "Acme", facts.Condition.USED)
    with transaction() as session:
        analysis = findings.read_all(session, run.id)[1][PhaseName.ANALYSIS]
    assert (analysis.name.written_by, analysis.name.confidence, analysis.confidence) == ("reviewer", 100, 100)
    assert analysis.name.evidence[0].kind == "reviewer"


def test_the_second_reviewer_is_told_that_it_is_decided(app, client, make_run):
    use(app, PhaseName.ANALYSIS, unsure)
    run = make_run()
    answer_bells()
    confirmed(run)
    with pytest.raises(Conflict):
        confirmed(run, name="Something else")
    assert fresh(Product, run.product_id).name == "Kettle K1"


def test_what_a_person_settled_is_never_overwritten_by_a_later_run(app, client, make_run):
    use(app, PhaseName.ANALYSIS, unsure)
    run = make_run()
    answer_bells()
    confirmed(run)
    answer_bells()
    with transaction() as session:
        again = services.run_again(session, run.product_id, None)
    answer_bells()
    assert fresh(Run, again.id).state is RunState.COMPLETED
    assert (again.number, fresh(Run, run.id).is_latest) == (2, False)
    assert fresh(Product, run.product_id).name == "Kettle K1"


def test_stop_is_final_and_resume_goes_on_from_there(client, make_run):
    run = make_run()
    do(services.stop_phase, run, 1)
    assert (states(run)[0], fresh(Run, run.id).state) == ("stopped", RunState.STOPPED)
    answer_bells()
    assert states(run)[0] == "stopped"
    do(services.resume_phase, run, 1)
    answer_bells()
    assert fresh(Run, run.id).state is RunState.COMPLETED


def test_a_worker_that_was_stopped_in_the_middle_writes_nothing(app, client, make_run):
    run = make_run()
    with transaction() as session:
        lease = claim(session, work_id(run, 1), "slow", 15)
    place = open_case(lease.work_id).place
    sure = unsure([], None, None, lambda *_: None)
    do(services.stop_phase, run, 1)
    with pytest.raises(LeaseLost), transaction() as session:
        outcomes.complete_phase(session, lease, place, sure, fingerprint="x" * 64, threshold=80)
    with transaction() as session:
        assert findings.read_all(session, run.id)[1][PhaseName.ANALYSIS] is None
    assert fresh(Run, run.id).state is RunState.STOPPED


def test_a_permanent_error_fails_the_run_with_its_reason_and_can_be_retried(app, client, make_run):
    use(app, PhaseName.MARKET, broken)
    run = make_run()
    answer_bells()
    assert states(run)[:2] == ["done", "failed"]
    assert fresh(Run, run.id).state is RunState.FAILED
    assert fresh(Work, work_id(run, 2)).last_error == "the photo cannot be read"
    app.config["PHASE_ENGINES"][PhaseName.MARKET] = "tests.bench.empty.research"
    do(services.retry_phase, run, 2)
    answer_bells()
    assert fresh(Run, run.id).state is RunState.COMPLETED
    assert fresh(Work, work_id(run, 2)).attempts == 2


def test_a_passing_error_waits_for_the_time_the_other_side_named(app, client, make_run):
    use(app, PhaseName.MARKET, hiccup)
    run = make_run()
    answer_bells()
    assert states(run)[1] == "waiting"
    assert fresh(Run, run.id).state is RunState.RUNNING
    with transaction() as session:
        wait = session.execute(
            text("SELECT extract(epoch FROM run_at - now()) FROM work WHERE id = :id"), {"id": work_id(run, 2)}
        ).scalar_one()
    assert 3500 < wait <= 3600


def test_a_phase_that_killed_its_worker_three_times_fails_as_a_crash_loop(client, make_run):
    run = make_run()
    with transaction() as session:
        session.execute(text("UPDATE work SET crashes = 3 WHERE id = :id"), {"id": work_id(run, 1)})
    answer_bells()
    assert fresh(Run, run.id).state is RunState.FAILED
    assert "crash loop" in fresh(Work, work_id(run, 1)).last_error


@pytest.mark.parametrize("verb", [services.stop_phase, services.resume_phase, services.retry_phase])
def test_what_makes_no_sense_is_refused_in_words(client, make_run, verb):
    run = make_run()
    answer_bells()
    for number in (1, 4):
        with pytest.raises(Conflict):
            do(verb, run, number)
    with pytest.raises(NotFound):
        do(verb, run, 5)
    assert fresh(Run, run.id).state is RunState.COMPLETED


def test_a_product_under_way_is_not_started_twice(client, make_run):
    run = make_run()
    with pytest.raises(Conflict), transaction() as session:
        services.run_again(session, run.product_id, None)


def test_a_stopped_run_is_not_resumed_beside_a_newer_one(client, make_run):
    run = make_run()
    do(services.stop_phase, run, 1)
    with transaction() as session:
        services.run_again(session, run.product_id, None)
    with pytest.raises(Conflict):
        do(services.resume_phase, run, 1)


def test_another_clients_run_does_not_exist(client, make_run):
    run = make_run()
    with tenant(make_client().id), pytest.raises(NotFound):
        do(services.stop_phase, run, 1)
    assert states(run)[0] == "ready"


def test_transitions_in_the_log_are_all_legal(app, client, make_run):
    from webapp.work.moves import MOVES

    use(app, PhaseName.ANALYSIS, unsure)
    run = make_run()
    answer_bells()
    confirmed(run)
    do(services.stop_phase, run, 2)
    do(services.resume_phase, run, 2)
    answer_bells()
    rows = db.session.execute(select(Event.data).where(Event.stream_id == run.stream_id)).scalars()
    moves = [(WorkState(data["from"]), WorkState(data["to"])) for data in rows if "from" in data]
    assert len(moves) >= 9
    assert all(to in MOVES[source] for source, to in moves)


def test_the_facts_of_a_phase_are_found_by_key_even_in_tables_that_were_never_analysed(client, make_run):
    """Joined, they were read whole for every row of the others: 3 ms with 70 products, growing with the square."""
    run = [make_run() for _ in range(40)][-1]
    first = work_id(run, 1)
    explain = Statement(f"EXPLAIN (ANALYZE, FORMAT JSON) {tasks._SUBJECT.sql}")
    with transaction() as session:
        session.execute(text("SET LOCAL plan_cache_mode = force_generic_plan"))
        plan = json.dumps(explain.execute(session, {"work_id": first})[0][0])
    loops = [int(many) for many in re.findall(r'"Actual Loops": (\d+)', plan)]
    assert len(loops) > 20
    assert max(loops) == 1
