"""The fragments of runs: on a run's own page, and on the desks of its client and of its uploader.

Topics: `run:<run id>`, `client:<client id>` (the desk, everybody's), `user:<client id>:<user id>` (the desk, mine).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from flask import render_template
from sqlalchemy import ARRAY, BigInteger, any_, bindparam, func, select
from sqlalchemy.orm import Session, aliased

from webapp.database import reading
from webapp.live.frames import Frame, Span
from webapp.pipeline import cards, desk, log, parts
from webapp.pipeline.cards import AnyRow
from webapp.pipeline.models import PhaseName, Run
from webapp.pipeline.parts import REPLACE
from webapp.together import read_together
from webapp.work.models import Stream


def run_topic(run_id: UUID) -> str:
    """Topic of one run's page."""
    return f"run:{run_id}"


def desk_topic(client_id: UUID, user_id: UUID | None) -> str:
    """Topic of a desk: everybody's, or with a user that user's uploads."""
    return f"user:{client_id}:{user_id}" if user_id else f"client:{client_id}"


def may_watch(viewer: Any, topic: str) -> bool:
    """Whether the viewer may see everything that is ever sent on the topic."""
    match _parse(topic):
        case ("run", run_id):
            with reading() as session:  # row-level security decides
                return session.execute(select(Run.id).where(Run.id == run_id)).first() is not None
        case ("client", client_id):
            return bool(client_id == viewer.client_id)
        case ("user", client_id, _):
            return bool(client_id == viewer.client_id)
        case _:
            return False


def state(topic: str) -> Sequence[Frame]:
    """The topic as it is now."""
    with reading() as session:
        match _parse(topic):
            case ("run", run_id):
                card = cards.card(session, run_id)
                if card is None:
                    return _gone_page(session, topic, run_id)
                return [*_page(session, topic, card), _whole_log(session, topic, card, card.stream_id, card.seq)]
            case ("client", _):
                return _desk(session, topic, None)
            case ("user", _, user_id):
                return _desk(session, topic, user_id)
    return []


def is_calm(topic: str) -> bool:
    """Desks show many runs: nobody sees more of each than a few changes a second."""
    return not topic.startswith("run:")


class Happened(NamedTuple):
    """A run as it is now, and what its newest events say. Where its product was removed there is no card, but what is
    left of it, as in _LEFT."""

    card: cards.RunCard | None
    left: AnyRow | None
    news: log.News
    counts: dict[str, Frame]
    """Of each desk, counted once for all streams that were read together."""


def read(spans: Sequence[Span]) -> Mapping[int, Happened]:
    """What happened in these streams, in one round trip."""
    with reading() as session:
        of_streams = cards.ask_streams([span.stream_id for span in spans])
        *of_runs, events = read_together(session, *of_streams, log.ask_news(spans))
        found = {card.stream_id: card for card in cards.cards_of(session, *of_runs)}
        gone = [span.stream_id for span in spans if span.stream_id not in found]
        [left] = read_together(session, (_LEFT_OF_STREAMS, {"stream_ids": gone})) if gone else [[]]
    left_of = {row.stream_id: row for row in left}
    news, counts = log.news(events), dict[str, Frame]()
    return {
        each: Happened(found.get(each), left_of.get(each), news.get(each, log.NOTHING), counts)
        for each in (span.stream_id for span in spans)
    }


def frames(span: Span, happened: Happened, watched: Callable[[str], bool]) -> Sequence[Frame]:
    """What watchers of a run and of the desks get for the events of the span."""
    card, _, news, counts = happened
    with reading() as session:
        if card is None:
            return _gone(session, span, happened, watched)
        topic = run_topic(card.id)
        out = _news_of_page(session, topic, card, news, span) if watched(topic) else []
        for user_id in dict.fromkeys((None, card.created_by)):
            its_desk = desk_topic(card.client_id, user_id)
            if card.is_latest and watched(its_desk):
                out.append(_row(its_desk, card))
                if news.moved or news.is_cut or not span.after_seq:
                    out.append(_counted(session, its_desk, user_id, counts))
        return out


