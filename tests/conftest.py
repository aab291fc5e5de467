"""Fixtures for all tests: real servers, one database per process, emptied before each test that uses it."""

import contextvars
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import psycopg
import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis
from sqlalchemy import Engine, event
from werkzeug.test import TestResponse

from tests import servers
from tests.chromium import browser as browser_fixture  # noqa: F401
from tests.servers import Servers
from tests.site import open_page, site  # noqa: F401
from webapp.access import passwords, sessions
from webapp.access.models import Client, User
from webapp.audit.services import Actor
from webapp.database import transaction
from webapp.limits import limiter
from webapp.pipeline import cards, log, parts

passwords.hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)  # the real one costs 50 ms on purpose

# Deleting the few rows of a test takes a millisecond, truncating 160. Runs go first: they hold on to streams and work.
SHARED_TABLES = ("users", "audit", "workers", "circuits", "pauses", "exchange_rates", "reference_catalogs")
EMPTY_TABLES = ("runs", "clients", *SHARED_TABLES)
EMPTY = "; ".join(f"DELETE FROM {table}" for table in EMPTY_TABLES)
EMPTY_FOR_SURE = f"TRUNCATE clients, {', '.join(SHARED_TABLES)} CASCADE"


# --- servers and databases --------------------------------------------------------------------------

_started = pytest.StashKey[ExitStack]()
_shared = pytest.StashKey[Servers]()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config) -> None:
    """Start the servers before the processes that share them."""
    config.stash[_started] = ExitStack()
    config.stash[_shared] = config.stash[_started].enter_context(servers.running())


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a process where the servers are."""
    node.workerinput["servers"] = vars(node.config.stash[_shared])


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the servers after all processes."""
    if _started in config.stash:
        config.stash[_started].close()


@pytest.fixture(scope="session")
def running(request: pytest.FixtureRequest) -> Iterator[Servers]:
    """Postgres and Redis."""
    told = getattr(request.config, "workerinput", None)
    if told:
        yield Servers(**told["servers"])
    else:
        with servers.running() as started:
            yield started


@pytest.fixture(scope="session")
def number(request: pytest.FixtureRequest) -> int:
    """This process among those that share the work."""
    told = getattr(request.config, "workerinput", {"workerid": "gw0"})
    return int(told["workerid"].removeprefix("gw"))


@pytest.fixture(scope="session")
def joined_app(running: Servers, number: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """The app on this process's own database and keyspace."""
    from webapp.app import create_app

    name = f"lotline_test_{number}"
    servers.create_database(running, name)
    settings = servers.settings(running, name, var=tmp_path_factory.mktemp("var"), redis_number=number % 16)
    app = create_app(settings)
    app.testing = True
    app.test_client_class = Browser
    app.config["LIMITER_OF_TESTS"] = dict(vars(limiter))
    yield app
    servers.disconnect(app)
    servers.drop_database(running, name)


@pytest.fixture(scope="session")
def owner(joined_app: Flask) -> Iterator[psycopg.Connection]:
    """The owner's connection to the test database: sees all rows, commits at once."""
    with servers.as_owner(joined_app.extensions["lotline_config"].database_url) as connection:
        yield connection


@pytest.fixture
def app(joined_app: Flask, owner: psycopg.Connection) -> Flask:
    """The app, with nothing in its database and its Redis."""
    try:
        owner.execute(EMPTY)
    except psycopg.errors.ForeignKeyViolation:
        owner.execute(EMPTY_FOR_SURE)
    Redis.from_url(joined_app.extensions["lotline_config"].redis_url).flushdb()
    # The limiter is one per process and counts where the app that was made last told it to.
    vars(limiter).update(joined_app.config["LIMITER_OF_TESTS"])
    return joined_app


@pytest.fixture
def in_app(app: Flask) -> Iterator[None]:
    """The test runs inside the app, as a task or a command does: services and factories can be called."""
    with app.app_context():
        yield


# --- browsers ---------------------------------------------------------------------------------------


class Browser(FlaskClient):
    """A browser. Each request has a context of its own, as if from another thread; forms carry their token."""

    token: str | None = None

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        """Send a request and take the whole answer."""
        kwargs["buffered"] = True
        return contextvars.Context().run(super().open, *args, **kwargs)

    def submit(self, path: str, data: dict[str, Any] | None = None, **kwargs: Any) -> TestResponse:
        """Post a form as a page of ours would."""
        return self.post(path, data={"csrf_token": self.form_token(), **(data or {})}, **kwargs)

    def form_token(self) -> str:
        """The token in the forms that this browser sees."""
        if self.token is None:
            for path in ("/no-such-page", "/sign-in"):
                found = re.search(r'name="csrf_token" value="([^"]+)"', self.get(path).text)
                if found:
                    self.token = found[1]
        assert self.token, "no page with a form was found"
        return self.token


@pytest.fixture
def browse(app: Flask, in_app: None) -> Browser:
    """A browser of nobody in particular."""
    browser = app.test_client()
    assert isinstance(browser, Browser)
    return browser


@pytest.fixture
def sign_in(app: Flask, in_app: None) -> Callable[..., Browser]:
    """`sign_in(user, client=None)`: a browser in which the user is signed in, at the client if one is named."""

    def enter(user: User, client: Client | None = None) -> Browser:
        with transaction():
            token = sessions.begin(user.id, Actor(user_id=user.id), 30, client.id if client else None)
        browser = app.test_client()
        assert isinstance(browser, Browser)
        browser.set_cookie(app.config["ACCESS_COOKIE"], token)
        return browser

    return enter


# --- measuring --------------------------------------------------------------------------------------


@pytest.fixture
def count_queries() -> Callable[[], AbstractContextManager[list[str]]]:
    """`with count_queries() as statements:` collects what is sent to Postgres, without what sets the tenant, by a
    process that has not made anything yet."""

    @contextmanager
    def count() -> Iterator[list[str]]:
        statements: list[str] = []
        cards.known.clear()
        parts.kept.clear()
        log.known.clear()

        def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            if "set_config('app.client_id'" not in statement:
                statements.append(statement)

        event.listen(Engine, "before_cursor_execute", note)
        try:
            yield statements
        finally:
            event.remove(Engine, "before_cursor_execute", note)

    return count
