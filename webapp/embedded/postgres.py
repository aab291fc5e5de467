"""A real PostgreSQL 18 on a unix socket."""

import hashlib
import hmac
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import psycopg

from webapp.embedded.child import spawn
from webapp.embedded.home import ServiceError, leftovers
from webapp.embedded.programs import postgres_programs
from webapp.embedded.service import ENVIRONMENT, Service

MAJOR = "18"
OWNER = DATABASE = "lotline"
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "effective_cache_size": "1GB",
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",
    "max_wal_size": "512MB",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %u@%d ",
}


class Postgres(Service):
    """One PostgreSQL; see `Service`.

    `url` is the login of the role `lotline`, who owns the database `lotline` and may create roles and databases but
    is no superuser, as on a server that somebody else runs. Its password is derived from `secret_key`; a start with
    another key changes it. The superuser `postgres` has no password, so nobody can sign in as it.
    `settings` are added to, or replace, the server's own.
    """

    name = "postgres"
    end_signal = signal.SIGINT  # "fast shutdown": sessions are ended, the data is left clean
    stop_seconds = 2.5
    start_seconds = 300.0  # replaying the log after a crash may take its time; an early end is noticed at once

    def __init__(
        self,
        directory: Path,
        secret_key: str,
        *,
        settings: Mapping[str, str] | None = None,
        output: int | None = None,
    ) -> None:
        super().__init__(directory, output=output)
        self.data = self.home.path / "postgres"
        self.password = hmac.new(secret_key.encode(), b"embedded database owner", hashlib.sha256).hexdigest()
        self.url = f"postgresql+psycopg://{OWNER}:{self.password}@/{DATABASE}?host={quote(str(self.home.sockets))}"
        self.settings = {**SETTINGS, "unix_socket_directories": str(self.home.sockets), **(settings or {})}

    def answers(self) -> bool:
        """Whether the owner can sign in."""
        sockets = str(self.home.sockets)
        try:
            psycopg.connect(
                host=sockets, user=OWNER, password=self.password, dbname=DATABASE, connect_timeout=5
            ).close()
        except psycopg.OperationalError:
            return False
        return True

    def _run(self) -> None:
        programs = postgres_programs(self.home)
        self._end_leftovers()
        if not self.data.exists():
            self._create(programs)
        self._check_version()
        self._set_password(programs)
        settings = [argument for name, value in self.settings.items() for argument in ("-c", f"{name}={value}")]
        self._spawn([programs / "postgres", "-D", self.data, *settings], cwd=self.home.path)

    def _end_leftovers(self) -> None:
        """End the processes of a server whose owner was killed: we hold the lock, so nobody else wants them."""
        lock_file = self.data / "postmaster.pid"
        deadline = time.monotonic()
        with suppress(OSError, ValueError, IndexError):
            main = int(lock_file.read_text().split()[0])
            if main in leftovers("postgres", self.data):
                os.kill(main, self.end_signal)
                deadline += self.stop_seconds
            elif Path(f"/proc/{main}").exists():
                lock_file.unlink()  # another program has that number by now; the server would take it for its own
        while remaining := leftovers("postgres", self.data):
            for pid in remaining if time.monotonic() > deadline else ():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)

    def _create(self, programs: Path) -> None:
        """Make the data beside its final name, so that an interruption leaves nothing that looks whole."""
        building = self.home.path / "postgres-building"
        shutil.rmtree(building, ignore_errors=True)
        self.home.folder(building.name)
        self._tool(
            programs / "initdb",
            f"--pgdata={building}",
            "--username=postgres",
            "--auth=reject",
            "--encoding=UTF8",
            "--no-locale",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--data-checksums",
            "--no-instructions",
            *(["--no-sync"] if self.settings.get("fsync") == "off" else []),
        )
        (building / "pg_hba.conf").write_text("local all all scram-sha-256\n")
        role = f"CREATE ROLE {OWNER} LOGIN CREATEROLE CREATEDB;\n"
        self._single_user(programs, building, role + f"CREATE DATABASE {DATABASE} OWNER {OWNER};\n")
        building.rename(self.data)

    def _check_version(self) -> None:
        found = (self.data / "PG_VERSION").read_text().strip()
        if found != MAJOR:
            raise ServiceError(f"the data in {self.data} is of PostgreSQL {found}; this Lotline brings {MAJOR}")

    def _set_password(self, programs: Path) -> None:
        """Give the owner the password of the present key, unless an earlier start did so."""
        mark, wanted = self.data / "lotline.owner", hashlib.sha256(self.password.encode()).hexdigest()
        if mark.exists() and mark.read_text() == wanted:
            return
        self._single_user(programs, self.data, f"ALTER ROLE {OWNER} PASSWORD '{self.password}';\n")
        mark.write_text(wanted)
        if self.home.user:
            os.chown(mark, self.home.user.uid, self.home.user.gid)

    def _single_user(self, programs: Path, data: Path, statements: str) -> None:
        """Run statements, one per line, as the superuser, without a server."""
        program = programs / "postgres"
        self._tool(program, "--single", "-c", "exit_on_error=on", "-D", data, "postgres", stdin=statements)

    def _tool(self, *command: str | Path, stdin: str = "") -> None:
        tool = spawn(
            command,
            user=self.home.user,
            env=ENVIRONMENT,
            cwd=self.home.path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        lines = tool.communicate(stdin.encode())[0].decode(errors="replace").splitlines()
        if tool.returncode != 0:
            complaints = [line for line in lines if "error" in line.lower() or "FATAL" in line]
            said = next(reversed(complaints or lines), f"exit code {tool.returncode}")
            raise ServiceError(f"PostgreSQL cannot prepare its data in {self.data}: {said.strip()}")
