"""Analysis and ties with a model, from the photo on disk to the reviewer's screen."""

import base64
import io
from datetime import UTC, datetime

import pytest
from PIL import Image
from sqlalchemy import text

from tests.ai.conftest import NOTHING, set_terms
from tests.ai.test_listing_texts import calls, spending
from tests.factories import make_member, make_photo
from tests.intake.conftest import draw
from tests.pipeline.conftest import answer_bells, fresh
from webapp import storage
from webapp.access.models import Role
from webapp.catalog.models import Product
from webapp.database import db, transaction
from webapp.phases import facts
from webapp.pipeline import findings
from webapp.pipeline.models import PhaseName, Run, RunState
from webapp.pipeline.services import start_run
from webapp.pipeline.tasks import ENGINES

SAID = {"name": "Stabilo point 88 fineliner", "brand": "Stabilo", "model": "88"}
DECISION = {"name": "Stabilo point 88 fineliner", "brand": "Stabilo", "model": "88", "condition": "new", "gtin": ""}


def unsure(photos, hints, reference, report, model=None, **_more):
    """An analysis that found nothing."""
    assessment = facts.Assessment(path=facts.Path.NOTHING, raw=0, shown=0)
    found = dict.fromkeys(("name", "brand", "model", "condition", "gtin"), NOTHING)
    return facts.Analysis(**found, confidence=0, reasons=("Nothing was found.",), assessment=assessment)


def sure(photos, hints, reference, report, model=None, **_more):
    """One that needs no help."""
    name = facts.Field(value="Pen", confidence=95)
    assessment = facts.Assessment(path=facts.Path.BARCODE_RECORD, raw=95, shown=95)
    others = dict.fromkeys(("brand", "model", "condition", "gtin"), NOTHING)
    return facts.Analysis(name=name, **others, confidence=95, assessment=assessment)


@pytest.fixture
def analyse(app, use_models):
    """`analyse(engine)`: phase 1 by this engine."""

    def choose(engine):
        app.config["PHASE_ENGINES"][PhaseName.ANALYSIS] = f"{__name__}.{engine.__name__}"

    return choose


@pytest.fixture
def folder(app, tmp_path):
    """Where this test's photos are kept."""
    before = app.extensions.copy()
    storage.init_app(app, tmp_path / "photos")
    yield
    app.extensions.update(before)


def run_with_photos(client, *photos):
    with transaction() as session:
        product = Product(client_id=client.id, catalog_id=_catalog(session))
        session.add(product)
        session.flush()
        for data in photos:
            key = storage.write(client.id, data, "jpg").key
            make_photo(product, original_key=key, display_key=key)
        return start_run(
            session, client_id=client.id, product_id=product.id, created_by=None, started_by=None, hints={}
        )


def _catalog(session):
    return session.execute(text("SELECT id FROM catalogs WHERE is_default")).scalar_one()


def found(run, name=PhaseName.ANALYSIS):
    with transaction() as session:
        return findings.read_all(session, run.id)[1][name]


def test_a_model_sees_the_photos_small_and_what_it_says_is_marked_until_a_person_decides(
    client, model, use_models, analyse, folder, sign_in
):
    use_models(model.environ(NAME="Tiny", PHOTO_SIDE="320"))
    analyse(unsure)
    model.answers["analysis"] = SAID
    run = run_with_photos(client, draw(1, 900, 600), draw(2, 200, 100))
    answer_bells()
    assert fresh(Run, run.id).state is RunState.REVIEW
    pictures = [part for part in model.asked[0]["messages"][1]["content"] if part["type"] == "image_url"]
    sizes = []
    for picture in pictures:
        kind, _, data = picture["image_url"]["url"].partition(",")
        assert kind == "data:image/jpeg;base64"
        sizes.append(Image.open(io.BytesIO(base64.b64decode(data))).size)
    assert sizes == [(320, 213), (200, 100)]
    analysis = found(run)
    assert (analysis.name.value, analysis.name.written_by) == ("Stabilo point 88 fineliner", "model")
    assert (analysis.confidence, analysis.gtin) == (0, NOTHING)
    reviewer = sign_in(make_member(client, Role.REVIEWER), client)
    desk = reviewer.get(f"/reviews/{run.id}").text
    assert desk.count("written by a model") == 3
    assert "Tiny takes it for “Stabilo point 88 fineliner”." in desk
    assert reviewer.get(f"/products/{run.product_id}").text.count("written by a model") == 3
    assert reviewer.submit(f"/reviews/{run.id}/decision", DECISION).status_code == 303
    settled = found(run)
    assert {settled.name.written_by, settled.brand.written_by, settled.model.written_by} == {"reviewer"}
    db.session.rollback()
    page = reviewer.get(f"/products/{run.product_id}").text
    assert page.count("written by a model") == 0


def test_photos_count_in_what_is_reserved(client, model, use_models, analyse, folder):
    use_models(model.environ(PHOTO_TOKENS="1500"))
    analyse(unsure)
    model.answers["analysis"] = SAID
    run_with_photos(client)
    run_with_photos(client, draw(1), draw(2))
    answer_bells()
    without, with_two = (call.reserved_usd for call in calls())
    assert float(with_two - without) == pytest.approx(2 * 1500 * 2 / 1_000_000)


