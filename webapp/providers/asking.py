"""Asking sources for a client: what was asked lately is not asked again, what is found is kept like imported offers."""

from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from webapp.database import reading
from webapp.providers.imports import HISTORY_DAYS, upsert
from webapp.providers.interface import Answer, OutsideSource, Question
from webapp.work.calls import Repeat
from webapp.work.lease import Lease

_ASKED_LATELY = text("""
    SELECT 1 FROM lookups WHERE source = :source AND question = :question
      AND asked_at > clock_timestamp() - make_interval(secs => :seconds)
""")
_REMEMBER = text("""
    INSERT INTO lookups (client_id, source, question, found) VALUES (:client_id, :source, :question, :found)
    ON CONFLICT (client_id, source, question)
    DO UPDATE SET found = excluded.found, asked_at = clock_timestamp()
""")

# What a source showed, and shows no more; files and sales are the client's own and stay.
_FORGET = text("""
    DELETE FROM offers WHERE id IN (
        SELECT id FROM offers
        WHERE client_id = :client_id AND source = :label AND kind <> 'sale'
          AND seen_at < clock_timestamp() - make_interval(days => :days)
        ORDER BY seen_at LIMIT :most
    )
""")
_FORGET_QUESTIONS = text("""
    DELETE FROM lookups WHERE (client_id, source, question) IN (
        SELECT client_id, source, question FROM lookups
        WHERE client_id = :client_id AND asked_at < clock_timestamp() - make_interval(days => :days)
        ORDER BY asked_at LIMIT :most
    )
""")
KEPT_DAYS = HISTORY_DAYS
FORGET_AT_ONCE = 1000
"""More than a source answers at once, so that what is forgotten keeps up with what comes in."""


def ask(lease: Lease, source: OutsideSource, question: Question) -> None:
    """Have the source's offers for the question in the client's table of offers.

    Raises:
        CircuitOpen: the source is away.
        WorkError: it refused, or did not answer this time.
    """
    asked = {"source": source.circuit.name, "question": question.key}
    with reading() as session:
        if session.execute(_ASKED_LATELY, {**asked, "seconds": source.hours * 3600}).first():
            return

    def keep(session: Session, answer: Answer) -> dict[str, Any]:
        upsert(session, lease.claim.client_id, answer.offers)
        found = len(answer.offers)
        forget = {"label": source.circuit.label, "days": KEPT_DAYS, "most": FORGET_AT_ONCE}
        session.execute(_FORGET, {"client_id": lease.claim.client_id, **forget})
        session.execute(_FORGET_QUESTIONS, {"client_id": lease.claim.client_id, **forget})
        session.execute(_REMEMBER, {**asked, "client_id": lease.claim.client_id, "found": found})
        return {"found": found, "unreadable": answer.unreadable, "complete": answer.complete}

    lease.call(
        f"{source.circuit.name}:{question.key}",
        asked,
        lambda _key: source.search(question),
        repeat=Repeat.SAFE,
        keep=keep,
        circuit=source.circuit,
    )
