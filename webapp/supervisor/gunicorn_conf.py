"""The web server's settings; gunicorn reads this file."""

import logging
import os
import signal
import socket
import struct
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from gunicorn.workers import gthread

from webapp.config import WEB_THREADS
from webapp.embedded.launch import die_with_parent

_host = os.environ.get("HOST") or "127.0.0.1"
bind = f"{f'[{_host}]' if ':' in _host else _host}:{os.environ.get('PORT') or 8000}"
worker_class = "gthread"
workers = int(os.environ.get("WEB_WORKERS") or 2)
threads = int(os.environ.get("WEB_THREADS") or WEB_THREADS)
reuse_port = True  # else all kept-alive connections land on one worker
control_socket_disable = True  # its default file is shared by everything a user runs
timeout = 60
graceful_timeout = 2
keepalive = 5
# gunicorn would take SCRIPT_NAME, PATH_INFO and the scheme from whoever comes from this machine, as any client of a
# proxy on it does. What a proxy says is believed by the app, where LOTLINE_TRUSTED_PROXIES tells it to.
forwarded_allow_ips = ""
forwarder_headers = ""
accesslog = None  # the app writes a line per request, with its id
errorlog = "-"
loglevel = "warning"
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a heartbeat file without a name


# How long a peer may say nothing in the middle of a request, or take nothing of an answer. A thread waits for it, and
# there are few threads; `timeout` above does not cover them.
_silence_seconds = int(os.environ.get("WEB_SILENCE_SECONDS") or 20)
_header_seconds = min(5, _silence_seconds)
"""The same before a request's header is there, which a browser sends at once."""
gthread.DEFAULT_WORKER_DATA_TIMEOUT = 0.0
"""How long a thread waits for the first byte of a connection: not at all. The poller does it, for `keepalive` seconds;
by gunicorn's own 5 s some hundred connections that say nothing would keep all threads for minutes."""

SWITCH_SECONDS = 0.0005
"""How long a thread may go on while another one has its answer from the database: a page waits for a few of those, and
Python's default of 5 ms each is more than all the rest of it."""


def post_fork(server: object, worker: Any) -> None:  # noqa: ARG001
    """A worker ends with its master, even if that is killed; its connections inherit the limit from its listeners."""
    die_with_parent(signal.SIGKILL)
    sys.setswitchinterval(SWITCH_SECONDS)
    worker.log.error_log.addFilter(_is_news)
    for listener in worker.sockets:
        _be_patient(listener.sock, socket.SO_RCVTIMEO, _header_seconds)
        _be_patient(listener.sock, socket.SO_SNDTIMEO, _silence_seconds)


def pre_request(worker: object, req: Any) -> None:  # noqa: ARG001
    """The header is there: a body takes longer."""
    _be_patient(req.unreader.sock, socket.SO_RCVTIMEO, _silence_seconds)


def post_request(worker: object, req: Any) -> None:  # noqa: ARG001
    """On the same connection another header may come."""
    with suppress(OSError):  # it may be closed by now
        _be_patient(req.unreader.sock, socket.SO_RCVTIMEO, _header_seconds)


def _be_patient(wire: socket.socket, direction: int, seconds: int) -> None:
    wire.setsockopt(socket.SOL_SOCKET, direction, struct.pack("ll", seconds, 0))


def _is_news(record: logging.LogRecord) -> bool:
    """That a peer fell silent before its request was there is none, least of all with a traceback."""
    return not (record.exc_info and isinstance(record.exc_info[1], BlockingIOError))
