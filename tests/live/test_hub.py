"""The hub: who gets what, in which order, and who must go."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import pytest

from tests.waiting import wait_until
from webapp.live import audience, viewers, wire
from webapp.live import hub as hub_module
from webapp.live.audience import Limits
from webapp.live.frames import Watcher

RUN = "run:1"


def piece(key, seq, html):
    return wire.Piece(key, seq, html.encode())


def test_a_frame_goes_to_all_who_watch_its_topic_and_to_nobody_else(stage):
    first, second = stage.watch(RUN), stage.watch(RUN, "client:1")
    other = stage.watch("run:2")
    stage.push(RUN, ("head", 1, "one"))
    stage.push("client:1", ("row", 1, "row"))
    stage.push("run:2", ("head", 1, "two"))
    assert first.texts(1) == ["one"]
    assert second.texts(2) == ["one", "row"]
    assert other.texts(1) == ["two"]


def test_state_comes_first_then_what_was_held_and_is_newer(stage):
    browser, web, _ = stage.offer(RUN)
    stage.renderer.hear(wire.Watch)
    stage.push(RUN, ("lines", 4, "line 4"), ("head", 4, "head 4"))
    stage.push(RUN, ("lines", 5, "line 5"), ("head", 5, "head 5"))
    stage.push(RUN, ("lines", 6, "line 6"), ("head", 6, "head 6"))
    # Not yet: whatever the order of arrival, nothing may overtake the state.
    with pytest.raises(TimeoutError):
        browser.hear(timeout=0.3)
    web.tell(wire.State({RUN: [piece("lines", 5, "lines to 5"), piece("head", 5, "head of 5")]}))
    stage.push(RUN, ("lines", 7, "line 7"))
    assert browser.texts(5) == ["lines to 5", "head of 5", "line 6", "head 6", "line 7"]


def test_a_state_that_is_ahead_of_the_topic_hears_nothing_twice_and_others_miss_nothing(stage):
    early = stage.watch(RUN, state={RUN: [piece("lines", 5, "lines to 5")]})
    late = stage.watch(RUN, state={RUN: [piece("lines", 7, "lines to 7")]})
    for seq in (6, 7, 8):
        stage.push(RUN, ("lines", seq, f"line {seq}"))
    assert early.texts(3) == ["line 6", "line 7", "line 8"]
    assert late.texts(1) == ["line 8"]


def test_what_each_viewer_was_shown_first_is_remembered_once_for_all(stage):
    """A thousand pages that come back together must not each keep a list of what they have seen."""
    state = {RUN: [piece(f"row{n}", 7, f"row {n}") for n in range(50)] + [piece("lines", 7, "lines to 7")]}
    pages = [stage.offer(RUN) for _ in range(5)]
    for _browser, web, _ in pages:
        web.tell(wire.State(state))
    for browser, _web, _ in pages:
        browser.until_mark()
    assert all(viewer.ahead for viewer in stage.viewers(RUN))
    late, web, _ = stage.offer(RUN)
    stage.renderer.tell(wire.Alive(time.monotonic()))  # too early: one still waits for its state
    web.tell(wire.State({RUN: [piece("lines", 8, "lines to 8")]}))
    late.until_mark()
    assert all(viewer.ahead for viewer in stage.viewers(RUN))
    stage.push(RUN, ("lines", 8, "line 8"))
    stage.renderer.tell(wire.Alive(time.monotonic()))
    wait_until(lambda: not any(viewer.ahead for viewer in stage.viewers(RUN)))
    # A renderer that knows nothing of the stream sends it from the start: nobody gets a line again.
    stage.push(RUN, *[("lines", seq, f"line {seq}") for seq in range(1, 10)], ("row3", 7, "again"), ("row3", 8, "new"))
    for browser, _web, _ in pages:
        assert browser.texts(3) == ["line 8", "line 9", "new"]
    assert late.texts(2) == ["line 9", "new"]


def test_what_a_newcomer_was_shown_is_not_old_for_others_before_all_was_sent(stage):
    early = stage.watch(RUN, state={RUN: [piece("lines", 5, "lines to 5")]})
    held_up_since = time.monotonic()
    late = stage.watch(RUN, state={RUN: [piece("lines", 7, "lines to 7")]})
    stage.renderer.tell(wire.Alive(held_up_since))
    stage.push(RUN, *[("lines", seq, f"line {seq}") for seq in (6, 7, 8)])
    assert early.texts(3) == ["line 6", "line 7", "line 8"]
    assert late.texts(1) == ["line 8"]


def test_what_is_not_newer_is_dropped(stage):
    browser = stage.watch(RUN, state={RUN: [piece("head", 3, "head of 3")]})
    for seq in (2, 3, 5, 4, 5, 6):
        stage.push(RUN, ("head", seq, f"head {seq}"))
    assert browser.texts(2) == ["head 5", "head 6"]


def test_the_renderer_hears_of_the_first_and_the_last_who_watch(stage):
    first, second = stage.watch(RUN), stage.watch(RUN)
    watch = stage.renderer.hear(wire.Watch)
    assert (watch.topic, watch.client_id) == (RUN, stage.client_id)
    first.close()
    second.close()
    assert stage.renderer.hear(wire.Unwatch).topic == RUN
    # The very next message: nothing was said in between.
    stage.watch("run:2")
    assert stage.renderer.hear(wire.Watch).topic == "run:2"


def test_without_a_renderer_sockets_are_refused_and_those_there_are_closed_to_come_back(make_stage):
    stage = make_stage()
    assert isinstance(stage.offer(RUN)[2], wire.Refused)
    stage.start_renderer()
    browser = stage.watch(RUN)
    stage.renderer.close()
    assert browser.close_code() == 1012
    assert stage.offer(RUN)[2].code == 1013
    # The next renderer knows of nobody until somebody comes, even if old sockets have not left yet.
    renderer = stage.start_renderer()
    stage.watch(RUN)
    assert renderer.hear(wire.Watch).topic == RUN


def test_a_second_renderer_waits_for_the_first(stage):
    second = stage.peer()
    second.tell(wire.Hello())
    assert isinstance(second.hear(wire.Busy), wire.Busy)
    browser = stage.watch(RUN)
    stage.renderer.close()
    browser.close_code()
    second.tell(wire.Hello())
    assert isinstance(second.hear(wire.Welcome), wire.Welcome)


def test_only_the_renderer_may_push(stage):
    browser = stage.watch(RUN)
    impostor = stage.peer()
    impostor.tell(wire.Frames(RUN, [piece("head", 9, "false")]))
    with pytest.raises(EOFError):
        impostor.hear(wire.Taken)
    stage.push(RUN, ("head", 1, "true"))
    assert browser.texts(1) == ["true"]


def test_a_state_that_never_comes_ends_the_socket(stage, monkeypatch):
    monkeypatch.setattr(audience, "STATE_SECONDS", 0.3)
    browser, _web, _ = stage.offer(RUN)  # the web process lives, but says nothing
    assert browser.close_code() == 1012
    monkeypatch.setattr(audience, "STATE_SECONDS", 1000)
    browser, web, _ = stage.offer(RUN)
    web.close()  # the web process died
    assert browser.close_code() == 1012


def test_the_page_is_told_when_it_is_stale_and_when_it_is_live_again(stage, monkeypatch):
    monkeypatch.setattr(hub_module, "STALE_SECONDS", 0.4)
    browser = stage.watch(RUN)
    browser.until_mark("stale")
    newcomer, web, _ = stage.offer(RUN)
    web.tell(wire.State({RUN: [piece("head", 1, "old")]}))
    assert newcomer.until_mark("stale") == ["old"]
    stage.renderer.tell(wire.Alive(time.monotonic() - 60))
    with pytest.raises(TimeoutError):
        browser.hear(timeout=0.5)
    stage.renderer.tell(wire.Alive(time.monotonic()))
    browser.until_mark("live")
    newcomer.until_mark("live")


def test_a_renderer_that_hangs_is_given_up(stage, monkeypatch):
    monkeypatch.setattr(hub_module, "RENDERER_SECONDS", 0.4)
    browser = stage.watch(RUN)
    assert browser.close_code() == 1012
    with pytest.raises(EOFError):
        stage.renderer.hear(wire.Busy)


def test_ticks_and_pings_tell_both_sides_that_they_are_alive(stage, monkeypatch):
    monkeypatch.setattr(audience, "TICK_SECONDS", 0.4)
    lively, mute = stage.watch(RUN), stage.watch(RUN)
    for _ in range(12):
        frame = lively.hear()
        if frame.opcode == 9:
            lively.say(frame.payload, opcode=10)
    with contextlib.suppress(EOFError):
        while True:
            mute.hear()
    stage.push(RUN, ("head", 1, "still there"))
    assert lively.texts(1) == ["still there"]
    wait_until(lambda: len(stage.viewers(RUN)) == 1)


def test_pings_are_answered_talk_is_ignored_close_is_returned(stage):
    browser = stage.watch(RUN)
    browser.say(b"hello?")
    browser.say(b"are you", opcode=9)
    assert browser.hear() == (10, b"are you")
    browser.say((1001).to_bytes(2, "big"), opcode=8)
    assert browser.close_code() == 1000
    with pytest.raises(EOFError):
        browser.hear()


@pytest.mark.parametrize(
    ("misdeed", "code"),
    [
        (lambda b: b.say(b"x" * 4097), 1009),
        (lambda b: b.say(b"x", masked=False), 1002),
        (lambda b: [b.say(b"x" * 4000) for _ in range(5)], 1008),
    ],
    ids=["long", "unmasked", "flood"],
)
def test_a_browser_that_misbehaves_is_closed(stage, misdeed, code):
    browser, innocent = stage.watch(RUN), stage.watch(RUN)
    misdeed(browser)
    assert browser.close_code() == code
    stage.push(RUN, ("head", 1, "on we go"))
    assert innocent.texts(1) == ["on we go"]


def test_a_browser_that_does_not_read_is_dropped_and_holds_nobody_up(stage):
    quick = stage.watch(RUN)
    before = stage.viewers(RUN)
    slow = stage.watch(RUN)
    slow.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    (slow_viewer,) = (viewer for viewer in stage.viewers(RUN) if viewer not in before)
    big = "x" * 100_000
    for seq in range(100):
        stage.push(RUN, ("head", seq, big))
        assert quick.texts(1) == [big]
        if len(stage.viewers(RUN)) == 1:
            break
    else:
        pytest.fail("10 MB were kept for a browser that does not read")
    assert slow_viewer.broken == "too slow"
    assert len(slow_viewer.outbox) <= viewers.MAX_WAITING_BYTES + 2 * len(big)


def test_a_slow_browser_gets_everything_in_order_once_it_reads(stage):
    slow = stage.watch(RUN)
    texts = [f"{seq} " + "x" * 50_000 for seq in range(12)]
    for seq, text in enumerate(texts):
        stage.push(RUN, ("head", seq, text))
    time.sleep(0.2)
    assert slow.texts(len(texts)) == texts


def test_sockets_are_counted_per_user_and_in_all(make_stage):
    stage = make_stage(Limits(sockets=3, sockets_per_user=2, topics=2))
    stage.start_renderer()
    user = uuid4()
    first = stage.watch(RUN, user=user)
    stage.watch(RUN, user=user)
    assert stage.offer(RUN, user=user)[2].reason == "too many sockets of this user"
    stage.watch(RUN)
    assert stage.offer(RUN)[2].reason == "too many sockets"
    first.close()
    wait_until(lambda: len(stage.viewers(RUN)) == 2)
    stage.watch(RUN, user=user)


def test_a_socket_asks_for_a_few_topics_at_least_one(make_stage):
    stage = make_stage(Limits(topics=2))
    stage.start_renderer()
    assert stage.offer("a:1", "b:1", "c:1")[2].code == 1008
    assert stage.offer()[2].code == 1008
    assert isinstance(stage.offer("a:1", "b:1", "a:1")[2], wire.Taken)


def test_revoked_sessions_lose_their_sockets_and_only_those(stage, monkeypatch):
    monkeypatch.setattr(hub_module, "PRESENT_SECONDS", 0.1)
    session, other_session = uuid4(), uuid4()
    here, also_here = stage.watch(RUN, session=session), stage.watch("run:2", session=session)
    other = stage.watch(RUN, session=other_session)
    present = stage.renderer.hear(wire.Present)
    while len(present.held) < 2:
        present = stage.renderer.hear(wire.Present)
    assert present.held == sorted([(session, stage.client_id), (other_session, stage.client_id)])
    stage.renderer.tell(wire.Revoke([session]))
    # A code after which the page asks again: whether it may is decided there.
    assert here.close_code() == also_here.close_code() == 1012
    here.say(b"", opcode=8)
    stage.push(RUN, ("head", 1, "news"))
    assert other.texts(1) == ["news"]
    with pytest.raises(EOFError):
        here.hear()


def test_a_client_whose_pages_may_have_missed_something_is_told_to_come_back(stage):
    ours, theirs = stage.watch(RUN), stage.watch("run:2", client=uuid4())
    stage.renderer.tell(wire.Reset(stage.client_id))
    assert ours.close_code() == 1012
    stage.push("run:2", ("head", 1, "news"))
    assert theirs.texts(1) == ["news"]


def test_nothing_is_left_open(stage):
    before = len(list(Path("/proc/self/fd").iterdir()))
    browsers = [stage.watch(RUN) for _ in range(20)]
    refused = stage.peer()
    refused.tell(wire.Handover(Watcher(uuid4(), uuid4(), uuid4()), ()), 0)
    refused.hear(wire.Refused)
    nonsense = stage.peer()
    nonsense.connection.sendall(b"\x00\x00\x00\x05hello")
    with pytest.raises(EOFError):
        nonsense.hear(wire.Taken)
    for browser in browsers:
        browser.close()
    for peer in stage.peers[1:]:
        peer.close()
    wait_until(lambda: len(list(Path("/proc/self/fd").iterdir())) <= before)
    assert not stage.hub.audience.topics


def test_a_folder_too_deep_for_a_socket_address_will_do(tmp_path):
    path = tmp_path / ("deep" * 30) / "run" / "hub.sock"
    assert len(str(path)) > 108
    with wire.listen(path):
        assert path.stat().st_mode & 0o777 == 0o600
        wire.connect(path, 1).close()
        with pytest.raises(OSError, match="already listens"):
            wire.listen(path)
    wire.listen(path).close()  # one that was killed leaves its file behind


def test_as_a_process_of_its_own(tmp_path):
    """Starts without Flask or a database, refuses a second copy in one line, says good-bye on SIGTERM."""
    env = {**os.environ, "LOTLINE_VAR": str(tmp_path)}
    command = [sys.executable, "-m", "webapp.live.hub"]
    process = subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True)
    try:
        path = wire.socket_path(tmp_path)
        wait_until(path.exists)
        again = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
        assert again.returncode == 1
        assert again.stderr.count("\n") == 1
        assert "already listens" in again.stderr
        loaded = Path(f"/proc/{process.pid}/maps").read_text()
        assert "sqlalchemy" not in loaded
        assert "psycopg" not in loaded
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert not path.exists()
    finally:
        process.kill()
        process.communicate()
