"""Starts slots and the dispatcher: `python worker.py slot heavy`, `python worker.py slot light bulk`,
`python worker.py dispatcher`."""

import signal
import sys
import threading

from webapp import create_app
from webapp.work import slots
from webapp.work.dispatcher import Dispatcher


def main(arguments: list[str]) -> None:
    """Run one process until it is told to stop."""
    match arguments:
        case ["slot", *lanes] if lanes:
            slots.run(create_app(), lanes)
        case ["dispatcher"]:
            stop = threading.Event()
            signal.signal(signal.SIGTERM, lambda *_: stop.set())
            signal.signal(signal.SIGINT, lambda *_: stop.set())
            Dispatcher(create_app()).run(stop)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
