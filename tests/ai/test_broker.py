"""Models on their bad days: the next one is asked, nothing waits, nothing is paid that was not used, and the phase
goes on without and says why."""

from decimal import Decimal

import pytest
from sqlalchemy import text

from tests.ai.chat_server import KEY
from tests.ai.conftest import TEXTS
from tests.ai.test_listing_texts import calls, listing, spending
from tests.pipeline.conftest import answer_bells, fresh
from webapp.ai import broker, configured
from webapp.database import tenant, transaction
from webapp.errors import ConfigError
from webapp.pipeline import services
from webapp.pipeline.models import Run, RunState
from webapp.work.dispatcher import Dispatcher

SECOND = "Fineliner Stabilo Point 88"


def circuit(name="model1"):
    with transaction() as session:
        return session.execute(
            text("SELECT state, failures FROM circuits WHERE name = :name"), {"name": name}
        ).one_or_none()


def work_of(run):
    with transaction() as session:
        return session.execute(
            text("SELECT w.* FROM work w JOIN phases p ON p.work_id = w.id WHERE p.run_id = :run AND p.number = 4"),
            {"run": run.id},
        ).one()


NOT_BILLED = "released"
TROUBLE = [
    # what the server does, what becomes of the money, the note
    (500, NOT_BILLED, "Tiny does not answer: it has an error of its own (HTTP 500)."),
    (503, NOT_BILLED, "Tiny does not answer: it has an error of its own (HTTP 503)."),
    (429, NOT_BILLED, "Tiny does not answer."),
    ((429, {"Retry-After": "70"}), NOT_BILLED, "Tiny does not answer."),
    (403, NOT_BILLED, "Tiny refused our key."),
    (402, NOT_BILLED, "Tiny wants to be paid first."),
    (404, NOT_BILLED, "Tiny is not at the address that is configured."),
    (302, NOT_BILLED, "Tiny sends us to another address; configure that one."),
    ("html", "unknown", "Tiny does not answer: what it says cannot be read."),
    (b'{"choices": [', "unknown", "Tiny does not answer: what it says cannot be read."),
    (b'{"error": {"message": "overloaded"}}', "unknown", "Tiny does not answer: what it says cannot be read."),
    (b"[" * 50_000, "unknown", "Tiny does not answer: what it says cannot be read."),
    ("no_choices", "unknown", "Tiny does not answer: what it says cannot be read."),
    ("hang", "unknown", "Tiny does not answer: it is too slow."),
    ("drip", "unknown", "Tiny does not answer: it is too slow."),
    ("drop", "unknown", "Tiny does not answer: it hangs up."),
    ("huge", "unknown", "Tiny answered more than 256 KB."),
    ("refusal", "settled", "Tiny was asked in vain: it refused to answer."),
    ("content_filter", "settled", "Tiny was asked in vain: it refused to answer."),
    ("empty", "settled", "Tiny was asked in vain: its answer was empty."),
]


@pytest.mark.parametrize(("order", "money", "note"), TROUBLE, ids=[str(order)[:20] for order, *_ in TROUBLE])
def test_trouble_costs_what_it_costs_and_the_phase_goes_on(model, use_models, make_run, order, money, note):
    use_models(model.environ(NAME="Tiny"), seconds=1.0)
    model.always = order
    run = make_run()
    answer_bells()
    assert fresh(Run, run.id).state is RunState.COMPLETED
    assert listing(run).model_notes == (note,)
    assert listing(run).written == {}
    assert (work_of(run).failures, work_of(run).waits_for) == (0, None)
    (call,) = calls()
    assert call.state == money
    spent, reserved = spending()
    assert reserved == 0
    assert spent == call.cost_usd == {"released": 0, "unknown": call.reserved_usd}.get(money, Decimal("0.0028"))


@pytest.mark.parametrize("order", [500, 429, 401, "hang", "refusal", "schema", "malformed", "truncated", "html"])
def test_the_next_one_is_asked(model, second, use_models, make_run, order):
    use_models(model.environ(NAME="Tiny"), second.environ(2, NAME="Other"), seconds=1.0)
    model.always = order
    run = make_run()
    answer_bells()
    assert listing(run).title == SECOND
    assert set(listing(run).written.values()) == {"Other"}
    assert listing(run).model_notes == ()
    assert [call.provider for call in calls()][-1] == "Other"


@pytest.mark.parametrize("order", ["malformed", "schema", "markup", "truncated"])
def test_an_odd_answer_may_be_mended_once(model, use_models, make_run, order):
    use_models(model.environ(NAME="Tiny"))
    model.orders = [order]
    run = make_run()
    answer_bells()
    assert listing(run).title == TEXTS["title"]
    assert len(model.asked) == 2
    roles = [message["role"] for message in model.asked[1]["messages"]]
    assert roles == ["system", "user", "assistant", "user"]
    assert "cannot be used" in model.asked[1]["messages"][-1]["content"]
    assert [(call.state, call.cost_usd) for call in calls()] == [("settled", Decimal("0.0028"))] * 2


