"""Limits hold when Redis is away, and Redis being away does not hold requests up."""

import pytest

from tests import servers
from tests.conftest import Browser
from tests.factories import make_user
from webapp.app import create_app

PASSWORD = "correct horse battery"


@pytest.fixture
def without_redis(running, number, tmp_path, in_app):
    """A browser of the same installation, in a process that does not reach Redis."""
    settings = servers.settings(running, f"lotline_test_{number}", var=tmp_path, redis_url=f"unix://{tmp_path}/no.sock")
    lonely = create_app(settings)
    lonely.test_client_class = Browser
    yield lonely.test_client()
    servers.disconnect(lonely)


def test_signing_in_works_and_failures_are_counted_without_redis(without_redis):
    user = make_user(password=PASSWORD)
    for _ in range(10):
        wrong = without_redis.submit("/sign-in", {"email": user.email, "password": "wrong"})
        assert wrong.status_code == 422
    assert without_redis.submit("/sign-in", {"email": user.email, "password": PASSWORD}).status_code == 429
    other = make_user(password=PASSWORD)
    assert without_redis.submit("/sign-in", {"email": other.email, "password": PASSWORD}).status_code == 303
    without_redis.token = None
    assert without_redis.submit("/sign-out").status_code == 303  # revocation cannot be published, but is done


def test_each_address_is_counted_for_itself(browse):
    def fail(address, number):
        return browse.submit(
            "/sign-in",
            {"email": f"{number}@example.com", "password": "x"},
            environ_overrides={"REMOTE_ADDR": address},
        ).status_code

    assert {fail("192.0.2.1", number) for number in range(20)} == {422}
    assert fail("192.0.2.1", 20) == 429
    assert fail("192.0.2.2", 20) == 422
