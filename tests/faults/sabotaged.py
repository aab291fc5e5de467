"""`python -m tests.faults.sabotaged CONTROL slot LANE…`, or `… CONTROL dispatcher`: the product with a wall taken down.

What is taken down is taken down here, in a process of the tests: the product has no switch for it. `nothing` takes
nothing down.
"""

import re
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, event

from tests.faults import phases
from webapp import create_app, logs, queue
from webapp.work import dispatcher, signals, slots

EPOCH = re.compile(r"\s+AND epoch = %\(\w+\)s(::\w+)?")
TOKEN = re.compile(r"\s+AND lease_token = %\(\w+\)s(::\w+)?")
EARLY_SECONDS = 0.05


def no_fence() -> None:
    """Whoever finishes, finishes: neither epoch nor token are looked at."""
    _rewrite(lambda statement: TOKEN.sub("", EPOCH.sub("", statement)))


def no_token() -> None:
    """The fence looks at the epoch alone."""
    _rewrite(lambda statement: TOKEN.sub("", statement))


def ring_before_commit() -> None:
    """The bell rings when the move is made, and the commit follows a moment later."""

    def at_once(lane: str, client_id: UUID, work_id: int) -> None:
        queue.ring(lane, [(client_id, work_id)])
        time.sleep(EARLY_SECONDS)

    signals.ring = at_once


def forget_nothing() -> None:
    """The dispatcher does not take back its marks when Redis lost its memory."""
    dispatcher.Dispatcher._forget_bells = lambda _self: None  # type: ignore[method-assign]


CONTROLS: dict[str, Callable[[], None]] = {
    "nothing": lambda: None,
    "no_fence": no_fence,
    "no_token": no_token,
    "ring_before_commit": ring_before_commit,
    "forget_nothing": forget_nothing,
}


def _rewrite(change: Callable[[str], str]) -> None:
    @event.listens_for(Engine, "before_cursor_execute", retval=True)
    def rewrite(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> tuple[str, Any]:
        return change(statement), parameters


def main(control: str, what: str, *lanes: str) -> None:
    logs.configure(f"sabotaged {what}")
    CONTROLS[control]()
    app = create_app()
    app.config["PHASE_ENGINES"] = dict(phases.ENGINES)
    if what == "slot":
        slots.run(app, list(lanes))
    else:
        stop = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
        dispatcher.Dispatcher(app).run(stop)


if __name__ == "__main__":
    main(*sys.argv[1:])
