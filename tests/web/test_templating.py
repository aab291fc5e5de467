"""What is constant in templates is worked out as they are compiled, and means the same as before."""

import os
import subprocess
import sys

import pytest
from jinja2 import DictLoader

from tests import servers
from webapp.assets import ROOT


@pytest.fixture
def render(app, in_app, monkeypatch):
    """Render a template given as text, and tell how often a page would still ask for something constant."""

    def make(source, **values):
        loader = DictLoader({"_it.html": source, "_icon.html": (ROOT / "templates/_icon.html").read_text()})
        overlay = app.jinja_env.overlay(loader=loader)
        with app.test_request_context():
            return overlay.get_template("_it.html").render(**values)

    return make


def test_words_addresses_and_pictures_come_out_as_if_they_were_called(app, render):
    picture = '{% from "_icon.html" import icon %}{{ icon("check", "big") }}'
    with app.test_request_context():
        asset = app.jinja_env.globals["asset"]("img/icons.svg")
    assert render("{{ _('All') }}|{{ url_for('pipeline.desk', scope='mine') }}") == "All|/?scope=mine"
    assert f'href="{asset}#check"' in render(picture)
    assert 'class="icon big"' in render(picture)
    assert render("{{ _('at %(percent)s %%', percent=n) }}", n=5) == "at 5 %"


def test_what_is_put_into_a_sentence_is_escaped_and_the_sentence_is_not(render):
    assert render("{{ _('<b>%(name)s</b>', name=name) }}", name="<i>") == "<b>&lt;i&gt;</b>"


def test_constants_cost_nothing_when_a_page_is_made(app, render, monkeypatch):
    calls = []
    monkeypatch.setitem(app.jinja_env.globals, "asset", lambda name: calls.append(name) or "/x")
    source = "{% for n in range(50) %}{{ asset('img/icons.svg') }}{{ _('All') }}{% endfor %}"
    assert render(source).count("/x") == 50
    assert calls == ["img/icons.svg"]


def test_an_address_that_no_route_has_is_said_where_the_page_is_made(render):
    with pytest.raises(Exception, match=r"no\.such"):
        render("{{ url_for('no.such') }}")


def test_a_sockets_address_is_a_path_too(render):
    assert render("{{ url_for('live.socket', topic='run:1') }}") == "/live?topic=run:1"


def test_indentation_does_not_travel(render):
    assert render("<p>\n      <b>\n\n   a</b>\n</p>") == "<p>\n<b>\na</b>\n</p>"


def test_the_web_has_every_template_compiled_before_its_first_page(app):
    says = "from webapp.wsgi import app; print(*(name for _, name in app.jinja_env.cache.keys()))"
    env = os.environ | servers.environment(app.extensions["lotline_config"])
    compiled = subprocess.check_output([sys.executable, "-c", says], env=env, cwd=ROOT, text=True).split()
    sources = {path.relative_to(ROOT / "templates").as_posix() for path in (ROOT / "templates").rglob("*.html")}
    assert sources <= set(compiled)
