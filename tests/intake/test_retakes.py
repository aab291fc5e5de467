"""A photo taken again: the new one stands in the old one's place, phase 1 looks anew, and nothing is lost."""

import io
import re

import numpy as np
import pytest
from PIL import Image, ImageDraw
from sqlalchemy import select, update

from tests import factories
from tests.intake.conftest import AS_SCRIPT, files_in, photos_of, products
from webapp.access.models import Client, Role
from webapp.audit.models import AuditEntry
from webapp.catalog.models import Photo, Product
from webapp.database import reading, tenant, transaction
from webapp.intake import retakes
from webapp.intake.sample_drawing import ean13
from webapp.phases.facts import NO_BARCODE
from webapp.pipeline import services as pipeline
from webapp.pipeline.models import Phase, Run, RunState
from webapp.work import services as work
from webapp.work.models import Event, Work, WorkState


def plain(grey: int) -> bytes:
    """A photo that shows nothing."""
    buffer = io.BytesIO()
    Image.fromarray(np.full((600, 800, 3), grey, np.uint8)).save(buffer, "JPEG")
    return buffer.getvalue()


def sharp(seed: int) -> bytes:
    """A photo that nothing is wrong with."""
    blocks = np.random.default_rng(seed).integers(0, 2, (30, 40), dtype=np.uint8) * 180 + 40
    buffer = io.BytesIO()
    Image.fromarray(np.kron(blocks, np.ones((20, 20), np.uint8))).save(buffer, "PNG")
    return buffer.getvalue()


def coded(seed: int) -> bytes:
    """A photo that nothing is wrong with, with a barcode on it."""
    photo = Image.open(io.BytesIO(sharp(seed))).convert("RGB")
    photo.paste(ean13("9521101530018"), (200, 200))
    buffer = io.BytesIO()
    photo.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def product(client, upload) -> Product:
    """A product with a blank front and a good label, just uploaded."""
    upload(("front.jpg", plain(120)), ("label.png", sharp(2)))
    (made,) = products(client)
    return made


@pytest.fixture
def again(upload):
    """`again(photo, bytes)` sends a new photo in the place of one, as the page's script does."""

    def send(photo: Photo, data: bytes, headers: dict[str, str] = AS_SCRIPT):
        return upload.browser.submit(
            f"/photos/{photo.id}/retake", {"photos": [(io.BytesIO(data), "new.jpg")]}, headers=headers
        )

    return send


def in_use(product: Product) -> list[Photo]:
    return [photo for photo in photos_of(product) if photo.replaced_by is None]


def runs(product: Product) -> list[Run]:
    with tenant(product.client_id), reading() as session:
        found = session.scalars(select(Run).where(Run.product_id == product.id).order_by(Run.number)).all()
        session.expunge_all()
    return list(found)


def states(run: Run) -> list[str]:
    with tenant(run.client_id), reading() as session:
        of_run = select(Work.state).join(Phase, Phase.work_id == Work.id).where(Phase.run_id == run.id)
        return [state.value for state in session.scalars(of_run.order_by(Phase.number))]


def put(run: Run, state: WorkState, run_state: RunState = RunState.RUNNING) -> None:
    """Bring a run's first phase, and the run, into a state."""
    with tenant(run.client_id), transaction() as session:
        work_id = session.scalars(select(Phase.work_id).where(Phase.run_id == run.id, Phase.number == 1)).one()
        claim = work.claim(session, work_id, "somebody", 60)
        assert claim is not None
        if state is WorkState.HELD:
            work.hold(session, claim, "Needs review")
        elif state is WorkState.DONE:
            work.finish(session, claim, "done")
        session.execute(update(Run).where(Run.id == run.id).values(state=run_state, confidence=40, reasons=["why"]))


def test_a_poor_photo_is_told_in_the_answer_to_the_upload_with_the_way_to_take_it_again(client, upload):
    answer = upload(("front.jpg", plain(120)), ("label.png", sharp(2)))
    (made,) = products(client)
    front, label = photos_of(made)
    assert answer.status_code == 201
    assert front.quality_says in answer.text
    assert front.quality_score <= 70 < label.quality_score
    assert f"/photos/{front.id}/retake" in answer.text
    assert f"/photos/{label.id}/retake" not in answer.text
    assert "Safe to put down" not in answer.text
    assert "2 photos are stored, nothing is lost" in answer.text


def test_good_photos_are_safe_to_put_down_without_a_word_more(upload):
    answer = upload(("label.png", coded(2)))
    assert "Safe to put down" in answer.text
    assert "retake" not in answer.text