@pytest.mark.parametrize("order", ["malformed", "schema", "markup", "truncated"])
def test_an_odd_answer_is_not_mended_twice(model, use_models, make_run, order):
    use_models(model.environ(NAME="Tiny"))
    model.always = order
    run = make_run()
    answer_bells()
    assert len(model.asked) == 2
    assert listing(run).written == {}
    assert listing(run).model_notes[0].startswith("Tiny was asked in vain: ")


@pytest.mark.parametrize("order", ["fenced", "parts"])
def test_a_good_answer_in_odd_wrapping_is_taken(model, use_models, make_run, order):
    use_models(model.environ())
    model.always = order
    run = make_run()
    answer_bells()
    assert listing(run).title == TEXTS["title"]
    assert len(model.asked) == 1


@pytest.mark.parametrize("order", ["no_usage", "odd_usage"])
def test_who_does_not_say_what_it_used_is_booked_in_full(model, use_models, make_run, order):
    use_models(model.environ())
    model.always = order
    run = make_run()
    answer_bells()
    (call,) = calls()
    assert listing(run).title == TEXTS["title"]
    assert call.cost_usd == call.reserved_usd > 0
    assert call.tokens_out == 900


def test_when_the_first_took_all_the_time_the_next_is_not_asked(model, second, use_models, make_run, monkeypatch):
    use_models(model.environ(NAME="Tiny"), second.environ(2, NAME="Other"))
    monkeypatch.setattr(broker, "MOST_SECONDS", 0.2)
    model.always, model.seconds = "refusal", 0.4
    run = make_run()
    answer_bells()
    assert listing(run).model_notes[1] == "Other was not asked: the others took too long."
    assert second.asked == []


def test_a_key_is_not_in_what_a_model_looks_like(model, use_models):
    (one,) = use_models(model.environ())
    assert KEY not in repr(one)


def test_a_refusal_is_remembered_too(model, use_models, make_run):
    use_models(model.environ(NAME="Tiny"))
    model.always = "refusal"
    runs = [make_run(), make_run()]
    answer_bells()
    assert len(model.asked) == 1
    assert [listing(run).model_notes for run in runs] == [("Tiny was asked in vain: it refused to answer.",)] * 2


def test_an_answer_kept_in_a_form_of_old_fails_nobody(model, use_models, make_run):
    use_models(model.environ(NAME="Tiny"))
    make_run()
    answer_bells()
    with transaction() as session:
        session.execute(text("""UPDATE ai_answers SET answer = '{"headline": "A pen"}'"""))
    run = make_run()
    answer_bells()
    assert fresh(Run, run.id).state is RunState.COMPLETED
    assert listing(run).model_notes == ("Tiny was asked in vain: what it answered earlier does not fit any more.",)


def test_one_that_is_away_is_left_alone_and_nothing_waits_for_it(app, model, second, use_models, make_run):
    use_models(model.environ(NAME="Tiny"), second.environ(2, NAME="Other"))
    model.always = 500
    runs = [make_run(name=f"Stabilo point 88 fineliner {letter}") for letter in "abcdef"]
    second.answers["listing"] = TEXTS
    for _ in range(3):
        answer_bells()
        Dispatcher(app).round()
    assert {fresh(Run, run.id).state for run in runs} == {RunState.COMPLETED}
    assert len(model.asked) == 3, "then its circuit is open"
    assert circuit().state == "open"
    assert len(second.asked) == 6
    assert {set(listing(run).written.values()) == {"Other"} for run in runs} == {True}
    assert [call.state for call in calls()].count("released") == 3, "nothing is reserved for one that is not asked"


def test_a_circuit_closes_when_its_time_has_come(model, use_models, make_run):
    use_models(model.environ(NAME="Tiny"))
    model.orders = [(429, {"Retry-After": "60"})]
    make_run(name="Stabilo point 88 fineliner a")
    answer_bells()
    assert circuit().state == "open"
    waits = make_run(name="Stabilo point 88 fineliner b")
    answer_bells()
    assert listing(waits).model_notes == ("Tiny does not answer.",)
    assert len(model.asked) == 1
    with transaction() as session:
        session.execute(text("UPDATE circuits SET next_probe_at = now()"))
    run = make_run(name="Stabilo point 88 fineliner c")
    answer_bells()
    assert circuit().state == "closed"
    assert "Tiny" in listing(run).written.values()


