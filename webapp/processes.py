"""What the processes of this installation on this machine use, read from /proc."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_NAMES = (
    ("webapp.supervisor", "supervisor"),
    ("webapp.live.hub", "hub"),
    ("webapp.live.renderer", "renderer"),
    ("gunicorn", "web"),
    ("worker.py dispatcher", "dispatcher"),
    ("worker.py slot heavy", "slot heavy"),
    ("worker.py slot light", "slot light"),
    ("worker.py slot", "slot bulk"),
    ("worker.py", "worker"),
    ("postgres", "postgres"),
    ("redis-server", "redis"),
)


@dataclass
class Use:
    """Of all processes of one name: CPU time of those that live, memory with what they share counted in each."""

    count: int = 0
    cpu_seconds: float = 0.0
    resident_bytes: int = 0


def usage() -> dict[str, Use]:
    """By name, of the whole tree that the supervisor started (or this process' own part of it)."""
    found: dict[str, Use] = {}
    children: dict[int, list[int]] = {}
    stats = {pid: stat for pid in _pids() if (stat := _stat(pid))}
    for pid, stat in stats.items():
        children.setdefault(int(stat[1]), []).append(pid)
    for pid in _tree(_root(stats), children):
        use = found.setdefault(_name(pid), Use())
        use.count += 1
        use.cpu_seconds += (int(stats[pid][11]) + int(stats[pid][12])) / _TICKS
        use.resident_bytes += int(stats[pid][21]) * _PAGE
    return found


def _pids() -> list[int]:
    return [int(path.name) for path in PROC.iterdir() if path.name.isdigit()]


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/<pid>/stat from the state on; None: it is gone."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def _root(stats: dict[int, list[str]]) -> int:
    """The supervisor above us, else the topmost of ours that is still our program."""
    pid = os.getpid()
    while (parent := int(stats[pid][1])) in stats and _name(parent) != "other":
        pid = parent
    return pid


def _tree(root: int, children: dict[int, list[int]]) -> Iterator[int]:
    yield root
    for child in children.get(root, ()):
        yield from _tree(child, children)


def _name(pid: int) -> str:
    try:
        command = (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return "other"
    return next((name for part, name in _NAMES if part in command), "other")
