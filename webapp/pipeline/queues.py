"""What waits for a person, page by page, and searched: a constant number of queries, whatever the number of rows."""

from collections.abc import Sequence
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
_QUEUES: dict[str, tuple[ColumnExpressionArgument[bool], ...]] = {
    "reviews": (Run.is_latest, Run.state == RunState.REVIEW),
    "audits": (Run.audit == AuditState.OPEN,),
}


class Page(NamedTuple):
    """One page of a queue, and the run to continue after, if there are more."""

    runs: list[RunCard]
    next_after: UUID | None


def words_of(typed: str) -> list[str]:
    """What to look for: each word, as it is compared."""
    return typed.lower().split()[:MOST_WORDS]


def reviews(session: Session, *, words: Sequence[str] = (), after: UUID | None = None) -> Page:
    """The runs that wait for a person, longest waiting first; with `words` those in which each of them stands: in what
    was typed or found as name and model, the brand, the barcode, the SKU or the product's code."""
    return _page(session, "reviews", words, after)


def audits(session: Session, *, words: Sequence[str] = ()) -> Page:
    """The runs that went on by themselves and were drawn for a person to look at, the oldest first."""
    return _page(session, "audits", words, None)


def _page(session: Session, queue: str, words: Sequence[str], after: UUID | None) -> Page:
    wanted = {"words": list(words), "after": after, "many": PAGE + 1}
    statement = _statement(queue, bool(words), after is not None)
    [rows] = read_together(session, (statement, {key: value for key, value in wanted.items() if value}))
    cards = cards_of(session, rows[:PAGE])
    return Page(cards, cards[-1].id if len(rows) > PAGE else None)


@cache
def _statement(queue: str, by_words: bool, later: bool) -> Select[*tuple[Any, ...]]:
    only = list(_QUEUES[queue])
    if by_words:
        oldest = select(Run.id).where(*only).order_by(Run.id).limit(SEARCHED).correlate(None)
        only = [Run.id.in_(oldest), ~exists().where(func.strpos(_haystack(), _word) == 0)]
    if later:
        only.append(Run.id > bindparam("after"))
    return RUNS.where(*only).order_by(Run.id).limit(bindparam("many", type_=Integer))


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
