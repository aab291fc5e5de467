"""What `bench_live` measures: the stack, a worker that commits, and browsers that look on."""

import bisect
import gc
import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil

from tests.bench import stack as figures
from tests.bench.live_browsers import Crowd, Watcher
from tests.running import CLONE, Stack, environment, free_port

PER_RUN = 10
PER_USER = 10
WARM_SECONDS = 4.0
PATIENCE_SECONDS = 30.0
RECONNECTS_PER_SECOND = 50.0

Commits = list[tuple[int, int, int]]


class Show:
    """The stack, the worker, and the browsers that look on."""

    def __init__(self, lotline: Stack, committer: subprocess.Popen[str], desks: int) -> None:
        self.lotline = lotline
        self._committer = committer
        made = _hear(committer)
        self._runs = made["runs"]
        self._cookies = [f"{made['cookie']}={token}" for token in made["tokens"]]
        self.crowd = Crowd(lotline.port, self._pages())
        hub = _pid(lotline, "hub")
        self.crowd.run(1.0, pages_per_second=20)
        before = figures.rss_mb(hub)
        topics = [(number, f"run:{run['id']}") for number, run in enumerate(self._runs)] * PER_RUN
        topics += [(-1, f"client:{made['client']}")] * desks
        self.watchers = [Watcher(place, self._handshake(topic, number)) for number, (place, topic) in enumerate(topics)]
        sockets = PER_RUN * len(self._runs)
        self._runs_watched = self.watchers[:sockets]
        self._desks = self.watchers[sockets:]
        for watcher in self.watchers:
            watcher.open(lotline.port, self.crowd.selector)
            self.crowd.run(0.01)
        self._until_live()
        self.crowd.run(1.0)
        self.hub_kb_per_socket = 1024 * (figures.rss_mb(hub) - before) / len(self.watchers)
        self._commits: Commits = []
        gc.collect()
        gc.freeze()
        self._measure(200, WARM_SECONDS, 100, 0)
        self.memory: dict[str, float] = {}

    def ours(self, rate: float, seconds: float, pages: float) -> dict[str, Any]:
        """One round on Lotline."""
        deliveries = sum(len(watcher.receipts) for watcher in self._runs_watched)
        pushed = sum(len(each.receipts) for each in self._desks)
        received = sum(watcher.bytes for watcher in self._runs_watched)
        commits, cpu, took = self._measure(rate, seconds, pages, 0)
        deliveries = sum(len(watcher.receipts) for watcher in self._runs_watched) - deliveries
        received = sum(watcher.bytes for watcher in self._runs_watched) - received
        pushed = sum(len(each.receipts) for each in self._desks) - pushed
        self.memory = figures.by_kind(self.lotline.process.pid, figures.rss_mb)
        delays = latencies(commits, self._runs_watched)
        return {
            "rate": len(commits) / took,
            **_percentiles(delays),
            "deliveries_per_s": deliveries / took,
            "bytes_per_delivery": received / max(1, deliveries),
            "lost": len(commits) * PER_RUN - len(delays),
            "out_of_order": sum(watcher.out_of_order for watcher in self.watchers),
            **self._page_figures(),
            "hub_cpu_us_per_delivery": 1000 * cpu["hub"] / max(1, deliveries + pushed),
            "renderer_cpu_ms_per_event": cpu["renderer"] / len(commits),
            "cpu": {name: used / took / 10 for name, used in cpu.items()},
        }

    def theirs(self, rate: float, seconds: float, pages: float, size: int) -> dict[str, Any]:
        """One round on the peer."""
        port = free_port()
        with beside(self.lotline, "-m", "tests.bench.live_peer", str(port)) as peer:
            _await_port(port)
            self._runs_watched = [
                Watcher(number % len(self._runs), _peer_handshake(number % len(self._runs)))
                for number in range(len(self._runs) * PER_RUN)
            ]
            for watcher in self._runs_watched:
                watcher.open(port, self.crowd.selector)
            self.crowd.run(1.0)
            [python] = psutil.Process(peer.pid).children(recursive=True)[-1:]
            before = figures.cpu_ms(python.pid)
            commits, _, took = self._measure(rate, seconds, pages, size)
            used = figures.cpu_ms(python.pid) - before
            memory = figures.rss_mb(python.pid)
            for watcher in self._runs_watched:
                watcher.drop(self.crowd.selector, rudely=False)
        delays = latencies(commits, self._runs_watched)
        return {
            "rate": len(commits) / took,
            **_percentiles(delays),
            "lost": len(commits) * PER_RUN - len(delays),
            **self._page_figures(),
            "cpu_us_per_delivery": 1000 * used / max(1, len(delays)),
            "mb": memory,
        }

    def reconnects(self, many: int, rate: float) -> dict[str, Any]:
        """Cut sockets, one after the other, half of them by a reset, and open them again at once."""
        if not many:
            return {"reconnects": 0}
        self.crowd.reopened.clear()
        self.crowd.closed = 0
        done = 0

        def cut() -> None:
            nonlocal done
            if done < many:
                watcher = self._runs_watched[done % len(self._runs_watched)]
                watcher.drop(self.crowd.selector, rudely=done % 2 == 0)
                watcher.open(self.lotline.port, self.crowd.selector)
                done += 1

        seconds = many / RECONNECTS_PER_SECOND + 1
        _order(self._committer, f"{rate} {seconds} 0")
        self.crowd.run(seconds + 1, every=(1 / RECONNECTS_PER_SECOND, cut))
        self._committed()
        self._until_live()
        state = _percentiles(self.crowd.reopened)
        return {
            "reconnects": done,
            "reconnect_p50_ms": state["p50_ms"],
            "reconnect_p99_ms": state["p99_ms"],
            "closed_by_server": self.crowd.closed,
        }

    def missing(self) -> dict[str, Any]:
        """What did not come at all, over everything that was committed while browsers looked on."""
        _order(self._committer, "visible")
        visible: list[list[int]] = _hear(self._committer)["visible"]
        newest = {place: seq for place, seq, _ in self._commits}
        watchers = self._runs_watched
        self.crowd.run(PATIENCE_SECONDS, until=lambda: all(w.receipts[-1][0] >= newest[w.place] for w in watchers))
        states = sum(watcher.receipts[-1][0] < newest[watcher.place] for watcher in watchers)
        lines = sum(
            len([seq for seq in visible[watcher.place] if seq > watcher.first_seq and seq not in watcher.lines])
            for watcher in watchers
        )
        return {
            "events_lost": states + lines,
            "log_lines_expected": sum(len(visible[watcher.place]) for watcher in watchers),
            "out_of_order_in_all": sum(watcher.out_of_order for watcher in self.watchers),
        }

    def leave(self) -> None:
        """Close all sockets."""
        for watcher in self.watchers:
            watcher.drop(self.crowd.selector, rudely=False)

    def _measure(self, rate: float, seconds: float, pages: float, size: int) -> tuple[Commits, dict[str, float], float]:
        """Commits, CPU ms by process, seconds."""
        self.crowd.page_ms.clear()
        self.crowd.pages_late = self.crowd.pages_failed = 0
        before, began = figures.by_kind(self.lotline.process.pid, figures.cpu_ms), time.monotonic()
        before["worker of the bench"] = figures.cpu_ms(_python_of(self._committer))
        before["browsers of the bench"] = figures.cpu_ms(os.getpid())
        _order(self._committer, f"{rate} {seconds} {size}")
        self.crowd.run(seconds, pages_per_second=pages)
        after = figures.by_kind(self.lotline.process.pid, figures.cpu_ms)
        after["worker of the bench"] = figures.cpu_ms(_python_of(self._committer))
        after["browsers of the bench"] = figures.cpu_ms(os.getpid())
        took = time.monotonic() - began
        commits = self._committed()
        # What is still under way comes within moments.
        self.crowd.run(2.0)
        took = max(took, (commits[-1][2] - commits[0][2]) / 1e9)
        return commits, {name: after[name] - before.get(name, 0.0) for name in after}, took

    def _committed(self) -> Commits:
        """What the worker did, as soon as it says so. It may be late; browsers go on listening meanwhile, or what they
        get would seem to be late as well."""
        assert self._committer.stdout is not None
        said = self._committer.stdout
        self.crowd.run(PATIENCE_SECONDS, until=lambda: bool(select.select([said], [], [], 0)[0]))
        commits: Commits = [(place, seq, at) for place, seq, at in _hear(self._committer)["commits"]]
        self._commits += commits
        return commits

    def _page_figures(self) -> dict[str, float]:
        times = _percentiles(self.crowd.page_ms)
        return {
            "pages": len(self.crowd.page_ms),
            "page_p50_ms": times["p50_ms"],
            "page_p95_ms": times["p95_ms"],
            "page_p99_ms": times["p99_ms"],
            "pages_failed": self.crowd.pages_failed + self.crowd.pages_late,
        }

    def _until_live(self) -> None:
        self.crowd.run(PATIENCE_SECONDS, until=lambda: all(watcher.is_live for watcher in self.watchers))
        waiting = sum(not watcher.is_live for watcher in self.watchers)
        if waiting:
            sys.exit(f"{waiting} sockets did not come live")

    def _pages(self) -> list[bytes]:
        """Requests by people in turn: of five pages two are the desk, two a product's, one is for taking photos."""
        paths = [
            path
            for one, other in zip(self._runs[::2], self._runs[1::2], strict=True)
            for path in ("/", f"/products/{one['product']}", "/intake", "/", f"/products/{other['product']}")
        ]
        return [self._get(path, number) for number, path in enumerate(paths)]

    def _get(self, path: str, number: int, *more: str) -> bytes:
        cookie = self._cookies[number % len(self._cookies)]
        lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{self.lotline.port}", f"Cookie: {cookie}", *more]
        return "\r\n".join([*lines, "", ""]).encode()

    def _handshake(self, topic: str, number: int) -> Any:
        origin = f"Origin: {self.lotline.url}"
        return lambda key: self._get(f"/live?topic={topic}", number, *_upgrade(key), origin)


