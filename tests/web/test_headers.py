"""What every answer tells the browser it may do, and static files that may be kept for ever."""

import re
from pathlib import Path

import pytest

from tests import servers
from tests.factories import make_client, make_member
from webapp import assets
from webapp.app import create_app

TEMPLATES = sorted((assets.ROOT / "templates").rglob("*.html"))


@pytest.mark.parametrize("path", ["/sign-in", "/nothing", "/health", "/static/css/base.css", "/"])
def test_every_answer_carries_the_rules(browse, path):
    headers = browse.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "style-src 'self';" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "Strict-Transport-Security" not in headers


def test_pages_are_not_kept(browse, sign_in):
    assert browse.get("/sign-in").headers["Cache-Control"] == "no-store"
    assert sign_in(make_member(make_client())).get("/account").headers["Cache-Control"] == "no-store"


@pytest.fixture
def secure_app(running, number, tmp_path, app):
    """The same installation, reached by HTTPS through one proxy."""
    settings = servers.settings(
        running, f"lotline_test_{number}", var=tmp_path, base_url="https://lotline.example", trusted_proxies=1
    )
    secure = create_app(settings)
    yield secure
    servers.disconnect(secure)


def test_behind_https_cookies_travel_by_https_only(secure_app):
    client = secure_app.test_client()
    answer = client.get("/sign-in", base_url="https://lotline.example")
    assert "Secure" in answer.headers["Set-Cookie"]
    assert "max-age" in answer.headers["Strict-Transport-Security"]


def test_a_proxys_word_counts_only_where_proxies_are_trusted(app, secure_app, caplog):
    for made, believed in ((secure_app, True), (app, False)):
        with caplog.at_level("INFO"):
            caplog.clear()
            answer = made.test_client().get(
                "/sign-in", headers={"X-Forwarded-For": "203.0.113.9", "X-Request-ID": "from-the-proxy"}
            )
        (line,) = [record for record in caplog.records if record.message == "request"]
        assert (line.address == "203.0.113.9") is believed
        assert (answer.headers["X-Request-ID"] == "from-the-proxy") is believed


# --- static files


def test_a_file_at_its_versions_address_is_kept_for_ever(app, browse):
    with app.app_context():
        url = app.jinja_env.globals["asset"]("css/base.css")
    answer = browse.get(url)
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.mimetype == "text/css"
    for other in ("/static/css/base.css", "/static/css/base.css?v=0123"):
        asked = browse.get(other)
        assert asked.headers["Cache-Control"] == "no-cache"
        assert browse.get(other, headers={"If-None-Match": asked.headers["ETag"]}).status_code == 304


def test_the_version_follows_the_content(tmp_path, monkeypatch):
    monkeypatch.setattr(assets, "STATIC", tmp_path)
    file = tmp_path / "a.css"
    file.write_text("one")
    still, watching = assets.Assets(watch=False), assets.Assets(watch=True)
    first = still.version("a.css")
    assert watching.version("a.css") == first
    file.write_text("two")
    assert still.version("a.css") == first  # worked out once
    assert watching.version("a.css") != first
    assert still.version("none.css") == ""


@pytest.mark.parametrize("name", assets.VENDOR)
def test_npm_packages_are_served(browse, name):
    answer = browse.get(f"/static/{name}")
    assert answer.status_code == 200
    assert "javascript" in answer.mimetype


def test_every_asset_that_a_template_names_exists():
    named = {
        name for template in TEMPLATES for name in re.findall(r"""asset\((["'])([^"'~]+)\1\)""", template.read_text())
    }
    missing = sorted(name for _, name in named if assets.find(name) is None)
    assert len(named) > 10
    assert missing == []


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.relative_to(assets.ROOT).as_posix())
def test_no_template_needs_what_the_policy_forbids(template: Path):
    source = template.read_text()
    assert not re.search(r"<style|\sstyle\s*=|\son[a-z]+\s*=\s*[\"']|javascript:|hx-on", source)
    for script in re.findall(r"<script\b[^>]*>", source):
        assert "src=" in script or "application/ld+json" in script
