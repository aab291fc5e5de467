"""A backup that was never put back is none: saved from one database, put into an empty one, and compared."""

import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from tests import factories, servers
from webapp import backup
from webapp.database import db, tenant, transaction
from webapp.errors import ConfigError
from webapp.pipeline.services import start_run


@pytest.fixture
def settings(app, in_app, tmp_path):
    """The test app's settings with photos of its own."""
    return replace(app.extensions["lotline_config"], var=tmp_path / "var")


@pytest.fixture
def elsewhere(running, number, settings, tmp_path):
    """An empty database and an empty folder."""
    name = f"lotline_test_restore_{number}"
    servers.create_database(running, name, template=None)
    fresh = servers.settings(running, name, var=tmp_path / "elsewhere")
    fresh.var.mkdir()
    yield fresh
    servers.drop_database(running, name)


def photo(settings) -> Path:
    return settings.var / "photos" / "client" / "ab" / "abc.jpg"


def matcher(settings) -> Path:
    return settings.var / "matchers" / "everybody.json"


def fill(settings) -> None:
    client = factories.make_client("Saved company")
    product = factories.make_product(client, name="Kettle")
    with tenant(client.id), transaction() as session:
        start_run(
            session, client_id=client.id, product_id=product.id, created_by=None, started_by=None, hints={"name": "ü"}
        )
    photo(settings).parent.mkdir(parents=True)
    photo(settings).write_bytes(b"a photo")
    matcher(settings).parent.mkdir()
    matcher(settings).write_bytes(b"learned")
    db.session.remove()
    db.engine.dispose()


def rows(settings) -> dict[str, int]:
    with servers.as_owner(settings.database_url) as connection:
        tables = [r[0] for r in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        return {table: connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0] for table in tables}


def test_what_is_put_back_is_what_was_saved(settings, elsewhere, tmp_path):
    fill(settings)
    archive = tmp_path / "out" / "lotline.tar"
    backup.save(settings, archive)
    assert archive.stat().st_mode & 0o077 == 0
    backup.load(elsewhere, archive)
    assert rows(elsewhere) == rows(settings)
    assert rows(elsewhere)["phases"] == 4
    assert photo(elsewhere).read_bytes() == b"a photo"
    assert matcher(elsewhere).read_bytes() == b"learned"
    with servers.as_owner(elsewhere.database_url) as connection:
        policies = connection.execute("SELECT count(*) FROM pg_policies").fetchone()[0]
    with servers.as_owner(elsewhere.database_app_url) as connection:
        seen = connection.execute("SELECT count(*) FROM products").fetchone()[0]
    assert (policies > 20, seen) == (True, 0)


def test_an_older_state_replaces_a_newer_one(settings, elsewhere, tmp_path):
    fill(settings)
    archive = tmp_path / "lotline.tar"
    backup.save(settings, archive)
    backup.load(elsewhere, archive)
    with servers.as_owner(elsewhere.database_url) as connection:
        connection.execute("UPDATE products SET name = 'changed since'")
    matcher(elsewhere).write_bytes(b"learned since")
    backup.load(elsewhere, archive)
    with servers.as_owner(elsewhere.database_url) as connection:
        assert connection.execute("SELECT name FROM products").fetchone()[0] == "Kettle"
    assert matcher(elsewhere).read_bytes() == b"learned"


def test_a_backup_never_overwrites_another(settings, tmp_path):
    archive = tmp_path / "lotline.tar"
    archive.write_text("yesterday's")
    with pytest.raises(ConfigError, match="exists already"):
        backup.save(settings, archive)
    assert archive.read_text() == "yesterday's"


def test_a_file_that_is_no_backup_changes_nothing(settings, elsewhere, tmp_path):
    other = tmp_path / "other.tar"
    with tarfile.open(other, "w") as tar:
        tar.add(__file__, "holiday.py")
    (tmp_path / "text.tar").write_text("no archive")
    for file in (other, tmp_path / "text.tar", tmp_path / "missing.tar"):
        with pytest.raises(ConfigError):
            backup.load(elsewhere, file)
    assert rows(elsewhere) == {}


def test_nothing_is_put_back_under_a_running_installation(settings, elsewhere, tmp_path):
    fill(settings)
    archive = tmp_path / "lotline.tar"
    backup.save(settings, archive)
    with servers.as_owner(elsewhere.database_url), pytest.raises(ConfigError, match="stop it"):
        backup.load(elsewhere, archive)
