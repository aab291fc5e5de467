"""The renderer between a real Postgres, a real Redis and a real hub; the browser's page must end up right."""

import json
import random
import shutil
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import flask_migrate
import pytest
from flask import Flask
from sqlalchemy import text

import webapp.models  # noqa: F401 - the migrations compare with all of them
from tests.live import tiny_provider
from tests.waiting import wait_until
from webapp import config, engines, metrics, queue
from webapp.database import db, tenant, transaction
from webapp.embedded import Home, Postgres, Redis
from webapp.live import backlog, bus, wire
from webapp.live import hub as hub_module
from webapp.live.renderer import Renderer
from webapp.work import events

ROOT = Path(__file__).parents[2]
KEY = "a secret key of tests, long enough"


@pytest.fixture(scope="module")
def services():
    """A Postgres with the schema and a Redis, both of which a test may stop and start."""
    root = Path(tempfile.mkdtemp(prefix="lotline-live-"))
    root.chmod(0o711)
    postgres, redis = Postgres(root, KEY, settings={"fsync": "off"}), Redis(root)
    postgres.start()
    redis.start()
    yield SimpleNamespace(postgres=postgres, redis=redis)
    postgres.kill()
    redis.kill()
    home = Home.at(root)
    for folder in (home.sockets, home.path, root):
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def app(services):
    settings = config.load({"SECRET_KEY": KEY, "DATABASE_URL": services.postgres.url, "REDIS_URL": services.redis.url})
    app = Flask("tests")
    app.extensions["lotline_config"] = settings
    app.config["LIVE_PROVIDERS"] = dict.fromkeys(("run", "client"), "tests.live.tiny_provider")
    engines.init_app(app, settings)
    queue.init_app(app, services.redis.url)
    flask_migrate.Migrate(app, db, directory=str(ROOT / "migrations"))
    with app.app_context():
        flask_migrate.upgrade()
    return app


class World:
    """Everything around the renderer: the hub, writers of events, pages that watch."""

    def __init__(self, app, services, stage):
        self.app, self.services, self.stage = app, services, stage
        self.valid_sessions = None
        self.client_id = self.new_client()
        self.stage.client_id = self.client_id

    def new_client(self):
        client_id = uuid4()
        owner = engines.create_engine(self.app.extensions["lotline_config"].database_url)
        with owner.begin() as connection:
            connection.execute(
                text("INSERT INTO clients (id, name, slug) VALUES (:id, 'A client', :slug)"),
                {"id": client_id, "slug": f"c-{client_id}"},
            )
        owner.dispose()
        return client_id

    def new_stream(self, client_id=None):
        client_id = client_id or self.client_id
        with self.app.app_context(), tenant(client_id), transaction() as session:
            return events.create_stream(session, client_id, "run").id

    def write(self, stream_id, *messages, client_id=None):
        """Commit these events, one transaction each, told on the bus as always."""
        client_id = client_id or self.client_id
        for message in messages:
            with self.app.app_context(), tenant(client_id), transaction():
                events.record(client_id, stream_id, events.NewEvent("note", message))

    def write_unheard(self, stream_id, *messages):
        """Commit events whose message is lost."""
        for message in messages:
            with self.app.app_context(), tenant(self.client_id), transaction() as session:
                events.append(session, stream_id, [events.NewEvent("note", message)])

    def live_sessions(self, held):
        return {pair for pair in held if self.valid_sessions is None or pair[0] in self.valid_sessions}

    @contextmanager
    def renderer(self):
        """A renderer at work until the end of the block; yields once it serves."""
        with self.app.app_context():
            redis = queue.connect(self.services.redis.url)
        renderer = Renderer(self.app, self.stage.path, redis, self.live_sessions)
        thread = threading.Thread(target=renderer.run, daemon=True)
        thread.start()
        try:
            wait_until(lambda: renderer.hub.is_welcome and (renderer.bus.is_connected or not self.redis_is_up()))
            yield renderer
        finally:
            renderer.stop()
            thread.join(20)
            assert not thread.is_alive()

    def redis_is_up(self):
        return self.services.redis.poll() is None

    def open(self, stream_id, *, between=lambda: None, session=None, topic=None):
        """A page of that stream, through the same steps as the web process."""
        topic = topic or tiny_provider.topic_of(stream_id)
        browser, web, answer = self.stage.offer(
            topic, client=self.client_id, **({"session": session} if session else {})
        )
        assert isinstance(answer, wire.Taken)
        between()
        with self.app.app_context(), tenant(self.client_id):
            state = tiny_provider.state(topic) if topic.startswith("run:") else []
            db.session.remove()
        between()
        pieces = [wire.Piece(frame.key, frame.seq, frame.html.encode()) for frame in state]
        web.tell(wire.State({topic: pieces}))
        web.close()
        return Page(browser)


