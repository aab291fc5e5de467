"""Child processes that cannot become orphans."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

LAUNCH = Path(__file__).with_name("launch.py")


@dataclass(frozen=True)
class User:
    """A user of the operating system that a child is to run as."""

    uid: int
    gid: int
    name: str


def spawn(
    command: Sequence[str | Path],
    *,
    death_signal: int = signal.SIGKILL,
    user: User | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    stdout: int | IO[bytes] | None = None,
    stderr: int | IO[bytes] = subprocess.STDOUT,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own that gets `death_signal` when this process ends, even by kill -9.

    Call it from a thread that lives as long as the child should: the kernel ties the signal to the thread.
    `user`: only root can name one. A program that cannot be started ends with code 127 and says why on stderr.
    """
    who = (str(user.uid), str(user.gid)) if user else ("-", "-")
    program, *arguments = map(str, command)
    launch = [sys.executable, "-I", "-S", str(LAUNCH), str(os.getpid()), str(int(death_signal)), *who]
    return subprocess.Popen(
        [*launch, shutil.which(program) or program, *arguments],
        env=env,
        cwd=cwd,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
        pass_fds=pass_fds,
    )


def end(process: subprocess.Popen[bytes], number: int, grace_s: float) -> None:
    """Ask a child to end by signal `number`; after `grace_s` seconds end it by force."""
    process.send_signal(number)
    finish(process, grace_s)


def finish(process: subprocess.Popen[bytes], grace_s: float) -> None:
    """Give a child `grace_s` seconds to end; then end it, and in any case what is left of its group, by force."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(max(grace_s, 0))
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
