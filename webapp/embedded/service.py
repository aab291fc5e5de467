"""What every embedded service does alike: one owner, one process, a log, an orderly end."""

import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from webapp.embedded.child import end, spawn
from webapp.embedded.home import Home, ServiceError

# A server sees no variable of ours: PGPORT, PGOPTIONS and locales would change what it does, and keys are not for it.
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
ENVIRONMENT |= {
    name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ
}  # this Python may need it


class Service(ABC):
    """A server in the home of `directory`. Nothing runs before `start`; it may be started again after it ended.

    `url` is its address in the form that SQLAlchemy or redis-py takes. `output` is the file descriptor that its log
    goes to; without one that is `<name>.log` in the home, begun anew at each start.
    """

    name: str
    url: str
    end_signal: signal.Signals  # the orderly end, also when our process is killed
    stop_seconds: float
    start_seconds: float

    def __init__(self, directory: Path, *, output: int | None = None) -> None:
        self.home = Home.at(directory)
        self.output = output
        self.process: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None

    @property
    def log(self) -> Path:
        """Where its log is if no `output` was given."""
        return self.home.path / f"{self.name}.log"

    def start(self) -> None:
        """Start, and return when it answers.

        Raises:
            InUse: another process runs it in the same home.
            ServiceError: it cannot start; the message is one line that says why.
        """
        if self.poll() is None:
            return
        self._release()
        self._lock = self.home.lock(self.name)
        try:
            self._run()
            self._await_answer()
        except BaseException:
            self.kill()
            raise

    def poll(self) -> int | None:
        """None while it runs, else the exit code (0 if it never started)."""
        return self.process.poll() if self.process else 0

    def end_if_frozen(self) -> bool:
        """Never: a service is not watched for signs of life."""
        return False

    def stop(self, grace_s: float | None = None) -> None:
        """End it in order, after `grace_s` seconds (its own measure by default) by force."""
        if self.process:
            end(self.process, self.end_signal, self.stop_seconds if grace_s is None else grace_s)
        self._release()

    def kill(self) -> None:
        """End it as a crash would (kill -9)."""
        if self.process:
            end(self.process, signal.SIGKILL, self.stop_seconds)
        self._release()

    @abstractmethod
    def answers(self) -> bool:
        """Whether it serves now."""

    @abstractmethod
    def _run(self) -> None:
        """Clear away what a killed predecessor left, then spawn the server."""

    def _spawn(self, command: Sequence[str | Path], *, cwd: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        output = os.open(self.log, flags, 0o600) if self.output is None else self.output
        try:
            self.process = spawn(
                command, death_signal=self.end_signal, user=self.home.user, env=ENVIRONMENT, cwd=cwd, stdout=output
            )
        finally:
            if self.output is None:
                os.close(output)

    def _await_answer(self) -> None:
        deadline = time.monotonic() + self.start_seconds
        while not self.answers():
            if (code := self.poll()) is not None:
                raise ServiceError(f"{self.name} ended while starting: {self._last_words() or f'exit code {code}'}")
            if time.monotonic() > deadline:
                raise ServiceError(f"{self.name} does not answer after {self.start_seconds:.0f} s")
            time.sleep(0.02)

    def _last_words(self) -> str:
        lines = [] if self.output is not None else self.log.read_text(errors="replace").split("\n")
        complaints = [line for line in lines if "FATAL" in line or "PANIC" in line]
        return next(reversed(complaints or [line for line in lines if line]), "")

    def _release(self) -> None:
        self.process = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
