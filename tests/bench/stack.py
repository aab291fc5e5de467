"""A Postgres, a Redis and processes of our own for the time of a benchmark, and what they cost."""

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from webapp.embedded import temporary

CLONE = Path(__file__).parents[2]
KEY = "a key for benchmarks, long enough to be one"
TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def environment() -> Iterator[dict[str, str]]:
    """A migrated database and a Redis of their own; also in os.environ while the block lasts. Writes are synced as in
    real use."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="lotline-bench-") as var, temporary(KEY, settings={"fsync": "on"}) as urls:
        env = {"DATABASE_URL": urls.database, "REDIS_URL": urls.redis, "SECRET_KEY": KEY, "LOTLINE_VAR": var}
        os.environ.update(env)
        try:
            subprocess.run(
                [sys.executable, "-m", "flask", "--app", "webapp", "db", "upgrade"],
                cwd=CLONE,
                check=True,
                capture_output=True,
            )
            yield env
        finally:
            os.environ.clear()
            os.environ.update(before)


@contextmanager
def processes(*commands: Sequence[str], **env: str) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Python processes (`-m module …`) for the time of the block; silent unless they fail."""
    started = [
        subprocess.Popen(
            [sys.executable, *command],
            cwd=CLONE,
            env={**os.environ, **env},
            stdout=subprocess.DEVNULL,
            stderr=None if os.environ.get("VERBOSE") else subprocess.DEVNULL,
        )
        for command in commands
    ]
    try:
        yield started
    finally:
        for process in started:
            process.terminate()
        for process in started:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def cpu_ms(pid: int) -> float:
    """Processor time that a process and its ended children have used so far, in milliseconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return 1000 * sum(int(fields[place]) for place in (11, 12, 13, 14)) / TICKS


def rss_mb(pid: int) -> float:
    """Memory that a process holds, in MiB, shared pages counted by share (PSS) where the kernel tells."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


KINDS = (
    (r"slot heavy", "slot heavy"),
    (r"slot light", "slot light"),
    (r"worker.py dispatcher", "dispatcher"),
    (r"worker.py", "worker parent"),
    (r"live.hub", "hub"),
    (r"live.renderer", "renderer"),
    (r"gunicorn", "web"),
    (r"multiprocessing|spawn_main|imaging", "photo decoders"),
    (r"redis-server", "redis"),
    (r"postgres", "postgres"),
)
"""What a process of a running Lotline is, by its command line."""


def processes_of(pid: int) -> Iterator[tuple[str, int]]:
    """The processes below `pid`: what each is, and its number."""
    for process in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            line = " ".join(process.cmdline())
            yield next((word for pattern, word in KINDS if re.search(pattern, line)), process.name()), process.pid


def by_kind(pid: int, measure: Callable[[int], float]) -> dict[str, float]:
    """`cpu_ms` or `rss_mb` of the processes below `pid`, added up by what they are."""
    total: dict[str, float] = {}
    for name, each in processes_of(pid):
        with suppress(OSError):  # it ended meanwhile
            total[name] = round(total.get(name, 0.0) + measure(each), 1)
    return total


def median_and_spread(values: Sequence[float]) -> tuple[float, float]:
    """The median of the rounds, and the distance between the worst and the best."""
    return statistics.median(values), max(values) - min(values)


def print_result(**figures: object) -> None:
    """The benchmark's last line."""
    print(json.dumps({k: round(v, 3) if isinstance(v, float) else v for k, v in figures.items()}), flush=True)
