"""Photo bytes on a real disk: whole or not at all, named by content, nothing outside the folder."""

import hashlib
import io
import os
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from flask import Flask

from webapp import storage

ROOT = Path(__file__).resolve().parents[2]
CLIENT = UUID("0190aaaa-0000-7000-8000-000000000001")


@pytest.fixture
def photos(tmp_path):
    """The folder of an app's photos, with the app's context pushed."""
    app = Flask("storage")
    storage.init_app(app, tmp_path / "var" / "photos")
    with app.app_context():
        yield tmp_path / "var" / "photos"


def files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_original_is_named_after_its_content_and_reads_back(photos):
    data = os.urandom(3 * storage.CHUNK_BYTES + 17)
    kept = storage.write(CLIENT, io.BytesIO(data), ".jpg")
    sha256 = hashlib.sha256(data).hexdigest()
    assert kept == storage.Kept(f"{CLIENT}/{sha256[:2]}/{sha256}.jpg", sha256, len(data))
    assert storage.read(kept.key) == data
    assert storage.path(kept.key).read_bytes() == data
    assert files_in(photos) == [photos / kept.key]


def test_variant_stands_beside_its_original(photos):
    original = storage.write(CLIENT, b"original", ".heic").key
    copy = storage.write_variant(original, "thumb", b"small", ".jpg").key
    assert copy == original.removesuffix(".heic") + ".thumb.jpg"
    assert (storage.read(original), storage.read(copy)) == (b"original", b"small")


def test_same_bytes_of_two_clients_are_two_files(photos):
    first, second = storage.write(CLIENT, b"same", "png").key, storage.write(uuid4(), b"same", "png").key
    storage.delete(first)
    assert not storage.exists(first)
    assert storage.read(second) == b"same"


def test_writing_again_repairs_a_damaged_file(photos):
    key = storage.write(CLIENT, b"whole", "png").key
    storage.path(key).write_bytes(b"who")
    assert storage.write(CLIENT, b"whole", "png").key == key
    assert storage.read(key) == b"whole"


def test_missing_bytes_are_named_as_missing(photos):
    key = storage.write(CLIENT, b"soon gone", "png").key
    storage.delete(key)
    storage.delete(key)
    for look in (storage.read, storage.path):
        with pytest.raises(storage.BytesMissing):
            look(key)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/etc/passwd",
        "../../etc/passwd",
        f"{CLIENT}/../{CLIENT}/aa/" + "a" * 64 + ".jpg",
        f"{CLIENT}/aa/{'b' * 64}.jpg",
        f"{CLIENT}/aa/{'a' * 64}",
        f"{CLIENT}/aa/{'a' * 64}.jpg/../x",
        f"{CLIENT}/aa/{'a' * 64}.jpg\n",
        f"{CLIENT}/aa/{'a' * 64}.JPG",
        ".incoming/" + "a" * 32 + ".part",
    ],
)
def test_keys_that_are_none_are_refused(photos, key):
    for use in (storage.read, storage.path, storage.exists, storage.delete):
        with pytest.raises(ValueError, match="not a storage key"):
            use(key)


def test_extension_cannot_leave_the_folder(photos):
    with pytest.raises(ValueError, match="not a storage key"):
        storage.write(CLIENT, b"x", "/../../x")
    assert files_in(photos) == []


def test_files_and_folders_are_for_the_owner_only_whatever_the_umask(photos):
    before = os.umask(0)
    try:
        key = storage.write(CLIENT, b"private", "png").key
    finally:
        os.umask(before)
    assert stat.S_IMODE((photos / key).stat().st_mode) == 0o600
    folders = [photos, *(path for path in photos.rglob("*") if path.is_dir())]
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}


def test_many_writers_of_the_same_bytes_leave_one_whole_file(photos):
    data = os.urandom(200_000)
    app = Flask("writers")
    storage.init_app(app, photos)

    def write(_number: int) -> str:
        with app.app_context():
            return storage.write(CLIENT, data, "png").key

    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(write, range(32)))
    assert len(keys) == 1
    assert files_in(photos) == [photos / keys.pop()]


def test_source_that_breaks_off_leaves_nothing(photos):
    class Breaking(io.BytesIO):
        def read(self, size=-1):
            if self.tell() >= storage.CHUNK_BYTES:
                raise ConnectionResetError
            return super().read(size)

    with pytest.raises(ConnectionResetError):
        storage.write(CLIENT, Breaking(bytes(2 * storage.CHUNK_BYTES)), "png")
    assert files_in(photos) == []


WRITER = """
import sys
from pathlib import Path
from uuid import UUID
from flask import Flask
from webapp import storage
app = Flask("writer")
storage.init_app(app, Path(sys.argv[1]))
with app.app_context():
    print("ready", flush=True)
    storage.write(UUID(sys.argv[2]), sys.stdin.buffer, "jpg")
"""


def test_killed_writer_leaves_no_file_under_a_real_name_and_its_leftover_is_swept(photos):
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(photos), str(CLIENT)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert writer.stdin is not None
    assert writer.stdout is not None
    with writer.stdin, writer.stdout:
        writer.stdout.readline()
        # A pipe holds far less: when this returns, most of it has been written to the disk.
        writer.stdin.write(os.urandom(3 * storage.CHUNK_BYTES))
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    (leftover,) = files_in(photos)
    assert leftover.parent.name == storage.INCOMING
    assert storage.sweep() == 0, "it might still be written"
    os.utime(leftover, (0, 0))
    assert storage.sweep() == 1
    assert files_in(photos) == []


def test_sweeping_keeps_what_has_a_real_name(photos):
    key = storage.write(CLIENT, b"old and needed", "png").key
    os.utime(photos / key, (0, 0))
    assert storage.sweep() == 0
    assert storage.read(key) == b"old and needed"


ON_A_SMALL_DISK = """
import sys
from pathlib import Path
from uuid import uuid4
from flask import Flask
from webapp import storage
app = Flask("writer")
disk = Path(sys.argv[1])
storage.init_app(app, disk / "photos")
with app.app_context():
    kept = storage.write(uuid4(), b"a" * 100_000, "jpg")
    try:
        storage.write(uuid4(), b"b" * 3_000_000, "jpg")
    except storage.StorageFull as error:
        print(error.status, [path.name for path in disk.rglob("*") if path.is_file()] == [kept.sha256 + ".jpg"])
    print(storage.write(uuid4(), b"c", "jpg").size_bytes)
"""


def test_full_disk_is_said_and_leaves_nothing(tmp_path):
    mount = ["unshare", "--mount", "--map-root-user", "sh", "-c"]
    made = f"mount -t tmpfs -o size=2m none {tmp_path}"
    if subprocess.run([*mount, made], capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    done = subprocess.run(
        [*mount, f'{made} && exec "$0" -c "$1" {tmp_path}', sys.executable, ON_A_SMALL_DISK],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == ["507", "True", "1"], done.stderr
