"""One archive with the whole installation: `python -m webapp.backup save FILE` and `python -m webapp.backup load FILE`.

The archive is a tar with `database.dump` (pg_dump's custom format, taken by the owner, who sees all clients' rows),
`photos/` and `matchers/`, which were learned and would have to be learned again. The dump is taken first: photos are
written before the rows that name them and never changed, so every photo that the dump names is in the archive, whatever
happens meanwhile.
"""

import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from webapp import config as configuration
from webapp.config import Config, exit_on_config_error
from webapp.embedded import client_program
from webapp.errors import ConfigError
from webapp.roles import SEARCH_ROLE, ensure_logins

DUMP, PHOTOS, MATCHERS = "database.dump", "photos", "matchers"


def save(config: Config, archive: Path) -> None:
    """Write the archive, under another name until it is complete and on disk.

    Raises:
        ConfigError: the file exists already, or the database cannot be dumped.
    """
    if archive.exists():
        raise ConfigError(f"{archive} exists already; give the backup a new name")
    archive.parent.mkdir(parents=True, exist_ok=True)
    unfinished = archive.with_name(archive.name + ".unfinished")
    with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
        dump = Path(folder) / DUMP
        _run("pg_dump", config, "--format=custom", f"--file={dump}")
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as raw:
            with tarfile.open(fileobj=raw, mode="w") as tar:
                tar.add(dump, DUMP)
                for name in (PHOTOS, MATCHERS):
                    if (config.var / name).is_dir():
                        tar.add(config.var / name, name)
            raw.flush()
            os.fsync(raw.fileno())
    unfinished.rename(archive)


def load(config: Config, archive: Path) -> None:
    """Put the archive's database, photos and matchers in the place of what is there. Nothing else may use the database.

    Raises:
        ConfigError: the archive is not one of ours, somebody uses the database, or it cannot be restored.
    """
    try:
        tar = tarfile.open(archive)  # noqa: SIM115 - closed below
    except (OSError, tarfile.TarError) as error:
        raise ConfigError(f"{archive} cannot be read as a backup: {error}") from None
    with tar, tempfile.TemporaryDirectory(dir=config.var) as folder:
        if DUMP not in tar.getnames():
            raise ConfigError(f"{archive} is not a backup of Lotline: {DUMP} is missing in it")
        tar.extractall(folder, filter="data")
        _prepare(config)
        whole = ("--clean", "--if-exists", "--exit-on-error", "--single-transaction")
        try:
            _run("pg_restore", config, *whole, f"{folder}/{DUMP}")
        finally:
            _owner(config, f"REVOKE CREATE ON SCHEMA public FROM {SEARCH_ROLE}")
        _put_photos(Path(folder) / PHOTOS, config.var / PHOTOS)
        matchers = Path(folder) / MATCHERS
        if matchers.is_dir():
            (config.var / MATCHERS).mkdir(exist_ok=True, mode=0o700)
            for kept in matchers.iterdir():
                kept.replace(config.var / MATCHERS / kept.name)


def _prepare(config: Config) -> None:
    engine = create_engine(config.database_url, poolclass=NullPool)
    with engine.begin() as connection:
        others = connection.execute(
            text(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
                " AND backend_type = 'client backend'"
            )
        ).scalar_one()
        if others:
            raise ConfigError("Lotline is running on this database: stop it before a backup is put back")
        ensure_logins(connection, config)  # the dump grants rights to them
    # PostgreSQL asks this of the new owner of a function; see the migration that makes the search functions.
    _owner(config, f"GRANT CREATE ON SCHEMA public TO {SEARCH_ROLE}")


def _owner(config: Config, statement: str) -> None:
    with create_engine(config.database_url, poolclass=NullPool).begin() as connection:
        connection.execute(text(statement))


def _put_photos(saved: Path, place: Path) -> None:
    """Photos are named by their content: what is there already is the same, and nothing is overwritten."""
    for photo in saved.rglob("*"):
        target = place / photo.relative_to(saved)
        if photo.is_file() and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            photo.rename(target)


def _run(program: str, config: Config, *arguments: str) -> None:
    url = make_url(config.database_url)
    environment: Mapping[str, str] = {**os.environ, "PGPASSWORD": url.password or ""}
    plain = url.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
    done = subprocess.run(
        [str(client_program(program)), f"--dbname={plain}", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ConfigError(f"{program} failed: {done.stderr.strip()[-2000:]}")


if __name__ == "__main__":
    with exit_on_config_error():
        match sys.argv[1:]:
            case ["save", file]:
                save(configuration.load(), Path(file))
                sys.stdout.write(f"Saved to {file}\n")
            case ["load", file]:
                load(configuration.load(), Path(file))
                sys.stdout.write(f"Put back from {file}\n")
            case _:
                sys.exit(__doc__)
