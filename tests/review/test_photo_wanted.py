"""A reviewer asks the dock for a new photo: what it does to the queue, what ends it, and two at the same moment."""

import re

import pytest
from sqlalchemy import select

from tests import factories
from tests.pipeline.conftest import answer_bells, client, fresh, make_run  # noqa: F401 - fixtures
from tests.pipeline.test_collisions import meanwhile  # noqa: F401 - a fixture
from tests.review.conftest import latest
from tests.review.test_audits import WRONG, all_drawn, drawn  # noqa: F401 - fixtures
from tests.review.test_reviews import GOOD, waiting  # noqa: F401 - a fixture
from webapp.audit.models import AuditEntry
from webapp.audit.services import SYSTEM
from webapp.catalog.models import Product
from webapp.database import db, transaction
from webapp.errors import Conflict
from webapp.phases.facts import Analysis, Field, PhotoQuality
from webapp.pipeline import cards, queues, restarts
from webapp.pipeline import services as pipeline
from webapp.pipeline.models import PhaseName, Run, RunState
from webapp.review import photo_wanted, services
from webapp.work.models import Event

BARCODE = "The barcode, please"


def asks(user, run, note=BARCODE, seen=None):
    """Asking, for a session of somebody's own."""
    at = seen or fresh(Run, run.id).changed_at
    db.session.rollback()

    def ask(session):
        photo_wanted.ask(session, run.product_id, note, seen=at, user_id=user.id, user_name=user.name, actor=SYSTEM)

    return ask


def wanted(run):
    """The note of the photo that is wanted of the run's product."""
    product = fresh(Product, run.product_id)
    found = product.photo_wanted_note
    assert (product.photo_wanted_at is None) == (found is None)
    db.session.rollback()
    return found


def events(run):
    found = db.session.scalars(select(Event.message).where(Event.stream_id == run.stream_id).order_by(Event.seq)).all()
    db.session.rollback()
    return [message for message in found if "hoto" in message]


def a_photo_comes(session, run):
    """What adding or taking a photo again does, beside the photo itself."""
    _, newest = pipeline.locked_product(session, run.product_id)
    return restarts.look_anew(session, newest, None, "a photo was added (new.jpg)")


@pytest.fixture
def ask(reviewer):
    """`ask(run, note)` sends the question as the review desk does."""

    def send(run, note=BARCODE, browser=reviewer, **more):
        page = browser.get(f"/products/{run.product_id}/photo-wanted").text
        seen = re.search(r'name="seen" value="([^"]+)"', page)
        data = {"note": note, "seen": seen[1] if seen else "", "then": "next", **more}
        return browser.submit(f"/products/{run.product_id}/photo-wanted", data)

    return send


# --- asking ---------------------------------------------------------------------------------------


def test_whoever_asks_goes_on_to_the_next_and_is_told_where_it_went(reviewer, waiting, ask):  # noqa: F811
    first, second = waiting
    answer = ask(first)
    assert (answer.status_code, answer.location) == (303, f"/reviews/{second.id}")
    page = reviewer.get(answer.location).text
    assert "waits under" in page
    assert 'href="/reviews#photos-wanted"' in page
    product = fresh(Product, first.product_id)
    assert (product.photo_wanted_note, product.photo_wanted_by) == (BARCODE, reviewer.user.id)
    assert fresh(Run, first.id).state is RunState.REVIEW
    assert events(first) == [f"Photo wanted by {reviewer.user.name}: {BARCODE}"]
    entry = db.session.execute(select(AuditEntry).where(AuditEntry.action == "photo_wanted")).scalar_one()
    assert (entry.user_id, entry.row_id, entry.new) == (
        reviewer.user.id,
        str(product.id),
        {"photo_wanted_note": BARCODE},
    )


def test_it_is_not_in_line_any_more_but_in_sight(reviewer, waiting, ask):  # noqa: F811
    first, second = waiting
    assert services.place(db.session(), second.id).position == 2
    ask(first)
    assert services.place(db.session(), second.id)[:2] == (1, 1)
    assert services.place(db.session(), first.id) == (None, 1, None, second.id)
    db.session.rollback()
    page = reviewer.get("/reviews").text
    line, _, below = page.partition('id="photos-wanted"')
    assert f'row-way" href="/reviews/{first.id}"' not in line
    assert "1 product waits for a person." in line
    assert str(first.id) in below
    assert str(second.id) not in below
    assert BARCODE in below
    assert reviewer.user.name in below
    reviewer.submit(f"/reviews/{second.id}/decision", GOOD)
    assert "waits for a new photo" in reviewer.get("/reviews").text


