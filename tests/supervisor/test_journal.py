"""Log files: bounded in size, and no hindrance to anybody."""

import json
import os
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from webapp.supervisor import journal as module
from webapp.supervisor.journal import Journal


def settle(file: Path, words: str) -> str:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and (not file.exists() or words not in file.read_text()):
        time.sleep(0.01)
    return file.read_text()


def test_files_are_bounded_and_every_line_is_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FILE_BYTES", 2000)
    journal = Journal(tmp_path)
    descriptor = journal.pipe("worker", quiet=True)
    for number in range(200):
        os.write(descriptor, f"plain line {number}\n".encode())
    os.write(descriptor, b"the end\n")
    settle(tmp_path / "worker.log", "the end")
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["worker.log", "worker.log.1", "worker.log.2"]
    assert all(file.stat().st_size <= 2000 for file in files)
    assert all(json.loads(line)["process"] == "worker" for file in files for line in file.read_text().splitlines())
    assert journal.last("worker", 2) == ["plain line 199", "the end"]
    os.close(descriptor)


def test_nobody_else_on_the_machine_reads_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FILE_BYTES", 200)
    folder = tmp_path / "log"
    folder.mkdir(mode=0o755)
    (folder / "hub.log.1").touch(mode=0o644)
    journal = Journal(folder)
    for number in range(5):
        journal.record("worker", f"a line {number} that is long enough to fill a file with the ones after it")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert len(list(folder.iterdir())) == 4
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}


def test_a_terminal_that_takes_nothing_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()  # nobody reads: the pipe fills up, and then a write would wait for ever
    terminal = os.fdopen(writing, "w")
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setattr(module, "WAITING_LINES", 10)
    journal = Journal(tmp_path)
    descriptor = journal.pipe("web")
    for number in range(1000):
        os.write(descriptor, f"{number} {'x' * 200}\n".encode())
    os.write(descriptor, b"the end\n")
    assert "the end" in settle(tmp_path / "web.log", "the end")
    os.close(descriptor)
    os.close(reading)
    journal.close()
    with suppress(BrokenPipeError):
        terminal.close()
