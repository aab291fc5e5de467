"""Folders for real servers, and an end to whatever a test started in them."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from webapp.embedded import Home, Postgres, Redis

KEY = "a key for tests"
FAST = {"fsync": "off"}  # kill -9 costs nothing that the kernel has; only a power cut would


class Place:
    """A folder and the servers that a test makes in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.made: list[Postgres | Redis] = []

    def postgres(self, key: str = KEY) -> Postgres:
        self.made.append(postgres := Postgres(self.root, key, settings=FAST))
        return postgres

    def redis(self) -> Redis:
        self.made.append(redis := Redis(self.root))
        return redis

    def end_all(self) -> None:
        for service in self.made:
            service.kill()
        self.made.clear()

    def clear(self) -> None:
        self.end_all()
        home = Home.at(self.root)
        for folder in (home.sockets, home.path, self.root):
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def open_place() -> Iterator[Place]:
    """A folder that every user may pass through, which pytest's own are not when root runs them."""
    root = Path(tempfile.mkdtemp(prefix="lotline-test-"))
    root.chmod(0o711)
    place = Place(root)
    yield place
    place.clear()


@pytest.fixture
def fresh_place() -> Iterator[Place]:
    """A folder where nothing has run yet."""
    with open_place() as place:
        yield place


@pytest.fixture(scope="module")
def module_place() -> Iterator[Place]:
    with open_place() as place:
        yield place


@pytest.fixture
def place(module_place: Place) -> Iterator[Place]:
    """A folder where other tests of the module may have run servers, none of which is left running."""
    yield module_place
    module_place.end_all()


@pytest.fixture
def closed_place() -> Iterator[Place]:
    """A folder below one that is closed to everybody else, as a clone in /root is."""
    outer = Path(tempfile.mkdtemp(prefix="lotline-test-"))  # 0700
    place = Place(outer / "clone" / "var")
    yield place
    place.clear()
    shutil.rmtree(outer)
