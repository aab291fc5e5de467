"""Several statements in one round trip answer as each would alone."""

import threading
from uuid import uuid4

import pytest
from sqlalchemy import bindparam, func, select, text
from sqlalchemy.exc import DBAPIError, StatementError

from tests import factories
from webapp.catalog.models import Catalog, Product
from webapp.database import db, new_id, tenant, transaction
from webapp.pipeline.cards import RUNS
from webapp.statements import Statement, Together
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
    session.connection()
    [[row]] = read_together(session, (select(func.pg_backend_pid().label("pid")), {}))
    with db.engine.connect() as other:
        other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": row.pid})
    with pytest.raises(DBAPIError) as caught:
        for _ in range(50):
            read_together(session, (_BY_NAME, {"name": "x"}))
    assert caught.value.connection_invalidated
    session.rollback()
    assert session.execute(text("SELECT 1")).scalar() == 1


_WHO = select(func.current_setting("app.client_id").label("client"), func.pg_current_xact_id().label("transaction"))
_NAMED = Statement("INSERT INTO catalogs (id, client_id, name, kind) VALUES (:id, :client_id, :name, 'manual')")
_COUNT = Statement("SELECT count(*) AS many FROM catalogs WHERE name = :name")


def _add(session, client, name):
    _NAMED.execute(session, {"id": new_id(), "client_id": client.id, "name": name})


def test_outside_of_a_transaction_it_is_one_of_its_own_which_is_over_afterwards(client):
    session = db.session()
    [[first], [second]] = read_together(session, (_WHO, {}), (_WHO, {}))
    [[third]] = read_together(session, (_WHO, {}))
    assert first == second
    assert first.client == third.client == str(client.id)
    assert first.transaction != third.transaction
    assert not session.in_transaction()
    stranger = factories.make_client()
    with tenant(stranger.id):
        [[other]] = read_together(session, (_WHO, {}))
    assert other.client == str(stranger.id)


def test_inside_a_transaction_that_asked_for_nothing_yet_it_is_part_of_it(client):
    with transaction() as session:
        [[first]] = read_together(session, (_WHO, {}))
        assert session.execute(_WHO).one() == first
        assert _COUNT.read(session, {"name": "x"})[0].many == 0
        assert session.execute(_WHO).one() == first


@pytest.mark.parametrize("first", ["statement", "together", "session"])
def test_the_first_thing_in_a_transaction_is_undone_with_it_whatever_it_is(client, first):
    with pytest.raises(ZeroDivisionError), transaction() as session:
        if first == "together":
            read_together(session, (_WHO, {}))
        elif first == "session":
            session.execute(text("SELECT 1"))
        _add(session, client, "undone")
        raise ZeroDivisionError
    assert _COUNT.read(session, {"name": "undone"})[0].many == 0
    with transaction() as session:
        _add(session, client, "kept")
    assert _COUNT.read(session, {"name": "kept"})[0].many == 1


def test_a_first_statement_that_fails_leaves_the_session_as_good_as_new(client):
    stranger = factories.make_client()
    with pytest.raises(DBAPIError, match="row-level security"), transaction() as session:
        _add(session, stranger, "not ours")
    with transaction() as session:
        _add(session, client, "ours")
        assert session.execute(_WHO).one().client == str(client.id)


def test_a_transaction_that_asks_nothing_leaves_its_tenant_to_nobody(client):
    stranger = factories.make_client()
    with tenant(stranger.id), transaction() as session:
        session.connection()
    session.rollback()
    with db.engine.connect() as connection:
        assert not connection.execute(text("SELECT current_setting('app.client_id', true)")).scalar()
    with transaction() as session:
        assert session.execute(_WHO).one().client == str(client.id)


def test_a_first_statement_that_is_never_sent_leaves_the_tenant_to_the_next(client):
    with transaction() as session:
        with pytest.raises(StatementError, match="KeyError"):
            _COUNT.execute(session, {})
        assert session.execute(_WHO).one().client == str(client.id)


@pytest.mark.parametrize("begun", [False, True])
def test_other_threads_go_on_while_one_waits_for_its_answers(client, begun):
    ticks, done = [], threading.Event()
    others = threading.Thread(target=lambda: [ticks.append(1) for _ in iter(lambda: done.wait(0.005), True)])
    others.start()
    slept = select(func.pg_sleep(0.5).label("slept"))
    try:
        with transaction() as session:
            if begun:
                session.execute(_WHO)
            read_together(session, (slept, {}), (_WHO, {}))
    finally:
        done.set()
        others.join()
    assert len(ticks) > 10


@pytest.mark.parametrize("begun", [False, True])
def test_who_is_interrupted_in_the_middle_of_the_answers_hears_of_just_that(client, monkeypatch, begun):
    session = db.session()
    with pytest.raises(KeyboardInterrupt), transaction():
        if begun:
            session.execute(_WHO)
        with monkeypatch.context() as patch:
            patch.setattr(Together, "_answers", _interrupted)
            read_together(session, (_WHO, {}))
    assert read_together(session, (_WHO, {}))[0][0].client == str(client.id)


def _interrupted(_together):
    raise KeyboardInterrupt
    yield
