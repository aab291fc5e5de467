"""What is counted and timed, for Prometheus. Each process writes its own figures into files of a folder, which the
supervisor names in PROMETHEUS_MULTIPROC_DIR and empties at its start; whoever answers a scrape adds them up.

Labels take few values: kinds of work, routes, names in the code; never ids, addresses or clients.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, Metric
from prometheus_client.multiprocess import MultiProcessCollector

from webapp.lib.kept import Kept

DEAD_FILES = 400

_QUICK = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SLOW = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)

WORK_WAIT = Histogram(
    "lotline_work_wait_seconds", "From when work could start to its start.", ["activity"], buckets=_SLOW
)
WORK_RUN = Histogram("lotline_work_run_seconds", "From its start to its end, per attempt.", ["activity"], buckets=_SLOW)
WORK_ATTEMPTS = Counter("lotline_work_attempts", "Attempts, by how they ended.", ["activity", "outcome"])
HTTP = Histogram("lotline_http_seconds", "From a request to its answer.", ["endpoint"], buckets=_QUICK)
ANSWERS = Counter("lotline_http_answers", "Answers, by class of status.", ["endpoint", "status"])
QUERY = Histogram("lotline_query_seconds", "Of one statement, as the process that asks sees it.", buckets=_QUICK)
CONNECTIONS = Gauge(
    "lotline_pool_connections", "Database connections.", ["state"], multiprocess_mode="livesum"
)  # open, busy
CACHE = Counter("lotline_cache_lookups", "Look-ups in what is kept.", ["name", "outcome"])
PUSH = Histogram("lotline_push_seconds", "From an event's commit to its hand-over to the hub.", buckets=_QUICK)
SOCKETS = Gauge("lotline_sockets", "Live pages.", multiprocess_mode="livesum")
DELIVERIES = Counter("lotline_deliveries", "Fragments sent, one per live page that it went to.")


def note_kept() -> None:
    """Add up what was looked up in what is kept since this was last called, which costs too little to be counted one
    by one."""
    for kept in Kept.all:
        for outcome, many in zip(("hit", "miss"), kept.take_counts(), strict=True):
            if many:
                CACHE.labels(kept.name, outcome).inc(many)


def folder() -> Path | None:
    """Where processes write; None: nobody reads, and each keeps its figures to itself."""
    told = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    return Path(told) if told else None


def collected() -> CollectorRegistry:
    """The figures of all processes of this machine, or of this one alone."""
    path = folder()
    if path is None:
        return REGISTRY
    sweep()
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(path))  # type: ignore[no-untyped-call]
    return registry


def sweep() -> None:
    """What ended processes stood at is forgotten, what they counted is kept; but in no more than DEAD_FILES, so that a
    process which dies again and again does not fill the disk. (Sums fall then; Prometheus takes it for a new start.)"""
    path = folder()
    if path is None:
        return
    dead = [file for file in path.glob("*.db") if not Path(f"/proc/{file.stem.rpartition('_')[2]}").exists()]
    counted = [file for file in dead if not file.name.startswith("gauge_live")]
    counted.sort(key=lambda file: file.name.rpartition("_")[2].zfill(20))
    for file in [*(file for file in dead if file not in counted), *counted[:-DEAD_FILES]]:
        file.unlink(missing_ok=True)


def percentiles(families: Iterable[Metric], name: str) -> tuple[float, float, float] | None:
    """The middle, 95 % and 99 % of a histogram, in seconds, all labels together; read off as if what is in a bucket lay
    evenly in it. None: nothing was counted yet."""
    below: dict[float, float] = {}
    for family in families:
        for sample in family.samples:
            if sample.name == f"{name}_bucket":
                edge = float(sample.labels["le"])
                below[edge] = below.get(edge, 0.0) + sample.value
    edges = sorted(below)
    if not edges or not below[edges[-1]]:
        return None
    return _within(edges, below, 0.5), _within(edges, below, 0.95), _within(edges, below, 0.99)


def _within(edges: list[float], below: dict[float, float], share: float) -> float:
    wanted, lower, count = share * below[edges[-1]], 0.0, 0.0
    for edge in edges:
        if below[edge] >= wanted:
            if edge == float("inf"):
                break
            return lower + (edge - lower) * (wanted - count) / ((below[edge] - count) or 1.0)
        lower, count = edge, below[edge]
    return lower