def test_a_missing_barcode_is_told_once_in_the_answer_with_the_way_to_add_a_photo(client, upload):
    answer = upload(("front.png", sharp(2)), ("side.png", sharp(3)))
    (made,) = products(client)
    assert answer.text.count(NO_BARCODE) == 1
    assert "data-stay" in answer.text
    assert "2 photos are stored, nothing is lost." in answer.text
    assert "hard to read" not in answer.text
    assert f'href="/products/{made.id}/photos"' in answer.text
    assert "/retake" not in answer.text
    assert answer.text.count("Go on as it is") == 1


def test_one_photo_with_bars_is_enough_readable_or_not(upload):
    assert NO_BARCODE not in upload(("front.png", sharp(2)), ("back.png", coded(3))).text
    spoilt = Image.open(io.BytesIO(coded(4)))
    ImageDraw.Draw(spoilt).rectangle((310, 180, 340, 380), fill=(20, 20, 20))  # through the bars: nobody reads them
    buffer = io.BytesIO()
    spoilt.save(buffer, "PNG")
    assert "Safe to put down" in upload(("spoilt.png", buffer.getvalue())).text


def test_a_missing_barcode_is_not_told_where_none_is_expected(client, upload):
    with tenant(client.id), transaction() as session:
        session.execute(update(Client).where(Client.id == client.id).values(expects_barcodes=False))
    assert "Safe to put down" in upload(("front.png", sharp(2))).text


def test_what_a_poor_photo_shows_is_told_when_it_is_taken_again(client, upload, again):
    answer = upload(("front.jpg", plain(120)), ("side.png", sharp(2)))
    assert NO_BARCODE not in answer.text
    (made,) = products(client)
    answer = again(photos_of(made)[0], sharp(3))
    assert answer.text.count(NO_BARCODE) == 1
    assert answer.headers["X-Stay"] == "yes"
    assert f'href="/products/{made.id}/photos"' in answer.text


def test_an_added_photo_ends_or_repeats_what_was_said_of_the_whole_product(client, upload):
    upload(("front.png", sharp(2)))
    (made,) = products(client)

    def add(data: bytes):
        files = {"photos": [(io.BytesIO(data), "more.png")]}
        return upload.browser.submit(f"/products/{made.id}/photos", files, headers=AS_SCRIPT)

    answer = add(sharp(3))
    assert (answer.text.count(NO_BARCODE), answer.headers["X-Stay"]) == (1, "yes")
    answer = add(coded(4))
    assert (answer.text.count(NO_BARCODE), answer.headers["X-Stay"]) == (0, "no")
    answer = add(sharp(5))
    assert (answer.text.count(NO_BARCODE), answer.headers["X-Stay"]) == (0, "no")


def test_a_number_that_is_known_already_is_not_asked_for_again(client, upload, again):
    upload(("front.png", sharp(2)))
    (made,) = products(client)
    with tenant(client.id), transaction() as session:
        session.execute(update(Product).where(Product.id == made.id).values(gtin14="09521101530018"))
    assert NO_BARCODE not in again(photos_of(made)[0], sharp(3)).text


def test_without_script_a_missing_barcode_stands_on_the_products_page(client, upload):
    upload(("front.png", sharp(2)), headers={})
    (made,) = products(client)
    page = upload.browser.get(f"/products/{made.id}").text
    assert page.count(NO_BARCODE) == 1
    assert "You can put the item down" not in page
    assert f'href="/products/{made.id}/photos"' in page


def test_without_script_the_product_page_tells_what_is_wrong_and_leads_to_a_form(client, upload):
    upload(("front.jpg", plain(120)), headers={})
    (made,) = products(client)
    (photo,) = photos_of(made)
    page = upload.browser.get(f"/products/{made.id}").text
    assert page.count(photo.quality_says) >= 2
    assert "You can put the item down" not in page
    assert f'href="/photos/{photo.id}/retake"' in page
    form = upload.browser.get(f"/photos/{photo.id}/retake")
    assert form.status_code == 200
    assert re.search(r'class="input"\s+type="file"[^>]*capture="environment"', form.text)
    answer = upload.browser.submit(f"/photos/{photo.id}/retake", {"photos": [(io.BytesIO(sharp(3)), "b.png")]})
    assert (answer.status_code, answer.location) == (303, f"/products/{made.id}")


