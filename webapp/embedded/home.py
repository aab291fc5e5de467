"""Where the embedded services of one clone live, and which user of the system runs them."""

import fcntl
import hashlib
import os
import pwd
import re
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from webapp.embedded.child import User

SHARED = Path("/var/lib/lotline")
SHORT = Path("/tmp")  # noqa: S108 - the folder made below it is checked: ours, no link, closed to others
SERVICE_USERS = ("lotline", "nobody", "daemon", "bin")
LONGEST_SOCKET_NAME = ".s.PGSQL.5432.lock"
SOCKET_PATH_BYTES = 107  # sun_path of sockaddr_un, less its closing zero


class ServiceError(Exception):
    """An embedded service cannot do its work; the message is one line for the person at the terminal."""


class InUse(ServiceError):
    """Another process runs this service on the same data."""


@dataclass(frozen=True)
class Home:
    """A folder for programs and data, one for sockets, and the user to run as (None: whoever we are).

    As root the services run as a service user, who must be able to enter the folder. Where `root` is closed to that
    user, a folder below /var/lib/lotline takes its place, and a link in `root` remembers it.
    """

    path: Path
    sockets: Path
    user: User | None

    @classmethod
    def at(cls, root: Path) -> Self:
        """The home for `root`, made if it is not there."""
        root = root.resolve()
        root.mkdir(parents=True, exist_ok=True)
        user = _service_user(root / "services") if os.geteuid() == 0 else None
        path = _services_folder(root, user)
        return cls(path=path, sockets=_socket_folder(path, user), user=user)

    @property
    def programs(self) -> Path:
        """The folder for programs: ours, so that the service user can run them but not change them."""
        return _folder(self.path / "programs", 0o711, None)

    def folder(self, name: str) -> Path:
        """A folder of the service user below the home, closed to others."""
        return _folder(self.path / name, 0o700, self.user)

    def lock(self, name: str) -> int:
        """Take the lock `name`, for as long as the returned file descriptor stays open.

        Raises:
            InUse: another process has it.
        """
        descriptor = os.open(self.path / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise InUse(f"another process already runs {name} on the data in {self.path}") from None
        return descriptor


def leftovers(program: str, folder: Path) -> list[int]:
    """Ids of processes of `program` that work in `folder`: what a killed parent left behind."""

    def link(process: Path, name: str) -> str:
        try:
            return str((process / name).readlink()).removesuffix(" (deleted)")
        except OSError:  # it ended meanwhile, or belongs to somebody else
            return ""

    processes = [entry for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [
        int(entry.name)
        for entry in processes
        if link(entry, "cwd") == str(folder) and Path(link(entry, "exe")).name == program
    ]


def _service_user(services: Path) -> User:
    """Who runs the services when we are root: the owner of the data if there is data, else an unprivileged user."""
    data = services / "postgres"
    if data.exists() and (owner := data.stat().st_uid) != 0:
        try:
            entry = pwd.getpwuid(owner)
        except KeyError:
            raise ServiceError(f"{data} belongs to user id {owner}, which this machine does not know") from None
        return User(entry.pw_uid, entry.pw_gid, entry.pw_name)
    for name in SERVICE_USERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return User(entry.pw_uid, entry.pw_gid, entry.pw_name)
    raise ServiceError("PostgreSQL does not run as root and no unprivileged user is there: add a user named lotline")


def _services_folder(root: Path, user: User | None) -> Path:
    services = root / "services"
    if services.is_symlink():
        return _folder(services.resolve(), 0o711, None)
    if user is None or _can_enter(services if services.exists() else root, user):
        return _folder(services, 0o711, None)
    if services.exists():
        raise ServiceError(f"user {user.name}, who runs PostgreSQL for root, cannot enter {services}: open its folders")
    _folder(SHARED, 0o711, None)
    names = (f"{_short_name(root)}{suffix}" for suffix in ("", *(f"-{number}" for number in range(2, 1000))))
    # Data that is there already belongs to a clone that was here before, and was moved or deleted.
    elsewhere = next(SHARED / name for name in names if not (SHARED / name / "postgres").exists())
    services.symlink_to(_folder(elsewhere, 0o711, None))
    return elsewhere


def _socket_folder(path: Path, user: User | None) -> Path:
    """A 0700 folder whose socket paths fit into the kernel's 107 bytes and need no quoting in any address."""
    folder = path / "sockets"
    longest = os.fsencode(folder / LONGEST_SOCKET_NAME)
    if len(longest) > SOCKET_PATH_BYTES or not re.fullmatch(rb"[A-Za-z0-9._/-]+", longest):
        owner = user.uid if user else os.geteuid()
        folder = SHORT / f"lotline-{owner}-{_short_name(path)}"
    return _folder(folder, 0o700, user)


def _folder(path: Path, mode: int, user: User | None) -> Path:
    path.mkdir(parents=True, exist_ok=True, mode=mode)
    owner = user.uid if user else os.geteuid()
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (owner, os.geteuid()):
        raise ServiceError(f"{path} is not a folder of ours: somebody else made it")
    if user and found.st_uid != owner:
        os.chown(path, user.uid, user.gid)
    if stat.S_IMODE(found.st_mode) != mode:
        path.chmod(mode)
    return path


def _can_enter(folder: Path, user: User) -> bool:
    """Tried, not computed from modes: access lists and network file systems have their say too."""
    tried = subprocess.run(["test", "-x", folder], user=user.uid, group=user.gid, extra_groups=[], check=False)
    return tried.returncode == 0


def _short_name(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
