"""Start, tend and end; `exec` runs one command beside."""

import http.client
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

from webapp.embedded import Home, Postgres, Redis, ServiceError, running
from webapp.embedded.child import end, spawn
from webapp.embedded.launch import die_with_parent
from webapp.errors import ConfigError
from webapp.supervisor.journal import Journal
from webapp.supervisor.processes import PROCESSES, STEPS, Command, Process, Program, Step, Tended
from webapp.supervisor.settings import (
    CLONE,
    AlreadyRunning,
    Settings,
    check_disk,
    check_port,
    read,
    secret_key,
    take_lock,
)

LOOK_SECONDS = 0.2
READY_SECONDS = 120.0
TOLERATED_FAILURES = 2  # of one process, before the first answer


class Stop(BaseException):
    """Somebody asked us to end."""


def main(
    arguments: Sequence[str] = (), *, steps: Sequence[Step] = STEPS, processes: Sequence[Process] = PROCESSES
) -> int:
    """Run until asked to stop, or `exec` a command.

    Returns:
        The exit code: 0 after an orderly end or if Lotline runs already, 1 if it cannot start, else the command's.
    """
    try:
        settings = read(os.environ)
        if arguments and arguments[0] == "exec":
            return run_beside(settings, arguments[1:])
        return run(settings, steps, processes)
    except AlreadyRunning as found:
        sys.stdout.write(f"{found}\n")
        return 0
    except (ConfigError, ServiceError) as error:
        reason = str(error)
    except OSError as error:
        reason = ": ".join(str(part) for part in (error.strerror or error, error.filename) if part)
    sys.stdout.flush()
    sys.stderr.write(f"Lotline cannot start: {reason}\n")
    return 1


def run(settings: Settings, steps: Sequence[Step], processes: Sequence[Process]) -> int:
    """Start everything, tend it until a signal comes, end everything."""
    lock = take_lock(settings)
    check_port(settings)
    check_disk(settings.var, settings.min_free_mb)
    key = secret_key(settings)
    journal = Journal(settings.var / "log", verbose=settings.verbose)
    started: list[Program] = []
    try:
        _listen_for_stop()
        env = {**os.environ, **_environment(settings, key, _start_services(settings, key, journal, started))}
        link = _take_steps(steps, env, settings, journal)
        env["PROMETHEUS_MULTIPROC_DIR"] = str(_fresh_folder(settings.var / "run" / "metrics"))
        journal.say("Starting the web server, the live hub and the workers …")
        for process in processes:
            started.append(command := Command(process, env, journal.pipe(process.name)))
            command.start()
        tended = [Tended(program, journal.say) for program in started]
        _await_answer(settings, tended, journal)
        journal.show(_welcome(settings, link))
        while True:
            _tend(tended)
    except Stop:
        journal.hushed = True
        journal.say("Stopping …")
        _end(started, journal)
        journal.say("Stopped.")
        return 0
    finally:
        _end(started, journal)
        journal.close()
        os.close(lock)


def run_beside(settings: Settings, command: Sequence[str]) -> int:
    """Run one command with the environment of all processes; services that do not run are started for its time."""
    if not command:
        raise ConfigError("exec wants a command")
    key = secret_key(settings)
    urls: dict[str, str] = {}
    with ExitStack() as stack:
        if not settings.database_url:
            urls["DATABASE_URL"] = stack.enter_context(running(Postgres(settings.var, key))).url
        if not settings.redis_url:
            urls["REDIS_URL"] = stack.enter_context(running(Redis(settings.var))).url
        env = {**os.environ, **_environment(settings, key, urls)}
        try:
            return subprocess.run(list(command), env=env, cwd=CLONE, check=False).returncode
        except KeyboardInterrupt:  # the command got it too
            return 128 + signal.SIGINT


def _listen_for_stop() -> None:
    def stop(_number: int, _frame: FrameType | None) -> None:
        raise Stop

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup asks to outlive the terminal
        signal.signal(signal.SIGHUP, stop)
    if "MAKELEVEL" in os.environ:
        die_with_parent(signal.SIGTERM)  # killing make is meant for us


