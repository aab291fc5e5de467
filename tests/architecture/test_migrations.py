"""Migrations lead up, down and up again, and to exactly what the models say."""

import flask_migrate
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from tests import servers
from webapp.app import create_app
from webapp.database import new_id, tenant, transaction

NOT_OURS = ("pg_catalog", "information_schema", "pg_toast")


@pytest.fixture
def fresh(running, number, tmp_path):
    """An app on an empty database."""
    name = f"lotline_test_migrations_{number}"
    servers.create_database(running, name, template=None)
    app = create_app(servers.settings(running, name, var=tmp_path))
    with app.app_context():
        yield app
    servers.disconnect(app)
    servers.drop_database(running, name)


def left_over(app):
    """Names of tables, functions and policies in the database."""
    with servers.as_owner(make_url(app.extensions["lotline_config"].database_url)) as owner:
        rows = owner.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'S', 'v')"
            " UNION SELECT proname FROM pg_proc p WHERE pronamespace = 'public'::regnamespace AND NOT EXISTS"
            " (SELECT 1 FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')"
            " UNION SELECT polname FROM pg_policy"
        )
        return {row[0] for row in rows}


def test_up_down_and_up_again(fresh):
    flask_migrate.upgrade()
    full = left_over(fresh)
    flask_migrate.check()  # exits if the models say something else
    flask_migrate.downgrade(revision="base")
    assert left_over(fresh) == {"alembic_version"}
    flask_migrate.upgrade()
    assert left_over(fresh) == full
    flask_migrate.check()


def test_a_row_of_a_fresh_database_is_found_by_its_key_and_not_among_its_clients_rows(fresh):
    flask_migrate.upgrade()
    question = text("EXPLAIN SELECT hints FROM runs WHERE id = '00000000-0000-0000-0000-000000000007'")
    with tenant(new_id()), transaction() as session:
        plan = session.execute(question).scalars().all()
    assert any("Index Cond" in line and "id = '0000" in line for line in plan), plan
