"""Processes that ask outside services: named so that another can make sure that one of them asks no more.

A process that was frozen in the middle of a call may wake up at any time and make it after all. Nobody who takes over
its work can know whether it will, unless it has ended.
"""

import os
import signal
import time
from functools import cache
from pathlib import Path

PATIENCE_SECONDS = 5.0
"""How long a killed process may take to be gone; one that waits for a disk takes its time."""


def this_process() -> str:
    """Its machine, its number there, and when it started (ticks since the machine did): no later one is named so."""
    return f"{machine()}:{os.getpid()}:{_started(os.getpid())}"


@cache
def machine() -> str:
    """Where processes can see each other by their numbers: this start of this machine, and the namespace in it, which
    each container has for itself. Host names are not unique enough."""
    namespace = Path("/proc/self/ns/pid").stat().st_ino
    return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()}/{namespace}"


def end(asker: str) -> bool:
    """Make sure that the process `asker` has ended, by force where it has not. False: nobody can tell from here, since
    it is on another machine, or somebody else's."""
    if asker == this_process():
        return True  # what it asked before has come to its end
    where, _, rest = asker.partition(":")
    number, _, started = rest.partition(":")
    if where != machine() or not number.isdecimal():
        return False
    until = time.monotonic() + PATIENCE_SECONDS
    while _started(int(number)) == started:
        if time.monotonic() > until:
            return False
        try:
            os.kill(int(number), signal.SIGKILL)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        time.sleep(0.01)
    return True


def _started(number: int) -> str:
    """When the process started, in clock ticks (proc_pid_stat(5), starttime); '' where there is none, or only its exit
    code is left to be fetched."""
    try:
        fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]