def _start_services(settings: Settings, key: str, journal: Journal, started: list[Program]) -> dict[str, str]:
    """Start the embedded services that no URL replaces, and return their addresses by environment variable."""
    wanted: dict[str, Postgres | Redis] = {}
    if not settings.database_url:
        wanted["DATABASE_URL"] = Postgres(settings.var, key, output=journal.pipe("postgres", quiet=True))
    if not settings.redis_url:
        wanted["REDIS_URL"] = Redis(settings.var, output=journal.pipe("redis", quiet=True))
    if wanted:
        home = Home.at(settings.var)
        check_disk(home.path, settings.min_free_mb)
        names = " and ".join(service.name.capitalize() for service in wanted.values())
        journal.say(f"Starting {names} in {home.path}{f' as user {home.user.name}' if home.user else ''} …")
    for service in wanted.values():
        started.append(service)
        try:
            service.start()
        except ServiceError as error:
            time.sleep(LOOK_SECONDS)  # its last lines are on their way
            raise ServiceError("; ".join([str(error), *journal.last(service.name)])) from None
    return {variable: service.url for variable, service in wanted.items()}


def _environment(settings: Settings, key: str, urls: Mapping[str, str]) -> dict[str, str]:
    return {
        **urls,
        "SECRET_KEY": key,
        "LOTLINE_VAR": str(settings.var),
        "HOST": settings.host,
        "PORT": str(settings.port),
        "BASE_URL": settings.base_url,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "PYTHONUNBUFFERED": "1",
    }


def _fresh_folder(path: Path) -> Path:
    """For the figures of this run's processes; those of an earlier one are gone with it."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True, mode=0o700)
    return path


def _take_steps(steps: Sequence[Step], env: Mapping[str, str], settings: Settings, journal: Journal) -> str | None:
    """Run the steps one after the other, and return the sign-in link that one of them gave."""
    link = None
    for step in steps:
        journal.say(f"{step.says} …")
        command = [argument.format(base_url=settings.base_url) for argument in step.command]
        taken = spawn(command, env=env, cwd=CLONE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            output, complaints = (part.decode(errors="replace") for part in taken.communicate())
        finally:
            end(taken, signal.SIGKILL, 1)
        lines = [line for line in output.splitlines() if line.strip()]
        if step.gives_link and lines and lines[-1].startswith("http"):
            link = lines.pop()  # which is not for the log
        for line in [*complaints.splitlines(), *lines]:
            journal.record("steps", line)
        if taken.returncode != 0:
            said = complaints.strip() or output.strip() or f"exit code {taken.returncode}"
            raise ServiceError(f"{step.says} failed: {said}")
    return link


def _await_answer(settings: Settings, tended: Sequence[Tended], journal: Journal) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not _healthy(settings):
        _tend(tended)
        for each in tended:
            if each.failures > TOLERATED_FAILURES:
                name = each.program.name
                said = "\n".join(journal.last(name, 15))
                raise ServiceError(f"{name} does not stay up; its log is {journal.folder}/{name}.log\n{said}")
        if time.monotonic() > deadline:
            raise ServiceError(f"the web server does not answer after {READY_SECONDS:.0f} s; see {journal.folder}")


def _healthy(settings: Settings) -> bool:
    connection = http.client.HTTPConnection(settings.local_host, settings.port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _tend(tended: Sequence[Tended]) -> None:
    for each in tended:
        each.tend()
    time.sleep(LOOK_SECONDS)


def _welcome(settings: Settings, link: str | None) -> str:
    lines = ["", "Lotline is ready.", "", f"  Address             {settings.base_url}"]
    if link:
        lines.append(f"  Sign in, once only  {link}")
    return "\n".join([*lines, f"  Logs                {settings.var / 'log'}", "  Stop                Ctrl-C", ""])


def _end(started: Sequence[Program], journal: Journal) -> None:
    """End everything in the opposite order of the start; at once if we are asked a second time."""
    try:
        for program in reversed(started):
            program.stop()  # one that is stopped already stays so
    except Stop:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        journal.say("Stopping at once …")
        for program in reversed(started):
            program.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
