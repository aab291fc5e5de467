"""One ordeal: a Lotline under way, a crowd at its doors, faults for a while, quiet, and then the account."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID

import requests
from flask import Flask
from sqlalchemy.exc import DBAPIError

from tests import factories, payments
from tests.conftest import EMPTY
from tests.faults import invariants, phases, recovery, screens
from tests.faults.crowd import Crowd
from tests.faults.nemesis import Nemesis
from tests.faults.people import Person
from tests.faults.recovery import Recovery
from tests.faults.sight import Sight
from tests.faults.stack import LEASE_SECONDS, LIVE, Stack, dispatcher, slot
from webapp import create_app
from webapp.access import sessions
from webapp.access.models import Client
from webapp.audit.services import Actor
from webapp.database import tenant, transaction
from webapp.intake.sample_drawing import photos
from webapp.intake.samples import LABELS
from webapp.live.frames import Watcher
from webapp.pipeline.live import desk_topic, run_topic
from webapp.pipeline.services import start_run

QUIET_SECONDS = 150
SCREEN_SECONDS = 60
WATCHED_RUNS = 6


class Someone(NamedTuple):
    """A user with a signed-in browser."""

    person: Person
    watcher: Watcher


@dataclass
class Account:
    """What became of it. `broken`: rows by what does not hold; empty is good."""

    seed: int
    faults: int
    kinds: dict[str, int]
    runs: int
    uploads: int
    requests: dict[int, int]
    sockets_dropped: int
    broken: dict[str, list[Any]] = field(default_factory=dict)
    recoveries: list[Recovery] = field(default_factory=list)
    screens_s: float = 0.0
    quiet_s: float = 0.0
    payments: int = 0


def say(*what: object) -> None:
    """A line for whoever watches."""
    print(time.strftime("%H:%M:%S"), *what, file=sys.stderr, flush=True)


@contextmanager
def joined(stack: Stack) -> Iterator[Flask]:
    """The app in this process, on the stack's database."""
    before = dict(os.environ)
    os.environ.update(stack.env)
    try:
        app = create_app()
        with app.app_context():
            yield app
    finally:
        os.environ.clear()
        os.environ.update(before)


def enter(app: Flask, client: Client, role: str) -> Someone:
    """A new user of the client, signed in."""
    user = factories.make_member(client, role)  # type: ignore[arg-type]
    with transaction():
        token = sessions.begin(user.id, Actor(user_id=user.id), 30, client.id)
    url = app.extensions["lotline_config"].base_url
    person = Person(url, app.config["ACCESS_COOKIE"], token)
    return Someone(person, Watcher(UUID(int=0), client.id, user.id))


def start_runs(client: Client, many: int, name: str = "Empty") -> list[UUID]:
    """So many runs of new products."""
    ids = []
    with tenant(client.id):
        for number in range(many):
            with transaction() as session:
                product = factories.make_product(client)
                run = start_run(
                    session,
                    client_id=client.id,
                    product_id=product.id,
                    created_by=None,
                    started_by=None,
                    hints={"name": f"{name} {number}"},
                )
                ids.append(run.id)
    return ids


def until(what: Any, seconds: float, says: str) -> float:
    """Wait until `what()`; how long it took, in seconds. Raises TimeoutError."""
    began = time.monotonic()
    while not what():
        if time.monotonic() - began > seconds:
            raise TimeoutError(f"{says}: not within {seconds:.0f} s")
        time.sleep(0.1)
    return time.monotonic() - began


def suffer(stack: Stack, app: Flask, *, seed: int, seconds: float, runs: int, real: int, slots: int = 6) -> Account:
    """Go through it. The stack's services run; all else is started here, and is gone afterwards."""
    with payments.running() as bank:
        bank.knows_keys = False  # whoever pays twice has paid twice
        stack.env[phases.BANK] = bank.url
        account = _suffer(stack, app, seed, seconds, runs, real, slots)
        del stack.env[phases.BANK]
        if wrong := _wrong_payments(stack, bank):
            account.broken["each paying phase has paid once"] = wrong
    account.payments = len(bank.payments)
    return account


