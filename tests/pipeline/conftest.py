"""Runs with phases that do nothing, done in the test's own process, bell by bell."""

from collections.abc import Callable

import pytest

from tests import factories
from tests.bench.empty import ENGINES
from webapp import queue
from webapp.catalog.models import Product
from webapp.database import db, tenant, transaction
from webapp.pipeline.models import Run
from webapp.pipeline.services import start_run
from webapp.work import tasks


@pytest.fixture
def client(app, in_app):
    """A client with a default catalog, in whose name the test runs."""
    app.config["PHASE_ENGINES"] = dict(ENGINES)
    client = factories.make_client()
    factories.make_catalog(client)
    queue.redis().flushdb()
    with tenant(client.id):
        yield client


@pytest.fixture
def make_run(client) -> Callable[..., Run]:
    """Starts a run of a new product."""

    def make(user=None, **hints) -> Run:
        with transaction() as session:
            product = factories.make_product(client)
            return start_run(
                session,
                client_id=client.id,
                product_id=product.id,
                created_by=user.id if user else None,
                started_by=user.id if user else None,
                hints=hints,
            )

    return make


def answer_bells(most: int = 100) -> int:
    """Do what hangs in Redis until nothing does, as slots would; how many bells there were."""
    answered = 0
    while answered < most:
        hanging = [(bells, bell) for bells in map(queue.bells, ("heavy", "light")) for bell in bells.job_ids]
        if not hanging:
            break
        for bells, bell in hanging:
            bells.remove(bell)
            tasks.perform(*queue.read_bell(bell))
            answered += 1
    return answered


def fresh(model, ident):
    """The row as the database has it now."""
    db.session.expire_all()
    return db.session.get_one(model, ident)


__all__ = ["Product", "answer_bells", "fresh"]
