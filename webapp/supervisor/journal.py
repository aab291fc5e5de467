"""What the processes say: every line as JSON into var/log, and to the terminal what a person there wants to know."""

import json
import logging
import os
import queue
import sys
import threading
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

FILE_BYTES = 5_000_000
OLD_FILES = 2
FOLDER_MODE, FILE_MODE = 0o700, 0o600
"""Lines name people, addresses and products: they are nobody else's on this machine."""
KEPT_LINES = 40
LOUD = {"warning", "error", "critical"}
UNSHOWN = {"at", "process", "logger"}
WAITING_LINES = 1000


class Journal:
    """Log files named by process below `folder`, and the terminal.

    Loud for the terminal are lines that are no JSON (a traceback) and JSON lines of level warning or worse;
    `verbose` makes every line loud. A terminal that does not take lines (paused by Ctrl-S, closed) loses some; it
    never holds a process up.
    """

    def __init__(self, folder: Path, *, verbose: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        with suppress(PermissionError):  # where it is somebody else's folder, they decide who looks into it
            folder.chmod(FOLDER_MODE)
            for file in folder.glob("*.log*"):  # of a version that left them open to others
                file.chmod(FILE_MODE)
        self.folder = folder
        self.verbose = verbose
        self.hushed = False  # while everything ends, what the processes say of each other's end is no news
        self._files: dict[str, RotatingFileHandler] = {}
        self._last: dict[str, deque[str]] = {}
        self._terminal: queue.Queue[str | None] = queue.Queue(WAITING_LINES)
        self._printer = threading.Thread(target=self._print, name="terminal", daemon=True)
        self._printer.start()

    def say(self, text: str) -> None:
        """A line of our own, for the person and for the record."""
        self.show(text)
        self.record("supervisor", text)

    def show(self, text: str) -> None:
        """Text for the person only, such as a sign-in link."""
        with suppress(queue.Full):
            self._terminal.put_nowait(text)

    def pipe(self, name: str, *, quiet: bool = False) -> int:
        """A file descriptor to which process `name` may write its lines, again and again as it is restarted.

        `quiet`: nothing of it goes to the terminal (unless `verbose`).
        """
        reading, writing = os.pipe()
        threading.Thread(target=self._read, args=(name, reading, quiet), name=f"log-{name}", daemon=True).start()
        return writing

    def record(self, name: str, line: str) -> None:
        """A line of process `name` for its file only; what is no JSON object becomes one."""
        self._last.setdefault(name, deque(maxlen=KEPT_LINES)).append(line)
        if _parsed(line) is None:
            line = json.dumps({"at": datetime.now(UTC).isoformat(), "process": name, "message": line})
        if name not in self._files:
            self._files[name] = _Rotating(
                self.folder / f"{name}.log", maxBytes=FILE_BYTES, backupCount=OLD_FILES, encoding="utf-8", delay=True
            )
        self._files[name].handle(logging.makeLogRecord({"msg": line}))

    def last(self, name: str, count: int = 1) -> list[str]:
        """The newest lines of process `name`, oldest of them first."""
        return [_human(line) for line in list(self._last.get(name, ()))[-count:]]

    def close(self) -> None:
        """Show what is still to be shown."""
        with suppress(queue.Full):
            self._terminal.put(None, timeout=1)
        self._printer.join(1)

    def _print(self) -> None:
        while (text := self._terminal.get()) is not None:
            with suppress(OSError, ValueError):  # the terminal is gone; the files go on
                sys.stdout.write(text + "\n")
                sys.stdout.flush()

    def _read(self, name: str, reading: int, quiet: bool) -> None:
        with open(reading, encoding="utf-8", errors="replace") as lines:
            for raw in lines:
                line = raw.rstrip("\n")
                if not line:
                    continue
                self.record(name, line)
                parsed = _parsed(line)
                loud = parsed is None or str(parsed.get("level", "")).lower() in LOUD
                if self.verbose or (loud and not quiet and not self.hushed):
                    self.show(f"{name:<9}| {_human(line)}")


class _Rotating(RotatingFileHandler):
    """A log file that, when it cannot be written (full disk), loses lines instead of complaining about each."""

    def _open(self) -> TextIOWrapper:
        file = super()._open()
        os.fchmod(file.fileno(), FILE_MODE)
        return file

    def handleError(self, record: logging.LogRecord) -> None:
        """Nothing can be said about a log that cannot be written."""


def _parsed(line: str) -> dict[str, object] | None:
    if line.startswith("{"):
        with suppress(ValueError):
            found = json.loads(line)
            return found if isinstance(found, dict) else None
    return None


def _human(line: str) -> str:
    """A JSON line in short: level, what happened, and its fields but for those that a terminal knows anyway."""
    fields = _parsed(line)
    if fields is None:
        return line
    level, event = fields.pop("level", "info"), fields.pop("event", None) or fields.pop("message", "")
    rest = ", ".join(f"{name}: {value}" for name, value in fields.items() if name not in UNSHOWN)
    return f"{level}: {event}" + (f" ({rest})" if rest else "")