def _suffer(stack: Stack, app: Flask, seed: int, seconds: float, runs: int, real: int, slots: int) -> Account:
    sight = Sight(stack.postgres.url)
    sight.rows(EMPTY)
    client = factories.make_client(f"Under fire {seed}")
    staff, reviewer = enter(app, client, "staff"), enter(app, client, "reviewer")
    lanes = (("heavy", "light"), ("light", "heavy"))
    # Of those that freeze, half are ended and started again, as `make run` does; half wake up with what they held.
    watches = (LEASE_SECONDS, 0.0)
    stack.env[phases.VARIABLE] = phases.ROUGH
    processes = [
        *LIVE,
        *(dispatcher(f"dispatcher-{n}") for n in range(2)),
        *(slot(f"slot-{n}", *lanes[n % 2], silent_s=watches[(n + n // 2) % 2]) for n in range(slots)),
    ]
    stack.add(processes)
    until(lambda: _answers(stack), 120, "the web server did not answer")
    say(f"seed {seed}: {runs} runs, {real} of them real, {seconds:.0f} s of faults")
    watched = start_runs(client, runs)[:WATCHED_RUNS]
    crowd = Crowd(staff.person, reviewer.person, stack.postgres.url, seed)
    topics = [desk_topic(client.id, None), desk_topic(client.id, staff.watcher.user_id), *map(run_topic, watched)]
    pages = [screens.Screen(staff.person.again(), topic, seed) for topic in topics]
    # One after the other, as they come to a dock: reading all at once would fill the cores, and show nothing else.
    crowd.start([photos(LABELS[n % len(LABELS)], seed=1000 * seed + n) for n in range(real)], seconds)
    nemesis = Nemesis(stack, seed)
    nemesis.run(seconds)
    crowd.stop()
    for page in pages:
        page.is_restless = False
    say(f"{len(nemesis.log)} faults; now quiet")
    account = Account(
        seed=seed,
        faults=len(nemesis.log),
        kinds={
            kind: sum(1 for _, name, _ in nemesis.log if name == kind)
            for kind in sorted({n for _, n, _ in nemesis.log})
        },
        runs=0,
        uploads=len(crowd.answered.uploads),
        requests=dict(sorted(crowd.answered.statuses.items())),
        sockets_dropped=sum(page.drops for page in pages),
    )
    try:
        account.quiet_s = until(lambda: _settled(crowd, sight), QUIET_SECONDS, "the runs did not come to an end")
    except TimeoutError:
        say(*sight.rows(_LEFT))
        raise
    account.screens_s = _await_screens(app, pages, staff.watcher, account)
    account.runs = sight.one("SELECT count(*) FROM runs")
    account.broken |= invariants.broken(sight.connection())
    missing = _missing_uploads(stack, sight, crowd)
    if missing or crowd.answered.lost:
        account.broken["every upload answered with success is there, with its photos on the disk"] = missing or ["lost"]
    if ours := account.requests.get(500):
        account.broken["no answer is an error of ours"] = [ours]
    account.recoveries = recovery.recoveries(sight, nemesis.losses, nemesis.outages)
    for page in pages:
        page.close()
    stack.remove(*(process.name for process in processes))
    sight.close()
    return account


_LEFT = """
    SELECT r.id::text, r.state, w.id, w.kind, w.state, w.queue, w.attempts, w.crashes, w.waits_for, w.last_error
    FROM runs r JOIN phases p ON p.run_id = r.id JOIN work w ON w.id = p.work_id
    WHERE r.is_latest AND r.state <> 'completed' AND w.state NOT IN ('done', 'blocked') LIMIT 20
"""
"""What is still on its way, for whoever wants to know why."""


def _answers(stack: Stack) -> bool:
    try:
        return requests.get(f"{stack.url}/ready", timeout=5).ok
    except requests.RequestException:
        return False


def _settled(crowd: Crowd, sight: Sight) -> bool:
    """Whether all has come to its end; what has not is helped on."""
    left = crowd.settle(sight)
    going = sight.one("SELECT count(*) FROM work WHERE state IN ('ready', 'running', 'waiting')")
    time.sleep(0.3)
    return left == 0 and going == 0


def _await_screens(app: Flask, pages: list[screens.Screen], watcher: Watcher, account: Account) -> float:
    began = time.monotonic()
    while True:
        try:
            wrong = {page.topic: bad for page in pages if (bad := screens.wrong(app, page, watcher))}
        except DBAPIError:
            wrong = {"database": ["away"]}
        took = time.monotonic() - began
        if not wrong:
            return took
        if took > SCREEN_SECONDS:
            account.broken["each browser shows what the database has"] = list(wrong.items())
            return took
        time.sleep(0.1)


def _missing_uploads(stack: Stack, sight: Sight, crowd: Crowd) -> list[str]:
    """Uploads that were called safe and are not, or whose bytes on the disk are not what was sent."""
    found: list[str] = []
    rows = sight.rows(
        "SELECT p.id, f.sha256, f.original_key, EXISTS (SELECT FROM runs r WHERE r.product_id = p.id)"
        " FROM products p JOIN photos f ON f.product_id = p.id"
    )
    kept: dict[UUID, dict[str, str]] = {}
    for product_id, sha, key, has_run in rows:
        if has_run:
            kept.setdefault(product_id, {})[sha] = key
    for product_id, shas in crowd.answered.uploads.items():
        if set(kept.get(product_id, {})) != shas:
            found.append(f"{product_id} has {sorted(kept.get(product_id, {}))}, not {sorted(shas)}")
    for product_id, files in kept.items():
        for sha, key in files.items():
            file = stack.var / "photos" / key
            if not file.is_file() or sha256(file.read_bytes()).hexdigest() != sha:
                found.append(f"{product_id}: {key}")
    return found


def _wrong_payments(stack: Stack, bank: payments.Bank) -> list[str]:
    """Payments made twice, or forgotten, and paying phases that are done without one.

    Work that a person stopped, or that failed, and that nobody went on with has its intent alone, and may have paid.
    """
    sight = Sight(stack.postgres.url)
    steps = sight.rows(
        "SELECT s.idempotency_key::text, s.answered_at IS NOT NULL, w.state IN ('stopped', 'failed')"
        " FROM steps s JOIN work w ON w.id = s.work_id"
    )
    known = {key for key, is_answered, _ in steps if is_answered}
    in_doubt = {key for key, is_answered, was_given_up in steps if was_given_up and not is_answered}
    unpaid = sight.rows(
        "SELECT w.id FROM work w JOIN phases p ON p.work_id = w.id WHERE p.number = %s AND w.state = 'done' AND"
        " (SELECT count(*) FROM steps s WHERE s.work_id = w.id AND s.answered_at IS NOT NULL) <> 1",
        (phases.PAYING.number,),
    )
    sight.close()
    twice = {key for key in bank.payments if bank.payments.count(key) > 1}
    return [
        *(f"{key} twice" for key in twice),
        *(f"{key} forgotten" for key in set(bank.payments) - known - in_doubt),
        *(f"{key} never made" for key in known - set(bank.payments)),
        *(f"work {work_id} is done unpaid" for (work_id,) in unpaid),
    ]
