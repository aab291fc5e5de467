"""Signing in and out, one's own account, the client and its people."""

from collections.abc import Callable
from datetime import datetime
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit
from uuid import UUID

from flask import Blueprint, abort, current_app, flash, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from webapp.access import services, sessions, sign_in
from webapp.access.devices import device_of
from webapp.access.forms import Form, normal_email, parse_id, time_zones
from webapp.access.guard import (
    current_actor,
    current_person,
    current_viewer,
    let_in,
    let_out,
    local_path,
    needs,
    public,
    signed_in,
)
from webapp.access.models import Client, Role, User
from webapp.access.sessions import Person, Viewer
from webapp.config import Config
from webapp.database import db, transaction
from webapp.errors import DomainError, NotFound
from webapp.limits import address_key, limit, network_key, start_over, viewer_key
from webapp.words import _

bp = Blueprint("access", __name__)

Page = Response | str | tuple[str, int]


def _config() -> Config:
    config: Config = current_app.extensions["lotline_config"]
    return config


# --- signing in and out ---------------------------------------------------------------------------


def _was_refused(response: Response) -> bool:
    return response.status_code == 422


def _account_key() -> str:
    return normal_email(request.form.get("email", ""))[:254] or "nobody"


def _account_from_here() -> str:
    return f"{_account_key()} from {network_key()}"


# Only failures count, so that a whole warehouse may sign in from one address at the start of a shift.
_by_address = limit("20/minute;200/hour", address_key, count_if=_was_refused)
# Each try of an account counts before its password is looked at, so that no burst gets more; success starts it over. By
# network, so that a stranger who guesses does not lock the account's holder out; the wide one is for many strangers.
FROM_HERE = "10/15minutes"
_by_account_from_here = limit(FROM_HERE, _account_from_here)
_by_account = limit("100/hour", _account_key)


@bp.route("/sign-in", methods=["GET", "POST"], endpoint="sign_in")
@public
@_by_address
@_by_account_from_here
@_by_account
def sign_in_page() -> Page:
    """Sign in by password."""
    form = Form.of(request.values, "email", "next")
    after = local_path(form.values["next"]) or "/"
    if request.method == "GET":
        return redirect(after, 303) if g.viewer else render_template("access/sign_in.html", form=form)
    try:
        with transaction():
            user = sign_in.check_password(form.values["email"], request.form.get("password", ""))
            token = _begin_session(user, "password")
    except DomainError as error:
        form.refuse(error)
        return render_template("access/sign_in.html", form=form), 422
    start_over(FROM_HERE)
    return let_in(redirect(after, 303), token)


@bp.route("/sign-in/<token>", methods=["GET", "POST"])
@public
def use_link(token: str) -> Page:
    """Where a sign-in link leads: a page with a button, since not only people open links; or straight in."""
    is_opened = request.method == "GET" and not request.headers.get("Sec-Purpose")  # nor looked at in advance
    try:
        if request.method != "POST" and not (is_opened and sign_in.is_direct(token)):
            user = sign_in.holder(token)
            return render_template("access/use_link.html", token=token, name=user.name, email=user.email, form=Form())
        with transaction():
            user, client_id = sign_in.use_link(token)
            session_token = _begin_session(user, "link", client_id)
    except NotFound as error:
        return _link_failed(error)
    return let_in(redirect("/", 303), session_token)


def _link_failed(error: NotFound) -> Page:
    if g.viewer:  # opened twice: the first time did it
        return redirect("/", 303)
    form = Form({"email": "", "next": ""})
    return render_template("access/sign_in.html", form=form, link_says=error.message), 404


def _begin_session(user: User, how: str, client_id: UUID | None = None) -> str:
    actor = current_actor()
    if g.viewer:
        sessions.revoke(g.viewer.id, only=g.viewer.session_id)
    sign_in.note_sign_in(user, actor, how)
    return sessions.begin(user.id, actor, _config().session_days, client_id)


@bp.post("/sign-out")
@signed_in
def sign_out() -> Page:
    """End this session, here and for every copy of its cookie."""
    person = current_person()
    with transaction():
        sessions.revoke(person.id, only=person.session_id)
    response = let_out(redirect(url_for("access.sign_in"), 303))
    flash(_("You are signed out."), "success")
    return response


# --- one's own account ----------------------------------------------------------------------------


def _tries_password() -> bool:
    return request.form.get("do") == "password"


