"""The imaging child: same answers as in the process, and it may die at any moment without harm."""

import io
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from webapp.catalog import imaging
from webapp.lib import images
from webapp.lib.image_errors import ImageError, ImageProblem


def jpeg(width: int = 640, height: int = 400) -> bytes:
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).convert("RGB").save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.fixture(autouse=True, scope="module")
def _no_child_is_left():
    yield
    imaging.stop()


def child_pid() -> int:
    assert imaging._child is not None
    return imaging._child.process.pid


def test_the_child_answers_as_the_library_does():
    found = imaging.normalise(jpeg(), "a.jpg")
    same = images.normalise(jpeg())
    assert (found.width, found.height, found.format, found.extension) == (640, 400, "JPEG", ".jpg")
    assert (found.display, found.thumb) == (same.display, same.thumb)


def test_the_child_judges_the_photo_as_phase_1_does():
    from webapp.phases.quality import judge

    found = imaging.normalise(jpeg(), "a.jpg")
    assert found.quality == judge("", images.normalise(jpeg()).rgb)
    assert found.quality.says


def test_a_refusal_names_the_file():
    with pytest.raises(ImageError) as caught:
        imaging.normalise(b"<svg/>", "photo.svg")
    assert caught.value.says.startswith("photo.svg is an SVG drawing; please upload a photo")
    assert caught.value.http_status == 415


def test_a_child_that_was_killed_is_replaced():
    imaging.normalise(jpeg(), "a.jpg")
    before = child_pid()
    os.kill(before, signal.SIGKILL)
    assert imaging.normalise(jpeg(), "a.jpg").width == 640
    assert child_pid() != before


def test_a_child_that_hangs_is_given_up_and_replaced(monkeypatch):
    imaging.normalise(jpeg(), "a.jpg")
    os.kill(child_pid(), signal.SIGSTOP)
    monkeypatch.setattr(imaging, "TIME_LIMIT_SECONDS", 0.3)
    with pytest.raises(ImageError) as caught:
        imaging.normalise(jpeg(), "slow.jpg")
    assert caught.value.problem == ImageProblem.TOO_SLOW
    monkeypatch.undo()
    assert imaging.normalise(jpeg(), "a.jpg").width == 640


@pytest.mark.parametrize("size", [(1, 3000), (3000, 1), (1, 1)])
def test_the_child_lives_on_after_a_photo_that_is_a_mere_line(size):
    imaging.normalise(jpeg(), "a.jpg")
    before = child_pid()
    found = imaging.normalise(jpeg(*size), "line.jpg")
    assert (found.width, found.height) == size
    assert child_pid() == before


def test_whatever_goes_wrong_with_a_photo_is_a_refusal(monkeypatch, capfd):
    def breaks(_photo_id, _rgb):
        raise RuntimeError("nobody thought of this")

    monkeypatch.setattr("webapp.phases.quality.judge", breaks)
    answer = imaging._answer(jpeg())
    assert isinstance(answer, imaging.Refused)
    assert answer.problem == ImageProblem.DAMAGED
    assert "nobody thought of this" in capfd.readouterr().err


def test_many_threads_share_one_child():
    with ThreadPoolExecutor(8) as threads:
        sizes = list(threads.map(lambda width: imaging.normalise(jpeg(width), "a.jpg").width, range(100, 124)))
    assert sizes == list(range(100, 124))


def test_the_web_process_never_loads_the_imaging_libraries():
    program = (
        "import sys; from webapp.catalog import imaging; from webapp.lib import image_errors; "
        "from webapp.intake import samples; "
        "print([name for name in ('PIL', 'numpy', 'cv2', 'pillow_heif') if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", program], cwd=imaging.ROOT, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc")
def test_the_child_dies_with_its_parent():
    program = (
        "import sys, os; from webapp.catalog import imaging; "
        "imaging.normalise(bytes.fromhex(sys.argv[1]), 'a.jpg'); "
        "print(imaging._child.process.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    told = subprocess.run(
        [sys.executable, "-c", program, jpeg(40, 30).hex()],
        cwd=imaging.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    child = int(told.stdout)
    deadline = time.monotonic() + 10
    while _runs(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _runs(child)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
