"""Processes that ask outside services: named so that another can make sure that one of them asks no more.

A process that was frozen in the middle of a call may wake up at any time and make it after all. Nobody who takes over
its work can know whether it will, unless it has ended.
"""

import os
import select
import signal
from functools import cache
from pathlib import Path

PATIENCE_SECONDS = 5.0
"""How long a killed process may take to be gone; one that waits for a disk takes its time."""


NOBODY = "nobody"
"""Instead of a process: whoever asked has had an answer, or an error, and asks no more."""


def this_process() -> str:
    """Its machine, its number there, and when it started (ticks since the machine did): no later one is named so."""
    started = _started(os.getpid())
    if not started:
        raise RuntimeError("this process cannot be named: /proc cannot be read")
    return f"{machine()}:{os.getpid()}:{started}"


@cache
def machine() -> str:
    """Where processes can see each other by their numbers: this start of this machine, and the namespace in it, which
    each container has for itself. Host names are not unique enough."""
    namespace = Path("/proc/self/ns/pid").stat().st_ino
    return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()}/{namespace}"


def end(asker: str) -> bool:
    """Make sure that the process `asker` asks no more, by force where it lives. False: nobody can tell from here, since
    it is on another machine, or somebody else's."""
    if asker in (NOBODY, this_process()):
        return True  # what we asked before has come to its end
    where, _, rest = asker.partition(":")
    number, _, started = rest.partition(":")
    if where != machine() or not number.isdecimal() or int(number) < 2 or not started:
        return False
    try:
        # Holds on to this one process: a later one with its number cannot be hit.
        handle = os.pidfd_open(int(number))
    except OSError as error:
        return isinstance(error, ProcessLookupError)
    try:
        found = _started(int(number))
        if found != started:
            return found is not None
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        gone = select.poll()
        gone.register(handle, select.POLLIN)
        return bool(gone.poll(PATIENCE_SECONDS * 1000))
    except ProcessLookupError:
        return True
    except OSError:
        return False
    finally:
        os.close(handle)


def _started(number: int) -> str | None:
    """When the process started, in clock ticks (proc_pid_stat(5), starttime); '' where only its exit code is left to be
    fetched; None where nobody lets us know."""
    try:
        fields = Path(f"/proc/{number}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return "" if fields[0] in (b"Z", b"X") else fields[19].decode()
