"""Offers written to the database, many at a time.

Callers hold a `transaction()`; nothing here commits.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from webapp.database import new_id
from webapp.phases.facts import Offer
from webapp.phases.offers_csv import OfferRow

CHUNK_ROWS = 1000

_COLUMNS = {
    "kind": "text",
    "title": "text",
    "marketplace": "text",
    "link": "text",
    "brand": "text",
    "model": "text",
    "gtin14": "text",
    "category": "text",
    "condition": "text",
    "price": "numeric",
    "shipping": "numeric",
    "currency": "text",
    "seen_at": "timestamptz",
}
_KEY = {"id": "uuid", "source": "text", "source_ref": "text"}
_NAMES = ", ".join(_COLUMNS)
# A source that was asked by words does not repeat the number that it was found by before.
_NEW = {name: f"excluded.{name}" for name in _COLUMNS} | {"gtin14": "coalesce(excluded.gtin14, offers.gtin14)"}
# ON CONFLICT rather than MERGE: two imports of the same offers at once do not make one of them fail. A row version
# that nobody deleted yet has xmax 0: it was inserted.
_UPSERT = text(f"""
    INSERT INTO offers (client_id, {", ".join(_KEY)}, {_NAMES})
    SELECT CAST(:client_id AS uuid), news.*
    FROM unnest({", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in (_KEY | _COLUMNS).items())}) AS news
    ON CONFLICT (client_id, source, source_ref) DO UPDATE
    SET {", ".join(f"{name} = {_NEW[name]}" for name in _COLUMNS)}
    WHERE ({", ".join(f"offers.{name}" for name in _COLUMNS)})
        IS DISTINCT FROM ({", ".join(_NEW.values())})
    RETURNING xmax = 0 AS is_new
""")  # noqa: S608 - column names of ours

HISTORY_DAYS = 730
"""Former prices are kept this long: with one a day at most, that bounds them."""

# What is about to be replaced becomes history, once a day; and what is too old of the same offers goes.
_REMEMBER = text("""
    WITH kept AS (
        INSERT INTO offer_prices (client_id, offer_id, seen_on, price, currency)
        SELECT old.client_id, old.id, (old.seen_at AT TIME ZONE 'UTC')::date,
               old.price + coalesce(old.shipping, 0), old.currency
        FROM offers old
        JOIN unnest(CAST(:source AS text[]), CAST(:source_ref AS text[]), CAST(:seen_at AS timestamptz[]))
             AS news (source, source_ref, seen_at) USING (source, source_ref)
        WHERE old.client_id = CAST(:client_id AS uuid) AND old.kind <> 'list'
          AND (old.seen_at AT TIME ZONE 'UTC')::date < (news.seen_at AT TIME ZONE 'UTC')::date
        ON CONFLICT (offer_id, seen_on) DO NOTHING
        RETURNING offer_id
    )
    DELETE FROM offer_prices past USING kept
    WHERE past.offer_id = kept.offer_id AND past.seen_on < (now() AT TIME ZONE 'UTC')::date - CAST(:days AS integer)
""")


@dataclass
class Tally:
    """What became of the offers of an import."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0


def import_offers(session: Session, client_id: UUID, rows: Iterable[OfferRow]) -> Tally:
    """Write the offers of a file. The same sighting of the same day is written once, however often it is imported."""
    return upsert(session, client_id, map(_offer, rows))


def _offer(row: OfferRow) -> Offer:
    return Offer(id=row.key, source=row.source, **{name: getattr(row, name) for name in _COLUMNS})


def upsert(session: Session, client_id: UUID, offers: Iterable[Offer]) -> Tally:
    """Write offers; an offer's `id` is its source's own name for it, and the same again updates what is there.

    Reads `offers` in chunks, so any number of them takes the same memory. Where one comes twice, the last one counts.
    """
    tally, coming = Tally(), iter(offers)
    while chunk := list(islice(coming, CHUNK_ROWS)):
        _write(session, client_id, list({(offer.source, offer.id): offer for offer in chunk}.values()), tally)
    return tally


def _write(session: Session, client_id: UUID, chunk: Sequence[Offer], tally: Tally) -> None:
    values: dict[str, object] = {name: [getattr(offer, name) for offer in chunk] for name in _COLUMNS}
    values |= {
        "client_id": client_id,
        "id": [new_id() for _ in chunk],
        "source": [offer.source for offer in chunk],
        "source_ref": [offer.id for offer in chunk],
    }
    session.execute(_REMEMBER, values | {"days": HISTORY_DAYS})
    is_new = session.execute(_UPSERT, values).scalars().all()
    tally.inserted += sum(is_new)
    tally.updated += len(is_new) - sum(is_new)
    tally.unchanged += len(chunk) - len(is_new)
