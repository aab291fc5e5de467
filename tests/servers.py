"""The real Postgres and Redis that tests use, and databases in them.

One of each for the whole run, also when several processes share the work: the first process starts them and tells the
others. TEST_DATABASE_URL (of a role that may create databases and roles) and TEST_REDIS_URL name others to use.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import flask_migrate
import psycopg
from flask import Flask
from sqlalchemy.engine import make_url

from webapp import config
from webapp.config import Config, role_password
from webapp.embedded import temporary

SECRET_KEY = "a key for tests, which is not a secret at all"
LOGINS = {"DATABASE_APP_URL": "lotline_test_app", "DATABASE_SYSTEM_URL": "lotline_test_system"}
TEMPLATE = "lotline_test_template"


@dataclass(frozen=True)
class Servers:
    """Addresses: of a role that may create databases, and of a Redis."""

    database: str
    redis: str


@contextmanager
def running() -> Iterator[Servers]:
    """Both servers, with a migrated database to copy from."""
    given = Servers(os.environ.get("TEST_DATABASE_URL", ""), os.environ.get("TEST_REDIS_URL", ""))
    if given.database and given.redis:
        make_template(given)
        yield given
        return
    with temporary(settings={"full_page_writes": "off", "max_connections": "200"}) as urls:
        servers = Servers(given.database or urls.database, given.redis or urls.redis)
        make_template(servers)
        yield servers


def make_template(servers: Servers) -> None:
    """A migrated database, which others are copied from."""
    from webapp.app import create_app

    create_database(servers, TEMPLATE, template=None)
    app = create_app(settings(servers, TEMPLATE, var=Path("/nonexistent")))
    with app.app_context():
        flask_migrate.upgrade()
    disconnect(app)


def settings(servers: Servers, database: str, *, var: Path, redis_number: int = 0, **changes: object) -> Config:
    """Settings for an app on that database. `redis_number`: which of the server's keyspaces is used."""
    owner = make_url(servers.database).set(database=database)
    environment = {
        "SECRET_KEY": SECRET_KEY,
        "DATABASE_URL": owner.render_as_string(hide_password=False),
        "REDIS_URL": f"{servers.redis}?db={redis_number}",
        "LOTLINE_VAR": str(var),
        "BASE_URL": "http://localhost",
    }
    for key, login in LOGINS.items():
        url = owner.set(username=login, password=role_password(SECRET_KEY, login))
        environment[key] = url.render_as_string(hide_password=False)
    return replace(config.load(environment), **changes)  # type: ignore[arg-type]


def environment(config: Config) -> dict[str, str]:
    """Variables with which a process of its own has the same settings."""
    return {
        "SECRET_KEY": config.secret_key,
        "DATABASE_URL": config.database_url,
        "DATABASE_APP_URL": config.database_app_url,
        "DATABASE_SYSTEM_URL": config.database_system_url,
        "REDIS_URL": config.redis_url,
        "LOTLINE_VAR": str(config.var),
        "LOTLINE_LEASE_SECONDS": str(config.lease_seconds),
        "LOTLINE_BEAT_SECONDS": str(config.beat_seconds),
    }


def create_database(servers: Servers, name: str, template: str | None = TEMPLATE) -> None:
    """An empty database, or a copy of the template; one of that name is dropped before."""
    with as_owner(make_url(servers.database)) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}"')
        connection.execute(f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{template}"' if template else ""))


def drop_database(servers: Servers, name: str) -> None:
    """Away with it, unless somebody is still connected."""
    with as_owner(make_url(servers.database)) as connection, suppress(psycopg.errors.ObjectInUse):
        connection.execute(f'DROP DATABASE IF EXISTS "{name}"')


def disconnect(app: Flask) -> None:
    """Close the app's idle connections to its database."""
    from webapp.database import db
    from webapp.engines import system_engine

    with app.app_context():
        db.session.remove()
        db.engine.dispose()
        system_engine().dispose()


def as_owner(url) -> psycopg.Connection:
    """A connection whose statements take effect at once."""
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(plain, autocommit=True)
