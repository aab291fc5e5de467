"""The processes of one machine as plain data, and how one is kept running."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Protocol

from webapp import pulse
from webapp.embedded import ServiceError
from webapp.embedded.child import finish, spawn
from webapp.pulse import Watch
from webapp.supervisor.settings import CLONE

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
STEADY_SECONDS = 60.0  # one that ran this long has put its failures behind it

PYTHON = sys.executable
WEB_NICE, SLOT_NICE = 4, 8
"""Who waits for a push waits for milliseconds, who opens a page for tens of them, and a slot's work takes seconds."""
SILENT_SECONDS = 15.0
"""Longer than any library keeps the interpreter's lock, or a busy machine keeps a process waiting."""
FLASK = (PYTHON, "-m", "flask", "--app", "webapp")


@dataclass(frozen=True)
class Step:
    """A command that must end well before the processes start. `says`: what it does, for the person waiting.

    `{base_url}` in the command is filled in. `gives_link`: the last line it prints is a sign-in link.
    """

    says: str
    command: tuple[str, ...]
    gives_link: bool = False


@dataclass(frozen=True)
class Process:
    """A process that is to run all the time; it gets `grace_s` seconds after SIGTERM before it is ended by force.

    `nice`: how far it steps back for the others when there is more to do than processors (0 to 19).
    `silent_s`: one that gave no sign of life (`webapp.pulse`) for so long is started anew; 0: it gives none.
    """

    name: str
    command: tuple[str, ...]
    grace_s: float
    nice: int = 0
    silent_s: float = 0.0


STEPS = (
    Step("Bringing the database up to date", (*FLASK, "db", "upgrade")),
    Step("Preparing the first client and user", (*FLASK, "bootstrap", "--base-url", "{base_url}"), gives_link=True),
)
# In the order in which they start; they end in the opposite one. The graces and those of the services add up to less
# than ten seconds.
PROCESSES = (
    Process("hub", (PYTHON, "-m", "webapp.live.hub"), 0.5, silent_s=SILENT_SECONDS),
    Process("renderer", (PYTHON, "-m", "webapp.live.renderer"), 0.5, silent_s=SILENT_SECONDS),
    Process("worker", (PYTHON, "worker.py"), 3.0, silent_s=SILENT_SECONDS),
    Process(
        "web", (PYTHON, "-m", "gunicorn", "-c", "webapp/supervisor/gunicorn_conf.py", "webapp.wsgi:app"), 2.0, WEB_NICE
    ),
)


class Program(Protocol):
    """What can be kept running: an embedded service, or a `Command`."""

    name: str

    def start(self) -> None:
        """Start it; a service raises ServiceError if it cannot."""

    def poll(self) -> int | None:
        """None while it runs, else its exit code."""

    def end_if_frozen(self) -> bool:
        """Whether it runs, and yet has given no sign of life for too long; then its end by force is under way, which is
        not waited for: one that waits for a disk takes its time. To be asked a few times a second."""

    def stop(self, grace_s: float | None = None) -> None:
        """End it in order, after `grace_s` (its own measure by default) by force."""

    def kill(self) -> None:
        """End it at once."""


class Command:
    """A `Process` that runs in the clone's folder with `env`, its output going to a file descriptor."""

    def __init__(self, process: Process, env: Mapping[str, str], output: int) -> None:
        self.name = process.name
        self._process = process
        self._env = env
        self._output = output
        self._running: subprocess.Popen[bytes] | None = None
        self._asked_at: float | None = None
        self._watch: Watch | None = None

    def start(self) -> None:
        """Start it. One that cannot start ends at once with an exit code."""
        self.kill()  # whatever is left of its process group
        with self._watched() as (env, descriptors):
            self._running = spawn(self._process.command, env=env, cwd=CLONE, stdout=self._output, pass_fds=descriptors)
        if self._process.nice:
            nice = os.getpriority(os.PRIO_PROCESS, 0) + self._process.nice
            os.setpriority(os.PRIO_PROCESS, self._running.pid, min(nice, 19))

    def poll(self) -> int | None:
        """None while it runs, else its exit code (0 if it never started)."""
        return self._running.poll() if self._running else 0

    @contextmanager
    def _watched(self) -> Iterator[tuple[Mapping[str, str], Sequence[int]]]:
        """What the process is given, so that it can show that it lives: environment, descriptors."""
        if not self._process.silent_s:
            yield self._env, ()
            return
        self._watch = Watch()
        try:
            yield {**self._env, pulse.VARIABLE: str(self._watch.writing)}, (self._watch.writing,)
        finally:
            os.close(self._watch.writing)  # it has its own

    def end_if_frozen(self) -> bool:
        """Whether it runs, and yet has given no sign of life for `silent_s`; `poll` tells when it has ended."""
        if not self._running or not self._watch or self._watch.silent_seconds() <= self._process.silent_s:
            return False
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._running.pid, signal.SIGKILL)
        return True

    def ask_to_end(self) -> None:
        """Send SIGTERM, once, and return at once: for several that are to end side by side before each is stopped."""
        if self._running and self._asked_at is None:
            self._asked_at = time.monotonic()
            self._running.send_signal(signal.SIGTERM)

    def stop(self, grace_s: float | None = None) -> None:
        """Ask it to end; when `grace_s` seconds have passed since, end it and its process group by force."""
        self.ask_to_end()
        if self._running and self._asked_at is not None:
            grace_s = self._process.grace_s if grace_s is None else grace_s
            finish(self._running, grace_s - (time.monotonic() - self._asked_at))
        self._forget()

    def kill(self) -> None:
        """End it and its process group at once."""
        if self._running:
            finish(self._running, 0)
        self._forget()

    def _forget(self) -> None:
        watch, self._watch = self._watch, None  # a signal may come in between: it is never closed twice
        self._running = self._asked_at = None
        if watch:
            watch.close()


class Tended:
    """A program that is started again when it ends, after a pause that doubles with each failure in a row."""

    def __init__(self, program: Program, say: Callable[[str], None]) -> None:
        self.program = program
        self.failures = 0
        self._say = say
        self._started_at = time.monotonic()
        self._due_at: float | None = None
        self._was_frozen = False

    def tend(self) -> None:
        """Look after it; to be called a few times a second."""
        now = time.monotonic()
        if self._due_at is not None:
            if now >= self._due_at:
                self._restart()
        elif (code := self.program.poll()) is not None:
            self._failed("gave no sign of life and was ended" if self._was_frozen else _how_it_ended(code))
        elif self.program.end_if_frozen():
            self._was_frozen = True  # its end is seen in a later round: meanwhile the others are tended
        elif now - self._started_at > STEADY_SECONDS:
            self.failures = 0

    def _restart(self) -> None:
        self._due_at = None
        self._was_frozen = False
        self._started_at = time.monotonic()
        try:
            self.program.start()
        except (ServiceError, OSError) as error:
            self._failed(str(error))

    def _failed(self, how: str) -> None:
        pause_s = min(FIRST_PAUSE_SECONDS * 2**self.failures, LONGEST_PAUSE_SECONDS)
        self.failures += 1
        self._due_at = time.monotonic() + pause_s
        self._say(f"{self.program.name} {how}; starting it again in {pause_s:g} s.")


def _how_it_ended(code: int) -> str:
    if code < 0:
        return f"was ended by signal {-code} ({signal.strsignal(-code)})"
    return f"ended with exit code {code}"
