"""Log lines as JSON, one object per line: a constant event name, and what varies as fields.

    log.info("phase_done", extra={"seconds": 1.2})

Fields that hold for a while (a request, a run, a phase, a piece of work) are bound once and stand on every line.
"""

import json
import logging
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TextIO

_bound: ContextVar[Mapping[str, Any]] = ContextVar("log_fields", default={})  # noqa: B039 - never changed in place
_OF_THE_RECORD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def configure(process: str, stream: TextIO | None = None, level: int = logging.INFO) -> None:
    """Send every log line of this process to `stream` (stderr), marked with the process's name. Call once."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines(process))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for chatty in ("werkzeug", "alembic", "rq", "flask-limiter"):
        logging.getLogger(chatty).setLevel(max(level, logging.WARNING))


@contextmanager
def bound(**fields: Any) -> Iterator[None]:
    """Put `fields` (request_id, run_id, phase_id, work_id …) on every line that is logged inside."""
    token = _bound.set({**_bound.get(), **fields})
    try:
        yield
    finally:
        _bound.reset(token)


class JsonLines(logging.Formatter):
    """One record as one line of JSON. Never raises for a strange field: it is written as text."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self.process = process

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "process": self.process,
            "logger": record.name,
            **_bound.get(),
            **{key: value for key, value in vars(record).items() if key not in _OF_THE_RECORD},
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["traceback"] = "".join(traceback.format_exception(record.exc_info[1]))
        return json.dumps(line, default=str, ensure_ascii=False)
