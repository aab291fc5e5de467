"""What offers asked on earlier days: kept when a new sighting comes, once a day, for a bounded time."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import func, select

from tests import factories
from tests.providers.test_imports import offer, write
from webapp.database import reading, tenant
from webapp.providers import imports, models, services


@pytest.fixture
def client(in_app):
    return factories.make_client()


def seen(day, price, **more):
    return offer("a", price=Decimal(price), seen_at=datetime(2026, 11, day, 12, tzinfo=UTC), **more)


def past_of(client, ref="a"):
    with tenant(client.id), reading() as session:
        offer_id = session.execute(select(models.Offer.id).where(models.Offer.source_ref == ref)).scalar_one()
        return [(one.day.day, str(one.price), one.currency) for one in services.history(session, [str(offer_id)])]


def test_what_an_offer_asked_on_earlier_days_is_kept_once_a_day(client):
    for day, price in ((1, "30"), (2, "29"), (2, "28"), (5, "28")):
        write(client, seen(day, price))
    assert past_of(client) == [(2, "28.00", "EUR"), (1, "30.00", "EUR")]
    write(client, seen(5, "28"), seen(3, "25"))
    assert [day for day, _, _ in past_of(client)] == [2, 1], "an older sighting is no former one of a newer"


def test_former_prices_hold_the_shipping(client):
    write(client, seen(1, "30", shipping=Decimal("4.50")))
    write(client, seen(2, "31"))
    assert past_of(client) == [(1, "34.50", "EUR")]


def test_former_prices_are_bounded_in_time(client):
    long_ago = datetime.now(UTC) - timedelta(days=imports.HISTORY_DAYS + 5)
    for days in (0, 1, 2):
        write(client, offer("a", seen_at=long_ago + timedelta(days=days)))
    write(client, offer("a", seen_at=datetime.now(UTC)))
    write(client, offer("a", seen_at=datetime.now(UTC) + timedelta(hours=25)))
    with tenant(client.id), reading() as session:
        assert session.execute(select(func.count()).select_from(models.OfferPrice)).scalar_one() == 1


def test_another_clients_former_prices_are_not_seen(client):
    write(client, seen(1, "30"))
    write(client, seen(2, "31"))
    with tenant(client.id), reading() as session:
        offer_id = session.execute(select(models.Offer.id)).scalar_one()
    with tenant(factories.make_client().id), reading() as session:
        assert services.history(session, [str(offer_id)]) == []
