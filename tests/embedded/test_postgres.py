"""The embedded PostgreSQL: what it is, that it comes back after anything, and that nobody else gets in."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from tests.embedded.conftest import FAST, KEY, Place
from webapp.embedded import InUse, Postgres, ServiceError, client_program
from webapp.embedded.child import spawn


def connect(postgres: Postgres) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(postgres.url.replace("+psycopg", ""), autocommit=True)


@pytest.fixture
def place(place: Place) -> Place:
    """The module's folder, its database without any words."""
    postgres = place.postgres()
    postgres.start()
    with connect(postgres) as connection:
        connection.execute("DROP TABLE IF EXISTS words")
        connection.execute("CREATE TABLE words (word text)")
    postgres.stop()
    return place


def remember(postgres: Postgres, word: str) -> None:
    with connect(postgres) as connection:
        connection.execute("INSERT INTO words VALUES (%s)", [word])


def words(postgres: Postgres) -> list[object]:
    with connect(postgres) as connection:
        return [word for (word,) in connection.execute("SELECT word FROM words").fetchall()]


def gone(pids: list[int]) -> bool:
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_it_is_postgres_18_set_up_as_promised(place: Place) -> None:
    postgres = place.postgres()
    postgres.start()
    with connect(postgres) as connection:
        names = ("server_version_num", "listen_addresses", "jit", "data_checksums", "server_encoding", "TimeZone")
        values = [connection.execute("SELECT current_setting(%s)", [name]).fetchone() for name in names]
        assert str(values[0][0]).startswith("18")
        assert values[1:] == [("",), ("off",), ("on",), ("UTF8",), ("UTC",)]
        locale = connection.execute("SELECT datlocprovider, datlocale FROM pg_database WHERE datname = 'lotline'")
        assert locale.fetchone() == ("b", "C.UTF-8")
        rights = "SELECT rolsuper, rolcreaterole, rolcreatedb, rolbypassrls FROM pg_roles WHERE rolname = current_user"
        assert connection.execute(rights).fetchone() == (False, True, True, False)
        for extension in ("pg_trgm", "citext", "btree_gin", "unaccent"):
            connection.execute(f"CREATE EXTENSION IF NOT EXISTS {extension}")
        found = connection.execute("SELECT 'camera' % 'kamera', 'A'::citext = 'a', unaccent('Hôtel')").fetchone()
        assert found == (True, True, "Hotel")


def test_durability_is_not_traded_away_by_default(place: Place) -> None:
    postgres = Postgres(place.root, KEY)
    place.made.append(postgres)
    postgres.start()
    with connect(postgres) as connection:
        names = ("fsync", "synchronous_commit", "full_page_writes")
        assert [connection.execute(f"SHOW {name}").fetchone() for name in names] == [("on",)] * 3


def test_only_the_owner_of_the_folder_and_of_the_key_gets_in(place: Place) -> None:
    postgres = place.postgres()
    postgres.start()
    assert postgres.home.sockets.stat().st_mode & 0o777 == 0o700
    assert postgres.data.stat().st_mode & 0o777 == 0o700
    for user, password in (("lotline", "wrong"), ("postgres", postgres.password)):
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(host=str(postgres.home.sockets), user=user, password=password, dbname="lotline")


def test_data_survives_a_stop_and_a_crash(place: Place) -> None:
    postgres = place.postgres()
    postgres.start()
    remember(postgres, "before the stop")
    postgres.stop()
    assert postgres.poll() is not None
    assert not postgres.answers()
    postgres.start()
    remember(postgres, "before the crash")
    postgres.kill()
    postgres.start()
    assert words(postgres) == ["before the stop", "before the crash"]


def test_another_process_is_told_that_the_data_is_in_use(place: Place) -> None:
    postgres = place.postgres()
    postgres.start()
    with pytest.raises(InUse):
        place.postgres().start()
    assert postgres.answers()


def test_it_ends_with_a_parent_that_is_killed_and_comes_back_with_the_data(place: Place) -> None:
    script = (
        "import sys, time; from pathlib import Path; from webapp.embedded import Postgres, Redis\n"
        f"p = Postgres(Path(sys.argv[1]), {KEY!r}, settings={FAST!r}); r = Redis(Path(sys.argv[1]))\n"
        "p.start(); r.start(); print(p.process.pid, r.process.pid, flush=True); time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, place.root], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    children = [int(pid) for pid in parent.stdout.readline().split()]
    postgres = place.postgres()
    remember(postgres, "from the parent's server")
    parent.kill()
    parent.wait()
    assert len(children) == 2
    assert gone(children)
    postgres.start()
    assert words(postgres) == ["from the parent's server"]


def test_a_server_that_lost_its_owner_is_replaced(place: Place) -> None:
    lost = place.postgres()
    lost.start()
    remember(lost, "kept")
    process = lost.process
    assert process is not None
    lost._release()  # as if its owner had ended without the kernel's death signal
    postgres = place.postgres()
    postgres.start()
    assert process.wait(10) is not None
    assert words(postgres) == ["kept"]


def test_a_lock_file_that_names_a_living_stranger_is_no_hindrance(place: Place) -> None:
    postgres = place.postgres()
    postgres.start()
    remember(postgres, "kept")
    lock_file = postgres.data / "postmaster.pid"
    lines = lock_file.read_text().splitlines()
    postgres.kill()
    stranger = spawn(["sleep", "60"], user=postgres.home.user)
    try:
        lock_file.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
        postgres.start()
        assert words(postgres) == ["kept"]
        assert stranger.poll() is None
    finally:
        stranger.send_signal(signal.SIGKILL)
        stranger.wait()


def test_a_half_made_data_folder_is_made_anew(fresh_place: Place) -> None:
    postgres = fresh_place.postgres()
    half = postgres.home.folder("postgres-building")
    (half / "PG_VERSION").write_text("18\n")
    postgres.start()
    assert postgres.answers()
    assert not half.exists()


def test_a_new_secret_key_changes_the_password(place: Place) -> None:
    before = place.postgres()
    before.start()
    remember(before, "kept")
    before.stop()
    after = place.postgres("another key for tests")
    after.start()
    assert words(after) == ["kept"]
    assert not before.answers()


def test_data_of_another_major_version_is_named_and_left_alone(fresh_place: Place) -> None:
    postgres = fresh_place.postgres()
    data = postgres.home.folder("postgres")
    (data / "PG_VERSION").write_text("17\n")
    with pytest.raises(ServiceError, match="PostgreSQL 17"):
        postgres.start()
    assert [entry.name for entry in data.iterdir()] == ["PG_VERSION"]


def test_an_early_end_gives_the_reason(place: Place) -> None:
    postgres = Postgres(place.root, KEY, settings={**FAST, "shared_buffers": "nonsense"})
    place.made.append(postgres)
    with pytest.raises(ServiceError, match="shared_buffers"):
        postgres.start()
    assert postgres.poll() is not None


def test_a_backup_program_of_the_same_version_is_there(place: Place) -> None:
    postgres = place.postgres()
    postgres.start()
    remember(postgres, "in the backup")
    command = [client_program("pg_dump"), postgres.url.replace("+psycopg", ""), "--data-only"]
    dump = subprocess.run(command, capture_output=True, text=True, env={"PATH": os.defpath}, check=True)
    assert "in the backup" in dump.stdout
