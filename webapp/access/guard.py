"""Who asks, and whether they may: decided for every request before its body is read.

Views carry a mark that says who may call them; a route without a mark is refused. Marks only mark, so their order
among other decorators does not matter.
"""

import hashlib
import hmac
import ipaddress
from collections.abc import Callable
from contextlib import ExitStack
from enum import Enum
from typing import Any, TypeVar
from urllib.parse import urlsplit

from flask import Flask, Response, abort, current_app, g, redirect, request, session, url_for
from werkzeug.wrappers import Response as AnyResponse

from webapp.access import sessions
from webapp.access.models import Role
from webapp.access.sessions import Person, Viewer
from webapp.audit.services import Actor
from webapp.config import Config
from webapp.database import db, tenant
from webapp.errors import Forbidden

__all__ = ["Person", "Viewer", "bare", "current_actor", "current_person", "current_viewer", "needs", "public"]

View = TypeVar("View", bound=Callable[..., Any])


class Open(Enum):
    """Routes that ask for no role at a client."""

    BARE = "nobody is looked up"
    PUBLIC = "for everybody"
    SIGNED_IN = "for everybody who is signed in"


Mark = Role | Open


def needs(role: Role) -> Callable[[View], View]:
    """The view is for members of a client with this role or one that covers it."""
    return _marked(role)


def signed_in(view: View) -> View:
    """The view is for everybody who is signed in, also without a client."""
    return _marked(Open.SIGNED_IN)(view)


def public(view: View) -> View:
    """The view is for everybody."""
    return _marked(Open.PUBLIC)(view)


def bare(view: View) -> View:
    """The view is for everybody, and not even the session is looked up."""
    return _marked(Open.BARE)(view)


def mark_of(view: Callable[..., Any]) -> Mark | None:
    """Who may call the view; None: nobody said, so nobody may."""
    return getattr(view, "guard_mark", None)


def current_viewer() -> Viewer:
    """The person at their client, in views that need a role."""
    person = current_person()
    if not isinstance(person, Viewer):
        raise Forbidden("You are signed in, but do not work for a client yet.")
    return person


def current_person() -> Person:
    """The person who is signed in; 401 if nobody is."""
    person: Person | None = g.get("viewer")
    if person is None:
        abort(401)
    return person


def current_actor() -> Actor:
    """The facts about this request that the audit keeps."""
    person: Person | None = g.get("viewer")
    return Actor(
        user_id=person.id if person else None,
        session_id=person.session_id if person else None,
        address=_address(),
        user_agent=request.user_agent.string or None,
    )


# --- per request ----------------------------------------------------------------------------------


def init_app(app: Flask) -> None:
    """Look people up before, and forget them after, each request."""
    app.before_request(_admit)
    app.after_request(_renew_cookie)
    app.teardown_request(_leave)


def _admit() -> AnyResponse | None:
    g.viewer = None
    view = current_app.view_functions.get(request.endpoint or "")
    mark = mark_of(view) if view else Open.PUBLIC  # no such page: the error page still greets whom it knows
    if mark is Open.BARE:
        return None
    _recognise()
    if mark is Open.PUBLIC:
        return None
    if mark is None:
        raise RuntimeError(f"the route {request.endpoint} does not say who may use it")
    if g.viewer is None:
        return ask_to_sign_in()
    if isinstance(mark, Role):
        viewer = g.viewer
        if not isinstance(viewer, Viewer):
            return _go(url_for("access.no_client"))
        if not viewer.role.covers(mark):
            raise Forbidden(f"Your role at {viewer.client_name} does not allow this. Ask an admin there.")
    return None


def _recognise() -> None:
    token = request.cookies.get(cookie_name())
    known = sessions.recognise(token) if token else None
    if known is None:
        return
    g.viewer = person = known.person
    stack = g.tenancy = ExitStack()
    stack.enter_context(tenant(person.client_id, person.id, person.role or ""))
    if known.is_stale:
        sessions.touch(person, _config().session_days)
        g.renew_cookie = token
    _plant_form_token(person)


