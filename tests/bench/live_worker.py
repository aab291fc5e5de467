"""The worker of `bench_live`: holds leases on many runs and commits events at a steady rate, as a slot would.

Started beside a running Lotline (`python -m webapp.supervisor exec …`). Says on stdout, as one JSON object per line,
what it has made, and then for each order on stdin (`RATE SECONDS BYTES`, or `visible`) what it has done. With BYTES
above 0 each commit is also published for the peer, in a message of that size.
"""

import json
import sys
import time
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from flask import current_app
from sqlalchemy import text

from tests.factories import default_catalog_id, make_member, make_photo, make_product
from tests.servers import as_owner
from webapp import create_app, queue
from webapp.access import sessions
from webapp.access.models import Client, Role, User
from webapp.audit.services import SYSTEM
from webapp.database import after_commit, before_commit, tenant, transaction
from webapp.engines import system_engine
from webapp.phases import facts, listing, market, seo
from webapp.pipeline import findings, outcomes, services
from webapp.pipeline.models import PhaseName
from webapp.work import services as work
from webapp.work.models import Level
from webapp.work.services import Claim

LEASE_SECONDS = 600.0
"""Longer than the benchmark: nobody takes the work away."""
MOVE_EVERY = 10
"""Of so many events of a run one is a change of state, which shows in findings, counts and log; the others are reports
of progress."""
LOUD_EVERY = 3
"""Of so many reports one is a new step, which is a line in the log."""
PEER_CHANNEL = "bench:peer"
STEPS = ("Reading barcodes", "Reading text", "Comparing offers", "Weighing prices", "Writing")


class Made(NamedTuple):
    """A run that the worker drives."""

    id: Any
    stream_id: int
    product_id: Any


