"""What runs and yet does not move is ended, and started again."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from flask import Flask

from tests import servers
from tests.waiting import wait_until
from webapp.pulse import EVERY_SECONDS, Watch
from webapp.supervisor import pool
from webapp.supervisor.processes import PROCESSES, Command, Process, Tended

SILENT_SECONDS = 2.5 * EVERY_SECONDS
BEATING = "import time; from webapp import pulse; pulse.start(); time.sleep(1000)"
STUCK = "import re; from webapp import pulse; pulse.start(); re.match('(a*)*b', 'a' * 1000)"  # keeps Python's lock
AFRESH = """
import os, sys, time
from webapp import pulse
pulse.start()
time.sleep(0.5)
if sys.argv[1:] != ["again"]:
    os.execv(sys.executable, [*sys.orig_argv, "again"])
time.sleep(1000)
"""


class Ward:
    """One tended process, and what was said of it."""

    def __init__(self, code: str) -> None:
        command = (sys.executable, "-c", code)
        self.command = Command(Process("ward", command, grace_s=0.1, silent_s=SILENT_SECONDS), os.environ, 2)
        self.said: list[str] = []
        self.command.start()
        self._tended = Tended(self.command, self.said.append)

    def pid(self) -> int:
        assert self.command._running is not None
        return self.command._running.pid

    def tend_for(self, seconds: float, until: Callable[[], object] = lambda: False) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and not until():
            self._tended.tend()
            time.sleep(0.05)


@pytest.fixture
def ward(request: pytest.FixtureRequest) -> Iterator[Ward]:
    made = Ward(request.param)
    yield made
    made.command.kill()


@pytest.mark.parametrize("ward", [BEATING], indirect=True)
def test_one_that_is_frozen_is_ended_and_started_again(ward: Ward) -> None:
    before = ward.pid()
    ward.tend_for(SILENT_SECONDS + 2)
    assert (ward.pid(), ward.said) == (before, [])
    os.kill(before, signal.SIGSTOP)
    ward.tend_for(20, until=lambda: ward.said and ward.command.poll() is None)
    assert ward.said == ["ward gave no sign of life and was ended; starting it again in 0.5 s."]
    assert not psutil.pid_exists(before)
    assert ward.pid() != before


@pytest.mark.parametrize("ward", [STUCK], indirect=True)
def test_one_that_keeps_the_lock_for_ever_is_too(ward: Ward) -> None:
    ward.tend_for(20, until=lambda: ward.said)
    assert "no sign of life" in ward.said[0]


@pytest.mark.parametrize("ward", [AFRESH, "import time; time.sleep(1000)"], indirect=True)
def test_one_that_begins_afresh_or_has_not_begun_is_left_alone(ward: Ward) -> None:
    before = ward.pid()
    ward.tend_for(SILENT_SECONDS + 2)
    assert (ward.pid(), ward.said) == (before, [])


def test_time_in_which_nobody_looked_is_no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch()
    os.write(watch.writing, b".")
    assert watch.silent_seconds() < EVERY_SECONDS
    later = time.monotonic() + 3600
    monkeypatch.setattr("webapp.pulse.time.monotonic", lambda: later)  # the watcher itself was frozen
    assert watch.silent_seconds() <= 2 * EVERY_SECONDS
    watch.close()
    os.close(watch.writing)


def test_nothing_is_left_open() -> None:
    open_ones = Path("/proc/self/fd")
    before = len([*open_ones.iterdir()])
    command = Command(Process("ward", (sys.executable, "-c", BEATING), grace_s=1, silent_s=1), os.environ, 2)
    for end in (command.kill, command.stop, command.kill):
        command.start()
        end()
    assert len([*open_ones.iterdir()]) == before


def test_every_process_of_ours_is_watched_but_the_web_which_watches_its_own(app: Flask) -> None:
    config = app.extensions["lotline_config"]
    assert {process.name for process in PROCESSES if not process.silent_s} == {"web"}
    assert all(process.silent_s >= config.lease_seconds for process in pool.processes(config))


OURS = [process.command for process in PROCESSES if process.silent_s]
OURS += [(sys.executable, "worker.py", "slot", "light"), (sys.executable, "worker.py", "dispatcher")]


@pytest.mark.parametrize("command", OURS, ids=lambda command: " ".join(command[1:]))
def test_ours_show_that_they_live(command: tuple[str, ...], app: Flask) -> None:
    env = servers.environment(app.extensions["lotline_config"])
    ours = Command(Process("ours", command, grace_s=1, silent_s=60), env, 2)
    ours.start()
    try:
        assert ours._watch is not None
        reading = ours._watch._reading
        wait_until(lambda: _has_beaten(reading))
    finally:
        ours.kill()


def _has_beaten(descriptor: int) -> bool:
    try:
        return bool(os.read(descriptor, 1))
    except BlockingIOError:
        return False