def latencies(commits: Commits, watchers: list[Watcher]) -> list[float]:
    """Milliseconds from each commit to each browser that watches its run; those that came never are left out."""
    by_place: dict[int, list[tuple[int, int]]] = {}
    for place, seq, at in commits:
        by_place.setdefault(place, []).append((seq, at))
    found = []
    for watcher in watchers:
        numbers = [seq for seq, _ in watcher.receipts]
        for seq, at in by_place.get(watcher.place, ()):
            where = bisect.bisect_left(numbers, seq)
            if where < len(numbers):
                found.append((watcher.receipts[where][1] - at) / 1e6)
    return found


def _percentiles(values: list[float]) -> dict[str, float]:
    ordered = sorted(values) or [0.0]
    place = {
        key: min(len(ordered) - 1, int(len(ordered) * share))
        for key, share in (("p50_ms", 0.5), ("p95_ms", 0.95), ("p99_ms", 0.99))
    }
    return {**{key: ordered[where] for key, where in place.items()}, "max_ms": ordered[-1]}


# --- processes --------------------------------------------------------------------------------------------------------


@contextmanager
def beside(lotline: Stack, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A Python process with the environment of the stack's own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "webapp.supervisor", "exec", "python", *arguments],
        cwd=CLONE,
        env=environment(lotline.var, lotline.port),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        for child in psutil.Process(process.pid).children(recursive=True):
            child.terminate()
        process.wait(20)


@contextmanager
def worker(lotline: Stack, runs: int, users: int) -> Iterator[subprocess.Popen[str]]:
    """The worker that commits."""
    with beside(lotline, "-m", "tests.bench.live_worker", str(runs), str(users)) as process:
        yield process


def _order(committer: subprocess.Popen[str], line: str) -> None:
    assert committer.stdin is not None
    committer.stdin.write(f"{line}\n")
    committer.stdin.flush()


def _hear(committer: subprocess.Popen[str]) -> dict[str, Any]:
    assert committer.stdout is not None
    line = committer.stdout.readline()
    if not line:
        sys.exit("the worker ended")
    answer: dict[str, Any] = json.loads(line)
    return answer


def _pid(lotline: Stack, wanted: str) -> int:
    return next(pid for name, pid in figures.processes_of(lotline.process.pid) if name == wanted)


def _python_of(process: subprocess.Popen[str]) -> int:
    return psutil.Process(process.pid).children(recursive=True)[-1].pid


def _await_port(port: int) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    sys.exit("the peer does not answer")


def _upgrade(key: str) -> tuple[str, ...]:
    return "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}"


def _peer_handshake(topic: int) -> Any:
    return lambda key: "\r\n".join([f"GET /live?topic={topic} HTTP/1.1", "Host: peer", *_upgrade(key), "", ""]).encode()
