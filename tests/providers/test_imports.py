"""Offers written in bulk: new, changed, unchanged, and never another client's."""

from dataclasses import astuple
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest
from sqlalchemy import select

from tests import factories
from webapp.database import reading, tenant, transaction
from webapp.phases.facts import Condition, Offer
from webapp.providers import imports, models, services

SEEN = datetime(2026, 3, 1, 12, tzinfo=UTC)


def offer(ref: str, **changes) -> Offer:
    facts = {"source": "test", "title": f"Kettle {ref}", "price": Decimal("19.90"), "currency": "EUR", "seen_at": SEEN}
    return Offer(id=ref, **facts | changes)


def write(client, *offers: Offer) -> tuple[int, int, int]:
    """Inserted, updated, unchanged."""
    with tenant(client.id), transaction() as session:
        return astuple(imports.upsert(session, client.id, iter(offers)))


def known(client) -> dict[str, models.Offer]:
    with tenant(client.id), reading() as session:
        rows = session.scalars(select(models.Offer).order_by(models.Offer.source_ref)).all()
        session.expunge_all()
    return {row.source_ref: row for row in rows}


@pytest.fixture
def client(in_app):
    return factories.make_client()


def test_what_is_new_changed_and_unchanged_is_counted(client):
    assert write(client, offer("1"), offer("2"), offer("3")) == (3, 0, 0)
    assert write(client, offer("1"), offer("2", price=Decimal("18")), offer("4")) == (1, 1, 1)
    assert {ref: row.price for ref, row in known(client).items()} == {
        "1": Decimal("19.90"),
        "2": Decimal("18.00"),
        "3": Decimal("19.90"),
        "4": Decimal("19.90"),
    }


def test_every_column_arrives_and_is_updated(client):
    first = offer("1")
    full = offer(
        "1",
        title="Kettle, steel",
        kind="list",
        marketplace="Shop",
        link="https://shop.example/1",
        brand="Bosch",
        model="K-1",
        gtin14="04006381333931",
        category="Kitchen",
        condition=Condition.REFURBISHED,
        seen_at=datetime(2026, 3, 2, tzinfo=UTC),
    )
    write(client, first)
    identity = known(client)["1"].id
    for coming, expected in ((full, full), (first, msgspec.structs.replace(first, gtin14=full.gtin14))):
        assert write(client, coming) == (0, 1, 0)
        row = known(client)["1"]
        assert row.id == identity
        written = {name: getattr(row, name) for name in imports._COLUMNS}
        assert written == {name: getattr(expected, name) for name in imports._COLUMNS}


def test_more_than_a_chunk_is_written_whole(client):
    many = [offer(f"{number:04d}") for number in range(imports.CHUNK_ROWS * 2 + 5)]
    assert write(client, *many) == (len(many), 0, 0)
    assert len(known(client)) == len(many)


def test_of_the_same_offer_twice_the_last_counts(client):
    assert write(client, offer("1", price=Decimal("1")), offer("1", price=Decimal("2"))) == (1, 0, 0)
    assert known(client)["1"].price == 2


def test_sources_and_clients_do_not_disturb_each_other(client):
    other = factories.make_client()
    write(client, offer("1"))
    assert write(client, offer("1", source="elsewhere", price=Decimal("5"))) == (1, 0, 0)
    assert write(other, offer("1", price=Decimal("7"))) == (1, 0, 0)
    assert sorted(row.price for row in known(other).values()) == [7]
    with tenant(client.id), reading() as session:
        assert session.scalars(select(models.Offer.price).order_by(models.Offer.price)).all() == [
            Decimal("5.00"),
            Decimal("19.90"),
        ]


def test_statements_grow_with_chunks_not_with_rows(client, count_queries):
    counts = []
    for first, number in ((0, 3), (10, 300)):
        with tenant(client.id), transaction() as session, count_queries() as statements:
            imports.upsert(session, client.id, [offer(str(first + ref)) for ref in range(number)])
        counts.append(len(statements))
    assert counts == [2, 2], "what asked before, and what asks now"


# --- looked up ------------------------------------------------------------------------------------


def test_looked_up_offers_are_what_was_written(client):
    full = offer("1", brand="Bosch", model="K-1", gtin14="04006381333931", condition=Condition.USED, link="https://x.y")
    write(client, full)
    with tenant(client.id), reading() as session:
        (found,) = services.offers_by_gtin(session, "04006381333931")
        assert msgspec.structs.replace(found, id="1", price=full.price) == full
        assert services.search_offers(session, "bosh ketle") == [found]
        (record,) = services.find_by_gtin(session, "04006381333931")
        assert (record.source, record.id, record.name, record.brand) == ("offer", found.id, "Kettle 1", "Bosch")
        assert services.search(session, "bosch kettle") == [record]
        assert list(services.brands(session)) == ["Bosch"]


def test_newest_offer_of_a_gtin_comes_first(client):
    days = {"old": 1, "newest": 3, "newer": 2}
    for ref, day in days.items():
        write(client, offer(ref, gtin14="04006381333931", seen_at=datetime(2026, 1, day, tzinfo=UTC)))
    with tenant(client.id), reading() as session:
        found = services.offers_by_gtin(session, "04006381333931")
        assert [offer.title for offer in found] == ["Kettle newest", "Kettle newer", "Kettle old"]
        assert len(services.offers_by_gtin(session, "04006381333931", limit=1)) == 1


def test_another_clients_offers_are_not_found(client):
    write(client, offer("1", gtin14="04006381333931", brand="Bosch"))
    with tenant(factories.make_client().id), reading() as session:
        assert services.offers_by_gtin(session, "04006381333931") == []
        assert services.search_offers(session, "Kettle") == []
        assert list(services.brands(session)) == []


@pytest.mark.parametrize(
    "look",
    [
        lambda session: services.search_offers(session, "kettle"),
        lambda session: services.offers_by_gtin(session, "04006381333931"),
        services.brands,
    ],
)
def test_each_look_up_is_one_query(client, count_queries, look):
    write(client, *(offer(str(ref), brand=f"Brand {ref}", gtin14="04006381333931") for ref in range(9)))
    with tenant(client.id), count_queries() as statements, reading() as session:
        look(session)
    assert len(statements) == 1
