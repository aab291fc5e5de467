"""What holds under concurrency, and what the pages do not show."""

import threading
from collections.abc import Callable

import pytest

from tests.factories import make_client, make_member, make_user
from webapp.access import forms, services
from webapp.access.models import Role
from webapp.audit.services import SYSTEM, Actor
from webapp.database import tenant, transaction
from webapp.errors import Conflict, DomainError, Forbidden


def at_once(app, *actions: Callable[[], object]) -> list[BaseException | None]:
    """Run the actions in parallel; what each of them raised."""
    raised: list[BaseException | None] = [None] * len(actions)
    start = threading.Barrier(len(actions))

    def run(index: int) -> None:
        with app.app_context():
            start.wait()
            try:
                actions[index]()
            except DomainError as error:
                raised[index] = error

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(actions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_two_admins_cannot_demote_each_other_at_the_same_moment(app, in_app, owner):
    client = make_client()
    first, second = make_member(client, Role.ADMIN), make_member(client, Role.ADMIN)

    def demote(user):
        with tenant(client.id), transaction():
            services.change_role(client.id, user.id, SYSTEM, Role.STAFF)

    raised = at_once(app, lambda: demote(first), lambda: demote(second))
    assert [type(error) for error in raised if error] == [Conflict]
    assert owner.execute("SELECT count(*) FROM memberships WHERE role = 'admin'").fetchone() == (1,)


def test_one_of_two_who_take_the_same_address_gets_it(app, in_app, owner):
    def create():
        with transaction():
            services.create_user(SYSTEM, name="X", email="same@example.com")

    raised = at_once(app, create, create)
    assert [type(error) for error in raised if error] == [Conflict]
    assert owner.execute("SELECT count(*) FROM users").fetchone() == (1,)


def test_a_person_with_two_clients_may_make_a_link_to_the_own_account(in_app):
    client_id = make_client().id
    user_id = make_member(make_client(), user=make_member(make_client(), Role.ADMIN)).id
    with tenant(client_id), transaction():
        services.join(client_id, user_id, SYSTEM, Role.ADMIN)
    with pytest.raises(Forbidden), tenant(client_id), transaction():
        services.link_for_member(client_id, user_id, SYSTEM)
    with tenant(client_id), transaction():
        services.link_for_member(client_id, user_id, Actor(user_id=user_id))


def test_two_clients_with_the_same_short_name_are_refused(in_app):
    make_client("Same name")
    with pytest.raises(Conflict, match="same-name"), transaction():
        services.create_client("same Näme", SYSTEM)


@pytest.mark.parametrize(
    ("name", "slug"),
    [("My company", "my-company"), ("Müller & Söhne", "muller-sohne"), ("株式会社", "client"), ("--", "client")],
)
def test_short_names(name, slug):
    assert services.slug_of(name) == slug


def test_an_unchanged_role_leaves_no_trace(in_app, owner):
    client = make_client()
    user = make_member(client)
    with tenant(client.id), transaction():
        services.change_role(client.id, user.id, SYSTEM, Role.STAFF)
    assert owner.execute("SELECT count(*) FROM audit WHERE action = 'member_role_changed'").fetchone() == (0,)


def test_each_role_covers_those_before_it():
    roles = list(Role)
    for index, role in enumerate(roles):
        assert [role.covers(other) for other in roles] == [True] * (index + 1) + [False] * (len(roles) - index - 1)


def test_all_offered_time_zones_are_known_to_python():
    assert "Europe/Berlin" in forms.time_zones()
    assert len(forms.time_zones()) > 300


@pytest.mark.parametrize(("typed", "kept"), [(" Ａ@Example.COM ", "a@example.com"), ("É@x.fr", "é@x.fr")])
def test_an_address_has_one_spelling(typed, kept):
    assert forms.normal_email(typed) == kept


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  Ada \t Lovelace ", "Ada Lovelace"),
        ("Ada\u202egpj.exe", "Adagpj.exe"),
        ("A\u200bd\u00ada\x07\ufeff", "Ada"),
        ("e\u0301", "é"),
        ("\u0628\u200c\u0628", "\u0628\u200c\u0628"),  # Persian is spelled with it
    ],
)
def test_a_name_keeps_only_what_can_be_seen(typed, kept):
    form = forms.Form({"name": typed})
    assert form.text("name", "too short") == kept
    assert not form.errors


@pytest.mark.parametrize("typed", ["", " ", "\u200b", "\u200d\u200c"])
def test_a_name_that_cannot_be_seen_is_none(typed):
    form = forms.Form({"name": typed})
    form.text("name", "too short")
    assert form.errors == {"name": "too short"}


@pytest.mark.parametrize("typed", ["boss\u200b@a.example", "boss\x07@a.example", "b\u202e@a.example"])
def test_an_address_that_only_looks_like_another_is_refused(typed):
    form = forms.Form({"email": typed})
    form.email()
    assert form.errors


def test_an_address_in_other_letters_is_the_same_account(in_app):
    user = make_user()
    assert services.sign_in.by_email(user.email.upper()).id == user.id
