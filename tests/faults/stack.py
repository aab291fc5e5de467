"""A whole Lotline whose processes can be named, killed and frozen one by one; what dies is started again.

The services, the commands and their tending are the product's own; only the slots' phases are the tests'.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from tests.running import CLONE, free_port
from webapp.embedded import Home, Postgres, Redis, ServiceError
from webapp.supervisor.processes import PROCESSES, PYTHON, Command, Process, Program, Tended

KEY = "a key for tests of faults, which is no secret"
LEASE_SECONDS, BEAT_SECONDS = 5.0, 1.25
START_SECONDS = 180
LOOK_SECONDS = 0.05
LIVE = tuple(process for process in PROCESSES if process.name in ("hub", "renderer", "web"))


class Stack:
    """Services and processes by name. They are started by a thread of their own, which ends with `end`."""

    def __init__(self, folder: Path, **env: str) -> None:
        self.var, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = (folder / "processes.log").open("ab")
        quiet = {"fsync": "off"}  # kill -9 costs nothing; only a power cut would
        self.postgres = Postgres(folder, KEY, settings=quiet, output=self._log.fileno())
        self.redis = Redis(folder, output=self._log.fileno())
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("LOTLINE_", "MAKE"))},
            "DATABASE_URL": self.postgres.url,
            "REDIS_URL": self.redis.url,
            "SECRET_KEY": KEY,
            "LOTLINE_VAR": str(folder),
            "LOTLINE_LEASE_SECONDS": str(LEASE_SECONDS),
            "LOTLINE_BEAT_SECONDS": str(BEAT_SECONDS),
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "BASE_URL": self.url,
            "PYTHONUNBUFFERED": "1",
            "LOTLINE_SOCKETS_PER_USER": "100",
            **env,
        }
        self.programs: dict[str, Program] = {"postgres": self.postgres, "redis": self.redis}
        self._tended: dict[str, Tended] = {}
        self._wanted: list[Process] = []
        self._changed = threading.Lock()
        self._over = threading.Event()
        self._failed: BaseException | None = None
        self._tender = threading.Thread(target=self._tend, name="tender", daemon=True)

    def start(self) -> None:
        """Both services, with a migrated database."""
        self._tender.start()
        self._await(lambda: self.postgres.answers() and self.redis.answers())
        self.run("-m", "flask", "--app", "webapp", "db", "upgrade")

    def add(self, processes: Sequence[Process]) -> None:
        """Start these, and tend them from now on."""
        with self._changed:
            self._wanted += processes
        self._await(lambda: not self._wanted)

    def remove(self, *names: str) -> None:
        """End these by force, and forget them."""
        with self._changed:
            gone = [self.programs.pop(name) for name in names]
            for name in names:
                self._tended.pop(name)
        for program in gone:
            program.kill()

    def run(self, *arguments: str) -> None:
        """A Python command beside it."""
        subprocess.run([PYTHON, *arguments], cwd=CLONE, env=self.env, check=True, capture_output=True)

    def pid(self, name: str) -> int | None:
        """The process that a program is now, or None while it is down."""
        program = self.programs[name]
        running = program.process if isinstance(program, Postgres | Redis) else program._running  # type: ignore[attr-defined]
        return running.pid if running is not None and running.poll() is None else None

    def hit(self, name: str, number: int = signal.SIGKILL) -> int | None:
        """Send a signal to a program's main process; its pid, or None where it is down already."""
        pid = self.pid(name)
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        return pid

    def children(self, name: str) -> list[int]:
        """The processes below a program's main one."""
        try:
            return [child.pid for child in psutil.Process(self.pid(name)).children()] if self.pid(name) else []
        except psutil.NoSuchProcess:
            return []

    def end(self) -> None:
        """End everything by force."""
        self._over.set()
        self._tender.join(30)
        self._log.close()

    # --- tending

    def _tend(self) -> None:
        """One thread starts and ends everything: the kernel ties children to the thread that made them."""
        try:
            for name, service in (("postgres", self.postgres), ("redis", self.redis)):
                service.start()
                self._tended[name] = Tended(service, self._say)
            while not self._over.is_set():
                with self._changed:
                    for process in self._wanted:
                        command = Command(process, self.env, self._log.fileno())
                        command.start()
                        self.programs[process.name] = command
                        self._tended[process.name] = Tended(command, self._say)
                    self._wanted.clear()
                    for tended in self._tended.values():
                        tended.tend()
                        tended.failures = 0  # it was not its own fault
                time.sleep(LOOK_SECONDS)
        except (ServiceError, OSError) as error:
            self._failed = error
        finally:
            for program in reversed(list(self.programs.values())):
                program.kill()

    def _say(self, says: str) -> None:
        with suppress(ValueError):
            self._log.write(f"{time.time():.3f} {says}\n".encode())
            self._log.flush()

    def _await(self, there: object) -> None:
        until = time.monotonic() + START_SECONDS
        while not there():  # type: ignore[operator]
            if self._failed:
                raise self._failed
            if time.monotonic() > until:
                raise TimeoutError("the stack did not start in time")
            time.sleep(0.05)


@contextmanager
def running(**env: str) -> Iterator[Stack]:
    """A stack's services in a folder of their own, gone afterwards with everything that was added."""
    folder = Path(tempfile.mkdtemp(prefix="lotline-faults-"))
    folder.chmod(0o711)
    home = Home.at(folder)
    stack = Stack(folder, **env)
    try:
        stack.start()
        yield stack
    finally:
        stack.end()
        for place in (home.sockets, home.path, folder):
            shutil.rmtree(place, ignore_errors=True)


def slot(name: str, *lanes: str, module: Sequence[str] = ("tests.faults.slot",), silent_s: float = 0.0) -> Process:
    """A slot with the tests' phases."""
    return Process(name, (PYTHON, "-m", *module, *lanes), 1.0, silent_s=silent_s)


def dispatcher(name: str, command: Sequence[str] = ("worker.py", "dispatcher")) -> Process:
    """A dispatcher."""
    return Process(name, (PYTHON, *command), 1.0)