class Page:
    """What a browser would show: the lines one after the other, and the newest head."""

    def __init__(self, browser):
        self.browser = browser
        self.lines, self.head, self.rows = [], "", []
        self.marks = []

    def read_until(self, head=None, mark=None, row=None):
        """Take frames until this head (or mark, or row) is there."""
        while True:
            frame = self.browser.hear()
            said = frame.payload.decode(errors="replace")
            if frame.opcode == 8:
                raise EOFError(int.from_bytes(frame.payload[:2], "big"))
            if said.startswith("<!--"):
                self.marks.append(said[4:-3])
            elif said.startswith("head "):
                self.head = said
            elif said.startswith("row "):
                self.rows.append(said)
            elif frame.opcode == 1:
                self.lines += [line for line in said.split("|") if line]
            if (
                row in self.rows
                or (head is not None and self.head == f"head {head}")
                or (mark and self.marks[-1:] == [mark])
            ):
                return self

    def is_quiet(self, seconds=0.3):
        """Whether nothing but marks and pings comes any more."""
        try:
            while True:
                frame = self.browser.hear(timeout=seconds)
                if frame.opcode != 9 and not frame.payload.startswith(b"<!--"):
                    return False
        except TimeoutError:
            return True


@pytest.fixture
def world(app, services, make_stage):
    services.postgres.start()
    services.redis.start()
    tiny_provider.calls.clear()
    tiny_provider.broken_streams.clear()
    tiny_provider.unreadable_streams.clear()
    tiny_provider.gate.set()
    yield World(app, services, make_stage())
    tiny_provider.gate.set()


def test_events_arrive_as_they_are_committed(world):
    stream = world.new_stream()
    world.write(stream, "one", "two")
    with world.renderer():
        page = world.open(stream).read_until(head=2)
        world.write(stream, "three", "four")
        assert page.read_until(head=4).lines == ["one", "two", "three", "four"]


def test_only_what_comes_after_its_watchers_counts_as_pushed(world):
    def pushes():
        samples = metrics.PUSH.collect()[0].samples
        return next(sample.value for sample in samples if sample.name.endswith("_count"))

    early, late = world.new_stream(), world.new_stream()
    world.write(early, "one")
    with world.renderer():
        page = world.open(late).read_until(head=0)
        before = pushes()
        time.sleep(1.5)  # a sweep goes by, and finds what was written early
        assert pushes() == before
        world.write(late, "two")
        page.read_until(head=1)
        assert pushes() == before + 1


def test_each_line_once_whenever_the_page_comes(world):
    stream = world.new_stream()
    with world.renderer():
        numbers = iter(range(1, 1000))
        first = world.open(stream)
        pages = [
            first,
            *[world.open(stream, between=lambda: world.write(stream, f"{next(numbers)}")) for _ in range(4)],
        ]
        world.write(stream, *[f"{next(numbers)}" for _ in range(5)])
        last = next(numbers) - 1
        for page in pages:
            assert page.read_until(head=last).lines == [str(n) for n in range(1, last + 1)]


def test_a_lost_message_is_found_by_the_sweep_and_by_the_next_message(world):
    stream, other = world.new_stream(), world.new_stream()
    with world.renderer():
        page = world.open(stream).read_until(head=0)
        world.write_unheard(stream, "lost")
        assert page.read_until(head=1).lines == ["lost"]
        world.write_unheard(stream, "lost again")
        world.write(stream, "told")
        assert page.read_until(head=3).lines == ["lost", "lost again", "told"]
        # Nobody watched this one when its first message was lost.
        world.write_unheard(other, "early")
        page = world.open(other, between=lambda: world.write_unheard(other, "in between"))
        assert page.read_until(head=3).lines == ["early", "in between", "in between"]


