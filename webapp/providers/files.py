"""Files of offers and of own sales: read, written in one transaction, recorded; for the command and the page alike."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.access.models import User
from webapp.audit import services as audit
from webapp.audit.models import AuditEntry
from webapp.audit.services import Actor
from webapp.database import transaction
from webapp.phases import offers_csv, sales_csv
from webapp.phases.offers_csv import OffersFile, TableError
from webapp.providers import own_sales
from webapp.providers.imports import Tally, import_offers
from webapp.providers.rates import DatedRates

LATEST = 10


class Kind(StrEnum):
    """What a file holds."""

    OFFERS = "offers"
    SALES = "sales"


class _Rehearsed(Exception):
    """Rolls a dry run back once it is known what it would have done."""


def read(kind: Kind, data: bytes, now: datetime, source: str, currency: str) -> OffersFile:
    """What the file holds. `source`: where offers come from whose rows do not say. Raises TableError, also where there
    are no rows: a file that was saved too early would else pass for one that was taken in."""
    if kind is Kind.SALES:
        found = sales_csv.parse(data, now, own_sales.SOURCE, currency)
    else:
        found = offers_csv.parse(data, now, source, currency)
    if not found.rows_read:
        raise TableError("The file has a header and no rows below it, so there is nothing to take in.")
    return found


class Unrated(NamedTuple):
    """Rows in money without an exchange rate of their day, which therefore do not count, and which money that is."""

    rows: int
    currencies: tuple[str, ...]


def unrated(found: OffersFile, currency: str) -> Unrated:
    """How many of a file's rows cannot be compared with prices in `currency`. One query at most."""
    money = {(row.currency, row.seen_at.date()) for row in found.rows if row.currency != currency}
    lacking = money - DatedRates().into(currency, money).keys()
    lines = {row.line for row in found.rows if (row.currency, row.seen_at.date()) in lacking}
    return Unrated(len(lines), tuple(sorted({each for each, _ in lacking})))


def take_in(
    client_id: UUID, kind: Kind, file_name: str, found: OffersFile, actor: Actor, *, rehearse: bool = False
) -> Tally:
    """Write what was read, in a transaction of its own, in the tenant's context. `rehearse`: say what would be done,
    and write nothing."""
    try:
        with transaction() as session:
            tally = import_offers(session, client_id, found.rows)
            audit.record(
                actor,
                f"{kind.value}_imported",
                client_id=client_id,
                table="offers",
                details={"file": file_name, "rejected": found.rows_rejected, **vars(tally)},
            )
            if rehearse:
                raise _Rehearsed
    except _Rehearsed:
        pass
    return tally


class Taken(NamedTuple):
    """A file that was taken in. `counts`: what became of its rows."""

    at: datetime
    kind: str
    file_name: str
    by_name: str
    counts: dict[str, Any]


def latest(session: Session) -> Sequence[Taken]:
    """The client's files that were taken in last, newest first."""
    actions = [f"{kind.value}_imported" for kind in Kind]
    rows = session.execute(
        select(AuditEntry.at, AuditEntry.action, AuditEntry.details, User.name)
        .outerjoin(User, User.id == AuditEntry.user_id)
        .where(AuditEntry.table_name == "offers", AuditEntry.row_id.is_(None), AuditEntry.action.in_(actions))
        .order_by(AuditEntry.at.desc())
        .limit(LATEST)
    )
    return [
        Taken(at, action.removesuffix("_imported"), str(details.get("file", "")), by_name or "", details)
        for at, action, details, by_name in rows
    ]
