"""Many products with what the machine said of them and what people decided, written straight into the tables."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import numpy as np
from sqlalchemy import insert

from tests import factories
from tests.pipeline import judging
from webapp.access.models import Client
from webapp.catalog.models import Product
from webapp.database import new_id, tenant, transaction
from webapp.phases.facts import Path
from webapp.pipeline import findings
from webapp.pipeline.models import AnalysisFinding, Phase, Run
from webapp.review.models import Review
from webapp.work.models import Stream, Work


@dataclass
class Past:
    """A product of the past: its score, whether a person looked at it, and found it right."""

    shown: int
    decided: bool = True
    right: bool = True
    audit_percent: int | None = None
    days_ago: float = 1.0
    path: Path = Path.BARCODE_RECORD
    on_label: float = 0.5


def honest(count: int, *, worth: float = 1.0, seed: int = 1, days: int = 60, percent: int = 40) -> list[Past]:
    """Products whose score tells the truth (`worth` 1), reviewed below 80 and audited above, `percent` in a hundred."""
    dice = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        shown = int(dice.integers(40, 99))
        right = bool(dice.random() < min(0.995, worth * shown / 100))
        drawn = shown >= 80 and dice.random() < percent / 100
        made.append(
            Past(
                shown,
                decided=shown < 80 or drawn,
                right=right,
                audit_percent=percent if drawn else None,
                days_ago=float(dice.random() * days),
                path=Path.BARCODE_RECORD if shown > 55 else Path.WORDS_RECORD,
            )
        )
    return made


def write(client: Client, past: list[Past], catalog_id: UUID | None = None) -> None:
    """Write them down as the pipeline and the review desk would have."""
    catalog_id = catalog_id or factories.default_catalog_id(client)
    with tenant(client.id), transaction() as session:
        mine = {"client_id": client.id}
        streams = _ids(session, Stream, [{**mine, "kind": "run"} for _ in past])
        works = _ids(
            session,
            Work,
            [{**mine, "stream_id": stream, "kind": "phase", "queue": "heavy", "state": "done"} for stream in streams],
        )
        products, runs = [new_id() for _ in past], [new_id() for _ in past]
        session.execute(insert(Product), [{**mine, "id": each, "catalog_id": catalog_id} for each in products])
        session.execute(
            insert(Run),
            [
                {
                    **mine,
                    "id": run,
                    "product_id": product,
                    "number": 1,
                    "stream_id": stream,
                    "state": "completed",
                    "audit": "decided" if each.audit_percent else None,
                    "audit_percent": each.audit_percent,
                }
                for run, product, stream, each in zip(runs, products, streams, past, strict=True)
            ],
        )
        phases = _ids(
            session,
            Phase,
            [{**mine, "run_id": run, "number": 1, "work_id": work} for run, work in zip(runs, works, strict=True)],
        )
        now = datetime.now(UTC)
        rows = []
        for phase, each in zip(phases, past, strict=True):
            found = judging.found(each.shown, path=each.path)
            assessment = msgspec.structs.replace(found.assessment, witnesses={"on_label": each.on_label})
            found = msgspec.structs.replace(found, assessment=assessment)
            rows.append(
                {
                    **mine,
                    "phase_id": phase,
                    "epoch": 1,
                    "findings": msgspec.to_builtins(found),
                    "created_at": now - timedelta(days=each.days_ago),
                    **findings.TABLES[findings.PhaseName.ANALYSIS][2](found),
                }
            )
        session.execute(insert(AnalysisFinding), rows)
        before = {"name": "Kettle", "brand": "Acme", "model": None, "condition": None, "gtin": judging.GTIN}
        # Each corrected one its own product, so that folds can be made.
        decided = [
            {
                **mine,
                "run_id": run,
                "decision": "confirmed" if each.right else "corrected",
                "decided_at": now - timedelta(days=each.days_ago),
                "before": before,
                "after": before if each.right else {**before, "gtin": None, "name": f"Item {run.hex}"},
            }
            for run, each in zip(runs, past, strict=True)
            if each.decided
        ]
        if decided:
            session.execute(insert(Review), decided)


def _ids(session, model, rows) -> list[int]:
    return list(session.execute(insert(model).returning(model.id, sort_by_parameter_order=True), rows).scalars())