def test_doubled_late_and_false_messages_change_nothing(world):
    stream = world.new_stream()
    redis = queue.connect(world.services.redis.url)
    with world.renderer():
        page = world.open(stream)
        world.write(stream, "one", "two", "three")
        page.read_until(head=3)
        for seq in (3, 1, 2, 3):
            message = {"client": str(world.client_id), "stream": stream, "seq": seq}
            redis.publish(queue.EVENTS_CHANNEL, json.dumps(message))
        message = {"client": str(world.client_id), "stream": stream, "seq": 99}  # Redis decides nothing
        redis.publish(queue.EVENTS_CHANNEL, json.dumps(message))
        redis.publish(queue.EVENTS_CHANNEL, "nonsense")
        redis.publish(bus.SESSIONS_CHANNEL, "{")
        world.write(stream, "four")
        assert page.read_until(head=4).lines == ["one", "two", "three", "four"]
        assert page.is_quiet()


def test_streams_that_nobody_watches_are_not_rendered(world):
    watched, unwatched = world.new_stream(), world.new_stream()
    stranger = world.new_client()
    theirs = world.new_stream(stranger)
    with world.renderer():
        page = world.open(watched).read_until(head=0)
        world.write(theirs, "not for us", client_id=stranger)
        world.write(watched, "one")
        page.read_until(head=1)
        assert theirs not in [call[0] for call in tiny_provider.calls]
        page.browser.close()
        wait_until(lambda: not world.stage.hub.audience.topics)
        tiny_provider.calls.clear()
        world.write(watched, "two")
        world.write(unwatched, "one")
        time.sleep(1.5)  # a sweep goes by as well
        assert tiny_provider.calls == []


def test_many_events_of_a_stream_are_rendered_at_once(world):
    stream, other = world.new_stream(), world.new_stream()
    with world.renderer():
        page, other_page = world.open(stream), world.open(other)
        page.read_until(head=0)
        world.write(other, "warm up")
        other_page.read_until(head=1)
        tiny_provider.gate.clear()
        world.write(other, "hold the renderer up")
        wait_until(lambda: (other, 1, 2) in tiny_provider.calls)
        world.write(stream, *[f"{n}" for n in range(15)])
        tiny_provider.gate.set()
        assert page.read_until(head=15).lines == [f"{n}" for n in range(15)]
    assert len([call for call in tiny_provider.calls if call[0] == stream]) <= 3


def test_another_clients_stream_shows_nothing_even_if_the_bus_lies(world):
    stranger = world.new_client()
    theirs, ours = world.new_stream(stranger), world.new_stream()
    world.write(theirs, "secret", client_id=stranger)
    redis = queue.connect(world.services.redis.url)
    with world.renderer():
        desk = world.open(None, topic=f"client:{world.client_id}").read_until(mark="live")
        message = {"client": str(world.client_id), "stream": theirs, "seq": 1}
        redis.publish(queue.EVENTS_CHANNEL, json.dumps(message))
        world.write(ours, "one")
        desk.read_until(row=f"row {ours} at 1")
        assert desk.rows == [f"row {ours} at 1"]
    assert theirs not in [call[0] for call in tiny_provider.calls]


def test_no_page_waits_behind_the_rows_of_a_desk(world, monkeypatch):
    desks = [world.new_stream() for _ in range(3)]
    looked_at = world.new_stream()
    calm, made, original = f"client:{world.client_id}", [], tiny_provider.frames

    def frames(span, client_id, watched):
        made.append(("row" if watched(calm) else "page", span.stream_id))
        if [what for what, _ in made].count("row") == 1 and watched(calm):
            world.write(looked_at, "while a desk gets its rows")
            time.sleep(0.1)  # the bus has told it by then
        return original(span, client_id, watched)

    monkeypatch.setattr(tiny_provider, "frames", frames)
    monkeypatch.setattr(tiny_provider, "is_calm", calm.__eq__)
    with world.renderer() as renderer:
        desk = world.open(None, topic=calm).read_until(mark="live")
        page = world.open(looked_at).read_until(mark="live")
        written, read = threading.Event(), renderer.bus.read
        monkeypatch.setattr(renderer.bus, "read", lambda: read() if written.is_set() else [])
        for stream_id in desks:
            world.write(stream_id, "all at once")
        written.set()
        page.read_until(head=1)
        desk.read_until(row=f"row {desks[2]} at 1")
    rows = [place for place, (what, _) in enumerate(made) if what == "row"]
    assert rows[0] < made.index(("page", looked_at)) < rows[1]


