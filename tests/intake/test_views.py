"""Uploads as browsers send them: what is taken, what is refused and why, and that nothing is lost or doubled."""

import hashlib
import io
import re
import time
from itertools import count
from uuid import uuid4

import pytest
from PIL import Image
from sqlalchemy import select, text

from tests import factories
from tests.intake.conftest import draw, files_in, photos_of, products
from webapp import storage
from webapp.access.models import Role
from webapp.audit.models import AuditEntry
from webapp.catalog import imaging
from webapp.database import db, reading, tenant
from webapp.intake import pictures
from webapp.lib.image_errors import ImageError, ImageProblem
from webapp.pipeline.models import Phase, Run
from webapp.work.models import Event, Work


def test_form_is_there_with_a_key_and_the_clients_catalogs(client, upload):
    factories.make_catalog(client, "Vendors")
    page = upload.browser.get("/intake")
    assert page.status_code == 200
    assert re.search(r'name="upload_key" value="[0-9a-f-]{36}"', page.text)
    assert page.text.index("My products") < page.text.index("Vendors")


def test_upload_makes_product_photos_and_a_run_that_starts_by_itself(client, uploader, upload, folder):
    front, label = draw(1), draw(2, form="PNG")
    answer = upload(("front.jpg", front), ("label.png", label), name=" Kettle ", model="K-1", condition="used")
    (product,) = products(client)
    assert answer.status_code == 201
    assert answer.headers["X-Location"] == f"/products/{product.id}"
    assert "2 photos are stored" in answer.text

    assert product.created_by == uploader.id
    assert product.catalog_id == factories.default_catalog_id(client)
    assert (product.name, product.model, product.condition, product.sku, product.price, product.code) == (None,) * 6
    first, second = photos_of(product)
    assert [(p.file_name, p.mime_type, p.is_primary) for p in (first, second)] == [
        ("front.jpg", "image/jpeg", True),
        ("label.png", "image/png", False),
    ]
    assert (first.width, first.height, first.size_bytes) == (64, 48, len(front))
    with client_app(upload):
        assert [storage.read(photo.original_key) for photo in (first, second)] == [front, label]
    assert len(files_in(folder)) == 6

    with tenant(client.id), reading() as session:
        run = session.scalars(select(Run)).one()
        assert (run.product_id, run.state, run.created_by) == (product.id, "running", uploader.id)
        assert run.hints == {"name": "Kettle", "model": "K-1", "condition": "used"}
        states = session.scalars(select(Work.state).join(Phase, Phase.work_id == Work.id).order_by(Phase.number)).all()
        assert states == ["ready", "blocked", "blocked", "blocked"]
        assert session.scalars(select(Event.kind)).all() == ["run.started"]
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "product_uploaded")).one()
        assert (entry.user_id, entry.row_id, entry.new["photos"]) == (uploader.id, str(product.id), 2)


def test_form_without_script_leads_to_the_product(client, upload):
    answer = upload(("front.jpg", draw(1)), ("", b""), headers={})
    (product,) = products(client)
    assert (answer.status_code, answer.location) == (303, f"/products/{product.id}")


@pytest.mark.parametrize("role", [Role.REVIEWER, Role.ADMIN])
def test_higher_roles_may_upload_too(client, sign_in, role):
    browser = sign_in(factories.make_member(client, role))
    answer = browser.submit("/intake", {"photos": [(io.BytesIO(draw(1)), "a.jpg")], "upload_key": str(uuid4())})
    assert answer.status_code == 303


def test_nobody_uploads_without_signing_in(client, browse, folder):
    answer = browse.post("/intake", data={"photos": [(io.BytesIO(draw(1)), "a.jpg")]})
    assert (answer.status_code, answer.location) == (303, "/sign-in")
    assert files_in(folder) == []


# --- refused --------------------------------------------------------------------------------------