def test_the_new_photo_stands_in_the_old_ones_place_and_the_old_one_is_kept(product, again, uploader, folder):
    front, label = photos_of(product)
    answer = again(front, sharp(7))
    assert (answer.status_code, answer.headers["X-Location"]) == (201, f"/products/{product.id}")
    assert "This one is good" in answer.text
    new, untouched = in_use(product)
    assert (new.position, new.is_primary, new.file_name) == (front.position, True, "new.jpg")
    assert untouched.id == label.id
    old = next(photo for photo in photos_of(product) if photo.id == front.id)
    assert (old.replaced_by, old.is_primary) == (new.id, False)
    assert len(files_in(folder)) == 9
    with tenant(product.client_id), reading() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "photo_taken_again")).one()
        assert (entry.user_id, entry.row_id) == (uploader.id, str(new.id))


def test_a_new_photo_that_is_poor_too_is_told_again(product, again):
    front, _ = photos_of(product)
    answer = again(front, plain(30))
    assert f"/photos/{in_use(product)[0].id}/retake" in answer.text


def test_a_phase_that_has_not_begun_is_left_alone(product, again):
    front, _ = photos_of(product)
    again(front, sharp(7))
    (run,) = runs(product)
    assert states(run) == ["ready", "blocked", "blocked", "blocked"]
    with tenant(run.client_id), reading() as session:
        assert session.scalars(select(Event.kind).order_by(Event.seq)).all() == ["run.started", "run.photos_changed"]


@pytest.mark.parametrize(
    ("state", "run_state"), [(WorkState.RUNNING, RunState.RUNNING), (WorkState.HELD, RunState.REVIEW)]
)
def test_a_phase_under_way_or_waiting_for_a_person_begins_again(product, again, state, run_state):
    (before,) = runs(product)
    put(before, state, run_state)
    again(photos_of(product)[0], sharp(7))
    (run,) = runs(product)
    assert (run.state, run.confidence, run.reasons) == (RunState.RUNNING, None, [])
    assert states(run) == ["ready", "blocked", "blocked", "blocked"]


def test_a_worker_that_still_looks_at_the_old_photo_can_write_nothing(product, again):
    (run,) = runs(product)
    with tenant(run.client_id), transaction() as session:
        work_id = session.scalars(select(Phase.work_id).where(Phase.run_id == run.id, Phase.number == 1)).one()
        claim = work.claim(session, work_id, "somebody", 60)
    again(photos_of(product)[0], sharp(7))
    with tenant(run.client_id), pytest.raises(work.LeaseLost), transaction() as session:
        work.finish(session, claim, "done")


def test_a_run_that_is_past_phase_1_gives_way_to_a_new_one(product, again):
    (before,) = runs(product)
    put(before, WorkState.DONE, RunState.RUNNING)
    with tenant(before.client_id), transaction() as session:
        following = session.scalars(select(Phase.work_id).where(Phase.run_id == before.id, Phase.number == 2)).one()
        work.unblock(session, following)
    again(photos_of(product)[0], sharp(7))
    old, new = runs(product)
    assert (old.state, old.is_latest) == (RunState.STOPPED, False)
    assert (new.state, new.is_latest, new.hints) == (RunState.RUNNING, True, old.hints)
    assert states(old)[:2] == ["done", "stopped"]
    assert states(new) == ["ready", "blocked", "blocked", "blocked"]


def test_the_same_photo_sent_twice_replaces_once(product, again, folder):
    front, _ = photos_of(product)
    first, second = again(front, sharp(7)), again(front, sharp(7))
    assert (first.status_code, second.status_code) == (201, 201)
    assert len(photos_of(product)) == 3
    assert len(files_in(folder)) == 9


def test_who_is_later_learns_that_somebody_was_faster(product, again):
    front, _ = photos_of(product)
    again(front, sharp(7))
    answer = again(front, sharp(8))
    assert answer.status_code == 409
    assert "has been taken again already" in answer.text
    assert len(photos_of(product)) == 3


def test_the_photo_that_is_there_already_is_no_new_one(product, again):
    front, label = photos_of(product)
    for data in (plain(120), sharp(2)):
        answer = again(front, data)
        assert answer.status_code == 422
        assert "same photo as before" in answer.text
    assert {photo.id for photo in in_use(product)} == {front.id, label.id}


@pytest.mark.parametrize(("data", "says"), [(b"not a photo", "This file is"), (b"", "empty")])
def test_what_is_no_photo_replaces_nothing_and_says_why(product, again, folder, data, says):
    front, _ = photos_of(product)
    for headers in (AS_SCRIPT, {}):
        answer = again(front, data, headers)
        assert answer.status_code == 422
        assert says in answer.text
        assert "What you typed" not in answer.text
    assert len(in_use(product)) == 2
    assert len(files_in(folder)) == 6