def _news_of_page(session: Session, topic: str, card: cards.RunCard, news: log.News, span: Span) -> list[Frame]:
    """What a run's page that shows the events before the span does not show yet; everything, if that is not known."""
    lines = _log_lines(topic, card.id, news)
    if news.is_cut:  # a page that shows all that came before would lack the lines that were left out
        return [*_page(session, topic, card), _whole_log(session, topic, card, card.stream_id, card.seq)]
    if not span.after_seq or None in news.moved:
        return _page(session, topic, card) + lines
    if not news.moved:
        # Under the head's key: whoever has a newer head gets no older piece of it. Numbered by the events that it
        # tells, not by the card, which may be ahead: a head with the card's number is still to come, and goes out.
        places = [parts.phase(card, phase, REPLACE) for phase in card.phases if phase.name in news.progressed]
        return [Frame(topic, "head", span.seq, "".join(places)), *lines] if places else lines
    found = parts.found(session, card)
    out = [_head(topic, card), _title(topic, card)]
    # An empty panel says what it waits for, which others bring about.
    changed = [phase for phase in card.phases if phase.name in news.moved or not found.has(phase)]
    out += [Frame(topic, phase.name, card.seq, found.panel(phase, REPLACE)) for phase in changed]
    if PhaseName.ANALYSIS.value in news.moved:
        out.append(Frame(topic, "photos", card.seq, found.photos(REPLACE)))
    return out + lines


def _log_lines(topic: str, run_id: UUID, news: log.News) -> list[Frame]:
    return [Frame(topic, "log", line.seq, parts.line(run_id, line, "afterbegin")) for line in reversed(news.lines)]


_other = aliased(Run)
_number_of_newest = (
    select(func.max(_other.number)).where(_other.product_id == Run.product_id).correlate(Run).scalar_subquery()
)
_LEFT = select(
    Run.id,
    Run.stream_id,
    Run.product_id,
    Run.client_id,
    Run.created_by,
    Run.number,
    (Run.number == _number_of_newest).label("is_newest"),
    Stream.seq,
).join(Stream, Stream.id == Run.stream_id)
"""What is known of a run whether its product is there or removed."""
_LEFT_OF_STREAMS = _LEFT.where(Run.stream_id == any_(bindparam("stream_ids", type_=ARRAY(BigInteger))))
_LEFT_OF_RUN = _LEFT.where(Run.id == bindparam("run_id"))


def _gone_page(session: Session, topic: str, run_id: UUID) -> list[Frame]:
    """The page of a run whose product is removed, as it is now; nothing where there is no such run."""
    [rows] = read_together(session, (_LEFT_OF_RUN, {"run_id": run_id}))
    found: list[Frame] = []
    for run in rows:
        found += [_gone_head(topic, run, run.seq), _whole_log(session, topic, run, run.stream_id, run.seq)]
    return found


def _gone_head(topic: str, run: AnyRow, seq: int) -> Frame:
    return Frame(topic, "head", seq, render_template("pipeline/_gone.html", run=run, oob=REPLACE))


def _gone(session: Session, span: Span, happened: Happened, watched: Callable[[str], bool]) -> list[Frame]:
    """The product was removed: its row leaves the desks. Its page keeps its log, in case it is put back."""
    run, news = happened.left, happened.news
    out: list[Frame] = []
    if run is None:
        return out
    topic = run_topic(run.id)
    if watched(topic):
        out.append(_gone_head(topic, run, span.seq))
        out += (
            [_whole_log(session, topic, run, run.stream_id, span.seq)]
            if news.is_cut
            else _log_lines(topic, run.id, news)
        )
    # Only the newest run speaks for the product.
    for user_id in dict.fromkeys((None, run.created_by)) if run.is_newest else ():
        its_desk = desk_topic(run.client_id, user_id)
        if watched(its_desk):
            out += [
                _no_row(its_desk, run.product_id, run.number, span.seq),
                _counted(session, its_desk, user_id, happened.counts),
            ]
    return out


