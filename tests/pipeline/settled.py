"""What a client's own matcher is learned from, as reviewers and sources would have left it."""

import random
from datetime import UTC, datetime
from decimal import Decimal

from tests.phases.matching_sets import matching_set
from webapp.catalog.models import Catalog, Product
from webapp.database import new_id, tenant, transaction
from webapp.lib.gtin import check_digit
from webapp.providers.models import Offer


def gtin(number: int) -> str:
    body = f"{400000000000 + number:013d}"
    return body + str(check_digit(body))


def settle(client_id, count: int = 80, first: int = 0) -> None:
    """Products that reviewers settled, and offers with their barcodes in other words: all but the `first` of them."""
    lefts, rights, _ = matching_set(count)
    with tenant(client_id), transaction() as session:
        catalog = Catalog(client_id=client_id, name=f"Goods {first}", is_default=False)
        session.add(catalog)
        session.flush()
        for number, (left, right) in list(enumerate(zip(lefts, rights, strict=True)))[first:]:
            session.add(
                Product(
                    id=new_id(), client_id=client_id, catalog_id=catalog.id, name=left.title, brand=left.brand,
                    gtin14=gtin(number), fixed_fields=["brand", "gtin14", "name"],
                )
            )  # fmt: skip
            session.add(
                Offer(
                    id=new_id(), client_id=client_id, source="shop", source_ref=str(number), title=right.title,
                    model=right.model or None, gtin14=gtin(number), price=Decimal(random.Random(number).randint(5, 90)),
                    currency="EUR", seen_at=datetime(2026, 5, 1, tzinfo=UTC),
                )
            )  # fmt: skip
