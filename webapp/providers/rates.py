"""Exchange rates: kept for the whole installation, looked up for market research."""

from collections.abc import Collection, Iterable
from datetime import date
from decimal import Decimal
from itertools import islice

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from webapp.database import reading
from webapp.phases.facts import Rate
from webapp.phases.rates_csv import DatedRate
from webapp.providers.imports import Tally

CHUNK_ROWS = 5000
REACH_DAYS = 7
"""Rates are fixed on working days, and no holidays last longer. A rate that is older says nothing of the day."""

# Two rates of one day and one base give the way from any money to any other; a base is worth 1 in itself.
_INTO = text("""
    SELECT wanted.currency, wanted.day AS wanted_day, found.day, found.rate
    FROM unnest(CAST(:currencies AS text[]), CAST(:days AS date[])) AS wanted (currency, day)
    CROSS JOIN LATERAL (
        SELECT theirs.day, ours.rate / theirs.rate AS rate
        FROM exchange_rates theirs
        JOIN exchange_rates ours ON ours.quote = :into AND ours.day = theirs.day AND ours.base = theirs.base
        WHERE theirs.quote = wanted.currency AND theirs.day BETWEEN wanted.day - :reach AND wanted.day
        ORDER BY theirs.day DESC, theirs.base LIMIT 1
    ) AS found
""")
# The key begins with the money: the newest of each is one step in it, and there are some forty.
_NEWEST = text("""
    WITH RECURSIVE money AS (
        SELECT min(quote) AS quote FROM exchange_rates
        UNION ALL SELECT (SELECT min(quote) FROM exchange_rates WHERE quote > money.quote) FROM money
        WHERE money.quote IS NOT NULL
    )
    SELECT max((SELECT max(day) FROM exchange_rates WHERE exchange_rates.quote = money.quote)) FROM money
""")
_UPSERT = text("""
    INSERT INTO exchange_rates (quote, day, base, rate)
    SELECT * FROM unnest(CAST(:quotes AS text[]), CAST(:days AS date[]), CAST(:bases AS text[]),
                         CAST(:rates AS numeric[]))
    ON CONFLICT (quote, day, base) DO UPDATE SET rate = excluded.rate WHERE exchange_rates.rate <> excluded.rate
    RETURNING xmax = 0 AS is_new, quote = base AS is_itself
""")


def newest_day(session: Session) -> date | None:
    """The day of the newest rate there is."""
    return session.execute(_NEWEST).scalar_one_or_none()


class DatedRates:
    """`phases.facts.Rates` over the table; one query, whatever is wanted."""

    def into(self, currency: str, wanted: Collection[tuple[str, date]]) -> dict[tuple[str, date], Rate]:
        """The rates into `currency`, each of the day wanted or the nearest one before it, REACH_DAYS at most."""
        pairs = sorted(set(wanted))
        if not pairs:
            return {}
        values = {
            "currencies": [money for money, _ in pairs],
            "days": [day for _, day in pairs],
            "into": currency,
            "reach": REACH_DAYS,
        }
        with reading() as session:
            rows = session.execute(_INTO, values).all()
        return {(row.currency, row.wanted_day): Rate(rate=row.rate, day=row.day) for row in rows}


def keep(connection: Connection, rates: Iterable[DatedRate]) -> Tally:
    """Write rates, as the system login: the web only reads them. A rate that is there already gives way."""
    tally, coming = Tally(), iter(rates)
    while chunk := list(islice(coming, CHUNK_ROWS)):
        rows = {(rate.quote, rate.day, rate.base): rate.rate for rate in chunk}
        rows |= {(rate.base, rate.day, rate.base): Decimal(1) for rate in chunk}
        quotes, days, bases = zip(*rows, strict=True)
        values = {"quotes": list(quotes), "days": list(days), "bases": list(bases), "rates": list(rows.values())}
        changed = [row.is_new for row in connection.execute(_UPSERT, values) if not row.is_itself]
        tally.inserted += sum(changed)
        tally.updated += len(changed) - sum(changed)
        tally.unchanged += len(chunk) - len(changed)
    return tally
