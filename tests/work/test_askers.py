"""Processes that ask: who is ended, and who is not."""

import signal
import subprocess

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


@pytest.mark.parametrize("name", ["", "elsewhere:1:1", f"{askers.machine()}", f"{askers.machine()}:x:1"])
def test_what_is_not_here_cannot_be_told(name):
    assert not askers.end(name)
