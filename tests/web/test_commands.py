"""Commands speak plainly, and starting with a bad environment is one line."""

import os
import subprocess
import sys

import pytest

from tests import servers
from tests.factories import make_client, make_user
from webapp.assets import ROOT


@pytest.fixture
def run(app):
    """`run("bootstrap")`: the command's result."""
    runner = app.test_cli_runner()
    return lambda *arguments: runner.invoke(args=arguments)


def link_of(result):
    return result.stdout.splitlines()[-1]


def follow(app, link):
    browser = app.test_client()
    browser.get(link.removeprefix("http://localhost"))
    return browser


def test_the_first_start_makes_a_client_a_user_and_a_link(app, run, owner):
    result = run("bootstrap", "--base-url", "http://192.0.2.1:8000/")
    assert result.exit_code == 0, result.output
    assert link_of(result).startswith("http://192.0.2.1:8000/sign-in/")
    assert result.stdout.count("\n") == 1
    assert "My company" in result.stderr
    assert owner.execute("SELECT name, slug FROM clients").fetchall() == [("My company", "my-company")]
    assert owner.execute("SELECT email, is_operator FROM users").fetchall() == [("admin@localhost", True)]
    assert owner.execute("SELECT role FROM memberships").fetchall() == [("admin",)]
    assert owner.execute("SELECT name, kind, is_default FROM catalogs").fetchall() == [("My products", "manual", True)]


def test_its_link_signs_in_by_being_opened(app, run):
    browser = follow(app, link_of(run("bootstrap")))
    page = browser.get("/users")
    assert page.status_code == 200
    assert "My company" in page.text


def test_later_starts_change_nothing_and_make_a_fresh_link(app, run, owner):
    first, second = link_of(run("bootstrap")), link_of(run("bootstrap"))
    assert first != second
    assert owner.execute("SELECT count(*) FROM clients").fetchone() == (1,)
    assert owner.execute("SELECT count(*) FROM users").fetchone() == (1,)
    assert follow(app, first).get("/users").status_code == 303
    assert follow(app, second).get("/users").status_code == 200


def test_the_link_is_for_the_first_operator(app, run, in_app):
    make_user(name="Not this one")
    operator = make_user(name="Olga", is_operator=True)
    make_user(name="Later", is_operator=True)
    result = run("bootstrap")
    assert operator.email in result.stderr
    assert "Olga" in follow(app, link_of(result)).get("/account").text


def test_without_an_operator_there_is_no_link(run, in_app):
    make_user()
    result = run("bootstrap")
    assert result.exit_code == 0
    assert result.stdout == ""
    assert "no active operator" in result.stderr


def test_a_user_is_made_with_a_role_and_signs_in(app, run, in_app):
    make_client("Some shop")
    result = run("create-user", "Eve@Example.com", "--name", "Eve", "--client", "some-shop", "--role", "reviewer")
    assert result.exit_code == 0, result.output
    browser = app.test_client()
    browser.submit(link_of(result).removeprefix("http://localhost"))
    assert browser.get("/reviews").status_code == 200
    assert browser.get("/users").status_code == 403


def test_an_account_may_be_given_one_more_client_and_is_handed_over_anew(app, run, in_app, owner):
    make_client("Some shop")
    user = make_user(password="correct horse battery")
    result = run("create-user", user.email, "--client", "some-shop")
    assert result.exit_code == 0
    assert owner.execute("SELECT user_id, role FROM memberships").fetchall() == [(user.id, "staff")]
    assert "signed out everywhere" in result.stderr
    assert owner.execute("SELECT password_hash FROM users").fetchall() == [(None,)]
    browser = app.test_client()
    browser.submit(link_of(result).removeprefix("http://localhost"))
    assert browser.get("/account").status_code == 200


def test_a_client_is_made_with_its_catalog(run, owner):
    result = run("create-client", "Åse & Co")
    assert "ase-co" in result.stderr
    assert owner.execute("SELECT count(*) FROM catalogs WHERE is_default").fetchone() == (1,)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("create-user", "no address"), "not an e-mail address"),
        (("create-user", "a@example.com", "--client", "none"), "no client with the short name 'none'"),
        (("create-client", "x"), "at least two letters"),
        (("create-client", "Taken"), "'taken' exists already"),
        (("sign-in-link", "nobody@example.com"), "no active account"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(run, in_app, owner, arguments, says):
    make_client("Taken")
    result = run(*arguments)
    assert result.exit_code == 1
    assert says in result.stderr
    assert result.stderr.count("\n") == 1
    assert owner.execute("SELECT count(*) FROM users").fetchone() == (0,)
    assert owner.execute("SELECT count(*) FROM clients").fetchone() == (1,)


FLASK = (sys.executable, "-m", "flask", "--app", "webapp")
GUNICORN = (sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:0", "--log-level", "critical", "webapp.wsgi:app")


def start(command, tmp_path, **environment):
    """Run a process with nothing in its environment but this."""
    plain = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    return subprocess.run(
        command, cwd=ROOT, env=plain | {"LOTLINE_VAR": str(tmp_path)} | environment, capture_output=True, text=True
    )


@pytest.mark.parametrize("command", [(*FLASK, "bootstrap"), GUNICORN], ids=["flask", "gunicorn"])
def test_a_missing_key_is_one_line(command, tmp_path):
    ended = start(command, tmp_path)
    assert ended.returncode != 0
    assert ended.stderr.splitlines()[0].startswith("lotline: SECRET_KEY is not set")
    assert "make flask" in ended.stderr.splitlines()[0]
    assert "Traceback" not in ended.stderr


def test_the_web_server_refuses_the_owners_login(app, tmp_path):
    environment = servers.environment(app.extensions["lotline_config"])
    ended = start(GUNICORN, tmp_path, **{**environment, "DATABASE_APP_URL": environment["DATABASE_URL"]})
    assert ended.returncode != 0
    assert "could bypass row-level security" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_database_that_does_not_answer_is_one_line(app, tmp_path):
    url = f"postgresql://x@/x?host={tmp_path}"
    ended = start(
        (*FLASK, "bootstrap"), tmp_path, SECRET_KEY=servers.SECRET_KEY, DATABASE_URL=url, REDIS_URL="redis://x"
    )
    assert ended.returncode == 1
    assert "the database does not answer" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_database_on_which_lotline_was_never_started_is_told_with_what_to_do(app, running, tmp_path):
    """A command in another folder than the one that Lotline runs in finds a database without the logins."""
    ended = start(
        (*FLASK, "bootstrap"),
        tmp_path,
        SECRET_KEY=f"another {servers.SECRET_KEY}",
        DATABASE_URL=running.database,
        REDIS_URL=running.redis,
    )
    assert ended.returncode == 1
    assert "Lotline was never started on the database" in ended.stderr
    assert f"LOTLINE_VAR (now {tmp_path})" in ended.stderr
    assert "make run" in ended.stderr
    assert "password" not in ended.stderr
    assert "Traceback" not in ended.stderr