@pytest.mark.parametrize("path", ["/", "/?state=review", "/products/{product}", "/reviews/{run}"])
def test_rows_and_pages_say_what_is_wanted_by_whom(reviewer, waiting, ask, path):  # noqa: F811
    run = waiting[0]
    address = path.format(product=run.product_id, run=run.id)
    assert "Photo wanted" not in reviewer.get(address).text
    ask(run, "<b>The back</b>")
    page = reviewer.get(address).text
    assert "Photo wanted" in page
    assert "“&lt;b&gt;The back&lt;/b&gt;”" in page
    assert reviewer.user.name in page.partition("<main")[2]


def test_the_product_page_leads_to_a_form_and_back(reviewer, waiting, ask):  # noqa: F811
    run = waiting[0]
    way = f"/products/{run.product_id}/photo-wanted"
    assert way in reviewer.get(f"/products/{run.product_id}").text
    assert ask(run, then="").location == f"/products/{run.product_id}"
    page = reviewer.get(f"/products/{run.product_id}").text
    assert f'href="{way}"' not in page
    assert f'formaction="{way}/return"' in page


@pytest.mark.parametrize(("note", "says"), [(" ", "in a few words"), ("x" * 201, "at most 200")])
def test_a_note_is_a_line_that_says_something(waiting, ask, note, says):  # noqa: F811
    answer = ask(waiting[0], note)
    assert answer.status_code == 422
    assert says in answer.text
    assert note.strip() in answer.text
    assert wanted(waiting[0]) is None
    assert ask(waiting[0], "x" * 200).status_code == 303


def test_the_notes_that_fit_come_first():
    nothing, sure = Field(), Field(value="4006381333931", confidence=99)
    found = Analysis(name=sure, model=nothing, brand=nothing, condition=nothing, gtin=sure)
    assert [proposal.fits for proposal in photo_wanted.proposals(found)] == [False, False, False]
    poor = Analysis(
        name=sure,
        model=nothing,
        brand=nothing,
        condition=nothing,
        gtin=nothing,
        photos=(PhotoQuality(photo_id="1", score=20, says="The photo is blurred."),),
    )
    assert photo_wanted.proposals(poor) == [
        (BARCODE, True),
        ("Closer and sharp", True),
        ("The front with the name", False),
    ]
    assert [proposal.fits for proposal in photo_wanted.proposals(None)] == [True, True, False]


def test_staff_ask_nothing_and_take_nothing_back(client, waiting, ask, sign_in):  # noqa: F811
    run = waiting[0]
    ask(run)
    staff = sign_in(factories.make_member(client, "staff"), client)
    way = f"/products/{run.product_id}/photo-wanted"
    assert staff.get(way).status_code == 403
    for path in (way, f"{way}/return"):
        assert staff.submit(path, {"note": "Another"}).status_code == 403
    assert wanted(run) == BARCODE


def test_another_clients_product_is_not_found(waiting, ask, sign_in):  # noqa: F811
    ask(waiting[0])
    elsewhere = factories.make_client()
    stranger = sign_in(factories.make_member(elsewhere, "admin"), elsewhere)
    for run in waiting:
        way = f"/products/{run.product_id}/photo-wanted"
        assert stranger.get(way).status_code == 404
        for path in (way, f"{way}/return"):
            assert stranger.submit(path, {"note": "Another"}).status_code == 404
    assert [wanted(run) for run in waiting] == [BARCODE, None]
    assert "Photos wanted" not in stranger.get("/reviews").text


def test_a_form_without_its_token_asks_nothing(reviewer, waiting):  # noqa: F811
    answer = reviewer.post(f"/products/{waiting[0].product_id}/photo-wanted", data={"note": BARCODE})
    assert answer.status_code == 400
    assert wanted(waiting[0]) is None


