"""Photos over HTTP: to those who may see the product, kept by their browsers and by nobody in between."""

from io import BytesIO
from uuid import uuid4

import pytest
from PIL import Image

from tests import factories
from webapp import storage
from webapp.access.models import Role


@pytest.fixture
def client(app, in_app, tmp_path):
    """A client with a disk for its photos."""
    before = dict(app.extensions)
    storage.init_app(app, tmp_path / "photos")
    yield factories.make_client()
    app.extensions.clear()
    app.extensions.update(before)


@pytest.fixture
def browser(client, sign_in):
    return sign_in(factories.make_member(client, Role.STAFF))


@pytest.fixture
def photo(client):
    """A photo with bytes behind it: an original in TIFF and two JPEG copies."""
    original = storage.write(client.id, drawn("TIFF"), ".tif")
    return factories.make_photo(
        factories.make_product(client),
        file_name='Kü"che; 1.tif',
        mime_type="image/tiff",
        sha256=original.sha256,
        original_key=original.key,
        display_key=storage.write_variant(original.key, "display", drawn("JPEG"), ".jpg").key,
        thumb_key=storage.write_variant(original.key, "thumb", drawn("JPEG", 8), ".jpg").key,
    )


def drawn(form: str, side: int = 32) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (side, side), (200, 30, 30)).save(buffer, form)
    return buffer.getvalue()


def test_variants_are_what_they_say_and_only_the_original_is_a_download(browser, photo):
    seen = {variant: browser.get(f"/photos/{photo.id}/{variant}") for variant in ("original", "display", "thumb")}
    assert seen["original"].data == drawn("TIFF")
    assert (seen["display"].data, seen["thumb"].data) == (drawn("JPEG"), drawn("JPEG", 8))
    assert {name: answer.mimetype for name, answer in seen.items()} == {
        "original": "image/tiff",
        "display": "image/jpeg",
        "thumb": "image/jpeg",
    }
    assert seen["original"].headers["Content-Disposition"].startswith("attachment;")
    assert "filename*=UTF-8''K%C3%BC%22che%3B%201.tif" in seen["original"].headers["Content-Disposition"]
    assert seen["display"].headers["Content-Disposition"].startswith("inline;")
    for answer in seen.values():
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_browser_asks_once_and_nobody_else_keeps_it(browser, photo):
    answer = browser.get(f"/photos/{photo.id}/thumb")
    kept = {part.strip() for part in answer.headers["Cache-Control"].split(",")}
    assert kept == {"private", "max-age=31536000", "immutable"}
    tags = {variant: browser.get(f"/photos/{photo.id}/{variant}").headers["ETag"] for variant in ("display", "thumb")}
    assert tags["thumb"] != tags["display"]
    again = browser.get(f"/photos/{photo.id}/thumb", headers={"If-None-Match": tags["thumb"]})
    assert (again.status_code, again.data) == (304, b"")
    other = browser.get(f"/photos/{photo.id}/thumb", headers={"If-None-Match": tags["display"]})
    assert other.status_code == 200


def test_a_part_can_be_asked_for(browser, photo):
    part = browser.get(f"/photos/{photo.id}/display", headers={"Range": "bytes=2-5"})
    assert (part.status_code, part.data) == (206, drawn("JPEG")[2:6])


def test_members_of_another_client_get_the_page_for_what_does_not_exist(browser, photo, sign_in):
    stranger = sign_in(factories.make_member(factories.make_client(), Role.ADMIN))
    for variant in ("original", "display", "thumb"):
        seen, unknown = stranger.get(f"/photos/{photo.id}/{variant}"), stranger.get(f"/photos/{uuid4()}/{variant}")
        assert seen.status_code == unknown.status_code == 404
        assert "text/html" in seen.content_type
        assert "max-age=31536000" not in seen.headers.get("Cache-Control", "")


def test_an_etag_does_not_open_what_is_not_theirs(browser, photo, sign_in):
    stranger = sign_in(factories.make_member(factories.make_client(), Role.ADMIN))
    answer = stranger.get(f"/photos/{photo.id}/thumb", headers={"If-None-Match": "*"})
    assert answer.status_code == 404


def test_who_is_not_signed_in_is_asked_to(browse, photo):
    assert browse.get(f"/photos/{photo.id}/thumb").status_code == 303


def test_photo_of_a_deleted_product_is_gone(browser, photo, owner):
    owner.execute("UPDATE products SET deleted_at = now()")
    assert browser.get(f"/photos/{photo.id}/thumb").status_code == 404


def test_missing_bytes_are_logged_and_look_like_a_missing_page(browser, photo, caplog):
    storage.delete(photo.thumb_key)
    answer = browser.get(f"/photos/{photo.id}/thumb")
    assert answer.status_code == 404
    assert photo.thumb_key not in answer.text
    assert "photo_bytes_missing" in [record.message for record in caplog.records]


def test_other_variants_do_not_exist(browser, photo):
    assert browser.get(f"/photos/{photo.id}/huge").status_code == 404
    assert browser.get(f"/photos/{photo.id}/..%2Fthumb").status_code == 404


def test_a_photo_costs_one_query_of_its_own(browser, photo, count_queries):
    browser.get(f"/photos/{photo.id}/thumb")
    with count_queries() as statements:
        browser.get(f"/photos/{photo.id}/thumb")
    assert len([statement for statement in statements if "photos" in statement]) == 1
    assert len(statements) <= 2  # the other one finds out who asks