def html(topic: str) -> str:
    """The topic as one answer, for pages whose socket is down and that ask instead."""
    return "".join(frame.html for frame in state(topic))


def _parse(topic: str) -> tuple[Any, ...]:
    word, *rest = topic.split(":")
    try:
        ids = [UUID(part) for part in rest]
    except ValueError:
        return ()
    if topic != ":".join([word, *map(str, ids)]):
        return ()  # another spelling would be another topic, on which nothing is ever sent
    return (word, *ids) if len(ids) == {"run": 1, "client": 1, "user": 2}.get(word) else ()


def _head(topic: str, card: cards.RunCard) -> Frame:
    return Frame(topic, "head", card.seq, parts.head(card, REPLACE))


def _title(topic: str, card: cards.RunCard) -> Frame:
    return Frame(topic, "title", card.seq, parts.title(card, REPLACE))


def _page(session: Session, topic: str, card: cards.RunCard) -> list[Frame]:
    found = parts.found(session, card)
    return [
        _head(topic, card),
        _title(topic, card),
        *(Frame(topic, phase.name, card.seq, found.panel(phase, REPLACE)) for phase in card.phases),
        Frame(topic, "photos", card.seq, found.photos(REPLACE)),
    ]


def _whole_log(session: Session, topic: str, run: cards.RunCard | AnyRow, stream_id: int, seq: int) -> Frame:
    events, more = log.log(session, stream_id, upto=seq)
    lines = [parts.line(run.id, event) for event in events]
    page = render_template("pipeline/_log.html", run=run, lines=lines, has_more=more, oob=REPLACE)
    return Frame(topic, "log", seq, page)


# A desk has one row for a product, whichever run it shows: so its key is the product's, and its number orders runs too.


def _row(topic: str, card: cards.RunCard) -> Frame:
    return Frame(topic, f"row:{card.product_id}", card.place, parts.row(card, REPLACE))


def _no_row(topic: str, product_id: UUID, number: int, seq: int) -> Frame:
    html = f'<li id="row-{product_id}" hx-swap-oob="delete"></li>'
    return Frame(topic, f"row:{product_id}", cards.place_of(number, seq), html)


def _counted(session: Session, topic: str, user_id: UUID | None, counts: dict[str, Frame]) -> Frame:
    if topic not in counts:
        counts[topic] = _counts(session, topic, user_id)
    return counts[topic]


_NOW = select((func.extract("epoch", func.clock_timestamp()) * 1_000_000).label("now"))


def _counts(session: Session, topic: str, user_id: UUID | None) -> Frame:
    # Counts have no stream of their own: the database's clock, read before they are counted, orders them.
    [[taken_at]], numbers = read_together(session, (_NOW, {}), desk.ask_counts(user_id))
    page = render_template(
        "pipeline/_counts.html",
        counts=desk.counts(numbers),
        scope="mine" if user_id else "all",
        oob=REPLACE,
    )
    return Frame(topic, "counts", int(taken_at), page)


def _desk(session: Session, topic: str, user_id: UUID | None) -> list[Frame]:
    [rows_of_page] = read_together(session, desk.ask_newest(created_by=user_id, state=None, before=None))
    newest, _ = desk.newest(session, rows_of_page)
    changed = desk.latest_changed(session, created_by=user_id)
    rows = {card.id: card for card in (*changed, *newest)}
    # Oldest first: a page puts a row that it does not have on top.
    ordered = sorted(rows.values(), key=lambda card: card.id)
    # Who was away may still show what was removed meanwhile.
    gone = [_no_row(topic, one.product_id, one.number, one.seq) for one in desk.latest_removed(session)]
    return [_counts(session, topic, user_id), *gone, *(_row(topic, card) for card in ordered)]