def test_the_second_reviewer_is_told_who_asks_and_what(client, waiting, ask, sign_in, reviewer):  # noqa: F811
    run = waiting[0]
    other = sign_in(factories.make_member(client, "reviewer"), client)
    ask(run)
    late = ask(run, "Closer and sharp", browser=other)
    assert late.status_code == 409
    assert f"{reviewer.user.name} asks for a new photo already: {BARCODE}" in late.text
    assert ask(run).status_code == 303  # the same person's second press
    assert len(events(run)) == 1


def test_what_waits_for_no_review_is_not_asked_for(reviewer, waiting, ask):  # noqa: F811
    run = waiting[0]
    reviewer.submit(f"/reviews/{run.id}/decision", GOOD)
    assert ask(run).status_code == 409
    assert wanted(run) is None


# --- the end of it --------------------------------------------------------------------------------


@pytest.mark.parametrize(("then", "to"), [("desk", "/reviews/{run}"), ("", "/products/{product}")])
def test_the_question_is_taken_back_and_the_product_waits_as_before(reviewer, waiting, ask, then, to):  # noqa: F811
    first = waiting[0]
    before = services.place(db.session(), first.id)
    ask(first)
    way = f"/products/{first.product_id}/photo-wanted/return"
    answer = reviewer.submit(way, {"then": then})
    assert answer.location == to.format(run=first.id, product=first.product_id)
    assert services.place(db.session(), first.id) == before
    assert wanted(first) is None
    assert events(first)[-1] == f"No photo is wanted any more: {reviewer.user.name} took the question back"
    entry = db.session.execute(select(AuditEntry).where(AuditEntry.action == "photo_wanted_taken_back")).scalar_one()
    assert entry.old == {"photo_wanted_note": BARCODE}
    again = reviewer.submit(way, follow_redirects=True)
    assert "No photo of this product is wanted any more" in again.text


def test_a_decision_ends_it(reviewer, waiting, ask):  # noqa: F811
    ask(waiting[0])
    reviewer.submit(f"/reviews/{waiting[0].id}/decision", GOOD)
    assert wanted(waiting[0]) is None
    assert events(waiting[0])[-1] == f"No photo is wanted any more: {reviewer.user.name} decided without it"
    answer_bells()
    assert fresh(Run, waiting[0].id).state is RunState.COMPLETED


def test_a_removal_ends_it_and_putting_back_brings_it_not_again(reviewer, waiting, ask):  # noqa: F811
    ask(waiting[0])
    for step in ("removal", "return"):
        assert reviewer.submit(f"/products/{waiting[0].product_id}/{step}").status_code == 303
        assert wanted(waiting[0]) is None


def test_a_stop_ends_it(reviewer, waiting, ask):  # noqa: F811
    ask(waiting[0])
    reviewer.submit(f"/runs/{waiting[0].id}/phases/1/stop")
    assert wanted(waiting[0]) is None
    assert fresh(Run, waiting[0].id).state is RunState.STOPPED


def test_a_photo_ends_it_and_what_is_still_not_sure_comes_back_to_the_queue(waiting, ask):  # noqa: F811
    first = waiting[0]
    ask(first)
    with transaction() as session:
        a_photo_comes(session, first)
    assert wanted(first) is None
    assert fresh(Run, first.id).state is RunState.RUNNING
    answer_bells()
    assert fresh(Run, first.id).state is RunState.REVIEW
    assert services.place(db.session(), first.id).position == 1


def test_an_earlier_runs_audit_that_starts_the_product_again_ends_it(app, reviewer, drawn, ask):  # noqa: F811
    app.config["PHASE_ENGINES"][PhaseName.ANALYSIS] = "tests.pipeline.engines.unsure"
    with transaction() as session:
        pipeline.run_again(session, drawn.product_id, None)
    answer_bells()
    assert ask(latest(drawn.product_id)).status_code == 303
    assert reviewer.submit(f"/reviews/{drawn.id}/decision", WRONG).status_code == 303
    assert wanted(drawn) is None
    assert latest(drawn.product_id).number == 3