def test_refused_files_are_named_with_the_reason_and_the_others_go_on(client, upload):
    cut_off = draw(3, 400, 300)[:2000]
    answer = upload(
        ("drawing.jpg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("cut.jpg", cut_off),
        ("good.jpg", draw(1)),
        ("empty.jpg", b""),
    )
    assert answer.status_code == 201
    refused = dict(re.findall(r'data-rejected="([^"]+)" data-reason="([^"]+)"', answer.text))
    assert refused.keys() == {"drawing.jpg", "cut.jpg", "empty.jpg"}
    assert "SVG drawing" in refused["drawing.jpg"]
    assert "empty" in refused["empty.jpg"]
    (product,) = products(client)
    assert [(photo.file_name, photo.is_primary) for photo in photos_of(product)] == [("good.jpg", True)]
    assert "drawing.jpg was not accepted" in upload.browser.get("/account").text


@pytest.mark.parametrize("headers", [{}, {"X-Requested-With": "XMLHttpRequest"}])
def test_nothing_is_made_of_files_that_are_no_photos(client, upload, folder, headers):
    answer = upload(("notes.txt", b"hello"), ("page.html", b"<!doctype html>"), name="Kettle", headers=headers)
    assert answer.status_code == 422
    assert re.findall(r'data-rejected="([^"]+)"', answer.text) == ["notes.txt", "page.html"]
    assert products(client) == []
    assert files_in(folder) == []


def test_upload_without_photos_is_told_so_and_keeps_what_was_typed(client, upload):
    answer = upload(("", b""), name="Kettle & Co", headers={})
    assert answer.status_code == 422
    assert "Add at least one photo" in answer.text
    assert 'value="Kettle &amp; Co"' in answer.text
    assert "What you typed is still there" in answer.text
    assert "What you typed is still there" not in upload(("", b""), headers={}).text
    assert products(client) == []


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("name", "x" * 201, "At most 200 characters"),
        ("model", "x" * 101, "At most 100 characters"),
        ("condition", "shiny", "Choose one of the conditions"),
        ("catalog", "not-an-id", "Choose one of the catalogs"),
        ("catalog", "0190aaaa-0000-7000-8000-00000000dead", "This catalog is not there any more"),
    ],
)
def test_faulty_field_is_named_and_nothing_is_kept(client, upload, folder, field, value, says):
    answer = upload(("a.jpg", draw(1)), **{field: value})
    assert answer.status_code == 422
    assert f'data-error-for="{field}"' in answer.text
    assert says in answer.text
    assert products(client) == []
    assert files_in(folder) == []


def test_catalogs_of_others_and_inactive_ones_are_refused(client, upload):
    strange = factories.make_catalog(factories.make_client())
    closed = factories.make_catalog(client, status="inactive")
    for catalog in (strange, closed):
        assert upload(("a.jpg", draw(1)), catalog=str(catalog.id)).status_code == 422
    assert products(client) == []


def test_chosen_catalog_is_used(client, upload):
    chosen = factories.make_catalog(client)
    upload(("a.jpg", draw(1)), catalog=str(chosen.id))
    assert [product.catalog_id for product in products(client)] == [chosen.id]


def test_what_was_typed_is_cleaned_of_what_nobody_types(client, upload):
    upload(("dcim/fr\u202eont.jpg", draw(1)), name="Two\r\nlines\x1b[31m", upload_key="no key")
    (product,) = products(client)
    assert [photo.file_name for photo in photos_of(product)] == ["front.jpg"]
    with tenant(client.id), reading() as session:
        assert session.scalars(select(Run.hints)).all() == [{"name": "Two lines[31m"}]


def test_photo_over_the_limit_is_refused_and_named(client, upload, limits):
    small, large = draw(1), draw(2, 800, 600)
    limits(max_photo_bytes=len(large) - 1)
    answer = upload(("large.jpg", large), ("small.jpg", small))
    assert answer.status_code == 201
    assert 'data-rejected="large.jpg"' in answer.text
    assert "MB are taken" in answer.text
    (product,) = products(client)
    assert [photo.file_name for photo in photos_of(product)] == ["small.jpg"]


def test_photos_beyond_the_limit_are_refused_without_counting_refused_ones(client, upload, limits):
    limits(max_photos=2)
    answer = upload(("no.txt", b"no"), ("1.jpg", draw(1)), ("2.jpg", draw(2)), ("3.jpg", draw(3)))
    assert re.findall(r'data-rejected="([^"]+)"', answer.text) == ["no.txt", "3.jpg"]
    assert "up to 2 photos" in answer.text
    (product,) = products(client)
    assert [photo.file_name for photo in photos_of(product)] == ["1.jpg", "2.jpg"]


