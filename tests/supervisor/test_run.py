"""`make run` seen from outside: real services, stub processes."""

import json
import os
import signal
import socket
import subprocess
import time

import psutil
import pytest

from tests.supervisor.conftest import EXTERNAL, Stack
from tests.waiting import wait_until
from webapp.embedded import Postgres, Redis
from webapp.supervisor.processes import PROCESSES, Command, Process

FOUR = {"hub": "sleeper", "renderer": "sleeper", "worker": "parent", "web": "web"}
LINK_STEP = ["Making a link", "print('made'); print('http://here/sign-in/abc')", True]


def outcome(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    output, complaints = process.communicate(timeout=60)
    return process.returncode, output, complaints


def test_it_starts_everything_says_where_and_ends_it_in_order(stack: Stack) -> None:
    first = stack.start(STACK_PROCESSES=FOUR, STACK_STEPS=[LINK_STEP])
    shown = stack.wait_for(first, "Ctrl-C")
    assert f"http://127.0.0.1:{stack.port}\n" in shown
    assert "http://here/sign-in/abc\n" in shown
    assert {"postgres", "redis-server"} <= stack.names(first)
    wait_until(lambda: "sleep" in stack.names(first))  # a child's child: nothing on the terminal tells of it

    code, said, _ = outcome(stack.start())
    assert code == 0
    where = f"at http://127.0.0.1:{stack.port} (process {first.pid})"
    assert said == f"Lotline is already running {where}. Stop it there with Ctrl-C.\n"

    first.send_signal(signal.SIGINT)
    code, said, complaints = outcome(first)
    assert (code, complaints) == (0, "")
    assert said.endswith("Stopped.\n")
    assert stack.ended() == ["web", "worker", "renderer", "hub"]
    assert stack.left() == []
    assert "sign-in/abc" not in "".join(file.read_text() for file in (stack.var / "log").iterdir())

    second = stack.start(STACK_PROCESSES=FOUR)
    stack.wait_for(second, "Ctrl-C")
    second.send_signal(signal.SIGTERM)
    assert outcome(second)[0] == 0


def test_nothing_outlives_a_killed_supervisor(stack: Stack) -> None:
    process = stack.start(STACK_PROCESSES={"hub": "sleeper", "web": "web"})
    stack.wait_for(process, "Ctrl-C")
    process.kill()
    process.wait()
    assert stack.left() == []
    again = stack.start()
    stack.wait_for(again, "Ctrl-C")


def test_a_process_or_service_that_dies_is_started_again(stack: Stack) -> None:
    process = stack.start(STACK_PROCESSES=FOUR)
    stack.wait_for(process, "Ctrl-C")
    for name in ("postgres", "redis-server", "python"):
        children = psutil.Process(process.pid).children()
        next(child for child in children if name in child.name()).kill()
        assert "signal 9" in stack.wait_for(process, "starting it again")
    process.send_signal(signal.SIGINT)
    assert outcome(process)[0] == 0
    assert stack.left() == []


def test_processes_that_ignore_the_request_are_ended_by_force(stack: Stack) -> None:
    process = stack.start(STACK_PROCESSES={"worker": "stubborn", "web": "web"}, **EXTERNAL)
    stack.wait_for(process, "Ctrl-C")
    process.send_signal(signal.SIGINT)
    assert outcome(process)[0] == 0
    assert stack.ended() == ["web"]
    assert stack.left() == []


def test_all_graces_together_leave_room_within_ten_seconds() -> None:
    services = Postgres.stop_seconds + Redis.stop_seconds
    assert services + sum(process.grace_s for process in PROCESSES) <= 9.5


def test_a_process_and_its_children_step_back_as_far_as_they_are_told() -> None:
    reading, writing = os.pipe()
    command = Command(Process("slow", ("sh", "-c", "sh -c nice"), grace_s=1, nice=3), os.environ, writing)
    command.start()
    assert int(os.read(reading, 100)) == os.getpriority(os.PRIO_PROCESS, 0) + 3
    command.stop()
    os.close(reading)
    os.close(writing)


def test_processes_asked_together_are_waited_for_together() -> None:
    stubborn = ("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 60; done")
    reading, writing = os.pipe()
    several = [Command(Process(str(number), stubborn, grace_s=1), os.environ, writing) for number in range(3)]
    for command in several:
        command.start()
        os.read(reading, 100)
    for command in several:
        command.ask_to_end()
    begun = time.monotonic()
    for command in several:
        command.stop()
    took = time.monotonic() - begun
    assert [command.poll() for command in several] == [0, 0, 0]
    assert took < 1 + 1 + 1
    os.close(reading)
    os.close(writing)


def test_a_process_that_never_stays_up_is_named_with_its_last_words(stack: Stack) -> None:
    code, _, complaints = outcome(stack.start(STACK_PROCESSES={"hub": "broken"}, **EXTERNAL))
    assert code == 1
    assert "hub does not stay up" in complaints
    assert "broken on purpose" in complaints


def test_a_step_that_fails_ends_the_start_with_its_reason(stack: Stack) -> None:
    step = ["Trying in vain", "import sys; sys.exit('no such luck')", False]
    code, said, complaints = outcome(stack.start(STACK_STEPS=[step], **EXTERNAL))
    assert code == 1
    assert said == "Trying in vain …\n"
    assert complaints == "Lotline cannot start: Trying in vain failed: no such luck\n"


def test_a_taken_port_is_named_in_one_line(stack: Stack) -> None:
    stack.var = stack.var / "fresh"
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(("127.0.0.1", stack.port))
        holder.listen()
        code, _, complaints = outcome(stack.start())
    assert code == 1
    assert complaints.count("\n") == 1
    assert f"port {stack.port}" in complaints
    assert "PORT=" in complaints
    assert not (stack.var / "services").exists()


@pytest.mark.parametrize(
    ("environment", "word"),
    [
        ({"DATABASE_URL": "postgresql:///x"}, "SECRET_KEY"),
        ({"PORT": "http"}, "PORT"),
        ({"PORT": "70000"}, "PORT"),
        ({"HOST": "203.0.113.7"}, "203.0.113.7"),
        ({"LOTLINE_MIN_FREE_MB": "999999999"}, "LOTLINE_MIN_FREE_MB"),
        ({"LOTLINE_VAR": "/dev/null/var"}, "/dev/null"),
    ],
)
def test_what_is_missing_or_wrong_is_named_in_one_line(stack: Stack, environment: dict[str, str], word: str) -> None:
    code, _, complaints = outcome(stack.start(**environment))
    assert code == 1
    assert complaints.count("\n") == 1
    assert complaints.startswith("Lotline cannot start: ")
    assert word in complaints


def test_the_terminal_shows_troubles_and_the_files_everything_as_json(stack: Stack) -> None:
    process = stack.start(STACK_PROCESSES={"worker": "talker", "web": "web"}, **EXTERNAL)
    shown = stack.wait_for(process, "a loud line")
    assert "a quiet line" not in shown
    process.send_signal(signal.SIGINT)
    outcome(process)
    lines = [json.loads(line) for line in (stack.var / "log" / "worker.log").read_text().splitlines()]
    assert [line["message"] for line in lines] == ["a quiet line", "a loud line"]


def test_exec_runs_a_command_beside_the_running_stack(stack: Stack) -> None:
    process = stack.start()
    stack.wait_for(process, "Ctrl-C")
    code = "import os, psycopg; psycopg.connect(os.environ['DATABASE_URL'].replace('+psycopg', '')); print('inside')"
    assert outcome(stack.start("exec", "python", "-c", code)) == (0, "inside\n", "")
    assert outcome(stack.start("exec", "sh", "-c", "exit 7"))[0] == 7
    assert process.poll() is None
