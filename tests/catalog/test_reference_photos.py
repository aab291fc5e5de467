"""Which photos and numbers a client's products can be recognised by: settled ones, the client's own, within limits."""

from uuid import uuid4

import pytest

from tests import factories
from webapp.catalog import services
from webapp.database import reading, tenant
from webapp.pipeline.knowledge import ClientReference

NUMBER = "03171920011272"


@pytest.fixture
def client(in_app):
    """A client in whose name the test runs."""
    client = factories.make_client()
    with tenant(client.id):
        yield client


def settled(client, name: str, **changes):
    return factories.make_product(client, name=name, upload_key=uuid4(), fixed_fields=["name"], **changes)


def shown(first=(), **options) -> list[str]:
    with reading() as session:
        found = services.reference_photos(session, list(first), **{"limit": 10, "exclude": uuid4()} | options)
    return [record.name for _, record in found]


def test_photos_of_settled_products_are_references_those_asked_for_first_then_the_newest(client):
    products = [settled(client, f"Lamp {number}") for number in range(3)]
    for product in products:
        factories.make_photo(product, position=0)
    assert shown() == ["Lamp 2", "Lamp 1", "Lamp 0"]
    assert shown([products[0].id]) == ["Lamp 0", "Lamp 2", "Lamp 1"]
    assert shown(limit=1) == ["Lamp 2"]
    assert shown(exclude=products[2].id) == ["Lamp 1", "Lamp 0"]


def test_what_only_the_machine_named_is_no_reference(client):
    factories.make_photo(factories.make_product(client, name="A guess", upload_key=uuid4()), position=0)
    assert shown() == []


def test_of_each_product_the_first_photos_count(client):
    product = settled(client, "Lamp")
    for position in range(5):
        factories.make_photo(product, position=position)
    assert shown() == ["Lamp"] * services.PHOTOS_PER_RECORD


def test_another_clients_photos_are_neither_listed_nor_read(client):
    stranger = factories.make_client()
    with tenant(stranger.id):
        photo = factories.make_photo(settled(stranger, "Secret"), position=0)
    assert shown() == []
    assert ClientReference(uuid4()).photo(str(photo.id)) is None


def test_a_photo_without_bytes_is_passed_over(client):
    key = f"{uuid4()}/ab/ab{'0' * 62}.jpg"
    photo = factories.make_photo(settled(client, "Lamp"), position=0, display_key=key)
    assert ClientReference(uuid4()).photo(str(photo.id)) is None


def test_a_printed_piece_of_a_number_finds_its_product_and_no_pattern_does(client):
    product = settled(client, "Nouilles de riz", gtin14=NUMBER)
    settled(client, "Other", gtin14="04548736132610")

    def found(*pieces: str, **options) -> list[str]:
        with reading() as session:
            return [r.name for r in services.find_by_digits(session, pieces, **{"exclude": uuid4()} | options)]

    assert found("1719200112") == ["Nouilles de riz"]
    assert found("9999999999") == []
    assert found("%") == []
    assert found("1719200112", exclude=product.id) == []
    assert [r.name for r in ClientReference(uuid4()).by_digits(["1719200112"])] == ["Nouilles de riz"]