def test_without_redis_the_sweep_alone_keeps_pages_right(world):
    stream = world.new_stream()
    with world.renderer() as renderer:
        # It may be let in just before the renderer has looked for the first time; from then on it is right.
        page = world.open(stream).read_until(mark="live")
        page.marks.clear()
        world.services.redis.kill()
        world.write(stream, "without redis")
        assert page.read_until(head=1).lines == ["without redis"]
        world.services.redis.start()
        wait_until(lambda: renderer.bus.is_connected)
        world.write(stream, "with redis")
        assert page.read_until(head=2).lines == ["without redis", "with redis"]
        assert "stale" not in page.marks


def test_a_renderer_that_starts_without_redis_serves(world):
    stream = world.new_stream()
    world.services.redis.kill()
    with world.renderer():
        page = world.open(stream).read_until(head=0)
        world.write(stream, "one")
        assert page.read_until(head=1).lines == ["one"]


def test_without_postgres_pages_are_told_and_catch_up_on_the_same_socket(world, monkeypatch):
    monkeypatch.setattr(hub_module, "STALE_SECONDS", 1.6)
    stream = world.new_stream()
    with world.renderer():
        page = world.open(stream)
        world.write(stream, "before")
        page.read_until(head=1)
        world.services.postgres.kill()
        message = {"client": str(world.client_id), "stream": stream, "seq": 2}
        queue.connect(world.services.redis.url).publish(queue.EVENTS_CHANNEL, json.dumps(message))
        page.read_until(mark="stale")
        world.services.postgres.start()
        world.write_unheard(stream, "after")
        page.read_until(head=2)
        assert page.lines == ["before", "after"]
        if page.marks[-1] != "live":
            page.read_until(mark="live")


def test_a_new_renderer_takes_over_and_no_line_is_lost_or_doubled(world):
    stream = world.new_stream()
    with world.renderer():
        page = world.open(stream)
        world.write(stream, "one")
        page.read_until(head=1)
    with pytest.raises(EOFError, match="1012"):
        page.read_until(head=99)
    world.write(stream, "two")  # while there is none
    with world.renderer():
        page = world.open(stream)
        world.write(stream, "three")
        assert page.read_until(head=3).lines == ["one", "two", "three"]


def test_a_renderer_that_was_held_up_calls_nothing_sent_that_it_has_yet_to_send(world):
    """Whoever came meanwhile was shown it with the state; that does not make it old for those who were there before."""
    stream = world.new_stream()
    renderer = Renderer(world.app, world.stage.path, queue.connect(world.services.redis.url), world.live_sessions)

    def turn_until(condition):
        wait_until(lambda: renderer.turn() or condition())

    turn_until(lambda: renderer.hub.is_welcome and renderer.bus.is_connected)
    early = world.open(stream)
    turn_until(lambda: renderer._pages.topics)
    early.read_until(head=0)
    world.write(stream, "one")
    late = world.open(stream).read_until(head=1)
    began = time.monotonic()
    turn_until(lambda: renderer._told > began)
    assert early.read_until(head=1).lines == ["one"]
    world.write(stream, "two")
    turn_until(lambda: (stream, 1, 2) in tiny_provider.calls)
    assert early.read_until(head=2).lines == late.read_until(head=2).lines == ["one", "two"]
    renderer.bus.close()
    renderer.hub.close()


def test_a_second_renderer_stands_by(world):
    stream = world.new_stream()
    standby = Renderer(world.app, world.stage.path, queue.connect(world.services.redis.url), world.live_sessions)
    with world.renderer():
        page = world.open(stream)
        for _ in range(3):
            standby.turn()
            time.sleep(0.1)
        assert not standby.hub.is_welcome
        world.write(stream, "one")
        page.read_until(head=1)
    thread = threading.Thread(target=standby.run, daemon=True)
    thread.start()
    wait_until(lambda: standby.hub.is_welcome)
    world.write(stream, "two")
    assert world.open(stream).read_until(head=2).lines == ["one", "two"]
    standby.stop()
    thread.join(20)


def test_the_renderer_finds_the_next_hub(world, make_stage):
    stream = world.new_stream()
    with world.renderer() as renderer:
        world.open(stream).read_until(head=0)
        world.stage.hub.stop()
        wait_until(lambda: not renderer.hub.is_welcome)
        world.stage.thread.join(20)  # its connections end a moment before it does
        again = hub_module.Hub(wire.listen(world.stage.path))
        thread = threading.Thread(target=again.run, daemon=True)
        thread.start()
        wait_until(lambda: renderer.hub.is_welcome)
        page = world.open(stream)
        world.write(stream, "one")
        assert page.read_until(head=1).lines == ["one"]
        again.stop()
        thread.join(20)


