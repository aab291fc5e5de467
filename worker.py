"""Starts slots and the dispatcher: `python worker.py` all that this machine is to run, `python worker.py slot heavy`,
`python worker.py slot light bulk` or `python worker.py dispatcher` one process."""

import os
import signal
import sys
import threading

from webapp import config, logs, pulse


def main(arguments: list[str]) -> None:
    """Run until told to stop."""
    logs.configure(" ".join(["worker", *arguments]))
    # Before numpy is loaded: the matrices of analysis are small, and a second thread only waits for the first.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    pulse.start()
    with config.exit_on_config_error():
        match arguments:
            case []:
                from webapp.supervisor import pool

                pool.run(config.load())
            case ["slot", *lanes] if lanes:
                from webapp.app import create_app
                from webapp.work import slots

                slots.run(create_app(), lanes)
            case ["dispatcher"]:
                from webapp.app import create_app
                from webapp.work.dispatcher import Dispatcher

                stop = threading.Event()
                for number in (signal.SIGTERM, signal.SIGINT):
                    signal.signal(number, lambda *_: stop.set())
                Dispatcher(create_app()).run(stop)
            case _:
                sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
