"""A small stack to supervise: `stack.py` runs the supervisor with stub processes, `stack.py STUB` is one of them.

The table comes from the environment, as JSON: STACK_STEPS [[says, code, gives_link]…], STACK_PROCESSES {name: stub}.
A stub notes its name in var/ended when it is asked to end.
"""

import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

from webapp.supervisor.__main__ import main
from webapp.supervisor.processes import Process, Step

VAR = Path(os.environ["LOTLINE_VAR"])


def note_and_end(_number: int, _frame: FrameType | None) -> None:
    with (VAR / "ended").open("a") as file:
        file.write(os.environ["STUB_NAME"] + "\n")
    os._exit(0)


class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        pass


class Server(http.server.HTTPServer):
    def server_bind(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        super().server_bind()


def stub(kind: str) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN if kind == "stubborn" else note_and_end)
    if kind == "web":
        Server((os.environ["HOST"], int(os.environ["PORT"])), Health).serve_forever()
    if kind == "broken":
        sys.exit("this stub is broken on purpose")
    if kind in ("parent", "stubborn"):
        subprocess.Popen(["sleep", "1000"])
    if kind == "talker":
        print('{"level": "info", "message": "a quiet line"}', '{"level": "error", "message": "a loud line"}', sep="\n")
    sys.stdout.flush()
    while True:
        time.sleep(60)


def process(name: str, kind: str) -> Process:
    return Process(name, ("env", f"STUB_NAME={name}", sys.executable, __file__, kind), grace_s=1)


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1] != "exec":
        stub(sys.argv[1])
    steps = [
        Step(says, (sys.executable, "-c", code), gives_link)
        for says, code, gives_link in json.loads(os.environ.get("STACK_STEPS", "[]"))
    ]
    table = json.loads(os.environ.get("STACK_PROCESSES", '{"web": "web"}'))
    processes = [process(name, kind) for name, kind in table.items()]
    sys.exit(main(sys.argv[1:], steps=steps, processes=processes))
