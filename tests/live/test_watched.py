"""Whose topics are watched, and when their streams are due."""

from uuid import uuid4

from webapp.live.watched import Watched

FAR = 1e12


def test_a_stream_matters_only_while_something_of_its_clients_is_watched():
    watched, mine, others = Watched(), uuid4(), uuid4()
    watched.add("run:a", mine)
    watched.note(1, mine, 5, since=0.0)
    watched.note(2, others, 5, since=0.0)
    assert watched.backlog.take(FAR, 10) == (mine, [1])
    watched.remove("run:a", mine)
    assert watched.backlog.take(FAR, 10) is None
    assert not watched.clients


def test_streams_of_a_calm_topic_fall_due_together_then_rest_and_then_show_the_newest():
    watched, mine = Watched(pause_seconds=3600), uuid4()
    watched.add("client:a", mine)
    watched.note(1, mine, 1, since=0.0)
    watched.note(2, mine, 1, since=0.0)
    together_at = watched.backlog.next_at()
    assert together_at is not None
    assert watched.backlog.take(together_at - 1, 10) is None
    assert watched.backlog.take(together_at, 10) == (mine, [1, 2])
    watched.backlog.finish(1, 1)
    watched.backlog.finish(2, 1)
    watched.note(1, mine, 2, since=0.0)
    watched.note(1, mine, 3, since=0.0)
    rests_until = watched.backlog.next_at()
    assert rests_until is not None
    assert watched.backlog.take(rests_until - 1, 10) is None
    assert watched.backlog.take(rests_until, 10) == (mine, [1])
    assert watched.backlog.span(1, 3) == (1, 3)


def test_what_waits_waits_since_before_it_happened_however_often_it_is_noted():
    watched, mine = Watched(), uuid4()
    watched.add("run:a", mine)
    watched.note(1, mine, 1, since=3.0)
    watched.note(1, mine, 2, since=4.0)
    watched.note(2, mine, 1, since=5.0)
    assert watched.backlog.waits_since() == 3.0
    watched.backlog.take(FAR, 1)
    assert watched.backlog.waits_since() == 3.0
    watched.backlog.finish(1, 2)
    assert watched.backlog.waits_since() == 5.0


def test_what_happens_while_a_stream_is_at_hand_falls_due_anew_and_waits_since_then():
    watched, mine = Watched(), uuid4()
    watched.add("run:a", mine)
    watched.note(1, mine, 2, since=3.0)
    assert watched.backlog.take(FAR, 10) == (mine, [1])
    watched.note(1, mine, 2, since=4.0)  # told once more
    assert watched.backlog.next_at() is None
    watched.note(1, mine, 3, since=5.0)
    assert watched.backlog.span(1, 9) == (0, 2)
    assert watched.backlog.waits_since() == 3.0
    watched.backlog.finish(1, 2)
    assert watched.backlog.waits_since() == 5.0
    assert watched.backlog.take(FAR, 10) == (mine, [1])
    assert watched.backlog.span(1, 9) == (2, 3)


def test_a_calm_stream_rests_after_it_was_rendered_also_for_what_came_meanwhile():
    watched, mine = Watched(pause_seconds=3600), uuid4()
    watched.add("client:a", mine)
    watched.note(1, mine, 1, since=0.0)
    together_at = watched.backlog.next_at()
    assert together_at is not None
    watched.backlog.take(together_at, 10)
    watched.note(1, mine, 2, since=0.0)
    watched.backlog.finish(1, 1)
    assert watched.backlog.take(together_at, 10) is None


def test_what_is_put_off_or_cannot_be_rendered_now_keeps_what_came_meanwhile():
    for put_off in (lambda backlog: backlog.postpone(1, 2), lambda backlog: backlog.sit_out(0.1)):
        watched, mine = Watched(), uuid4()
        watched.add("run:a", mine)
        watched.note(1, mine, 2, since=3.0)
        watched.backlog.take(FAR, 10)
        watched.note(1, mine, 3, since=5.0)
        put_off(watched.backlog)
        assert not watched.backlog.is_at_hand(1)
        assert watched.backlog.waits_since() == 3.0
        assert watched.backlog.take(0.0, 10) is None
        assert watched.backlog.take(FAR, 10) == (mine, [1])
        assert watched.backlog.span(1, 9) == (0, 3)


def test_who_leaves_takes_along_what_is_at_hand():
    watched, mine = Watched(), uuid4()
    watched.add("run:a", mine)
    watched.note(1, mine, 2, since=3.0)
    watched.backlog.take(FAR, 10)
    watched.remove("run:a", mine)
    assert not watched.backlog.is_at_hand(1)
    assert watched.backlog.waits_since() is None
