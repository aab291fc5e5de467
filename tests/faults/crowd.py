"""A crowd at the doors while faults strike: uploaders, people who press every button, reviewers. All over HTTP.

What got no answer, or a server's error, is sent again, as a browser or a person would. What was answered with success
is written down: it has to be there in the end.
"""

import random
import threading
import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from uuid import UUID, uuid4

import psycopg
import requests

from tests.faults.people import Person, draw
from tests.faults.sight import Sight
from webapp.intake.samples import SampleFile

AGAIN_SECONDS = 0.2
PATIENCE_SECONDS = 90.0
BUTTONS = {
    "running": ("stop", "removal"),
    "review": ("stop", "decision", "decision", "decision"),
    "completed": ("runs", "removal"),
    "failed": ("retry", "retry", "retry", "runs"),
    "stopped": ("resume", "resume", "resume", "runs", "removal"),
}
"""What people press, by the state of a run."""


class Answered:
    """Uploads that were answered with success: product ids, and the photos' sha256 that each has to have."""

    def __init__(self) -> None:
        self.uploads: dict[UUID, set[str]] = {}
        self.statuses: dict[int, int] = {}
        self.lost = 0
        self.lock = threading.Lock()

    def count(self, status: int) -> None:
        """An answer, whatever it said."""
        with self.lock:
            self.statuses[status] = self.statuses.get(status, 0) + 1


class Crowd:
    """Threads of people until told to stop."""

    def __init__(self, staff: Person, reviewer: Person, database_url: str, seed: int) -> None:
        self.staff, self.reviewer = staff, reviewer
        self.answered = Answered()
        self._url, self._seed = database_url, seed
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, real: Sequence[Sequence[SampleFile]], seconds: float) -> None:
        """Two uploaders, three who press buttons, and one who brings `real` products evenly over `seconds`."""
        self._go(lambda chance: self._bring(real, seconds, chance), 20)
        for number in range(2):
            self._go(self._upload_on, number)
        for number in range(3):
            self._go(self._press_on, 10 + number)

    def stop(self) -> None:
        """Wait until each has the answer to what it sent last."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _go(self, what: Callable[[random.Random], None], number: int) -> None:
        chance = random.Random(f"{self._seed} {number}")
        self._threads.append(threading.Thread(target=what, args=(chance,), daemon=True))
        self._threads[-1].start()

    # --- uploads

    def _upload_on(self, chance: random.Random) -> None:
        person = self.staff.again()
        while not self._stop.is_set():
            photos = {f"{n}.jpg": draw(chance.getrandbits(60)) for n in range(chance.choice((1, 1, 2)))}
            self.upload(person, photos, chance, name=f"Empty {chance.randrange(10**6)}")
            self._stop.wait(chance.uniform(0.2, 1.2))

    def _bring(self, real: Sequence[Sequence[SampleFile]], seconds: float, chance: random.Random) -> None:
        person = self.staff.again()
        for number, photos in enumerate(real):
            files = {photo.name: photo.data for photo in photos}
            self.upload(person, files, chance, name=f"Real {number}")
            self._stop.wait(seconds / len(real))

    def upload(self, person: Person, photos: dict[str, bytes], chance: random.Random, **fields: str) -> None:
        """Send until it is safe, and now and then once more."""
        key = uuid4()
        until = time.monotonic() + PATIENCE_SECONDS
        doubled = chance.random() < 0.3
        while time.monotonic() < until:
            answer = self._try(lambda: person.upload(key, photos, **fields))
            if answer is not None and answer.status_code in (200, 201):
                product_id = UUID(answer.headers["X-Location"].rpartition("/")[2])
                with self.answered.lock:
                    known = self.answered.uploads.setdefault(product_id, set())
                    known.update(sha256(data).hexdigest() for data in photos.values())
                if not doubled:
                    return
                doubled = False
            else:
                time.sleep(AGAIN_SECONDS)
        self.answered.lost += 1

    # --- buttons

    def _press_on(self, chance: random.Random) -> None:
        sight, staff, reviewer = Sight(self._url), self.staff.again(), self.reviewer.again()
        while not self._stop.is_set():
            try:
                self.press_something(sight, staff, reviewer, chance)
            except psycopg.Error:
                sight.close()
            self._stop.wait(chance.uniform(0.02, 0.4))
        sight.close()

    def press_something(self, sight: Sight, staff: Person, reviewer: Person, chance: random.Random) -> None:
        """One button of one run."""
        state = chance.choice(tuple(BUTTONS))
        rows = sight.rows(
            "SELECT r.id, r.product_id, coalesce((SELECT p.number FROM phases p JOIN work w ON w.id = p.work_id"
            " WHERE p.run_id = r.id AND w.state NOT IN ('done', 'blocked') LIMIT 1), 1)"
            " FROM runs r WHERE r.is_latest AND r.state = %s AND NOT r.hints->>'name' LIKE 'Real%%'"
            " ORDER BY random() LIMIT 1",
            (state,),
        )
        if rows:
            run_id, product_id, number = rows[0]
            self.press(chance.choice(BUTTONS[state]), run_id, product_id, number, staff, reviewer)
        elif chance.random() < 0.3:
            gone = sight.one("SELECT id FROM products WHERE deleted_at IS NOT NULL ORDER BY random() LIMIT 1")
            if gone:
                self._try(lambda: staff.press(f"/products/{gone}/return"))

    def press(
        self, button: str, run_id: UUID, product_id: UUID, number: int, staff: Person, reviewer: Person
    ) -> requests.Response | None:
        """Press it; the answer, if there is one."""
        if button == "decision":
            return self._try(lambda: reviewer.press(f"/reviews/{run_id}/decision", {"name": f"Empty {run_id.hex[:6]}"}))
        if button in ("runs", "removal"):
            return self._try(lambda: staff.press(f"/products/{product_id}/{button}"))
        return self._try(lambda: staff.press(f"/runs/{run_id}/phases/{number}/{button}"))

    def settle(self, sight: Sight) -> int:
        """Bring every run a step nearer to its end: retry what failed, resume what was stopped, decide what waits.
        How many are still on their way."""
        rows = sight.rows(
            "SELECT r.id, r.product_id, r.state, coalesce((SELECT p.number FROM phases p JOIN work w"
            " ON w.id = p.work_id WHERE p.run_id = r.id AND w.state IN ('failed', 'stopped', 'held') LIMIT 1), 1)"
            " FROM runs r WHERE r.is_latest AND r.state <> 'completed'"
        )
        buttons = {"failed": "retry", "stopped": "resume", "review": "decision"}
        for run_id, product_id, state, number in rows:
            if state in buttons:
                self.press(buttons[state], run_id, product_id, number, self.staff, self.reviewer)
        return len(rows)

    def _try(self, what: Callable[[], requests.Response]) -> requests.Response | None:
        try:
            answer = what()
        except requests.RequestException:
            return None
        self.answered.count(answer.status_code)
        return answer
