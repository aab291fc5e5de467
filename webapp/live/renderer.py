"""The renderer: turns events into fragments, once for all who watch (`python -m webapp.live.renderer`).

Waits for the bus and the hub in one loop, reads Postgres under the stream's client, and hands the bytes to the hub.
It keeps nothing that cannot be lost: a new one starts with nobody watching, since the hub closes all sockets when a
renderer goes, and they come back for the state.
"""

import gc
import logging
import select
import signal
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any
from uuid import UUID

import psycopg
from flask import Flask
from redis import Redis
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session
from werkzeug.test import EnvironBuilder
from werkzeug.utils import import_string

from webapp import logs, metrics, pulse, queue
from webapp.config import Config, exit_on_config_error
from webapp.database import reading, tenant
from webapp.engines import idle_seconds, refuse_privileged_login, system_engine
from webapp.live import wire
from webapp.live.backlog import Backlog
from webapp.live.bus import Bus, Connected, Heard, SessionsRevoked, StreamChanged
from webapp.live.fragments import Fragments
from webapp.live.frames import Span
from webapp.live.hub_link import HubLink
from webapp.live.sweep import Head, Sweep, heads
from webapp.live.watched import Ready, Watched

log = logging.getLogger(__name__)

SWEEP_SECONDS = 1.0
BATCH = 10
"""How many streams are read together, which alone costs as much as rendering one of them."""
CALM_SECONDS = 0.4
"""How long a stream rests, on topics that show many, after each time it was rendered."""
OUTAGE_PAUSE_SECONDS = 0.5
UNWELCOME_PAUSE_SECONDS = 0.1

LiveSessions = Callable[[Collection[tuple[UUID, UUID]]], set[tuple[UUID, UUID]]]


