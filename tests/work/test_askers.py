"""Processes that ask: who is ended, and who is not."""

import os
import signal
import subprocess
import sys

import pytest

from webapp.work import askers


@pytest.fixture
def sleeper():
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def name_of(process):
    return f"{askers.machine()}:{process.pid}:{askers._started(process.pid)}"


def test_a_frozen_process_is_ended(sleeper):
    sleeper.send_signal(signal.SIGSTOP)
    assert askers.end(name_of(sleeper))
    assert sleeper.wait(10) == -signal.SIGKILL


def test_one_that_has_ended_has_ended(sleeper):
    name = name_of(sleeper)
    sleeper.kill()
    assert askers.end(name)  # its exit code is not fetched yet
    sleeper.wait()
    assert askers.end(name)


def test_a_later_process_with_the_same_number_is_left_alone(sleeper):
    assert askers.end(f"{askers.machine()}:{sleeper.pid}:1")
    assert sleeper.poll() is None


def test_we_do_not_end_ourselves():
    assert askers.end(askers.this_process())


def test_nobody_has_ended():
    assert askers.end(askers.NOBODY)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_somebody_elses_process_is_not_believed_to_have_ended(sleeper):
    code = "import os, sys; from webapp.work import askers; os.setuid(65534); print(askers.end(sys.argv[1]))"
    said = subprocess.run([sys.executable, "-c", code, name_of(sleeper)], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"
    assert sleeper.poll() is None


def test_one_whose_state_cannot_be_read_is_not_believed_to_have_ended(sleeper, monkeypatch):
    name = name_of(sleeper)
    monkeypatch.setattr(askers, "_started", lambda _number: None)
    monkeypatch.setattr(askers, "this_process", lambda: "another:2:3")
    assert not askers.end(name)
    assert sleeper.poll() is None


@pytest.mark.parametrize(
    "name",
    [
        f"{askers.machine()}:0:1",
        f"{askers.machine()}:2:",
        "",
        "elsewhere:1:1",
        f"{askers.machine()}",
        f"{askers.machine()}:x:1",
    ],
)
def test_what_is_not_here_cannot_be_told(name):
    assert not askers.end(name)
