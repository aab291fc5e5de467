"""/health and /ready tell the truth."""

import pytest

from tests import servers
from webapp.app import create_app

SEEN = (
    "INSERT INTO workers (id, kind, host, pid, last_seen) VALUES (%s, %s, 'here', 1, now() - make_interval(secs => %s))"
)


@pytest.fixture
def staffed(owner, app):
    """A slot and a dispatcher that were seen a moment ago."""
    owner.execute(SEEN, ("s", "slot", 1))
    owner.execute(SEEN, ("d", "dispatcher", 1))


def parts(answer):
    return answer.json["parts"]


def test_health_asks_nobody(browse, count_queries):
    with count_queries() as statements:
        assert browse.get("/health").json == {"status": "alive"}
    assert statements == []


def test_ready_when_all_is_well(browse, staffed):
    answer = browse.get("/ready")
    assert answer.status_code == 200
    assert answer.json == {
        "status": "ready",
        "parts": dict.fromkeys(["database", "redis", "slot", "dispatcher", "disk"], "ok"),
    }


def test_nobody_at_work(browse):
    answer = browse.get("/ready")
    assert answer.status_code == 503
    assert parts(answer)["slot"] == parts(answer)["dispatcher"] == "never seen"
    assert parts(answer)["database"] == "ok"


@pytest.mark.parametrize(("kind", "seconds"), [("slot", 31), ("dispatcher", 11)])
def test_one_who_fell_silent(browse, staffed, owner, kind, seconds):
    owner.execute("UPDATE workers SET last_seen = now() - make_interval(secs => %s) WHERE kind = %s", (seconds, kind))
    answer = browse.get("/ready")
    assert answer.status_code == 503
    assert [part for part, state in parts(answer).items() if state != "ok"] == [kind]


def test_a_database_that_lags_behind_the_code(browse, staffed, owner):
    [newest] = owner.execute("SELECT version_num FROM alembic_version").fetchone()
    owner.execute("UPDATE alembic_version SET version_num = '0000'")
    try:
        answer = browse.get("/ready")
    finally:
        owner.execute("UPDATE alembic_version SET version_num = %s", (newest,))
    assert answer.status_code == 503
    assert parts(answer)["database"] == "needs flask db upgrade"


def test_a_full_disk(browse, staffed, monkeypatch):
    monkeypatch.setattr("webapp.health.MIN_FREE_BYTES", 10**18)
    answer = browse.get("/ready")
    assert answer.status_code == 503
    assert parts(answer)["disk"].startswith("only ")


def test_everything_away(running, tmp_path, app):
    """Nothing listens where the database and Redis should be; the answer still comes, and soon."""
    nowhere = f"postgresql+psycopg://x@/x?host={tmp_path}"
    settings = servers.settings(
        running,
        "none",
        var=tmp_path / "gone",
        redis_url=f"unix://{tmp_path}/no.sock",
        database_app_url=nowhere,
        database_system_url=nowhere,
    )
    lonely = create_app(settings)
    try:
        answer = lonely.test_client().get("/ready")
        browser = lonely.test_client()
        browser.set_cookie(lonely.config["ACCESS_COOKIE"], "x")
        page = browser.get("/")
    finally:
        servers.disconnect(lonely)
    assert answer.status_code == page.status_code == 503
    assert parts(answer)["database"] == parts(answer)["redis"] == "cannot be reached"
    assert parts(answer)["disk"] == "cannot be read"
    assert "Not just now" in page.text
    assert "Something broke" not in page.text
