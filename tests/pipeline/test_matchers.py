"""Learned matchers in the app: trained by command, kept per client, used by phase 2, refused when unusable."""

import os
import time
from dataclasses import replace

import pytest

from tests import factories
from tests.phases.matching_sets import write_set
from tests.pipeline.settled import settle
from webapp.database import db, reading, tenant
from webapp.phases.matching.matchers import Rules
from webapp.phases.matching.trained import Trained
from webapp.pipeline import matcher_files, matchers
from webapp.pipeline.commands import train_matcher_command


@pytest.fixture
def trader(in_app):
    return client_named("Harbour Trade")


@pytest.fixture(autouse=True)
def own_folder(app, tmp_path, monkeypatch):
    """Matchers of this test alone."""
    monkeypatch.setitem(app.extensions, "lotline_config", replace(app.extensions["lotline_config"], var=tmp_path))


def client_named(name: str):
    client = factories.make_client(name, currency="EUR")
    db.session.expunge(client)  # the command's sessions are not the test's
    return client.id


def train(app, *arguments):
    return app.test_cli_runner().invoke(train_matcher_command, [str(each) for each in arguments])


def test_a_fresh_installation_goes_by_the_rules(trader):
    assert isinstance(matchers.matcher_for(trader)[0], Rules)


def test_what_is_trained_from_tables_serves_every_client(app, trader, tmp_path):
    write_set(tmp_path / "set")
    done = train(app, tmp_path / "set")
    assert done.exit_code == 0, done.output
    assert "Learned from 180 pairs" in done.output
    found, _ = matchers.matcher_for(trader)
    assert isinstance(found, Trained)
    assert len(found.source) == 64


def test_what_reviewers_settled_is_learned_from_for_their_client_alone(app, trader):
    settle(trader)
    with tenant(trader), reading() as session:
        lefts, _, pairs = matchers.settled_pairs(session)
    assert len(lefts) == 80
    assert sum(bool(pair.same) for pair in pairs) == 80
    assert any(pair.same is False for pair in pairs)
    done = train(app, "--client", "harbour-trade")
    assert done.exit_code == 0, done.output
    assert isinstance(matchers.matcher_for(trader)[0], Trained)
    assert isinstance(matchers.matcher_for(client_named("Someone Else"))[0], Rules)


def test_so_many_pairs_are_enough(trader, monkeypatch):
    """A slot that learns does nothing else."""
    settle(trader)
    monkeypatch.setattr(matchers, "PAIRS_LIMIT", 30)
    with tenant(trader), reading() as session:
        lefts, _, pairs = matchers.settled_pairs(session)
    assert len(lefts) < 80
    assert len(pairs) >= 30


def test_what_a_crash_left_goes_when_the_next_one_is_written(trader):
    path = matcher_files.put(b"first", trader)
    old, young = (path.with_name(f"{path.name}.{name}") for name in ("old", "young"))
    for left in (old, young):
        left.write_bytes(b"half")
    long_ago = time.time() - 2 * matcher_files.LEFT_AFTER_SECONDS
    for kept in (path, old):
        os.utime(kept, (long_ago, long_ago))
    other = matcher_files.put(b"of everybody", None)
    assert set(path.parent.iterdir()) == {path, other, young}  # somebody may be about to put the young one in its place


def test_too_little_to_learn_from_is_said(app, trader):
    settle(trader, count=8)
    done = train(app, "--client", "harbour-trade")
    assert done.exit_code == 1
    assert "at least 20 pairs" in done.output
    assert isinstance(matchers.matcher_for(trader)[0], Rules)


def test_an_unusable_file_is_left_aside(trader, caplog):
    path = matcher_files.path_of(None)
    path.parent.mkdir()
    path.write_bytes(b'{"version":99,"checksum":"","learned":{}}')
    assert isinstance(matchers.matcher_for(trader)[0], Rules)
    assert "matcher unusable" in caplog.text


@pytest.mark.parametrize("arguments", [(), ("{folder}", "--client", "harbour-trade"), ("--client", "nobody")])
def test_the_command_says_what_it_wants(app, trader, tmp_path, arguments):
    done = train(app, *(argument.format(folder=tmp_path) for argument in arguments))
    assert done.exit_code == 1
    assert "Name either a folder" in done.output or "no client with the short name" in done.output