def test_request_over_the_limit_gets_the_page_for_it(client, upload, limits, folder):
    upload.browser.form_token()
    limits(max_request_bytes=100_000)
    answer = upload(("large.jpg", draw(2, 800, 600)))
    assert answer.status_code == 413
    assert "data-notice" in answer.text
    assert products(client) == []
    assert files_in(folder) == []


# --- duplicates -----------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{}, {"X-Requested-With": "XMLHttpRequest"}])
def test_known_photo_is_told_with_the_earlier_product_and_the_uploader_decides(client, upload, folder, headers):
    upload(("first.jpg", draw(1)))
    (earlier,) = products(client)
    files = files_in(folder)
    key = str(uuid4())
    answer = upload(("again.jpg", draw(1)), ("new.jpg", draw(2)), upload_key=key, headers=headers)
    assert answer.status_code == 409
    assert re.findall(r'data-duplicate="([^"]+)"', answer.text) == ["again.jpg"]
    assert f"/products/{earlier.id}" in answer.text
    assert f"/photos/{photos_of(earlier)[0].id}/thumb" in answer.text
    assert len(products(client)) == 1
    assert files_in(folder) == files

    kept = upload(("again.jpg", draw(1)), ("new.jpg", draw(2)), upload_key=key, keep_duplicates="yes")
    assert kept.status_code == 201
    assert [len(photos_of(product)) for product in products(client)] == [1, 2]


def test_photo_of_a_deleted_product_or_of_another_client_is_no_duplicate(client, upload, sign_in, owner):
    upload(("a.jpg", draw(1)))
    owner.execute("UPDATE products SET deleted_at = now()")
    assert upload(("a.jpg", draw(1))).status_code == 201
    other = factories.make_client()
    browser = sign_in(factories.make_member(other))
    browser.submit("/intake", {"photos": [(io.BytesIO(draw(1)), "a.jpg")]})
    assert len(products(other)) == 1


def test_same_photo_twice_in_one_upload_is_kept_once_and_told(client, upload):
    answer = upload(("one.jpg", draw(1)), ("two.jpg", draw(1)), keep_duplicates="yes")
    assert answer.status_code == 201
    assert re.findall(r'data-rejected="([^"]+)"', answer.text) == ["two.jpg"]
    assert "same photo twice" in answer.text
    (product,) = products(client)
    assert len(photos_of(product)) == 1


# --- repeated -------------------------------------------------------------------------------------


def test_repeated_request_gets_the_product_of_the_first(client, upload, folder):
    key = str(uuid4())
    files = (("a.jpg", draw(1)), ("no.txt", b"no"))
    first, second = upload(*files, upload_key=key), upload(*files, upload_key=key)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.headers["X-Location"] == second.headers["X-Location"]
    assert "1 photo is stored" in second.text
    assert 'data-rejected="no.txt"' in second.text, "what was refused then is not called safe now"
    assert len(products(client)) == 1
    assert len(files_in(folder)) == 3


def test_same_form_with_other_photos_is_no_repetition(client, upload):
    key = str(uuid4())
    first, second = upload(("a.jpg", draw(1)), upload_key=key), upload(("b.jpg", draw(2)), upload_key=key)
    assert (first.status_code, second.status_code) == (201, 201)
    assert len(products(client)) == 2


# --- what is stored -------------------------------------------------------------------------------


def test_served_copies_carry_nothing_of_what_the_camera_wrote(client, upload):
    exif = Image.Exif()
    exif[0x010F] = "SECRET-CAMERA"
    exif[0x0112] = 6  # turned by a quarter
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)  # GPS latitude
    original = draw(1, 400, 300, exif=exif, comment=b"SECRET-COMMENT")
    upload(("a.jpg", original))
    (photo,) = photos_of(products(client)[0])
    assert (photo.width, photo.height) == (300, 400)
    for variant in ("display", "thumb"):
        served = upload.browser.get(f"/photos/{photo.id}/{variant}").data
        picture = Image.open(io.BytesIO(served))
        assert picture.width < picture.height
        assert not picture.getexif()
        assert b"SECRET" not in served
        assert not {"exif", "icc_profile", "comment"} & picture.info.keys()
    assert upload.browser.get(f"/photos/{photo.id}/original").data == original


