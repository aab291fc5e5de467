"""Several statements in one round trip answer as each would alone."""

from uuid import uuid4

import pytest
from sqlalchemy import bindparam, func, select, text
from sqlalchemy.exc import DBAPIError

from tests import factories
from webapp.catalog.models import Catalog, Product
from webapp.database import db, tenant
from webapp.pipeline.cards import RUNS
from webapp.together import read_together

_BY_NAME = select(Catalog.id, Catalog.name, Catalog.kind).where(Catalog.name == bindparam("name"))
_PRODUCTS = select(Product.id, Product.condition, Product.price, Product.created_at).order_by(Product.id)
_BROKEN = select(Catalog.id, func.pg_input_error_info("x", "no such type").label("nothing"))


@pytest.fixture
def client(in_app):
    client = factories.make_client()
    with tenant(client.id):
        yield client


def test_rows_have_the_values_and_types_that_each_statement_gives_alone(client):
    other = factories.make_catalog(client, "Other")
    factories.make_product(client, catalog_id=other.id, condition="used", price="12.50")
    session = db.session()
    asked = [(_BY_NAME, {"name": "Other"}), (_PRODUCTS, {}), (RUNS, {}), (_BY_NAME, {"name": "none"})]
    found = read_together(session, *asked)
    alone = [session.execute(statement, parameters).all() for statement, parameters in asked]
    assert [[tuple(row) for row in rows] for rows in found] == [[tuple(row) for row in rows] for rows in alone]
    assert [[*map(type, row)] for row in found[1]] == [[*map(type, row)] for row in alone[1]]
    assert found[0][0].name == "Other"


def test_each_tenant_sees_its_own(client):
    stranger = factories.make_client()
    with tenant(stranger.id):
        [[one]] = read_together(db.session(), (select(Catalog.client_id), {}))
        assert one.client_id == stranger.id


def test_what_one_statement_gets_wrong_is_an_error_of_sqlalchemy_and_the_next_transaction_works(client):
    session = db.session()
    with pytest.raises(DBAPIError):
        read_together(session, (_BY_NAME, {"name": "x"}), (_BROKEN, {}))
    session.rollback()
    assert read_together(session, (_BY_NAME, {"name": str(uuid4())})) == [[]]


def test_a_connection_that_is_gone_is_noticed_and_made_anew(client):
    session = db.session()
    [[row]] = read_together(session, (select(func.pg_backend_pid().label("pid")), {}))
    with db.engine.connect() as other:
        other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": row.pid})
    with pytest.raises(DBAPIError) as caught:
        for _ in range(50):
            read_together(session, (_BY_NAME, {"name": "x"}))
    assert caught.value.connection_invalidated
    session.rollback()
    assert session.execute(text("SELECT 1")).scalar() == 1