class Renderer:
    """One loop. `app` gives database and templates; `live_sessions` tells which sessions may still watch."""

    def __init__(self, app: Flask, hub: Path, redis: Redis, live_sessions: LiveSessions) -> None:
        self.app = app
        self.bus = Bus(redis)
        self.hub = HubLink(hub)
        self._live_sessions = live_sessions
        self._fragments = Fragments(app.config["LIVE_PROVIDERS"])
        config: Config = app.extensions["lotline_config"]
        self._environ = EnvironBuilder(base_url=config.base_url).get_environ()
        with app.app_context():
            self._sweep = Sweep(system_engine(), idle_seconds(config.lease_seconds))
        self._pages = Watched()
        self._calm = Watched(CALM_SECONDS)
        """Topics that show many streams get their news in a turn of their own, less often."""
        self._sweep_at = 0.0
        self._looked_at = 0.0
        """Whatever was committed before this time, and may matter to those who watched then, was sent or is due."""
        self._told = 0.0
        """As of when pages are right, as we told the hub."""
        self._stopping = False

    def warm_up(self) -> None:
        """Do now what the first event would otherwise wait for: modules, templates, connections, queries.

        Raises:
            SQLAlchemyError: the database is away.
        """
        with self.app.request_context(dict(self._environ)), tenant(UUID(int=0)), reading():
            for name in self.app.jinja_env.list_templates(filter_func=_is_fragment):
                self.app.jinja_env.get_template(name)
            for provider in self._fragments.all():
                nothing = Span(0, 0, 0)
                provider.frames(nothing, provider.read([nothing])[0], lambda _topic: True)
        # What is there now stays: a full collection over all of it would hold every page up for a tenth of a second.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000)

    def stop(self) -> None:
        """End `run` soon. May be called from a signal handler."""
        self._stopping = True

    def run(self) -> None:
        """Serve until `stop` is called."""
        while not self._stopping:
            self._wait()
            self.turn()
        self.bus.close()
        self.hub.close()

    def turn(self) -> None:
        """One round: hear everything, then render some of what is due."""
        # What happened is read first, who watches second, and only then the one is held against the other: an event
        # that follows somebody's `Watch` in time can never be taken for one that nobody watches. The sweep asks for
        # those only who watch, so it must know of everybody who came before the turn.
        now, looked_before = time.monotonic(), self._looked_at
        heard = list(self.bus.read())
        self._obey_hub()
        if any(isinstance(said, Connected) for said in heard):
            self._sweep_at = 0.0
        is_time = self.hub.is_welcome and now >= self._sweep_at
        changed = self._look(now) if is_time else []
        self._obey_hub()
        # What is news now was not there when we looked last, whatever has kept us from looking again.
        self._judge(heard, changed, looked_before)
        self._render_due(now, self._pages)
        self._render_due(now, self._calm, most=1)  # the others in the next turns: pages go before each of them
        self._tell_how_fresh(even_if_not_fresher=is_time)
        self.hub.flush()

    def _wait(self) -> None:
        pause = UNWELCOME_PAUSE_SECONDS
        if self.hub.is_welcome:
            due = (self._pages.backlog.next_at(), self._calm.backlog.next_at())
            until = min((self._sweep_at, *(at for at in due if at is not None)))
            pause = 0.0 if self._calm.read else min(max(until - time.monotonic(), 0.0), SWEEP_SECONDS)
        fds = [fd for fd in (self.bus.fileno(), self.hub.fileno()) if fd is not None]
        select.select(fds, [], [], pause)

    # --- what happened

    def _look(self, now: float) -> list[Head]:
        """What the sweep finds. `now`: when the turn began."""
        self._sweep_at = now + SWEEP_SECONDS
        metrics.note_kept()
        try:
            changed = self._sweep.look({*self._pages.clients, *self._calm.clients})
        except SQLAlchemyError as error:
            log.warning("sweep_failed", extra={"reason": _first_line(error)})
            return []
        self._looked_at = now
        return changed

    def _judge(self, heard: list[Heard], changed: list[Head], since: float) -> None:
        for said in heard:
            if isinstance(said, StreamChanged):
                self._note(said.stream_id, said.client_id, said.seq, since)
            elif isinstance(said, SessionsRevoked):
                self.hub.send(wire.Revoke(list(said.session_ids)))
        for row in changed:
            self._note(row.stream_id, row.client_id, row.seq, since)

    def _note(self, stream_id: int, client_id: UUID, seq: int, since: float) -> None:
        self._pages.note(stream_id, client_id, seq, since)
        self._calm.note(stream_id, client_id, seq, since)

    def _tell_how_fresh(self, *, even_if_not_fresher: bool) -> None:
        """Tell the hub as of when pages are right: up to the last look, or to before what still waits."""
        waiting = (self._pages.backlog.waits_since(), self._calm.backlog.waits_since())
        as_of = min([self._looked_at, *(since for since in waiting if since is not None)])
        if as_of > self._told or even_if_not_fresher:
            self.hub.send(wire.Alive(as_of))
            self._told = as_of

    # --- who watches

    def _obey_hub(self) -> None:
        for message in self.hub.read():
            if isinstance(message, wire.Welcome):
                self._forget_watchers()  # those of a hub before this one, however fast this one came
                self._sweep_at = 0.0
            elif isinstance(message, wire.Watch):
                self._watched(message.topic).add(message.topic, message.client_id)
            elif isinstance(message, wire.Unwatch):
                self._watched(message.topic).remove(message.topic, message.client_id)
            elif isinstance(message, wire.Present):
                self._check(message.held)
        if not self.hub.is_welcome:
            self._forget_watchers()

    def _forget_watchers(self) -> None:
        self._pages.clear()
        self._calm.clear()

    def _watched(self, topic: str) -> Watched:
        provider = self._fragments.of_topic(topic)
        return self._calm if provider is not None and provider.is_calm(topic) else self._pages

    def _check(self, held: list[tuple[UUID, UUID]]) -> None:
        """Close the sockets of sessions that are over or work for another client now, also if no message told so."""
        if not held:
            return
        try:
            with self.app.app_context():
                valid = self._live_sessions(held)
        except SQLAlchemyError as error:
            log.warning("sessions_not_checked", extra={"reason": _first_line(error)})
            return
        over = {session_id for session_id, client_id in held if (session_id, client_id) not in valid}
        if over:
            self.hub.send(wire.Revoke(sorted(over)))

    # --- rendering

    def _render_due(self, now: float, watched: Watched, *, most: int = BATCH) -> None:
        """Render what was read, `most` streams of it; where nothing is left of that, what is due is read first."""
        try:
            if not watched.read:
                watched.read = deque(self._read_due(now, watched.backlog))
            if not watched.read:
                return
            with self._reading_as(watched.read[0].head.client_id) as session:
                for _ in range(min(most, len(watched.read))):
                    ready = watched.read.popleft()
                    if watched.backlog.is_at_hand(ready.head.stream_id):
                        self._try(ready, session, watched)
                        if watched is self._pages:
                            self.hub.flush()  # somebody looks at just this
        except SQLAlchemyError as error:
            log.warning("fragments_wait_for_database", extra={"reason": _first_line(error)})
            watched.read.clear()
            watched.backlog.sit_out(OUTAGE_PAUSE_SECONDS)

    @contextmanager
    def _reading_as(self, client_id: UUID) -> Iterator[Session]:
        with self.app.request_context(dict(self._environ)), tenant(client_id), reading() as session:
            yield session

    def _read_due(self, now: float, backlog: Backlog) -> list[Ready]:
        """What is due of one client, as it is now."""
        taken = backlog.take(now, BATCH)
        if taken is None:
            return []
        client_id, stream_ids = taken
        with self._reading_as(client_id) as session:
            found = heads(session, stream_ids)
            for stream_id in stream_ids:
                if stream_id not in found:
                    backlog.drop(stream_id)
            spans = {each: Span(each, *backlog.span(each, head.seq)) for each, head in found.items()}
            happened = self._read(spans, found, session)
        return [Ready(head, spans[each], happened) for each, head in found.items()]

    def _read(self, spans: Mapping[int, Span], found: Mapping[int, Head], session: Session) -> dict[int, Any]:
        """What happened, for all streams at once; what cannot be read in company is read alone, when its turn comes."""
        happened: dict[int, Any] = {}
        of_kinds: dict[str, list[Span]] = {}
        for stream_id, span in spans.items():
            if span.seq > span.after_seq:
                of_kinds.setdefault(found[stream_id].kind, []).append(span)
        for kind, together in of_kinds.items():
            provider = self._fragments.of_kind(kind)
            if provider is not None:
                try:
                    happened |= provider.read(together)
                except Exception as error:
                    if _is_outage(error):
                        raise
                    session.rollback()
        return happened

    def _try(self, ready: Ready, session: Session, watched: Watched) -> None:
        backlog, (head, span, happened) = watched.backlog, ready
        try:
            if span.seq > span.after_seq:
                self._render(head.kind, span, happened, watched.topics)
                # The others wait on purpose; what came before its watchers is looked through again, not pushed late.
                if watched is self._pages and head.changed_at >= watched.since(head.client_id):
                    metrics.PUSH.observe(time.monotonic() - head.changed_at)
        except Exception as error:
            if _is_outage(error):
                raise
            log.exception("fragments_not_rendered", extra={"stream": head.stream_id, "seq": span.seq})
            session.rollback()
            client_id = backlog.postpone(head.stream_id, span.seq)
            if client_id is not None:
                self.hub.send(wire.Reset(client_id))  # the state may still be rendered, or its failure be seen
        else:
            backlog.finish(head.stream_id, max(span.seq, span.after_seq))

    def _render(self, kind: str, span: Span, happened: Mapping[int, Any], topics: set[str]) -> None:
        provider = self._fragments.of_kind(kind)
        if provider is None:
            return
        about = happened[span.stream_id] if span.stream_id in happened else provider.read([span])[span.stream_id]
        pieces: dict[str, list[wire.Piece]] = {}
        for frame in provider.frames(span, about, topics.__contains__):
            if frame.topic in topics:
                pieces.setdefault(frame.topic, []).append(wire.Piece(frame.key, frame.seq, frame.html.encode()))
        for topic, of_topic in pieces.items():
            self.hub.send(wire.Frames(topic, of_topic))


