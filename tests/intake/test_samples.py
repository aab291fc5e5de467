"""The sample products: there after one press, not doubled by a second, and honestly marked."""

import pytest
from sqlalchemy import select

from tests import factories
from tests.intake.conftest import photos_of, products
from webapp.database import reading, tenant
from webapp.intake import samples
from webapp.pipeline.models import Run
from webapp.providers.models import Offer


@pytest.fixture
def client(in_app, folder):
    return factories.make_client(currency="CHF")


def press(upload):
    return upload.browser.submit("/intake/samples")


def test_samples_are_uploaded_and_known_to_catalog_and_market(client, upload):
    answer = press(upload)
    assert (answer.status_code, answer.location) == (303, "/")
    drawn = samples.samples()
    with_photos = [product for product in products(client) if photos_of(product)]
    assert [len(photos_of(product)) for product in with_photos] == [len(sample.files) for sample in drawn]
    known = {product.sku: product for product in products(client) if product.sku}
    assert known.keys() == {record.sku for record in samples.RECORDS}
    for record in samples.RECORDS:
        row = known[record.sku]
        assert (row.name, row.gtin14, row.price, row.currency) == (record.name, record.gtin14, record.price, "CHF")
    assert {str(product.source_data) for product in products(client)} == {"{'sample': True}"}
    with tenant(client.id), reading() as session:
        offers = session.scalars(select(Offer)).all()
        assert {(offer.source, offer.currency) for offer in offers} == {("samples", "CHF")}
        assert len(offers) == len(samples.SEEN)
        hints = session.scalars(select(Run.hints).order_by(Run.id)).all()
        assert [hint.get("name") for hint in hints] == [sample.hint for sample in drawn]
        assert {run.state.value for run in session.scalars(select(Run))} == {"running"}


def test_second_press_doubles_nothing(client, upload):
    press(upload)
    before = [product.id for product in products(client)]
    assert press(upload).status_code == 303
    assert [product.id for product in products(client)] == before
    with tenant(client.id), reading() as session:
        assert len(session.scalars(select(Offer.id)).all()) == len(samples.SEEN)
    assert "are here already" in upload.browser.get("/account").text


def test_deleted_sample_comes_back_on_the_next_press(client, upload, owner):
    press(upload)
    gone = next(product for product in products(client) if not product.sku)
    owner.execute("UPDATE products SET deleted_at = now() WHERE id = %s", [gone.id])
    press(upload)
    alive = [product for product in products(client) if not product.sku and not product.deleted_at]
    assert len(alive) == len(samples.LABELS)


def test_other_clients_get_none(client, upload):
    other = factories.make_client()
    press(upload)
    assert products(other) == []