def test_a_product_that_is_stopped_while_a_model_thinks_is_paid_for_and_stays_stopped(
    app, client, model, use_models, make_run
):
    use_models(model.environ())
    run = make_run()

    def stops(_request):
        with app.app_context(), tenant(client.id), transaction() as session:
            services.stop_phase(session, run.id, 4)
        return TEXTS

    model.answers["listing"] = stops
    answer_bells()
    assert fresh(Run, run.id).state is RunState.STOPPED
    assert listing(run) is None
    (call,) = calls()
    assert (call.state, spending()) == ("settled", (call.cost_usd, 0))
    model.answers["listing"] = TEXTS
    with transaction() as session:
        services.resume_phase(session, run.id, 4)
    answer_bells()
    assert listing(run).title == TEXTS["title"]


@pytest.mark.parametrize(
    ("knows", "length", "tries"),
    [
        (("json_schema",), "max_tokens", 1),
        (("json_schema",), "max_completion_tokens", 2),
        (("json_object", "text"), "max_tokens", 3),
        (("text",), "max_tokens", 4),
    ],
)
def test_a_server_is_spoken_to_as_it_understands(model, use_models, make_run, knows, length, tries):
    use_models(model.environ())
    model.knows, model.length = knows, length
    first = make_run(name="Stabilo point 88 fineliner a")
    answer_bells()
    assert listing(first).title == TEXTS["title"]
    assert len(model.asked) == tries
    make_run(name="Stabilo point 88 fineliner b")
    answer_bells()
    assert len(model.asked) == tries + 1, "what it understands is kept in mind"
    assert [call.state for call in calls()] == ["settled"] * 2


def test_one_that_understands_nothing_is_given_up(model, use_models, make_run):
    use_models(model.environ(NAME="Tiny"))
    model.knows = ()
    run = make_run()
    answer_bells()
    assert len(model.asked) == 4
    assert listing(run).model_notes == ("Tiny did not accept the question (HTTP 400).",)


def test_the_form_asked_for_is_closed_and_without_limits_that_servers_refuse(model, use_models, make_run):
    use_models(model.environ())
    make_run()
    answer_bells()
    form = model.asked[0]["response_format"]["json_schema"]
    assert form["strict"] is True
    assert form["schema"] == {
        "type": "object",
        "properties": {
            "title": {"type": "string"},
            "bullets": {"type": "array", "items": {"type": "string"}},
            "description": {"type": "string"},
        },
        "required": ["title", "bullets", "description"],
        "additionalProperties": False,
    }
    assert model.keys[0]


def test_no_key_and_no_photo_gets_into_notes_tables_or_logs(model, use_models, make_run, caplog):
    use_models(model.environ(NAME="Tiny", KEY="sk-wrong"))
    with caplog.at_level("DEBUG"):
        run = make_run()
        answer_bells()
    assert listing(run).model_notes == ("Tiny refused our key.",)
    kept = str([*calls(), listing(run)]) + caplog.text
    with transaction() as session:
        for table in ("steps", "events", "ai_answers", "circuits"):
            kept += str(session.execute(text(f"SELECT * FROM {table}")).all())
    assert "sk-wrong" not in kept
    assert "sk-secret" not in kept, "nor what the server said of a key"


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"LOTLINE_MODEL_URL": "ftp://example.com"}, "LOTLINE_MODEL_URL"),
        ({"LOTLINE_MODEL_URL": "http://example.com/v1"}, "https"),
        ({"LOTLINE_MODEL_ID": ""}, "LOTLINE_MODEL_ID"),
        ({"LOTLINE_MODEL_PRICE_IN": ""}, "LOTLINE_MODEL_PRICE_IN"),
        ({"LOTLINE_MODEL_PRICE_OUT": "cheap"}, "LOTLINE_MODEL_PRICE_OUT"),
        ({"LOTLINE_MODEL_PRICE_OUT": "-1"}, "LOTLINE_MODEL_PRICE_OUT"),
        ({"LOTLINE_MODEL_PRICE_OUT": "NaN"}, "LOTLINE_MODEL_PRICE_OUT"),
        ({"LOTLINE_MODEL_SECONDS": "0"}, "LOTLINE_MODEL_SECONDS"),
        ({"LOTLINE_MODEL_2_URL": "https://x.example.com"}, "LOTLINE_MODEL_2_ID"),
    ],
)
def test_a_wrong_key_in_the_environment_is_named(change, word):
    keys = {"URL": "https://example.com/v1", "KEY": "k", "ID": "tiny", "PRICE_IN": "1", "PRICE_OUT": "2"}
    environ = {f"LOTLINE_MODEL_{key}": value for key, value in keys.items()} | change
    with pytest.raises(ConfigError, match=word):
        configured.read(environ)


def test_the_address_may_be_given_with_its_path_or_without():
    keys = {"KEY": "k", "ID": "tiny", "PRICE_IN": "1", "PRICE_OUT": "2"}
    for url in ("https://example.com/v1", "https://example.com/v1/", "https://example.com/v1/chat/completions"):
        (model,) = configured.read({"LOTLINE_MODEL_URL": url} | {f"LOTLINE_MODEL_{key}": keys[key] for key in keys})
        assert model.endpoint.url == "https://example.com/v1/chat/completions"
