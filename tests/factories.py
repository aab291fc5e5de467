"""Rows for tests, made inside an app context and committed (or part of the transaction that is open).

Each function makes what it needs and takes what the test cares about.
"""

from itertools import count
from typing import Any
from uuid import UUID

from sqlalchemy import select

from webapp.access import passwords, services
from webapp.access.models import Client, Role, User
from webapp.audit.services import SYSTEM
from webapp.catalog.models import Catalog, Photo, Product
from webapp.cli import open_client
from webapp.database import db, tenant, transaction

_numbers = count(1)


def make_client(name: str | None = None, **changes: Any) -> Client:
    """A client with its default catalog."""
    with transaction():
        client = open_client(name or f"Client {next(_numbers)}")
        with tenant(client.id):
            _change(client, changes)
    return client


def make_user(name: str | None = None, *, password: str | None = None, **changes: Any) -> User:
    """A person without a client."""
    number = next(_numbers)
    with transaction():
        user = services.create_user(SYSTEM, name=name or f"Person {number}", email=f"person{number}@example.com")
        if password:
            user.password_hash = passwords.hashed(password)
        _change(user, changes)
    return user


def make_member(client: Client, role: Role = Role.STAFF, user: User | None = None, **changes: Any) -> User:
    """A person (a new one by default) who works for the client."""
    user = user or make_user(**changes)
    with tenant(client.id), transaction():
        services.join(client.id, user.id, SYSTEM, role)
    return user


def make_catalog(client: Client, name: str = "Another catalog", **changes: Any) -> Catalog:
    """A catalog beside the default one."""
    return _add(Catalog(client_id=client.id, name=name, **changes), client)


def default_catalog_id(client: Client) -> UUID:
    """The catalog that came with the client."""
    with tenant(client.id), transaction() as session:
        return session.execute(
            select(Catalog.id).where(Catalog.client_id == client.id, Catalog.is_default)
        ).scalar_one()


def make_product(client: Client, **changes: Any) -> Product:
    """A product about which nothing is known yet, in the default catalog."""
    changes.setdefault("catalog_id", default_catalog_id(client))
    return _add(Product(client_id=client.id, **changes), client)


def make_photo(product: Product, **changes: Any) -> Photo:
    """A photo's row; there are no bytes behind it."""
    number = next(_numbers)
    facts: dict[str, Any] = {
        "position": number,
        "file_name": f"photo{number}.jpg",
        "mime_type": "image/jpeg",
        "size_bytes": 1000,
        "sha256": f"{number:064x}",
        "width": 640,
        "height": 480,
    }
    facts |= {f"{kind}_key": f"{number}/{kind}" for kind in ("original", "display", "thumb")}
    with tenant(product.client_id), transaction() as session:
        photo = Photo(client_id=product.client_id, product_id=product.id, **facts | changes)
        session.add(photo)
        session.flush()
    return photo


def _add(row: Any, client: Client) -> Any:
    with tenant(client.id), transaction() as session:
        session.add(row)
        session.flush()
    return row


def _change(row: Any, changes: dict[str, Any]) -> None:
    for name, value in changes.items():
        setattr(row, name, value)
    db.session.flush()
