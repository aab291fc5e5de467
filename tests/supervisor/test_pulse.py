"""What runs and yet does not move is ended, and started again."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from flask import Flask

from tests import servers
from tests.waiting import wait_until
from webapp.pulse import EVERY_SECONDS, Watch
from webapp.supervisor import pool
from webapp.supervisor.processes import PROCESSES, Command, Process, Tended

SILENT_SECONDS = 5 * EVERY_SECONDS
BEATING = "import time; from webapp import pulse; pulse.start(); time.sleep(1000)"
STUCK = "import re; from webapp import pulse; pulse.start(); re.match('(a*)*b', 'a' * 1000)"  # keeps Python's lock
AFRESH = """
import os, sys, time
from webapp import pulse
pulse.start()
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

    def await_first_sign(self) -> None:
        watch = self.command._watch
        assert watch is not None
        wait_until(lambda: watch.silent_seconds() > 0)

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
    ward.await_first_sign()
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


def test_whoever_cannot_be_ended_at_once_keeps_nobody_else_waiting() -> None:
    class Stubborn:
        """Waits for a disk, say: it is struck, and goes on."""

        name, struck = "stubborn", 0

        def poll(self) -> int | None:
            return -signal.SIGKILL if self.struck == 3 else None

        def end_if_frozen(self) -> bool:
            self.struck += 1
            return True

        def start(self) -> None: ...
        def stop(self, grace_s: float | None = None) -> None: ...
        def kill(self) -> None:
            raise AssertionError("this waits for its end")

    said: list[str] = []
    tended = Tended(Stubborn(), said.append)
    for _ in range(3):
        tended.tend()
        assert said == []
    tended.tend()
    assert said == ["stubborn gave no sign of life and was ended; starting it again in 0.5 s."]


def test_time_in_which_nobody_looked_is_no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch()
    os.write(watch.writing, b".")
    assert watch.silent_seconds() < EVERY_SECONDS
    later = time.monotonic() + 3600
    monkeypatch.setattr("webapp.pulse.time", SimpleNamespace(monotonic=lambda: later))  # the watcher itself was frozen
    assert watch.silent_seconds() <= 2 * EVERY_SECONDS
    watch.close()
    os.close(watch.writing)


def test_nothing_is_left_open() -> None:
    before = _pipes()
    command = Command(Process("ward", (sys.executable, "-c", BEATING), grace_s=1, silent_s=1), os.environ, 2)
    for end in (command.kill, command.stop, command.kill):
        command.start()
        assert _pipes() > before
        end()
        assert _pipes() == before


def test_every_process_of_ours_is_watched_but_the_web_which_watches_its_own(app: Flask) -> None:
    config = replace(app.extensions["lotline_config"], lease_seconds=60)
    assert {process.name for process in PROCESSES if not process.silent_s} == {"web"}
    silence = {process.name: process.silent_s for process in pool.processes(config)}
    assert silence.pop("dispatcher") == 15
    assert set(silence.values()) == {60}  # a slot is not ended while its lease may hold


OURS = [process.command for process in PROCESSES if process.silent_s]
OURS += [(sys.executable, "worker.py", "slot", "light"), (sys.executable, "worker.py", "dispatcher")]


@pytest.mark.parametrize("command", OURS, ids=lambda command: " ".join(command[1:]))
def test_ours_show_that_they_live(command: tuple[str, ...], app: Flask) -> None:
    env = os.environ | servers.environment(app.extensions["lotline_config"])
    ours = Command(Process("ours", command, grace_s=1, silent_s=60), env, 2)
    ours.start()
    try:
        assert ours._watch is not None
        reading = ours._watch._reading
        wait_until(lambda: _has_beaten(reading))
    finally:
        ours.kill()


def _pipes() -> set[str]:
    links = set()
    for path in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the look itself
            links.add(str(path.readlink()))
    return {link for link in links if link.startswith("pipe:")}


def _has_beaten(descriptor: int) -> bool:
    try:
        return bool(os.read(descriptor, 1))
    except BlockingIOError:
        return False
