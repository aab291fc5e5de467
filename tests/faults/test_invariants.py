"""A check that cannot fail is worth nothing: each invariant is shown a database in which it is broken."""

import pytest

from tests import factories
from tests.faults.invariants import INVARIANTS, broken, late
from tests.pipeline.conftest import answer_bells
from webapp.catalog.models import Product
from webapp.database import transaction
from webapp.pipeline import services
from webapp.pipeline.models import PhaseName

DONE = "data->>'to' = 'done' AND data->>'phase' = 'analysis'"
DAMAGE = {
    "nothing is left ready, running or due": [
        "UPDATE work SET state = 'ready' WHERE state = 'blocked'",
        "UPDATE work SET state = 'waiting', run_at = now() - interval '1 s' WHERE state = 'blocked'",
    ],
    "a phase that is done has one finding, written by the winning epoch": [
        "DELETE FROM seo_findings",
        "UPDATE listing_findings SET epoch = epoch + 1",
        "UPDATE market_findings SET phase_id = (SELECT phase_id FROM seo_findings)",
    ],
    "a finding was written by a lease that was given, and that ended with it": [
        "UPDATE seo_findings SET epoch = 7",
        f'UPDATE events SET data = data || \'{{"from": "ready"}}\' WHERE {DONE}',
    ],
    "a finding was made by the worker that held the lease": [
        'UPDATE seo_findings SET findings = findings || \'{"slug": "made by somebody:1"}\'',
    ],
    "a phase starts after the one before it is done": [
        f'UPDATE events SET data = data || \'{{"to": "held"}}\' WHERE {DONE}',
    ],
    "the events of a stream have no gaps": [
        "DELETE FROM events WHERE seq = 2",
        "DELETE FROM events WHERE seq = 1",
        "UPDATE streams SET seq = seq + 1",
    ],
    "nothing happens to stopped work until a person sets it going": [
        """WITH s AS (UPDATE streams SET seq = seq + 1 WHERE id = (
               SELECT stream_id FROM events WHERE data->>'to' = 'stopped') RETURNING *)
           INSERT INTO events (client_id, stream_id, seq, level, kind, message, data)
           SELECT s.client_id, s.id, s.seq, 'info', 'work.progress', 'on', jsonb_build_object('work', e.data->'work')
           FROM s JOIN events e ON e.stream_id = s.id AND e.data->>'to' = 'stopped'""",
        """WITH s AS (UPDATE streams SET seq = seq + 1 WHERE id = (
               SELECT stream_id FROM events WHERE data->>'to' = 'stopped') RETURNING *)
           INSERT INTO events (client_id, stream_id, seq, level, kind, message, data)
           SELECT s.client_id, s.id, s.seq, 'info', 'work.done', 'done after all',
                  e.data || '{"from": "running", "to": "done"}'
           FROM s JOIN events e ON e.stream_id = s.id AND e.data->>'to' = 'stopped'""",
        "UPDATE analysis_findings SET updated_at = now() + interval '1 h'",
    ],
    "only legal moves, each from where the one before it led": [
        f'UPDATE events SET data = data || \'{{"from": "ready"}}\' WHERE {DONE}',
        f'UPDATE events SET data = data || \'{{"to": "blocked"}}\' WHERE {DONE}',
        'UPDATE events SET data = data || \'{"from": "held", "to": "ready"}\' WHERE data->>\'to\' = \'running\'',
    ],
    "epochs grow with every lease and every stop, and never fall": [
        f"UPDATE events SET data = data || '{{\"epoch\": 0}}' WHERE {DONE}",
        f"UPDATE events SET data = data - 'epoch' WHERE {DONE}",
        "UPDATE events SET data = data || '{\"epoch\": 1}' WHERE data->>'to' = 'stopped'",
    ],
    "work stands where its log says": [
        "UPDATE work SET state = 'failed' WHERE state = 'done'",
        "UPDATE work SET epoch = epoch + 1 WHERE state = 'done'",
        "UPDATE work SET state = 'done' WHERE state = 'blocked'",
    ],
    "a run stands where its phases stand": [
        "UPDATE runs SET state = 'failed' WHERE state = 'completed'",
        "UPDATE runs SET state = 'running' WHERE state = 'review'",
        "DELETE FROM phases WHERE number = 4",
    ],
    "a run is completed once, and says so": [
        "UPDATE events SET kind = 'run.completed' WHERE kind = 'run.started'",
        "UPDATE events SET kind = 'nothing' WHERE kind = 'run.completed'",
    ],
    "a product has its photos and a run, all of one client": [
        "DELETE FROM photos; UPDATE products SET upload_key = gen_random_uuid()",
        "DELETE FROM runs; UPDATE products SET upload_key = gen_random_uuid()",
    ],
    "no photo became two products": ["UPDATE photos SET sha256 = 'the same'"],
}


@pytest.fixture
def sound(app, owner, client, make_run):
    """A run that is completed, one in review, and one that was stopped while it ran."""
    make_run()
    answer_bells()
    app.config["PHASE_ENGINES"][PhaseName.ANALYSIS] = "tests.pipeline.engines.unsure"
    make_run()
    answer_bells()
    stopped = make_run()
    answer_bells()
    with transaction() as session:
        services.stop_phase(session, stopped.id, 1)
        products = session.query(Product).all()
    for product in products:
        factories.make_photo(product)
    return owner


def test_a_sound_database_breaks_none(sound):
    assert broken(sound) == {}


def test_each_invariant_is_tried():
    assert set(DAMAGE) == set(INVARIANTS)


@pytest.mark.parametrize(
    ("name", "damage"), [(name, sql) for name, damages in DAMAGE.items() for sql in damages], ids=str
)
def test_a_broken_database_is_seen(sound, name, damage):
    sound.execute(damage)
    assert name in broken(sound)


def test_a_start_that_comes_late_is_seen(sound):
    assert late(sound, 60) == []
    sound.execute(
        "UPDATE events SET at = at + interval '2 min' WHERE data->>'to' = 'running' AND data->>'phase' = 'seo'"
    )
    assert len(late(sound, 60)) == 1