class OpenSession(NamedTuple):
    """A line of the account page."""

    id: UUID
    device: str
    address: str | None
    created_at: datetime
    seen_at: datetime
    is_current: bool


@bp.route("/account", methods=["GET", "POST"])
@signed_in
@limit("20/hour", viewer_key, only_if=_tries_password)  # nothing keeps anybody from signing a thief out
def account() -> Page:
    """Name, time zone, password, and the browsers that are signed in."""
    person = current_person()
    form = Form({"name": person.name, "time_zone": person.time_zone or ""})
    if request.method == "POST":
        change = _ACCOUNT_CHANGES.get(request.form.get("do", "")) or abort(400)
        try:
            with transaction():
                says = change(person, form)
            flash(says, "success")
            return redirect(url_for("access.account"), 303)
        except DomainError as error:
            form.refuse(error)
    user = db.session.get_one(User, person.id)
    page = render_template(
        "access/account.html",
        form=form,
        zones=time_zones(),
        has_password=user.password_hash is not None,
        sessions=[
            OpenSession(
                id=each.id,
                device=device_of(each.user_agent),
                address=each.address and str(each.address),
                created_at=each.created_at,
                seen_at=each.last_seen_at,
                is_current=each.id == person.session_id,
            )
            for each in sessions.open_sessions(person.id)
        ],
    )
    return page, 422 if form.errors else 200


def _change_profile(person: Person, form: Form) -> str:
    form.values |= Form.of(request.form, "name", "time_zone").values
    name = form.text("name", _("Say how you are called."))
    time_zone = form.time_zone()
    form.require_valid()
    services.change_profile(person.id, current_actor(), name=name, time_zone=time_zone)
    return _("Saved.")


def _change_password(person: Person, _form: Form) -> str:
    sign_in.set_password(
        person.id,
        current_actor(),
        current=request.form.get("current_password", ""),
        new=request.form.get("new_password", ""),
    )
    sessions.revoke(person.id, but=person.session_id)
    return _("Your password is set. All other browsers were signed out.")


def _revoke_one(person: Person, _form: Form) -> str:
    session_id = parse_id(request.form.get("session_id", ""))
    if session_id is None or not sessions.revoke(person.id, only=session_id):
        raise NotFound(_("This browser is signed out already."))
    return _("Signed out there.")


def _revoke_others(person: Person, _form: Form) -> str:
    sessions.revoke(person.id, but=person.session_id)
    return _("All other browsers are signed out.")


_ACCOUNT_CHANGES: dict[str, Callable[[Person, Form], str]] = {
    "profile": _change_profile,
    "password": _change_password,
    "revoke": _revoke_one,
    "revoke_others": _revoke_others,
}


# --- the client and its people --------------------------------------------------------------------


class NewLink(NamedTuple):
    """A sign-in link to hand over; the page shows it once."""

    name: str
    email: str
    url: str
    until: datetime
    only_here: bool
    """It leads to a loopback address, which on any other machine is that machine itself."""


def _adds_member() -> bool:
    return request.form.get("do") == "add"


def _client_key() -> str:
    return f"client {current_viewer().client_id}"


@bp.route("/users", methods=["GET", "POST"])
@needs(Role.ADMIN)
@limit("20/hour", _client_key, only_if=_adds_member, count_if=_was_refused)  # a refusal tells of other clients' people
def users() -> Page:
    """Who works for the client, and as what."""
    viewer = current_viewer()
    form = Form({"name": "", "email": "", "role": Role.STAFF.value})
    link: NewLink | None = None
    if request.method == "POST":
        change = _MEMBER_CHANGES.get(request.form.get("do", "")) or abort(400)
        try:
            with transaction():
                done = change(viewer, form)
            if isinstance(done, str):
                flash(done, "success")
                return redirect(url_for("access.users"), 303)
            link, form = done, Form({"name": "", "email": "", "role": Role.STAFF.value})
        except DomainError as error:
            form.refuse(error)
            if isinstance(error, services.NotYoursToGive):
                with transaction():
                    services.note_refusal(viewer.client_id, current_actor(), error)
    members = services.members(viewer.client_id, viewer.id)
    page = render_template("access/users.html", form=form, members=members, link=link)
    return page, 422 if form.errors else 200