def test_a_fragment_that_cannot_be_rendered_brings_the_page_back_for_the_state_and_stops_nobody_else(world):
    stream, other = world.new_stream(), world.new_stream()
    with world.renderer():
        page = world.open(stream).read_until(head=0)
        tiny_provider.broken_streams.add(stream)
        world.write(stream, "one")
        with pytest.raises(EOFError, match="1012"):
            page.read_until(head=1)
        page, other_page = world.open(stream), world.open(other)
        assert page.read_until(head=1).lines == ["one"]
        world.write(other, "fine")
        assert other_page.read_until(head=1).lines == ["fine"]


def test_a_stream_that_cannot_be_read_does_not_keep_its_neighbours_back(world):
    streams = [world.new_stream() for _ in range(4)]
    with world.renderer() as renderer:
        pages = [world.open(stream).read_until(head=0) for stream in streams]
        tiny_provider.unreadable_streams.add(streams[0])
        tiny_provider.gate.clear()  # so that the rest comes in one batch
        world.write(streams[1], "first")
        wait_until(lambda: tiny_provider.calls)
        for stream in streams:
            world.write(stream, "second")
        tiny_provider.gate.set()
        assert [page.read_until(head=head).lines[-1] for page, head in zip(pages[1:], (2, 1, 1), strict=True)] == [
            "second"
        ] * 3
        assert renderer.hub.is_welcome
        with pytest.raises(EOFError, match="1012"):
            pages[0].read_until(head=1)


def test_revoked_sessions_lose_their_sockets_by_message_and_by_check(world, monkeypatch):
    monkeypatch.setattr(hub_module, "PRESENT_SECONDS", 0.2)
    stream = world.new_stream()
    told, found, stays = uuid4(), uuid4(), uuid4()
    with world.renderer():
        pages = {session: world.open(stream, session=session).read_until(head=0) for session in (told, found, stays)}
        with world.app.app_context():
            bus.publish_revoked([told])
        with pytest.raises(EOFError, match="1012"):
            pages[told].read_until(head=99)
        world.valid_sessions = {stays}
        with pytest.raises(EOFError, match="1012"):
            pages[found].read_until(head=99)
        world.write(stream, "one")
        assert pages[stays].read_until(head=1).lines == ["one"]


def test_nothing_is_lost_or_doubled_when_pages_come_and_go_and_messages_get_lost(world, monkeypatch):
    """Events on several streams while pages reconnect at random; every page ends with exactly the database's lines."""
    rng = random.Random(7)
    streams = [world.new_stream() for _ in range(3)]
    written = dict.fromkeys(streams, 0)
    stop = threading.Event()

    def writer(stream):
        own = random.Random(stream)
        while not stop.is_set() and written[stream] < 200:
            write = world.write if own.random() < 0.8 else world.write_unheard
            write(stream, f"{written[stream] + 1}")
            written[stream] += 1
            time.sleep(own.random() * 0.01)

    monkeypatch.setattr(tiny_provider, "LINES_SHOWN", 500)
    with world.renderer():
        threads = [threading.Thread(target=writer, args=(stream,)) for stream in streams]
        for thread in threads:
            thread.start()
        pages = []
        for _ in range(60):
            stream = rng.choice(streams)
            pages.append((stream, world.open(stream)))
            if rng.random() < 0.3:
                pages.pop(rng.randrange(len(pages)))[1].browser.close()
        stop.set()
        for thread in threads:
            thread.join()
        for stream, page in pages:
            if written[stream]:
                page.read_until(head=written[stream])
            assert page.lines == [str(n) for n in range(1, written[stream] + 1)]
    assert sum(written.values()) > 50


def test_pages_are_not_called_fresh_while_work_piles_up(world, monkeypatch):
    monkeypatch.setattr(hub_module, "STALE_SECONDS", 1.2)
    monkeypatch.setattr(backlog, "MAX_TRIES", 1000)
    stream = world.new_stream()
    with world.renderer():
        page = world.open(stream).read_until(mark="live")
        tiny_provider.broken_streams.add(stream)
        world.write(stream, "stuck")
        page.read_until(mark="stale")
        assert page.lines == []
        tiny_provider.broken_streams.clear()
        page.read_until(mark="live")
        assert page.lines == ["stuck"]
