"""A real Redis on a unix socket that keeps nothing on disk: Redis decides nothing here."""

import os
import signal
import socket
from pathlib import Path
from urllib.parse import quote

from webapp.embedded.home import leftovers
from webapp.embedded.programs import readable_copy, redis_program
from webapp.embedded.service import Service

# Full means an error, never a silently dropped message: caches bound themselves.
SETTINGS = {
    "port": "0",
    "unixsocketperm": "700",
    "daemonize": "no",
    "save": "",
    "appendonly": "no",
    "maxmemory": "256mb",
    "maxmemory-policy": "noeviction",
    "loglevel": "warning",
}


class Redis(Service):
    """One Redis; see `Service`."""

    name = "redis"
    end_signal = signal.SIGTERM
    stop_seconds = 1.0
    start_seconds = 20.0

    def __init__(self, directory: Path, *, output: int | None = None) -> None:
        super().__init__(directory, output=output)
        self.socket = self.home.sockets / "redis.sock"
        self.url = f"unix://{quote(str(self.socket))}"

    def answers(self) -> bool:
        """Whether it answers a PING."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1)
            try:
                connection.connect(str(self.socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
            except OSError:
                return False

    def _run(self) -> None:
        folder = self.home.folder("redis")
        for pid in leftovers("redis-server", folder):
            os.kill(pid, signal.SIGKILL)
        settings = {**SETTINGS, "unixsocket": str(self.socket), "dir": str(folder)}
        arguments = [argument for name, value in settings.items() for argument in (f"--{name}", value)]
        program = readable_copy(redis_program(), self.home)
        self._spawn([program, *arguments], cwd=folder)
