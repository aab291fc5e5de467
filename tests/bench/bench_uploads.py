"""Whether uploads end as a manifest expects: `python -m tests.bench.bench_uploads DATA`.

DATA is a folder with a `manifest.json` whose items have `file` (beside it or in `files/`), `action` (accept,
normalise: it becomes a photo; reject: a 4xx answer that says why), perhaps `alt_action` where both are fair, and
perhaps `must_not_contain`, bytes that no served copy may hold. Each file is posted by itself to a whole Lotline of its
own, through the form that people use. A photo's served copies must be upright JPEGs without metadata.

The last line is one JSON object. `as_expected` also counts what only `alt_action` allows.
"""

import argparse
import io
import json
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

import requests
from PIL import Image

from tests.bench.stack import print_result
from tests.running import Stack, running

LONGEST_SECONDS = 30
MUST_ANSWER_SECONDS = 10.0
STORED = {"accept", "normalise"}

Item = dict[str, Any]


class Dock:
    """Somebody at the dock, signed in by the link."""

    def __init__(self, lotline: Stack) -> None:
        self.url = lotline.url
        self.http = requests.Session()
        self.http.get(lotline.link(), timeout=LONGEST_SECONDS).raise_for_status()

    def upload(self, name: str, data: bytes) -> requests.Response:
        """One file as a product of its own."""
        page = self.http.get(f"{self.url}/intake", timeout=LONGEST_SECONDS).text
        fields = {
            field: re.search(rf'name="{field}" value="([^"]+)"', page)[1]  # type: ignore[index]
            for field in ("csrf_token", "upload_key")
        }
        return self.http.post(
            f"{self.url}/intake",
            data={**fields, "keep_duplicates": "yes"},
            files=[("photos", (name, io.BytesIO(data)))],
            headers={"Referer": self.url, "X-Requested-With": "XMLHttpRequest"},
            timeout=LONGEST_SECONDS,
        )

    def served_copies(self, answer: requests.Response) -> list[bytes]:
        """Every copy of the new product's photos that its page shows."""
        page = self.http.get(self.url + answer.headers["X-Location"], timeout=LONGEST_SECONDS).text
        addresses = sorted(set(re.findall(r'(?:href|src)="(/photos/[^"/]+/(?:display|thumb))"', page)))
        return [self.http.get(self.url + address, timeout=LONGEST_SECONDS).content for address in addresses]


def outcome(dock: Dock, item: Item, data: bytes) -> tuple[str, str]:
    """`stored`, `rejected` or `broken`, and a word about it."""
    began = time.monotonic()
    try:
        answer = dock.upload(item["file"], data)
    except requests.RequestException as error:
        return "broken", f"no answer: {type(error).__name__}"
    seconds = time.monotonic() - began
    if answer.status_code >= 500:
        return "broken", f"answered with {answer.status_code}"
    if seconds > MUST_ANSWER_SECONDS:
        return "broken", f"answered after {seconds:.1f} s"
    if answer.status_code in (200, 201):
        return _stored(dock, answer, item)
    reasons = re.findall(r'data-reason="([^"]+)"', answer.text) or re.findall(r"<p[^>]*>([^<]+)</p>", answer.text)
    if not reasons:
        return "broken", f"refused with {answer.status_code} and no reason"
    return "rejected", f"{answer.status_code}: {reasons[0].strip()}"


def _stored(dock: Dock, answer: requests.Response, item: Item) -> tuple[str, str]:
    copies = dock.served_copies(answer)
    if not copies:
        return "broken", "stored, but its page shows no photo"
    payload = item.get("must_not_contain", "").encode().decode("unicode_escape").encode("latin-1")
    for copy in copies:
        picture = Image.open(io.BytesIO(copy))
        if picture.format != "JPEG" or picture.getexif() or "icc_profile" in picture.info:
            return "broken", "a served copy is no plain JPEG"
        if payload and payload in copy:
            return "broken", f"a served copy holds {item['must_not_contain']!r}"
    return "stored", f"{answer.status_code}, {len(copies)} copies"


def fits(action: str, happened: str) -> bool:
    """Whether what happened is what an action of the manifest asks for."""
    return happened == ("stored" if action in STORED else "rejected")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", default=os.environ.get("DATA"))
    options = parser.parse_args()
    folder = Path(options.data or "")
    if not options.data or not (folder / "manifest.json").is_file():
        sys.exit("bench-uploads wants a folder with a manifest.json: make bench-uploads DATA=DIR")
    items: list[Item] = json.loads((folder / "manifest.json").read_text())["items"]
    expected, server_errors, differences = 0, 0, []
    began = time.monotonic()
    with running() as lotline:
        dock = Dock(lotline)
        for item in items:
            path = next(place for place in (folder / item["file"], folder / "files" / item["file"]) if place.is_file())
            happened, says = outcome(dock, item, path.read_bytes())
            server_errors += happened == "broken" and "answered with 5" in says
            if any(fits(action, happened) for action in (item["action"], item.get("alt_action")) if action):
                expected += 1
            else:
                differences.append({"file": item["file"], "expected": item["action"], "got": f"{happened}: {says}"})
            print(f"{happened:8} {item['action']:9} {item['file']}: {says}")
    print_result(
        bench="uploads",
        files=len(items),
        as_expected=expected,
        server_errors=server_errors,
        differences=differences,
        seconds=time.monotonic() - began,
    )


if __name__ == "__main__":
    main()
