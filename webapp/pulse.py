"""Signs of life: a process shows that it runs, and whoever started it sees when it no longer does.

A process that is frozen, or stands still in a library that keeps the interpreter's lock, does not end by itself, and
would never be started again.
"""

import os
import threading
import time
from contextlib import suppress

VARIABLE = "LOTLINE_PULSE"
EVERY_SECONDS = 1.0


def start() -> None:
    """Give a sign of life now and every second from now on, if whoever started this process looks for it."""
    if descriptor := os.environ.get(VARIABLE):
        # The first one here: a process that stands still before its thread has run is missed as well.
        with suppress(OSError):
            os.write(int(descriptor), b".")
        threading.Thread(target=_beat, args=(int(descriptor),), name="pulse", daemon=True).start()


def _beat(descriptor: int) -> None:
    with suppress(OSError):  # nobody looks any more
        while True:
            with suppress(BlockingIOError):  # nobody looks at the moment
                os.write(descriptor, b".")
            time.sleep(EVERY_SECONDS)


class Watch:
    """The looking side of one process: a pipe, whose writing end the process inherits; the caller closes its own."""

    def __init__(self) -> None:
        self._reading, self.writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._silent: float | None = None
        self._looked_at = time.monotonic()

    def silent_seconds(self) -> float:
        """How long no sign came; 0 before the first one, since a start may take long.

        Only time in which somebody looked counts: after a sleep of the whole machine nobody has been silent.
        """
        now = time.monotonic()
        with suppress(BlockingIOError):
            if os.read(self._reading, 4096):
                self._silent = 0.0
        if self._silent is not None:
            self._silent += min(now - self._looked_at, EVERY_SECONDS)
        self._looked_at = now
        return self._silent or 0.0

    def close(self) -> None:
        """Look no longer."""
        os.close(self._reading)