def test_nothing_sent_is_told(product, upload):
    front, _ = photos_of(product)
    answer = upload.browser.submit(f"/photos/{front.id}/retake", {})
    assert answer.status_code == 422
    assert "No photo was sent" in answer.text


def test_an_earlier_photo_can_be_used_again_and_the_newer_one_is_kept(product, again, upload):
    front, _ = photos_of(product)
    again(front, sharp(7))
    again(in_use(product)[0], sharp(8))
    page = upload.browser.get(f"/products/{product.id}").text
    assert f"/photos/{front.id}/use" in page
    assert "2 earlier photos" in page
    answer = upload.browser.submit(f"/photos/{front.id}/use", {})
    assert answer.status_code == 303
    first, _ = in_use(product)
    assert (first.id, first.is_primary, first.position) == (front.id, True, 0)
    assert len(photos_of(product)) == 4
    assert upload.browser.submit(f"/photos/{front.id}/use", {}).status_code == 409


def test_one_more_photo_stands_behind_the_others(product, upload):
    for _ in range(2):  # a repeated request adds nothing
        answer = upload.browser.submit(
            f"/products/{product.id}/photos", {"photos": [(io.BytesIO(sharp(9)), "code.png")]}, headers=AS_SCRIPT
        )
        assert answer.status_code == 201
    assert [photo.file_name for photo in in_use(product)] == ["front.jpg", "label.png", "code.png"]
    assert [photo.is_primary for photo in in_use(product)] == [True, False, False]


def test_a_product_takes_no_more_photos_than_it_may(product, upload, limits, monkeypatch):
    limits(max_photos=2)
    send = {"photos": [(io.BytesIO(sharp(9)), "code.png")]}
    answer = upload.browser.submit(f"/products/{product.id}/photos", send, headers=AS_SCRIPT)
    assert answer.status_code == 422
    assert "up to 2 photos" in answer.text
    monkeypatch.setattr(retakes, "MOST_TAKES", 2)
    front, _ = photos_of(product)
    answer = upload.browser.submit(f"/photos/{front.id}/retake", {"photos": [(io.BytesIO(sharp(9)), "code.png")]})
    assert answer.status_code == 422
    assert "kept already" in answer.text


def test_nobody_touches_another_clients_photo(product, sign_in):
    front, _ = photos_of(product)
    stranger = sign_in(factories.make_member(factories.make_client(), Role.ADMIN))
    for path in (f"/photos/{front.id}/retake", f"/products/{product.id}/photos"):
        assert stranger.get(path).status_code == 404
        assert stranger.submit(path, {"photos": [(io.BytesIO(sharp(9)), "a.png")]}).status_code == 404
    assert stranger.submit(f"/photos/{front.id}/use", {}).status_code == 404
    assert len(photos_of(product)) == 2


def test_a_photo_of_a_removed_product_is_not_taken_again(product, again, upload):
    front, _ = photos_of(product)
    upload.browser.submit(f"/products/{product.id}/removal", {})
    assert again(front, sharp(7)).status_code == 404


def test_phase_1_and_the_screens_see_the_photos_in_use_only(product, again, upload):
    from webapp.pipeline.tasks import open_case

    front, label = photos_of(product)
    again(front, sharp(7))
    (run,) = runs(product)
    new = in_use(product)[0]
    with tenant(product.client_id):
        with reading() as session:
            first = session.scalars(select(Phase.work_id).where(Phase.run_id == run.id, Phase.number == 1)).one()
        case = open_case(first)
    assert [photo.id for photo in case.photos] == [new.id, label.id]
    desk = upload.browser.get("/").text
    assert f"/photos/{new.id}/thumb" in desk
    assert f"/photos/{front.id}/thumb" not in desk


def test_the_bytes_of_a_replaced_photo_are_nobodys_twin_any_more(product, again, upload, client):
    again(photos_of(product)[0], sharp(7))
    answer = upload(("front.jpg", plain(120)))
    assert answer.status_code == 201
    assert len(products(client)) == 2


def test_a_reviewed_product_keeps_what_the_person_settled(product, again):
    (run,) = runs(product)
    with tenant(run.client_id), transaction() as session:
        pipeline.locked_product(session, product.id)
        session.execute(update(Product).where(Product.id == product.id).values(name="Kettle", fixed_fields=["name"]))
    put(run, WorkState.DONE, RunState.COMPLETED)
    again(photos_of(product)[0], sharp(7))
    with tenant(run.client_id), reading() as session:
        assert session.get_one(Product, product.id, populate_existing=True).name == "Kettle"
    assert len(runs(product)) == 2
