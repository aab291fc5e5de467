"""The slots and the dispatcher of one machine, each a process of its own, started again when it dies."""

import logging
import os
import signal
import sys
import threading
import time

from webapp.config import SLOT_PLACE, Config
from webapp.supervisor.processes import PYTHON, SILENT_SECONDS, SLOT_NICE, Command, Process, Tended

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.2
GRACE_SECONDS = 2.0
"""How long a slot may take to hand back what it does; after that its lease runs out instead."""


def processes(config: Config) -> list[Process]:
    """What this machine runs, by its weight: OCR models take about 1 GB, so one heavy slot is the default."""
    worker = (PYTHON, "worker.py")
    silent_s = max(config.lease_seconds, SILENT_SECONDS)  # its work was given to others by then

    def slots(name: str, many: int, *lanes: str) -> list[Process]:
        command = (*worker, "slot", *lanes)
        return [Process(f"slot-{name}-{n}", command, GRACE_SECONDS, SLOT_NICE, silent_s) for n in range(many)]

    return [
        Process("dispatcher", (*worker, "dispatcher"), GRACE_SECONDS, silent_s=SILENT_SECONDS),
        *slots("heavy", config.slots_heavy, "heavy"),
        *slots("light", config.slots_light, "light", "bulk"),
        *slots("bulk", config.slots_bulk, "bulk"),
    ]


def run(config: Config) -> None:
    """Keep them running until SIGTERM or SIGINT; then all are asked to end at once, and waited for."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    commands = [Command(process, _environment(process), sys.stderr.fileno()) for process in processes(config)]
    for command in commands:
        command.start()
    tended = [Tended(command, lambda says: log.warning("process_ended", extra={"says": says})) for command in commands]
    while not stop.is_set():
        for each in tended:
            each.tend()
        time.sleep(LOOK_SECONDS)  # never stop.wait(): the signal handler could find its lock taken
    for command in commands:
        command.ask_to_end()
    for command in commands:
        command.stop()


def _environment(process: Process) -> dict[str, str]:
    """A slot knows its place, so that it is the same slot to people when it is started again."""
    return {**os.environ, SLOT_PLACE: f"{os.getpid()}:{process.name}"}