def _add_member(viewer: Viewer, form: Form) -> str | NewLink:
    form.values = Form.of(request.form, "name", "email", "role").values
    name, email, role = form.text("name", "", least=0), form.email(), form.role()
    form.require_valid()
    user, link, is_new = services.add_member(
        viewer.client_id, current_actor(), name=name, email=email, role=role, by_operator=viewer.is_operator
    )
    if link is None:
        return _("%(name)s works here now, and signs in as before.", name=user.name)
    if not is_new:
        says = _(
            "%(name)s works here now. Whoever held this account so far was signed out everywhere, and its password"
            " no longer works: hand the link to the person whom you mean, and to nobody else.",
            name=user.name,
        )
        flash(says, "warning")
    return _shown(user, link)


def _change_role(viewer: Viewer, _form: Form) -> str:
    choice = Form.of(request.form, "role")
    role = choice.role()
    choice.require_valid()
    services.change_role(viewer.client_id, _chosen_member(), current_actor(), role)
    return _("Saved.")


def _remove_member(viewer: Viewer, _form: Form) -> str:
    services.remove_member(viewer.client_id, _chosen_member(), current_actor())
    return _("Removed. What this person did here stays.")


def _link_for_member(viewer: Viewer, _form: Form) -> NewLink:
    return _shown(*services.link_for_member(viewer.client_id, _chosen_member(), current_actor()))


_MEMBER_CHANGES: dict[str, Callable[[Viewer, Form], str | NewLink]] = {
    "add": _add_member,
    "role": _change_role,
    "remove": _remove_member,
    "link": _link_for_member,
}


def _chosen_member() -> UUID:
    return parse_id(request.form.get("user_id", "")) or abort(400)


def _shown(user: User, link: sign_in.Link) -> NewLink:
    # The admin's own way to this server is the one that works where the admin is; a public address goes before.
    base = _config().base_url if _config().secure_cookies else request.url_root.rstrip("/")
    url = base + url_for("access.use_link", token=link.token)
    return NewLink(user.name, user.email, url, link.until, _is_loopback(urlsplit(base).hostname or ""))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:  # a name
        return False


@bp.route("/client", methods=["GET", "POST"])
@needs(Role.ADMIN)
def client() -> Page:
    """The client's name, when a person is asked, how often one looks all the same, and more of that kind."""
    viewer = current_viewer()
    kept = db.session.get_one(Client, viewer.client_id)
    form = Form(
        {
            "name": kept.name,
            "currency": kept.currency,
            "threshold": str(kept.review_threshold),
            "audits": str(kept.audit_percent),
            "running_cap": str(kept.running_cap),
            "barcodes": "yes" if kept.expects_barcodes else "no",
        }
    )
    if request.method == "POST":
        form.values |= Form.of(request.form, "name", "threshold", "audits").values
        name = form.text("name", _("A name has at least two letters."), least=2)
        if "currency" in request.form:  # a page that is older than this field leaves it as it is
            form.values |= Form.of(request.form, "currency").values
        currency = form.currency()
        threshold, audits = form.whole_number("threshold", 0, 100), form.whole_number("audits", 0, 100)
        rest: dict[str, object] = {}
        if "barcodes" in request.form:
            form.values |= Form.of(request.form, "barcodes").values
            rest["expects_barcodes"] = form.yes_or_no("barcodes")
        if viewer.is_operator and "running_cap" in request.form:
            form.values |= Form.of(request.form, "running_cap").values
            rest["running_cap"] = form.whole_number("running_cap", 1, 1000)
        if not form.errors:
            with transaction():
                services.change_client(
                    viewer.client_id,
                    current_actor(),
                    name=name,
                    currency=currency,
                    review_threshold=threshold,
                    audit_percent=audits,
                    **rest,
                )
            flash(_("Saved."), "success")
            return redirect(url_for("access.client"), 303)
    page = render_template("access/client.html", form=form, may_set_cap=viewer.is_operator)
    return page, 422 if form.errors else 200


@bp.post("/client/switch")
@signed_in
def switch() -> Page:
    """Work for another of one's clients."""
    person = current_person()
    chosen = parse_id(request.form.get("client_id", ""))
    if chosen not in {place.id for place in person.clients}:
        raise NotFound(_("You do not work for this client (any more)."))
    with transaction():
        sessions.work_for(person, chosen)
    return redirect(local_path(request.form.get("next")) or "/", 303)


@bp.get("/no-client")
@signed_in
def no_client() -> Page:
    """For those who are signed in, but whom no client has added (yet)."""
    return redirect("/", 303) if isinstance(current_person(), Viewer) else render_template("access/no_client.html")
