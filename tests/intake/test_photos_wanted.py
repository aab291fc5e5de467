"""What reviewers ask the dock for, as whoever stands there sees it and answers it."""

import io
import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from tests import factories
from tests.intake.conftest import AS_SCRIPT, photos_of, products
from tests.intake.test_retakes import plain, put, runs, sharp
from webapp.access.models import Role
from webapp.catalog.models import Product
from webapp.database import tenant, transaction
from webapp.intake import views
from webapp.pipeline.models import RunState
from webapp.work.models import WorkState

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def rita(client):
    """Who asks."""
    return factories.make_member(client, Role.REVIEWER)


@pytest.fixture
def want(client, upload, rita):
    """`want("The barcode", ...)`: for each note a product that waits for a review and of which a photo is wanted, asked
    for a minute after the one before."""
    made = []

    def ask(*notes):
        for note in notes:
            number = len(made) + 1
            upload((f"front{number}.jpg", plain(10 * number)), name=f"Item {number}")
            product = products(client)[-1]
            put(runs(product)[-1], WorkState.HELD, RunState.REVIEW)
            values = {"photo_wanted_at": START + timedelta(minutes=number), "photo_wanted_by": rita.id}
            with tenant(client.id), transaction() as session:
                session.execute(
                    update(Product).where(Product.id == product.id).values(photo_wanted_note=note, **values)
                )
            made.append(product)
        return made

    return ask


def notes_on(page: str) -> list[str]:
    return re.findall(r'photo-wanted-note">“([^”]*)”', page)


def is_wanted(client, product) -> bool:
    return next(one for one in products(client) if one.id == product.id).photo_wanted_at is not None


def test_where_nothing_is_wanted_nothing_is_shown(upload):
    page = upload.browser.get("/intake").text
    assert "wanted" not in page.replace("photo_wanted.css", "")


def test_the_newest_question_stands_first_with_who_asks_and_the_way_to_answer(upload, want, rita):
    first, second = want("The barcode, please", "<b>Closer</b>")
    page = upload.browser.get("/intake").text
    assert notes_on(page) == ["&lt;b&gt;Closer&lt;/b&gt;", "The barcode, please"]
    section = page.partition('id="photos-wanted"')[2]
    assert section.count(rita.name) == 2
    for product in (first, second):
        assert f'href="/products/{product.id}/photos"' in section
        assert f"/photos/{photos_of(product)[0].id}/thumb" in section
    assert "Item 1" in section
    assert "2 photos wanted" in page


@pytest.mark.parametrize("path", ["/", "/intake"])
def test_the_menu_counts_them(upload, want, path):
    want("The barcode, please", "Closer and sharp")
    page = upload.browser.get(path).text
    assert re.search(r'Upload</span>\s*<span class="count">2<', page)


def test_the_way_leads_to_a_form_that_says_what_is_wanted(upload, want):
    [product] = want("The barcode, please")
    for path in (f"/products/{product.id}/photos", f"/photos/{photos_of(product)[0].id}/retake"):
        assert notes_on(upload.browser.get(path).text) == ["The barcode, please"]


@pytest.mark.parametrize("way", ["added", "taken again"])
def test_the_photo_ends_the_question_and_phase_1_looks_anew(client, upload, want, way):
    [product] = want("The barcode, please")
    path = f"/products/{product.id}/photos" if way == "added" else f"/photos/{photos_of(product)[0].id}/retake"
    answer = upload.browser.submit(path, {"photos": [(io.BytesIO(sharp(7)), "new.png")]}, headers=AS_SCRIPT)
    assert answer.status_code == 201
    assert not is_wanted(client, product)
    [run] = runs(product)
    assert run.state is RunState.RUNNING
    assert "photos-wanted" not in upload.browser.get("/intake").text


def test_a_photo_that_is_there_already_ends_nothing(client, upload, want):
    [product] = want("Closer and sharp")
    same = {"photos": [(io.BytesIO(plain(10)), "same.jpg")]}
    upload.browser.submit(f"/products/{product.id}/photos", same, headers=AS_SCRIPT)
    assert is_wanted(client, product)


def test_many_are_paged(upload, want, monkeypatch):
    monkeypatch.setattr(views, "WANTED", 2)
    want("one", "two", "three")
    page = upload.browser.get("/intake").text
    assert notes_on(page) == ["three", "two"]
    way = re.search(r'href="([^"]+)#photos-wanted">\s*More', page)
    assert way is not None
    page = upload.browser.get(way[1].replace("&amp;", "&")).text
    assert notes_on(page) == ["one"]
    assert "Back to the newest" in page
    assert notes_on(upload.browser.get("/intake?wanted_before=yesterday").text) == ["three", "two"]


def test_many_cost_no_more_queries_than_few(upload, want, count_queries):
    want("one")
    upload.browser.get("/intake")
    with count_queries() as few:
        upload.browser.get("/intake")
    want("two", "three", "four")
    with count_queries() as many:
        page = upload.browser.get("/intake").text
    assert len(notes_on(page)) == 4
    assert len(many) == len(few)


def test_another_clients_dock_hears_nothing_of_it(want, sign_in):
    want("The barcode, please")
    stranger = sign_in(factories.make_member(factories.make_client(), Role.ADMIN))
    assert "photos-wanted" not in stranger.get("/intake").text