def _is_outage(error: Exception) -> bool:
    """Whether the database is away, rather than the fragment at fault."""
    if isinstance(error, PoolTimeout):
        return True
    if not isinstance(error, DBAPIError):
        return False
    away = isinstance(error.orig, psycopg.OperationalError | psycopg.InterfaceError)
    return error.connection_invalidated or (away and not isinstance(error.orig, psycopg.errors.QueryCanceled))


def _is_fragment(template: str) -> bool:
    return template.rpartition("/")[2].startswith("_") and template.endswith(".html")


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def main() -> None:
    """Run the renderer of this machine until SIGTERM or SIGINT."""
    logs.configure("renderer")
    pulse.start()
    app: Flask = import_string("webapp:create_app")()
    config: Config = app.extensions["lotline_config"]
    redis = queue.connect(config.redis_url)
    renderer = Renderer(app, wire.socket_path(config.var), redis, import_string(app.config["LIVE_SESSIONS"]))
    with exit_on_config_error(), app.app_context():
        _await_database(renderer)

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        renderer.stop()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    renderer.run()


def _await_database(renderer: Renderer) -> None:
    """Wait until the database answers: without it there is nothing to render, and the hub lets nobody in."""
    while True:
        try:
            refuse_privileged_login()
            renderer.warm_up()
        except OperationalError as error:
            log.warning("database_awaited", extra={"reason": _first_line(error)})
            time.sleep(OUTAGE_PAUSE_SECONDS)
        else:
            return


if __name__ == "__main__":
    main()