def _leave(_error: BaseException | None) -> None:
    stack: ExitStack | None = g.pop("tenancy", None)
    if stack:
        db.session.remove()  # first: an open transaction would be told of the change of tenant, for nobody
        stack.close()


def ask_to_sign_in() -> AnyResponse:
    """What somebody who is not signed in gets: the sign-in page, which leads back here where that makes sense."""
    if request.headers.get("HX-Request"):
        return _go(url_for("access.sign_in", next=_page_of_htmx() or None))
    if request.headers.get("Upgrade") or request.headers.get("X-Requested-With"):
        abort(401)
    here = local_path(request.full_path) if request.method in ("GET", "HEAD") else None
    return _go(url_for("access.sign_in", next=None if here == "/" else here))


def _go(target: str) -> AnyResponse:
    """Lead to another page; htmx would put what a redirect leads to into its fragment's place."""
    if request.headers.get("HX-Request"):
        return Response(status=401, headers={"HX-Redirect": target})
    return redirect(target, 303)


def _page_of_htmx() -> str:
    try:
        seen = urlsplit(request.headers.get("HX-Current-URL", ""))
    except ValueError:
        return ""
    return local_path(f"{seen.path}?{seen.query}")


def local_path(target: str | None) -> str:
    """The target if it is a path on this site, else "". Browsers take "//host" and "/\\host" for other sites."""
    if not target or not target.startswith("/") or target.startswith("//") or "\\" in target:
        return ""
    if len(target) > 2000 or any(ord(character) < 32 for character in target):
        return ""
    return target.rstrip("?")


def _address() -> str | None:
    try:
        return str(ipaddress.ip_address(request.remote_addr or ""))
    except ValueError:
        return None  # a unix socket in front of us


# --- cookies --------------------------------------------------------------------------------------


def cookie_name() -> str:
    """Named after the installation, since browsers share cookies between the ports of a machine."""
    name: str = current_app.config["ACCESS_COOKIE"]
    return name


def installation_mark(config: Config) -> str:
    """A few letters that tell this installation's cookies from others'."""
    return hashlib.sha256(f"cookies of {config.secret_key}".encode()).hexdigest()[:6]


def let_in(response: AnyResponse, token: str) -> AnyResponse:
    """Give the browser its session. What the signed cookie held before belongs to the time before."""
    flashes = session.get("_flashes")
    session.clear()
    if flashes:
        session["_flashes"] = flashes
    _set_cookie(response, token)
    return response


def let_out(response: AnyResponse) -> AnyResponse:
    """Take the browser's session away."""
    session.clear()
    response.delete_cookie(cookie_name(), secure=_config().secure_cookies, httponly=True, samesite="Lax")
    return response


def _renew_cookie(response: AnyResponse) -> AnyResponse:
    token = g.pop("renew_cookie", None)
    if token and not any(name.lower() == "set-cookie" and cookie_name() in value for name, value in response.headers):
        _set_cookie(response, token)
    return response


def _set_cookie(response: AnyResponse, token: str) -> None:
    config = _config()
    response.set_cookie(
        cookie_name(),
        token,
        max_age=config.session_days * 86400,
        secure=config.secure_cookies,
        httponly=True,
        samesite="Lax",
    )


def _plant_form_token(person: Person) -> None:
    """Tie the form token to the session, so that it lives exactly as long: any number of tabs, open for days, keep
    working, and it changes at sign-in."""
    key = str(current_app.secret_key).encode()
    token = hmac.new(key, f"forms of {person.session_id}".encode(), hashlib.sha256).hexdigest()
    if session.get("csrf_token") != token:
        session["csrf_token"] = token


def _marked(mark: Mark) -> Callable[[View], View]:
    def put(view: View) -> View:
        view.guard_mark = mark  # type: ignore[attr-defined]
        return view

    return put


def _config() -> Config:
    config: Config = current_app.extensions["lotline_config"]
    return config