def test_a_model_without_eyes_is_sent_no_photos(client, model, use_models, analyse, folder):
    use_models(model.environ(PHOTO_SIDE="0"))
    analyse(unsure)
    model.answers["analysis"] = SAID
    run_with_photos(client, draw(1))
    answer_bells()
    assert isinstance(model.asked[0]["messages"][1]["content"], str)


def test_a_file_that_is_no_photo_is_left_out(client, model, use_models, analyse, folder):
    use_models(model.environ())
    analyse(unsure)
    model.answers["analysis"] = SAID
    run_with_photos(client, b"this is no photo", draw(1))
    answer_bells()
    assert len(model.asked[0]["messages"][1]["content"]) == 2


def test_who_is_sure_asks_nobody(client, model, use_models, analyse, folder):
    use_models(model.environ())
    set_terms(client, uses=("analysis",))
    analyse(sure)
    run = run_with_photos(client)
    answer_bells()
    assert fresh(Run, run.id).state is RunState.COMPLETED
    assert model.asked == []


def test_an_analysis_goes_on_without_and_says_so(client, model, use_models, analyse, folder, sign_in):
    use_models(model.environ(NAME="Tiny"))
    analyse(unsure)
    model.always = 503
    run = run_with_photos(client)
    answer_bells()
    assert fresh(Run, run.id).state is RunState.REVIEW
    note = "Tiny does not answer: it has an error of its own (HTTP 503)."
    assert found(run).model_notes == (note,)
    assert note in sign_in(make_member(client), client).get(f"/products/{run.product_id}").text
    assert spending() == (0, 0)


def add_offers(client, *titles):
    with transaction() as session:
        for title in titles:
            session.execute(
                text("""INSERT INTO offers (id, client_id, source, source_ref, kind, title, price, currency, seen_at)
                        VALUES (gen_random_uuid(), :client_id, 'list', :title, 'offer', :title, 9.5, 'USD', :now)"""),
                {"client_id": client.id, "title": title, "now": datetime.now(UTC)},
            )


@pytest.fixture
def market(app):
    """The real phase 2."""
    app.config["PHASE_ENGINES"][PhaseName.MARKET] = ENGINES[PhaseName.MARKET]


TIED = "Stabilo fineliner point pen assorted"


@pytest.mark.parametrize(("same", "used"), [([1], 1), ([], 0), ([7], 0)])
def test_a_tie_among_offers_is_broken_within_what_was_asked(client, model, use_models, market, make_run, same, used):
    use_models(model.environ(NAME="Tiny"))
    set_terms(client, uses=("matching",))
    model.answers["matching"] = {"same": same}
    add_offers(client, TIED)
    run = make_run()
    answer_bells()
    assert [call.use for call in calls()] == ["matching"]
    research = found(run, PhaseName.MARKET)
    assert research.offers_used == used
    assert ("Tiny, a language model" in research.offers[0].why) is bool(used)


def test_no_model_is_paid_for_what_a_person_said_of_an_offer(client, model, use_models, market, make_run):
    use_models(model.environ(NAME="Tiny"))
    set_terms(client, uses=("matching",))
    model.answers["matching"] = {"same": [1]}
    add_offers(client, TIED)
    run = make_run()
    with transaction() as session:
        session.execute(
            text("""INSERT INTO offer_verdicts (client_id, product_id, offer_id, is_same)
                    SELECT client_id, :product_id, id, false FROM offers"""),
            {"product_id": run.product_id},
        )
    answer_bells()
    assert (found(run, PhaseName.MARKET).offers_used, calls()) == (0, [])


def test_who_breaks_a_tie_among_offers_is_shown_the_photos(client, model, use_models, market, folder):
    use_models(model.environ(NAME="Tiny"))
    set_terms(client, uses=("matching",))
    model.answers["matching"] = {"same": [1]}
    add_offers(client, TIED)
    run_with_photos(client, draw(1, 200, 100))
    answer_bells()
    (question,) = model.asked
    assert [part["type"] for part in question["messages"][1]["content"]] == ["text", "image_url"]


def test_who_writes_a_listing_is_shown_the_photos(client, model, use_models, folder):
    use_models(model.environ())
    set_terms(client, uses=("listing",))
    run_with_photos(client, draw(1, 200, 100), draw(2, 200, 100))
    answer_bells()
    (question,) = model.asked
    assert [part["type"] for part in question["messages"][1]["content"]] == ["text", "image_url", "image_url"]
    assert [call.use for call in calls()] == ["listing"]


def test_a_photo_whose_file_is_gone_is_not_shown_and_stops_nothing(client, model, use_models, market, folder):
    use_models(model.environ(NAME="Tiny"))
    set_terms(client, uses=("matching",))
    model.answers["matching"] = {"same": [1]}
    add_offers(client, TIED)
    run = run_with_photos(client, draw(1, 200, 100), draw(2, 200, 100))
    gone = storage.write(client.id, draw(3, 50, 50), "jpg").key
    storage.delete(gone)
    with transaction() as session:
        first = "UPDATE photos SET display_key = :gone WHERE id = (SELECT id FROM photos LIMIT 1)"
        session.execute(text(first), {"gone": gone})
    answer_bells()
    assert fresh(Run, run.id).state is RunState.COMPLETED
    shown = [part["type"] for part in model.asked[0]["messages"][1]["content"]]
    assert shown.count("image_url") == 1
