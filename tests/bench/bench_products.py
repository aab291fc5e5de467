"""Twenty products, two photos each, from upload to the end of their runs, by all that `make run` starts.

`make bench-products [PRODUCTS=20]`. The photos are drawn; every second product is known from an imported offer, the
others go to review. Prints products per minute and the memory of each process.
"""

import io
import os
import re
import sys
import time

import requests

from tests.bench import stack as figures
from tests.running import Stack, running
from webapp.intake.sample_drawing import photos
from webapp.intake.samples import Label
from webapp.lib.gtin import check_digit

WAIT_SECONDS = 600


def main() -> None:
    many = int(os.environ.get("PRODUCTS", "20"))
    labels = [label(number) for number in range(many + 1)]
    drawn = [photos(one, seed=number) for number, one in enumerate(labels)]
    with running() as lotline:
        offers = lotline.var / "offers.csv"
        rows = [f"{one.brand} {one.title},{one.gtin},{20 + n}.50,USD,{one.brand}" for n, one in enumerate(labels[::2])]
        offers.write_text("\n".join(["title,gtin,price,currency,brand", *rows]))
        lotline.command("import-offers", str(offers), "--client", "my-company")
        visitor = Visitor(lotline)
        visitor.upload(drawn[0])  # loads the OCR models
        visitor.wait(1)
        began = time.monotonic()
        uploads = []
        for files in drawn[1:]:
            started = time.monotonic()
            visitor.upload(files)
            uploads.append(1000 * (time.monotonic() - started))
        sent = time.monotonic() - began
        states = visitor.wait(many + 1)
        took = time.monotonic() - began
        memory = figures.by_kind(lotline.process.pid, figures.rss_mb)
    median, _ = figures.median_and_spread(uploads)
    figures.print_result(
        bench="products",
        products=many,
        photos=sum(len(files) for files in drawn[1:]),
        products_per_minute=60 * many / took,
        sent_s=sent,
        upload_ms=median,
        states={state: states.count(state) for state in sorted(set(states))},
        rss_mb=memory,
    )


def label(number: int) -> Label:
    """A package of an invented brand."""
    digits = f"952110160{number:03d}"
    return Label(
        key=f"bench{number}",
        brand=("Nordvik", "Lumenaris", "Tarnholm", "Kestrel Vale")[number % 4],
        title=f"Thing {number} with {number * 3 + 5} parts",
        lines=("A thing that is drawn", f"Model T-{number:03d}"),
        colour=(40 + 7 * number % 90, 90, 120 - 5 * number % 80),
        gtin=f"{digits}{check_digit(digits)}",
    )


class Visitor:
    """Somebody who signed in by the link."""

    def __init__(self, lotline: Stack) -> None:
        self.url = lotline.url
        self.http = requests.Session()
        self.http.get(lotline.link(), timeout=30).raise_for_status()

    def upload(self, files: list) -> None:
        """One product."""
        page = self.http.get(f"{self.url}/intake", timeout=30).text
        fields = {
            name: re.search(rf'name="{name}" value="([^"]+)"', page)[1]  # type: ignore[index]
            for name in ("csrf_token", "upload_key")
        }
        answer = self.http.post(
            f"{self.url}/intake",
            data={**fields, "condition": "new"},
            files=[("photos", (file.name, io.BytesIO(file.data), "image/jpeg")) for file in files],
            headers={"Referer": self.url, "X-Requested-With": "XMLHttpRequest"},
            timeout=60,
        )
        if answer.status_code != 201:
            sys.exit(f"an upload was answered with {answer.status_code}: {answer.text[:300]}")

    def wait(self, many: int) -> list[str]:
        """Until that many products are there and none is under way; their states."""
        until = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < until:
            page = self.http.get(self.url, timeout=30).text
            states = re.findall(r'class="row"\s+data-state="(\w+)"', page)
            if len(states) == many and "running" not in states:
                return states
            time.sleep(0.2)
        sys.exit(f"not done in time: {states}")


if __name__ == "__main__":
    main()
