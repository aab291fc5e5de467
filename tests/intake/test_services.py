"""One transaction per upload: whole or not at all, also when two meet, one fails or the process is killed."""

import io
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy.exc import IntegrityError

from tests import factories, servers
from tests.intake.conftest import draw, files_in, photos_of, products
from webapp import storage
from webapp.audit.services import Actor
from webapp.database import reading, tenant, transaction
from webapp.intake import pictures, services
from webapp.intake.pictures import Picture, Upload
from webapp.intake.services import Order
from webapp.pipeline import services as pipeline
from webapp.work.priority import Priority

ROOT = Path(__file__).resolve().parents[2]


def order_of(client, user=None, **changes) -> Order:
    facts = {"upload_key": uuid4(), "catalog_id": factories.default_catalog_id(client), "hints": {}}
    return Order(actor=Actor(user_id=user and user.id), client_id=client.id, **facts | changes)


def pictures_of(*files: bytes) -> list[Picture]:
    uploads = [Upload(f"{number}.jpg", io.BytesIO(data)) for number, data in enumerate(files)]
    candidates, refused = pictures.sift(uploads, 10_000_000)
    taken, unreadable = pictures.normalise(candidates, 12)
    assert not refused + unreadable
    return taken


def receive(order: Order, taken: list[Picture]) -> services.Receipt:
    with pictures.kept(order.client_id, taken) as kept, transaction() as session:
        return services.receive(session, order, kept)


@pytest.fixture
def as_client(client):
    """The test runs in the client's name."""
    with tenant(client.id):
        yield client


def test_failed_transaction_takes_its_bytes_back(as_client, folder):
    strange = factories.default_catalog_id(factories.make_client())
    with pytest.raises(IntegrityError):
        receive(order_of(as_client, catalog_id=strange), pictures_of(draw(1), draw(2)))
    assert files_in(folder) == []
    assert products(as_client) == []


def test_failed_transaction_leaves_bytes_that_another_product_shows(as_client, folder):
    receive(order_of(as_client), pictures_of(draw(1)))
    files = files_in(folder)
    strange = factories.default_catalog_id(factories.make_client())
    with pytest.raises(IntegrityError):
        receive(order_of(as_client, catalog_id=strange, keeps_duplicates=True), pictures_of(draw(1), draw(2)))
    assert files_in(folder) == files


def test_bytes_that_a_failed_upload_took_back_meanwhile_are_written_again(as_client, folder):
    order = order_of(as_client)
    with pictures.kept(as_client.id, pictures_of(draw(1))) as kept:
        with pytest.raises(ZeroDivisionError), pictures.kept(as_client.id, pictures_of(draw(1))):
            raise ZeroDivisionError
        assert files_in(folder) == []
        with transaction() as session:
            receipt = services.receive(session, order, kept)
    (photo,) = photos_of(products(as_client)[0])
    assert receipt.is_new
    assert storage.read(photo.original_key) == draw(1)
    assert storage.exists(photo.display_key)
    assert storage.exists(photo.thumb_key)


def test_two_at_the_same_moment_with_the_same_key_make_one_product(app, as_client):
    order = order_of(as_client)
    receipts = together(app, as_client, [(order, pictures_of(draw(1))) for _ in range(2)])
    assert sorted(receipt.is_new for receipt in receipts) == [False, True]
    assert len({receipt.product_id for receipt in receipts}) == 1
    assert len(products(as_client)) == 1


def test_of_two_at_the_same_moment_with_the_same_photo_one_is_told(app, as_client, folder):
    orders = [(order_of(as_client), pictures_of(draw(1))) for _ in range(2)]
    outcomes = together(app, as_client, orders)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Duplicates", "Receipt"]
    (photo,) = photos_of(products(as_client)[0])
    assert storage.read(photo.original_key) == draw(1)
    assert len(files_in(folder)) == 3


def together(app, client, orders) -> list:
    """What becomes of orders whose transactions begin when all bytes are on the disk."""
    ready = threading.Barrier(len(orders))

    def one(order, taken):
        with app.app_context(), tenant(client.id):
            try:
                with pictures.kept(client.id, taken) as kept:
                    ready.wait(10)
                    with transaction() as session:
                        return services.receive(session, order, kept)
            except services.Duplicates as error:
                return error

    with ThreadPoolExecutor(len(orders)) as pool:
        return list(pool.map(one, *zip(*orders, strict=True)))


def test_check_tells_a_repetition_before_a_duplicate(as_client):
    order, taken = order_of(as_client), pictures_of(draw(1))
    first = receive(order, taken)
    with reading() as session:
        again = services.check(session, order, [picture.file for picture in taken])
        assert again == services.Receipt(first.product_id, first.sha256s, is_new=False)
        with pytest.raises(services.Duplicates):
            services.check(session, order_of(as_client), [picture.file for picture in taken])


KILLED = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
from uuid import UUID
from webapp import config, storage
from webapp.app import create_app
from webapp.database import tenant, transaction
from webapp.intake import pictures, services
from tests.intake.test_services import order_of, pictures_of
from tests.intake.conftest import draw
from webapp.access.models import Client

app = create_app()
storage.init_app(app, Path(sys.argv[2]))
with app.app_context(), tenant(UUID(sys.argv[1])):
    order = order_of(Client(id=UUID(sys.argv[1])))
    with pictures.kept(order.client_id, pictures_of(draw(1))) as kept, transaction() as session:
        services.receive(session, order, kept)
        session.flush()
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_killed_before_commit_leaves_no_product_and_the_next_try_succeeds(app, as_client, folder):
    environment = servers.environment(app.extensions["lotline_config"])
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(as_client.id), str(folder)], cwd=ROOT, env=environment, capture_output=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert products(as_client) == []
    assert {path.suffix for path in files_in(folder)} == {".jpg"}, "nothing half-written under a real name"

    receipt = receive(order_of(as_client), pictures_of(draw(1)))
    assert receipt.is_new
    assert len(files_in(folder)) == 3


def priorities(owner) -> list[int]:
    return [row[0] for row in owner.execute("SELECT priority FROM work WHERE state = 'ready' ORDER BY id")]


def test_single_upload_goes_first_and_a_batch_of_one_persons_comes_later(as_client, folder, owner):
    user, colleague = factories.make_member(as_client), factories.make_member(as_client)
    for number in range(services.BATCH_FROM + 1):
        receive(order_of(as_client, user), pictures_of(draw(100 + number)))
    receive(order_of(as_client, colleague), pictures_of(draw(200)))
    interactive, bulk = Priority.INTERACTIVE, Priority.BULK
    assert priorities(owner) == [interactive] * services.BATCH_FROM + [bulk, interactive]


def test_samples_and_repetitions_come_after_somebodys_own_upload(as_client, folder, owner):
    receive(order_of(as_client, source_data=services.SAMPLE), pictures_of(draw(1)))
    [product] = products(as_client)
    owner.execute("UPDATE runs SET state = 'stopped'; UPDATE work SET state = 'stopped'")
    with transaction() as session:
        pipeline.run_again(session, product.id, None)
    sample, again = [row[0] for row in owner.execute("SELECT DISTINCT priority FROM work ORDER BY 1 DESC")]
    assert (sample, again) == (Priority.BULK, Priority.AGAIN)
    assert Priority.INTERACTIVE < again < sample
