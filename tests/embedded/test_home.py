"""Where the services live: closed folders, long and odd paths, several at once."""

import os
import shutil
from pathlib import Path

import psycopg
import redis

from tests.embedded.conftest import KEY, Place
from webapp.embedded import Home, Urls, services, temporary
from webapp.embedded.home import SOCKET_PATH_BYTES


def ask(urls: Urls) -> tuple[object, ...]:
    with psycopg.connect(urls.database.replace("+psycopg", "")) as connection:
        row = connection.execute("SELECT current_user, current_database()").fetchone()
    assert row is not None
    with redis.Redis.from_url(urls.redis) as client:
        return (*row, client.ping())


def owner(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


def test_below_a_closed_folder_root_keeps_the_data_where_the_service_user_can_go(closed_place: Place) -> None:
    is_root = os.geteuid() == 0
    postgres, redis_server = closed_place.postgres(), closed_place.redis()
    postgres.start()
    redis_server.start()
    home = postgres.home
    assert home.path.is_relative_to("/var/lib/lotline") == is_root
    assert (closed_place.root / "services").resolve() == home.path
    for service in (postgres, redis_server):
        assert service.answers()
        assert service.process is not None
        assert owner(service.process.pid) == (home.user.uid if home.user else os.geteuid())
        assert owner(service.process.pid) != 0
    postgres.stop()
    assert Home.at(closed_place.root) == home
    postgres.start()
    assert postgres.answers()


def test_a_new_clone_in_the_place_of_an_old_one_has_data_of_its_own(closed_place: Place) -> None:
    old = Home.at(closed_place.root)
    old.folder("postgres")
    moved = closed_place.root.rename(closed_place.root.with_name("moved"))
    new = Home.at(closed_place.root)
    assert new.path != Home.at(moved).path
    assert not (new.path / "postgres").exists()
    shutil.rmtree(Home.at(moved).path)


def test_in_an_open_folder_the_data_stays_in_the_clone(fresh_place: Place) -> None:
    assert Home.at(fresh_place.root).path == fresh_place.root / "services"


def test_data_stays_where_it_is_when_the_folder_is_closed_later(closed_place: Place) -> None:
    outer = closed_place.root.parent.parent
    outer.chmod(0o711)
    home = Home.at(closed_place.root)
    assert home.path == closed_place.root / "services"


def test_paths_that_no_socket_address_can_hold_work(place: Place) -> None:
    root = place.root / ("long, and odd; " * 8) / "ünïcode"
    root.mkdir(parents=True)
    with services(root, KEY, settings={"fsync": "off"}) as urls:
        assert ask(urls) == ("lotline", "lotline", True)
        sockets = Home.at(root).sockets
        assert not sockets.is_relative_to(root)
        assert len(os.fsencode(sockets / ".s.PGSQL.5432")) <= SOCKET_PATH_BYTES
        assert sockets.stat().st_mode & 0o777 == 0o700
    for left in sockets.iterdir():
        left.unlink()
    sockets.rmdir()


def test_a_second_process_joins_running_services_and_leaves_them_running(place: Place) -> None:
    with services(place.root, KEY, settings={"fsync": "off"}) as first:
        with services(place.root, KEY) as second:
            assert second == first
            assert ask(second) == ("lotline", "lotline", True)
        assert ask(first) == ("lotline", "lotline", True)


def test_temporary_services_stand_side_by_side_and_leave_nothing() -> None:
    with temporary() as one, temporary() as other:
        assert one != other
        assert ask(one) == ask(other)
        folders = [Path(urls.redis.removeprefix("unix://")).parents[2] for urls in (one, other)]
        assert all(folder.exists() for folder in folders)
    assert not any(folder.exists() for folder in folders)
