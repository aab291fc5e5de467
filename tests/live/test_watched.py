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
    watched.backlog.finish(1, 2)
    assert watched.backlog.waits_since() == 5.0
