"""The embedded Redis: what it is, and that it comes back."""

import pytest
import redis

from tests.embedded.conftest import Place
from webapp.embedded import InUse


def test_it_keeps_nothing_and_never_drops_a_message_in_silence(place: Place) -> None:
    server = place.redis()
    server.start()
    with redis.Redis.from_url(server.url, decode_responses=True) as client:
        settings = client.config_get("*")
        wanted = {"maxmemory-policy": "noeviction", "save": "", "appendonly": "no", "port": "0"}
        assert {name: settings[name] for name in wanted} == wanted
        client.set("word", "gone after a restart")
    server.stop()
    assert not server.answers()
    server.start()
    with redis.Redis.from_url(server.url) as client:
        assert client.get("word") is None


def test_it_starts_again_after_a_crash(place: Place) -> None:
    server = place.redis()
    server.start()
    server.kill()
    assert server.socket.exists()
    server.start()
    assert server.answers()


def test_a_second_one_in_the_same_place_is_refused(place: Place) -> None:
    server = place.redis()
    server.start()
    with pytest.raises(InUse):
        place.redis().start()
    assert server.answers()
