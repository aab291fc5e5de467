"""The fragment providers of the app, against the contract in webapp.live.frames."""

import inspect
from types import SimpleNamespace
from uuid import uuid4

import pytest

from webapp.app import LIVE_PROVIDERS
from webapp.database import tenant
from webapp.live.fragments import Fragments
from webapp.live.frames import Provider, Span


def test_topics_and_streams_find_their_provider():
    fragments = Fragments({"run": "tests.live.tiny_provider"})
    assert fragments.of_topic("run:1") is fragments.of_kind("run") is fragments.all()[0]
    assert [fragments.of_topic(topic) for topic in ("run", "run:", "job:1", "", ":1")] == [None] * 5
    assert fragments.of_kind("job") is None


@pytest.mark.parametrize("word", LIVE_PROVIDERS)
def test_every_provider_keeps_the_contract(word, in_app):
    provider = Fragments(LIVE_PROVIDERS).of_kind(word)
    for name in ("may_watch", "state", "read", "frames"):
        promised = list(inspect.signature(getattr(Provider, name)).parameters)[1:]
        assert list(inspect.signature(getattr(provider, name)).parameters) == promised
    stranger = SimpleNamespace(client_id=uuid4(), user_id=uuid4(), session_id=uuid4(), role="staff")
    with tenant(stranger.client_id, stranger.user_id):
        for topic in (
            word,
            f"{word}:",
            f"{word}:x",
            f"{word}:{uuid4()}",
            f"{word}:{uuid4()}:{uuid4()}",
            f"{word}:1:2:3",
        ):
            assert provider.may_watch(stranger, topic) is False
        span = Span(0, 0, 5)
        assert list(provider.frames(span, provider.read([span])[0], lambda topic: True)) == []