def test_a_question_about_photos_that_are_old_by_now_is_not_asked(reviewer, waiting, ask):  # noqa: F811
    run = waiting[0]
    seen = fresh(Run, run.id).changed_at.isoformat()
    with transaction() as session:
        a_photo_comes(session, run)
    answer_bells()
    assert fresh(Run, run.id).state is RunState.REVIEW
    late = ask(run, seen=seen)
    assert late.status_code == 409
    assert "looked at anew" in late.text
    assert wanted(run) is None


# --- at the same moment ---------------------------------------------------------------------------


def test_of_two_who_ask_at_once_one_asks(client, waiting, meanwhile):  # noqa: F811
    run, [ann, bob] = waiting[0], [factories.make_member(client, "reviewer") for _ in range(2)]
    first, second = asks(ann, run), asks(bob, run, "Closer and sharp")
    with transaction() as session:
        first(session)
        other = meanwhile(second)
    with pytest.raises(Conflict, match=f"{ann.name} asks"):
        other.result(10)
    assert wanted(run) == BARCODE


def test_a_photo_that_comes_while_it_is_asked_for_ends_the_question(client, waiting, meanwhile):  # noqa: F811
    run = waiting[0]
    question = asks(factories.make_member(client, "reviewer"), run)
    with transaction() as session:
        question(session)
        photo = meanwhile(lambda other: a_photo_comes(other, run))
    photo.result(10)
    assert wanted(run) is None
    assert fresh(Run, run.id).state is RunState.RUNNING


@pytest.mark.parametrize(
    "act",
    [
        lambda session, run: a_photo_comes(session, run),
        lambda session, run: pipeline.remove_product(session, run.product_id, None),
        lambda session, run: pipeline.stop_phase(session, run.id, 1),
        lambda session, run: pipeline.confirm(session, run.id, {"name": "Kettle"}, by_name="Ann"),
    ],
    ids=["photo", "removal", "stop", "decision"],
)
def test_a_question_that_comes_a_moment_too_late_is_not_asked(client, waiting, meanwhile, act):  # noqa: F811
    run = waiting[0]
    question = asks(factories.make_member(client, "reviewer"), run)
    with transaction() as session:
        act(session, run)
        late = meanwhile(question)
    with pytest.raises(Conflict):
        late.result(10)
    assert wanted(run) is None


# --- many -----------------------------------------------------------------------------------------


def test_pages_of_it_follow_each_other_and_it_is_searched(reviewer, make_run, waiting, ask, monkeypatch):  # noqa: F811
    monkeypatch.setattr(queues, "PAGE", 2)
    runs = [*waiting, make_run(name="Toaster")]
    answer_bells()
    for run in runs:
        ask(run)
    newest_first = [str(run.id) for run in reversed(runs)]

    def shown(address):
        page = reviewer.get(address).text
        more = re.search(r'href="([^"]+wanted_before=[^"]+)"', page)
        return re.findall(r'row-way" href="/reviews/([^"]+)"', page), more and more[1].replace("&amp;", "&")

    first, way = shown("/reviews")
    assert first == newest_first[:2]
    assert shown(way) == (newest_first[2:], None)
    assert shown("/reviews?q=toaster") == (newest_first[:1], None)
    assert shown("/reviews?wanted_before=nonsense")[0] == first


def test_many_cost_no_more_queries_than_few(reviewer, make_run, waiting, ask, count_queries):  # noqa: F811
    ask(waiting[0])
    for address in ("/reviews", "/"):
        reviewer.get(address)
        with count_queries() as few:
            reviewer.get(address)
        runs = [make_run() for _ in range(4)]
        answer_bells()
        for run in runs:
            ask(run)
        with count_queries() as many:
            reviewer.get(address)
        assert len(many) == len(few), address


def test_only_the_newest_run_says_it(app, drawn, ask):  # noqa: F811
    app.config["PHASE_ENGINES"][PhaseName.ANALYSIS] = "tests.pipeline.engines.unsure"
    with transaction() as session:
        pipeline.run_again(session, drawn.product_id, None)
    answer_bells()
    ask(latest(drawn.product_id))
    found = {card.number: card.photo_wanted for card in cards.cards_of_product(db.session(), drawn.product_id)}
    assert found[1] is None
    assert found[2].note == BARCODE
