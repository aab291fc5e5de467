"""What waits for a person, page by page, and searched: a constant number of queries, whatever the number of rows."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    ColumnExpressionArgument,
    Integer,
    Select,
    Text,
    UnaryExpression,
    bindparam,
    exists,
    func,
    select,
)
from sqlalchemy.orm import Session

from webapp.catalog.models import Product
from webapp.pipeline.cards import RUNS, RunCard, cards_of
from webapp.pipeline.models import AnalysisFinding, AuditState, Run, RunState
from webapp.together import read_together

PAGE = 50
SEARCHED = 1000
"""A search looks through so many of a queue, those that wait longest: what was typed, the guess and the product stand
in three tables, so that no index holds them together."""
MOST_WORDS = 8
PHOTOS_WANTED = select(Product.id).where(Product.photo_wanted_at.is_not(None))
"""The products of which a photo is wanted: by their index, and few."""
WAITING: tuple[ColumnExpressionArgument[bool], ...] = (
    Run.is_latest,
    Run.state == RunState.REVIEW,
    Run.product_id.not_in(PHOTOS_WANTED.correlate(None)),
)
"""What a reviewer can decide now: a run for which a photo is wanted waits for the dock first."""


class _Queue(NamedTuple):
    only: tuple[ColumnExpressionArgument[bool], ...]
    """Over runs joined to their products."""
    order: ColumnElement[Any] | UnaryExpression[Any]
    later: ColumnElement[bool]


_QUEUES = {
    "reviews": _Queue(WAITING, Run.id.asc(), Run.id > bindparam("after")),
    "audits": _Queue((Run.audit == AuditState.OPEN,), Run.id.asc(), Run.id > bindparam("after")),
    "photos_wanted": _Queue(
        (Run.is_latest, Product.photo_wanted_at.is_not(None)),
        Product.photo_wanted_at.desc(),
        Product.photo_wanted_at < bindparam("after"),
    ),
}


class Page(NamedTuple):
    """One page of a queue, and the run to continue after, if there are more."""

    runs: list[RunCard]
    next_after: UUID | None


class Wanted(NamedTuple):
    """One page of the runs for which a photo is wanted, and the moment to continue before, if there are more."""

    runs: list[RunCard]
    next_before: datetime | None


NOTHING, NONE_WANTED = Page([], None), Wanted([], None)


def words_of(typed: str) -> list[str]:
    """What to look for: each word, as it is compared."""
    return typed.lower().split()[:MOST_WORDS]


def reviews(session: Session, *, words: Sequence[str] = (), after: UUID | None = None) -> Page:
    """The runs that wait for a person, longest waiting first; with `words` those in which each of them stands: in what
    was typed or found as name and model, the brand, the barcode, the SKU or the product's code."""
    return _by_id(*_page(session, "reviews", words, after))


def audits(session: Session, *, words: Sequence[str] = ()) -> Page:
    """The runs that went on by themselves and were drawn for a person to look at, the oldest first."""
    return _by_id(*_page(session, "audits", words))


def photos_wanted(
    session: Session, *, words: Sequence[str] = (), before: datetime | None = None, many: int | None = None
) -> Wanted:
    """The runs for which a photo is wanted, the newest question first; `words` as of `reviews`."""
    runs, has_more = _page(session, "photos_wanted", words, before, many)
    last = runs[-1].photo_wanted if has_more else None
    return Wanted(runs, last.at if last else None)


def _by_id(runs: list[RunCard], has_more: bool) -> Page:
    return Page(runs, runs[-1].id if has_more else None)


def _page(
    session: Session, queue: str, words: Sequence[str], after: UUID | datetime | None = None, many: int | None = None
) -> tuple[list[RunCard], bool]:
    most = many or PAGE
    wanted = {"words": list(words), "after": after, "many": most + 1}
    statement = _statement(queue, bool(words), after is not None)
    [rows] = read_together(session, (statement, {key: value for key, value in wanted.items() if value}))
    return cards_of(session, rows[:most]), len(rows) > most


@cache
def _statement(queue: str, by_words: bool, later: bool) -> Select[*tuple[Any, ...]]:
    only = list(_QUEUES[queue].only)
    if by_words:
        oldest = select(Run.id).where(*only).order_by(Run.id).limit(SEARCHED)
        if queue == "photos_wanted":  # the others are told by the run alone
            oldest = oldest.join(Product, Product.id == Run.product_id)
        only = [Run.id.in_(oldest.correlate(None)), ~exists().where(func.strpos(_haystack(), _word) == 0)]
    if later:
        only.append(_QUEUES[queue].later)
    return RUNS.where(*only).order_by(_QUEUES[queue].order).limit(bindparam("many", type_=Integer))


_word = func.unnest(bindparam("words", type_=ARRAY(Text))).column_valued("word")


def _haystack() -> ColumnElement[str]:
    return func.lower(
        func.concat_ws(
            " ",
            Run.hints["name"].astext,
            Run.hints["model"].astext,
            AnalysisFinding.product_name,
            AnalysisFinding.brand,
            AnalysisFinding.model,
            AnalysisFinding.gtin14,
            Product.search_text,
            Product.gtin14,
            Product.code,
        )
    )