class Drive:
    """One run under way: its lease, and what comes next."""

    def __init__(self, made: Made, claim: Claim, places: list[outcomes.Place], found: dict[PhaseName, Any]) -> None:
        self.made = made
        self.places = places
        self._found = found
        self._claim: Claim | None = claim
        self._phase = 0
        self._count = 0

    def event(self, session: Any) -> None:
        """One more event, in the caller's transaction."""
        self._count += 1
        if self._claim is None:
            services.resume_phase(session, self.made.id, self._phase + 1)
            self._claim = self._take(session)
        elif self._count % MOVE_EVERY:
            self._report(session)
        elif self._phase < len(self.places) - 1:
            name = list(PhaseName)[self._phase]
            outcomes.complete_phase(
                session, self._claim, self.places[self._phase], self._found[name], fingerprint="bench", threshold=80
            )
            self._phase += 1
            self._claim = self._take(session)
        else:
            services.stop_phase(session, self.made.id, self._phase + 1)
            self._claim = None

    def _report(self, session: Any) -> None:
        step = STEPS[self._count // LOUD_EVERY % len(STEPS)]
        loud = self._count % LOUD_EVERY == 0
        percent = 10 * (self._count % MOVE_EVERY)
        work.report(session, self._claim, percent, step, LEASE_SECONDS, loud=loud)  # type: ignore[arg-type]

    def _take(self, session: Any) -> Claim:
        work_id = _work_id(session, self.made.id, self._phase + 1)
        claim = work.claim(session, work_id, "bench", LEASE_SECONDS)
        assert claim is not None
        return claim


def main() -> None:
    runs, users = int(sys.argv[1]), int(sys.argv[2])
    app = create_app()
    with app.app_context():
        with system_engine().connect() as connection:
            client_id = connection.execute(text("SELECT client_id FROM memberships LIMIT 1")).scalar_one()
        with tenant(client_id):
            with transaction() as session:
                client = session.get_one(Client, client_id)
                client.running_cap = max(8, min(1000, runs))
            tokens = [_token(make_member(client, Role.STAFF), client) for _ in range(users)]
            uploader = make_member(client, Role.STAFF)
            drives = [_drive(client, uploader, number) for number in range(runs)]
            with as_owner(current_app.extensions["lotline_config"].database_url) as owner:
                owner.execute("ANALYZE")  # as autovacuum does within a minute: without it plans are for empty tables
            _say(
                client=str(client_id),
                cookie=current_app.config["ACCESS_COOKIE"],
                tokens=tokens,
                runs=[{"id": str(drive.made.id), "product": str(drive.made.product_id)} for drive in drives],
            )
            for line in sys.stdin:
                if line.strip() == "visible":
                    _say(visible=[_visible(drive.made.stream_id) for drive in drives])
                else:
                    rate, seconds, size = map(float, line.split())
                    _say(commits=_commit(drives, rate, seconds, int(size)))


def _commit(drives: list[Drive], rate: float, seconds: float, peer_bytes: int) -> list[tuple[int, int, int]]:
    """(number of the run, seq, nanoseconds of the monotonic clock when its commit returned) of each commit."""
    commits: list[tuple[int, int, int]] = []
    began = time.monotonic()
    for count in range(round(rate * seconds)):
        time.sleep(max(0.0, began + count / rate - time.monotonic()))
        number = count % len(drives)
        seq, returned_at = _one(drives[number])
        commits.append((number, seq, returned_at))
        if peer_bytes:
            message = f'{number}  data-seq="{seq}" '
            queue.redis().publish(PEER_CHANNEL, message.ljust(peer_bytes, "."))
    return commits


def _one(drive: Drive) -> tuple[int, int]:
    """One commit: the stream's number after it, and when it returned."""
    facts_of_commit: dict[str, int] = {}

    def look(session: Any) -> None:
        facts_of_commit["seq"] = session.execute(_SEQ, {"id": drive.made.stream_id}).scalar_one()

    def note() -> None:
        facts_of_commit["at"] = time.monotonic_ns()

    with transaction() as session:
        after_commit(note)  # the first of all that follow the commit: before anybody is told
        drive.event(session)
        before_commit("bench", look)  # the last of all that precede it: the events are written
    return facts_of_commit["seq"], facts_of_commit["at"]


_SEQ = text("SELECT seq FROM streams WHERE id = :id")


def _visible(stream_id: int) -> list[int]:
    """Numbers of the events that a page's log shows."""
    with transaction() as session:
        rows = session.execute(
            text("SELECT seq FROM events WHERE stream_id = :id AND level <> :debug ORDER BY seq"),
            {"id": stream_id, "debug": Level.DEBUG.value},
        )
        return [row.seq for row in rows]


def _token(user: User, client: Client) -> str:
    with transaction():
        return sessions.begin(user.id, SYSTEM, 30, client.id)


def _drive(client: Client, uploader: User, number: int) -> Drive:
    """A product with two photos whose first phase is claimed in the same transaction that starts its run."""
    product = make_product(client, catalog_id=default_catalog_id(client))
    photos = [make_photo(product, is_primary=place == 0, quality_score=80) for place in range(2)]
    with transaction() as session:
        run = services.start_run(
            session,
            client_id=client.id,
            product_id=product.id,
            created_by=uploader.id,
            started_by=uploader.id,
            hints={"name": f"Headphones no. {number}"},
        )
        claim = work.claim(session, _work_id(session, run.id, 1), "bench", LEASE_SECONDS)
        assert claim is not None
        written, _ = findings.read_all(session, run.id)
    ids = [written[name] for name in PhaseName]
    places = [
        outcomes.Place(run.id, run.stream_id, product.id, ids[place].phase_id, place + 1, after and after.work_id)
        for place, after in enumerate([*ids[1:], None])
    ]
    return Drive(Made(run.id, run.stream_id, product.id), claim, places, _found([str(photo.id) for photo in photos]))


def _work_id(session: Any, run_id: Any, number: int) -> int:
    return int(
        session.execute(
            text("SELECT work_id FROM phases WHERE run_id = :run AND number = :number"),
            {"run": run_id, "number": number},
        ).scalar_one()
    )


# --- what the phases found: of a usual size ---------------------------------------------------------------------------


class Shelf:
    """Offers that are always the same."""

    def __init__(self, offers: list[facts.Offer]) -> None:
        self._offers = offers

    def by_gtin(self, gtin14: str) -> list[facts.Offer]:
        """All."""
        return self._offers

    def search(self, text: str, limit: int = 50) -> list[facts.Offer]:
        """All."""
        return self._offers[:limit]

    def history(self, offer_ids: Collection[str]) -> list[facts.PastPrice]:
        """None."""
        return []


NAME = "Sony WH-1000XM4 Wireless Noise Cancelling Headphones Black"
GTIN = "04548736112001"


def _found(photo_ids: list[str]) -> dict[PhaseName, Any]:
    now = datetime.now(UTC)
    offers = [
        facts.Offer(
            id=str(n),
            title=f"{NAME} {n}",
            price=Decimal(f"{250 + n}.90"),
            currency="EUR",
            seen_at=now - timedelta(days=n),
            source="price list",
            marketplace="eBay",
            gtin14=GTIN,
        )
        for n in range(12)
    ]
    analysis = _analysis(photo_ids)
    identity = facts.Identity(
        name=NAME, brand="Sony", model="WH-1000XM4", condition=facts.Condition.NEW, gtin14=GTIN, category="Headphones"
    )
    priced = market.research(identity, Shelf(offers), _silent, now, currency="EUR")
    words = seo.optimise(identity, analysis, priced, _silent)
    return {
        PhaseName.ANALYSIS: analysis,
        PhaseName.MARKET: priced,
        PhaseName.SEO: words,
        PhaseName.LISTING: listing.compose(identity, analysis, priced, words, _silent),
    }


def _analysis(photo_ids: list[str]) -> facts.Analysis:
    box = facts.Box(left=0.1, top=0.2, width=0.3, height=0.1)
    witness = facts.Evidence(kind="barcode", says="the barcode was read on a photo", photo_id=photo_ids[0], box=box)

    def field(value: str) -> facts.Field:
        others = (facts.Alternative(value=f"{value} II", confidence=40),)
        return facts.Field(value=value, confidence=93, evidence=(witness,) * 3, alternatives=others)

    return facts.Analysis(
        name=field(NAME),
        model=field("WH-1000XM4"),
        brand=field("Sony"),
        condition=field(facts.Condition.NEW),
        gtin=field(GTIN),
        confidence=93,
        image_quality_score=80,
        text_lines=tuple(
            facts.TextLine(text=f"A line of text {n}", confidence=90, photo_id=photo_ids[0], box=box) for n in range(12)
        ),
    )


def _silent(_percent: float, _step: str) -> None:
    """A report that nobody listens to."""


def _say(**what: object) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    main()
