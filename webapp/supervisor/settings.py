"""What the supervisor wants to know before it starts anything, and what it refuses to start with."""

import errno
import fcntl
import json
import os
import secrets
import shutil
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from webapp.errors import ConfigError

CLONE = Path(__file__).parents[2]
MIN_FREE_MB = 500
PORT_SECONDS = 2.0  # a killed predecessor's web workers need a second to notice
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104


class AlreadyRunning(Exception):
    """Another supervisor holds this clone's lock; the message says where it serves."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The part of the environment that the supervisor reads. None as a URL: the embedded service is to run."""

    var: Path
    host: str
    port: int
    base_url: str
    secret_key: str | None
    database_url: str | None
    redis_url: str | None
    min_free_mb: int
    verbose: bool

    @property
    def local_host(self) -> str:
        """Where this machine reaches the web server."""
        return ANY_ADDRESS.get(self.host, self.host)


def read(environ: Mapping[str, str]) -> Settings:
    """Read the settings.

    Raises:
        ConfigError: a value cannot be read, or a key is missing; the message names it.
    """

    def text(name: str) -> str | None:
        return environ.get(name, "").strip() or None

    def number(name: str, default: int, most: int) -> int:
        raw = text(name) or str(default)
        if not raw.isascii() or not raw.isdigit() or not 0 <= int(raw) <= most:
            raise ConfigError(f"{name}={raw} is not a whole number from 0 to {most}")
        return int(raw)

    host, port = text("HOST") or "127.0.0.1", number("PORT", 8000, 65535)
    shown = ANY_ADDRESS.get(host, host)
    settings = Settings(
        var=(CLONE / (text("LOTLINE_VAR") or "var")).resolve(),
        host=host,
        port=port,
        base_url=(text("BASE_URL") or f"http://{f'[{shown}]' if ':' in shown else shown}:{port}").rstrip("/"),
        secret_key=text("SECRET_KEY"),
        database_url=text("DATABASE_URL"),
        redis_url=text("REDIS_URL"),
        min_free_mb=number("LOTLINE_MIN_FREE_MB", MIN_FREE_MB, 10**9),
        verbose=text("LOTLINE_VERBOSE") is not None,
    )
    if settings.database_url and not settings.secret_key:
        raise ConfigError(
            "SECRET_KEY is missing: with a DATABASE_URL of your own, set it to 32 random characters or more"
        )
    return settings


def take_lock(settings: Settings) -> int:
    """Take the clone's only place, for as long as the returned file descriptor stays open.

    Raises:
        AlreadyRunning: somebody has it.
    """
    settings.var.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(settings.var / "run.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 4096).decode()
        os.close(descriptor)
        try:
            found = json.loads(holder)
        except ValueError:  # it took the lock a moment ago
            raise AlreadyRunning("Lotline is already starting in this folder.") from None
        where = f"at {found['address']} (process {found['pid']})"
        raise AlreadyRunning(f"Lotline is already running {where}. Stop it there with Ctrl-C.") from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps({"pid": os.getpid(), "address": settings.base_url}).encode(), 0)
    return descriptor


def check_port(settings: Settings) -> None:
    """Bind the port without `SO_REUSEPORT`: the web workers share it by that option, which hides that it is taken.

    Raises:
        ConfigError: it cannot be bound.
    """
    host, port = settings.host, settings.port
    deadline = time.monotonic() + PORT_SECONDS
    while (error := _bind_error(host, port)) and error.errno == errno.EADDRINUSE and time.monotonic() < deadline:
        time.sleep(0.1)
    if error is None:
        return
    if error.errno == errno.EADDRINUSE:
        other = f"PORT={port + 1 if port < 65535 else 8000} make run"
        raise ConfigError(f"port {port} on {host} is taken by another program: choose another one, {other}")
    if error.errno == errno.EACCES:
        raise ConfigError(f"port {port} is not ours to use: choose one above 1023, PORT=8000 make run")
    raise ConfigError(f"HOST={host} is not an address of this machine ({error.strerror})")


def check_disk(folder: Path, min_free_mb: int) -> None:
    """Refuse to start on a disk that is nearly full: a database that cannot write is worse than none.

    Raises:
        ConfigError: fewer than `min_free_mb` megabytes are free.
    """
    free_mb = shutil.disk_usage(folder).free // 1_000_000
    if free_mb < min_free_mb:
        raise ConfigError(
            f"the disk with {folder} has {free_mb} MB left; Lotline wants {min_free_mb} MB (LOTLINE_MIN_FREE_MB)"
        )


def secret_key(settings: Settings) -> str:
    """The key from the environment, else the one in `var/secret.key`, made at the first start."""
    if settings.secret_key:
        return settings.secret_key
    file = settings.var / "secret.key"
    if file.exists():
        return file.read_text().strip()
    settings.var.mkdir(parents=True, exist_ok=True)
    new = file.with_suffix(".new")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as writer:  # noqa: PTH123
        writer.write(secrets.token_urlsafe(48) + "\n")
        writer.flush()
        os.fsync(writer.fileno())
    new.rename(file)
    return file.read_text().strip()


def _bind_error(host: str, port: int) -> OSError | None:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return error
    return None
