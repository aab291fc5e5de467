"""Phases for work under faults: most find nothing after a small random time, some are the real ones.

What an empty phase finds says who made it, so that a finding can be held against the lease that it was written under.
Hints and names that begin with REAL are left to the real phases. `LOTLINE_TEST_PHASES` in a slot's environment sets
seconds and odds: `least,most,unsure,hiccup,broken`. With `LOTLINE_TEST_BANK` the second phase pays there, once.
"""

import os
import random
import time
from collections.abc import Sequence
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tests.bench import empty
from webapp.errors import PermanentError, RetryLater
from webapp.phases import facts
from webapp.phases.analysis import analyse as real_analyse
from webapp.phases.listing import compose as real_compose
from webapp.phases.market import research as real_research
from webapp.phases.seo import optimise as real_optimise
from webapp.pipeline import tasks
from webapp.pipeline.models import PhaseName
from webapp.work.calls import Repeat
from webapp.work.kinds import Kind
from webapp.work.lease import Lease
from webapp.work.tasks import owner

VARIABLE, BANK = "LOTLINE_TEST_PHASES", "LOTLINE_TEST_BANK"
CALM, ROUGH = "0.02,0.2,0.1,0,0", "0.02,0.4,0.12,0.04,0.02"
REAL = "Real"

_least, _most, _unsure, _hiccup, _broken = map(float, os.environ.get(VARIABLE, CALM).split(","))


def analyse(
    photos: Sequence[facts.Photo],
    hints: facts.Hints,
    reference: facts.Reference,
    report: facts.Report,
    **_: object,
) -> facts.Analysis:
    """Phase 1."""
    if (hints.name or "").startswith(REAL):
        return real_analyse(photos, hints, reference, report)
    _toil(report)
    confidence = 40 if random.random() < _unsure else 100
    nothing = empty.NOTHING
    return facts.Analysis(
        name=facts.Field(value=hints.name or "Nothing", confidence=confidence, evidence=(_maker(),)),
        model=nothing,
        brand=nothing,
        condition=nothing,
        gtin=nothing,
        confidence=confidence,
        reasons=() if confidence == 100 else ("Nobody could tell.",),
    )


def research(identity: facts.Identity, offers: facts.Offers, report: facts.Report, *rest: Any, **more: Any) -> Any:
    """Phase 2."""
    if _is_real(identity):
        return real_research(identity, offers, report, *rest, **more)
    _toil(report)
    nothing = empty.NOTHING
    return facts.Market(
        competitive_price=facts.Field(evidence=(_maker(),)),
        list_price=nothing,
        marketplace_price=nothing,
        brand=nothing,
        category=nothing,
    )


def optimise(
    identity: facts.Identity, analysis: Any, market: facts.Market, report: facts.Report, *rest: Any, **more: Any
) -> facts.Seo:
    """Phase 3."""
    if _is_real(identity):
        return real_optimise(identity, analysis, market, report, *rest, **more)
    _toil(report)
    return facts.Seo(keywords=(), titles=(), descriptions=(), slug=_made(), structured_data={}, score=0, score_parts=())


def compose(
    identity: facts.Identity,
    analysis: Any,
    market: facts.Market,
    seo: facts.Seo,
    report: facts.Report,
    *rest: Any,
    **more: Any,
) -> facts.Listing:
    """Phase 4."""
    if _is_real(identity):
        return real_compose(identity, analysis, market, seo, report, *rest, **more)
    _toil(report)
    return facts.Listing(
        title="Nothing",
        bullets=(),
        description=_made(),
        price=None,
        currency=None,
        price_reasons=(),
        category=None,
        condition=None,
        specifics=(),
        titles={},
    )


ENGINES = {
    PhaseName.ANALYSIS: f"{__name__}.analyse",
    PhaseName.MARKET: f"{__name__}.research",
    PhaseName.SEO: f"{__name__}.optimise",
    PhaseName.LISTING: f"{__name__}.compose",
}


KINDS = {"phase": Kind(perform=f"{__name__}.run_phase", failed="webapp.pipeline.outcomes.phase_failed")}
PAYING = PhaseName.MARKET


def run_phase(lease: Lease) -> None:
    """A phase as it is, but for the payment."""
    if BANK in os.environ and lease.claim.args["number"] == PAYING.number:
        lease.call("payment", {"cents": 100}, _pay, repeat=Repeat.ONCE, look_up=_look_up)
    tasks.run_phase(lease)


def _pay(key: str) -> dict[str, str]:
    time.sleep(random.uniform(0, 0.05))
    urlopen(Request(f"{os.environ[BANK]}/payments", data=b"{}", headers={"Idempotency-Key": key}), timeout=5).close()
    time.sleep(random.uniform(0, 0.05))
    return {"paid": key}


def _look_up(key: str) -> dict[str, str] | None:
    try:
        urlopen(f"{os.environ[BANK]}/payments/{key}", timeout=5).close()
    except HTTPError:
        return None
    return {"paid": key}


def _is_real(identity: facts.Identity) -> bool:
    return not (identity.name or "").startswith("Empty")


def _toil(report: facts.Report) -> None:
    seconds = random.uniform(_least, _most)
    report(10, "Looking")
    time.sleep(seconds)
    if random.random() < 0.5:
        report(60, "Thinking")
    if random.random() < _hiccup:
        raise RetryLater("the shop is busy", after_seconds=random.uniform(0.2, 1))
    if random.random() < _broken:
        raise PermanentError("this product cannot be worked on")


def _made() -> str:
    return f"made by {owner()}"


def _maker() -> facts.Evidence:
    return facts.Evidence(kind="worker", says=_made())