def test_no_transaction_is_open_while_photos_are_decoded(client, upload, monkeypatch):
    decode, seen = imaging.normalise, []

    def watched(data: bytes, file_name: str):
        seen.append(db.session().in_transaction())
        return decode(data, file_name)

    monkeypatch.setattr(imaging, "normalise", watched)
    upload(("a.jpg", draw(1)), ("b.jpg", draw(2)))
    assert seen == [False, False]


def test_uploads_leave_threads_for_pages(client, upload, folder, monkeypatch):
    decode, answers, seeds = imaging.normalise, [], count(2)

    def others_come(data, file_name):
        answers.append(upload(("other.jpg", draw(next(seeds)))))
        return decode(data, file_name)

    monkeypatch.setattr(imaging, "normalise", others_come)
    assert upload(("mine.jpg", draw(1))).status_code == 201
    *taken, refused = reversed(answers)
    assert [answer.status_code for answer in taken] == [201] * 3, "two of six threads stay free"
    assert refused.status_code == 503
    assert refused.headers["Retry-After"]
    assert "please send them again" in refused.text
    assert len(products(client)) == 4
    monkeypatch.undo()
    assert upload(("later.jpg", draw(next(seeds)))).status_code == 201, "all places are free again"


def test_number_of_queries_does_not_grow_with_the_photos(client, upload, count_queries):
    upload(("warm.jpg", draw(99)))
    counts = []
    for files in ([("a.jpg", draw(1))], [(f"{seed}.jpg", draw(seed)) for seed in range(2, 8)]):
        with count_queries() as statements:
            upload(*files)
        counts.append(len(statements))
    assert counts[0] == counts[1]
    assert len(products(client)) == 3


def test_files_that_only_keep_the_decoder_busy_are_not_all_tried(client, upload, monkeypatch):
    tried = []

    def slow(_data, name):
        tried.append(name)
        time.sleep(0.06)
        raise ImageError(ImageProblem.TOO_SLOW, "takes too long to read", name)

    monkeypatch.setattr(imaging, "normalise", slow)
    monkeypatch.setattr(pictures, "WASTED_SECONDS", 0.1)
    answer = upload(*[(f"{seed}.jpg", draw(seed)) for seed in range(20)])
    assert answer.status_code == 422
    assert len(tried) <= 2
    assert answer.text.count("<span>Other files of this upload took too long") == 20 - len(tried)
    assert products(client) == []


def test_however_many_files_are_refused_the_messages_fit_into_a_cookie(client, upload):
    junk = [(f"{hashlib.sha512(bytes([n])).hexdigest()}-{n}.jpg", b"junk %d" % n) for n in range(60)]
    answer = upload(("good.jpg", draw(1)), *junk, headers={})
    assert answer.status_code == 303
    assert all(len(cookie) < 4000 for cookie in answer.headers.getlist("Set-Cookie"))
    page = upload.browser.get(answer.location).text
    assert page.count("was not accepted. ") == 5
    assert "55 more files were not accepted" in page
    assert "1 photo is safe" in page


def test_what_was_refused_is_told_on_the_products_page_and_not_over_the_next_item(client, upload):
    sent = upload(("good.jpg", draw(1)), ("cut.jpg", b"junk"))
    assert "cut.jpg was not accepted" in upload.browser.get(sent.headers["X-Location"]).text
    upload(("other.jpg", draw(2)), ("cut.jpg", b"junk"))
    assert "was not accepted" not in upload.browser.get("/intake").text


def test_desk_of_another_client_shows_nothing_of_it(client, upload, owner):
    upload(("a.jpg", draw(1)))
    assert products(factories.make_client()) == []
    with reading() as session:
        assert session.execute(text("SELECT count(*) FROM products")).scalar_one() == 0


def client_app(upload):
    """The context in which storage knows its folder."""
    return upload.browser.application.app_context()
