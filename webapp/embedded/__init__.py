"""The PostgreSQL and the Redis that come along when no URL is set: real servers, on unix sockets, without root rights.

Both live and die with the process that starts them. See `Home` for where their data is.
"""

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree

from webapp.embedded.home import Home, InUse, ServiceError
from webapp.embedded.postgres import Postgres
from webapp.embedded.programs import client_program
from webapp.embedded.redis import Redis
from webapp.embedded.service import Service

__all__ = [
    "Home",
    "InUse",
    "Postgres",
    "Redis",
    "Service",
    "ServiceError",
    "Urls",
    "client_program",
    "running",
    "services",
    "start_postgres",
    "start_redis",
    "temporary",
]

JOIN_SECONDS = 30.0


@dataclass(frozen=True)
class Urls:
    """Addresses in the form that SQLAlchemy and redis-py take."""

    database: str
    redis: str


def start_postgres(directory: Path, secret_key: str, *, settings: Mapping[str, str] | None = None) -> Postgres:
    """A running PostgreSQL with its data in the home of `directory`; see `Postgres`."""
    postgres = Postgres(directory, secret_key, settings=settings)
    postgres.start()
    return postgres


def start_redis(directory: Path) -> Redis:
    """A running Redis in the home of `directory`; see `Redis`."""
    redis = Redis(directory)
    redis.start()
    return redis


@contextmanager
def running(service: Service) -> Iterator[Service]:
    """`service` for the time of the block: the one that another process runs in the same home, else our own.

    Raises:
        ServiceError: it cannot start, or another process holds it and it does not answer.
    """
    try:
        service.start()
    except InUse:
        deadline = time.monotonic() + JOIN_SECONDS
        while not service.answers():
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
    try:
        yield service
    finally:
        service.stop()


@contextmanager
def services(root: Path, secret_key: str, *, settings: Mapping[str, str] | None = None) -> Iterator[Urls]:
    """Both services for the time of the block; see `running`."""
    with running(Postgres(root, secret_key, settings=settings)) as postgres, running(Redis(root)) as redis:
        yield Urls(database=postgres.url, redis=redis.url)


@contextmanager
def temporary(secret_key: str = "temporary", *, settings: Mapping[str, str] | None = None) -> Iterator[Urls]:  # noqa: S107
    """Both services in a folder of their own that is gone afterwards, for tests and benchmarks.

    Nothing is synced to disk (`fsync=off`) unless `settings` say otherwise: a power cut would cost the data, which is
    thrown away anyway; kill -9 costs nothing.
    """
    root = Path(tempfile.mkdtemp(prefix="lotline-"))
    root.chmod(0o711)
    home = Home.at(root)
    try:
        with services(root, secret_key, settings={"fsync": "off", **(settings or {})}) as urls:
            yield urls
    finally:
        for folder in (home.sockets, home.path, root):
            rmtree(folder, ignore_errors=True)
