"""An uploader at the dock, with a disk of their own and photos that are drawn on the spot."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import select
from werkzeug.test import TestResponse

from tests import factories
from webapp import storage
from webapp.access.models import Client, Role, User
from webapp.catalog.models import Photo, Product
from webapp.database import reading, tenant

AS_SCRIPT = {"X-Requested-With": "XMLHttpRequest"}
Upload = Callable[..., TestResponse]


def draw(seed: int, width: int = 64, height: int = 48, form: str = "JPEG", **options: Any) -> bytes:
    """A photo like no other."""
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form, **options)
    return buffer.getvalue()


@pytest.fixture
def folder(app, tmp_path) -> Path:
    """Where this test's photos are kept."""
    before = dict(app.extensions)
    storage.init_app(app, tmp_path / "photos")
    yield tmp_path / "photos"
    app.extensions.clear()
    app.extensions.update(before)


@pytest.fixture
def limits(app):
    """`limits(max_photos=2)` changes the app's limits for this test."""
    before, body = app.extensions["lotline_config"], app.config["MAX_CONTENT_LENGTH"]

    def change(**changes: int) -> None:
        app.extensions["lotline_config"] = replace(before, **changes)
        app.config["MAX_CONTENT_LENGTH"] = changes.get("max_request_bytes", body)

    yield change
    app.extensions["lotline_config"], app.config["MAX_CONTENT_LENGTH"] = before, body


@pytest.fixture
def client(in_app, folder) -> Client:
    """The uploader's client."""
    return factories.make_client()


@pytest.fixture
def uploader(client) -> User:
    """Somebody at the dock."""
    return factories.make_member(client, Role.STAFF)


@pytest.fixture
def upload(uploader, sign_in) -> Upload:
    """`upload(("label.jpg", bytes), …, name="Kettle")` sends photos as the form's script does."""
    browser = sign_in(uploader)

    def send(*files: tuple[str, bytes], headers: dict[str, str] = AS_SCRIPT, **fields: str) -> TestResponse:
        fields.setdefault("upload_key", str(uuid4()))
        photos = [(io.BytesIO(data), name) for name, data in files]
        return browser.submit("/intake", {"photos": photos, **fields}, headers=headers)

    send.browser = browser
    return send


def products(client: Client) -> list[Product]:
    """All products of the client, oldest first."""
    with tenant(client.id), reading() as session:
        found = session.scalars(select(Product).order_by(Product.id).execution_options(populate_existing=True)).all()
        session.expunge_all()
    return list(found)


def photos_of(product: Product) -> list[Photo]:
    """The product's photos in their order."""
    with tenant(product.client_id), reading() as session:
        found = session.scalars(select(Photo).where(Photo.product_id == product.id).order_by(Photo.position)).all()
        session.expunge_all()
    return list(found)


def files_in(folder: Path) -> list[Path]:
    """All files on the disk, also half-written ones."""
    return sorted(path for path in folder.rglob("*") if path.is_file())
