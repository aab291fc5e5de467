"""Commands: `flask --app webapp …`. What a person can mend is said in one line, with exit code 1."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

import click
from flask import Flask, current_app
from flask.cli import with_appcontext
from sqlalchemy import func, make_url, select
from sqlalchemy.exc import OperationalError

from webapp.access import services, sign_in
from webapp.access.forms import Form
from webapp.access.models import Client, Membership, Role, User
from webapp.audit.services import SYSTEM
from webapp.calibration.commands import fit_calibration_command
from webapp.catalog.commands import forget_reference_command, import_reference_command
from webapp.catalog.models import Catalog
from webapp.config import Config
from webapp.database import db, tenant, transaction
from webapp.engines import system_engine
from webapp.errors import ConfigError, DomainError, Invalid, NotFound
from webapp.pipeline.commands import train_matcher_command
from webapp.providers.commands import import_offers_command, import_rates_command, import_sales_command

FIRST_CLIENT = "My company"
FIRST_NAME, FIRST_EMAIL = "Admin", "admin@localhost"
FIRST_CATALOG = "My products"
# Two starts at the same moment make one first client; the number has no meaning beyond being ours.
BOOTSTRAP_LOCK = 7_302_002


def init_app(app: Flask) -> None:
    """Add our commands, and give all commands plain words for what a person can mend."""
    ours = (
        bootstrap_command,
        create_client_command,
        create_user_command,
        link_command,
        import_offers_command,
        import_sales_command,
        import_rates_command,
        import_reference_command,
        forget_reference_command,
        fit_calibration_command,
        train_matcher_command,
    )
    for command in ours:
        app.cli.add_command(command)
    for known in app.cli.commands.values():
        if not hasattr(known.invoke, "__wrapped__"):  # commands are shared by all apps of a process
            known.invoke = _in_plain_words(known.invoke)  # type: ignore[method-assign]


def open_client(name: str) -> Client:
    """A new client with the catalog that its photographed products go to."""
    client = services.create_client(name, SYSTEM)
    with tenant(client.id):
        db.session.add(Catalog(client_id=client.id, name=FIRST_CATALOG, is_default=True))
        db.session.flush()
    return client


@click.command("bootstrap")
@click.option("--base-url", help="Address at which browsers reach Lotline.")
@with_appcontext
def bootstrap_command(base_url: str | None) -> None:
    """Make the first client and user where there are none, and a sign-in link for the operator.

    The link is the last line of the output.
    """
    with transaction():
        db.session.execute(select(func.pg_advisory_xact_lock(BOOTSTRAP_LOCK)))
        if db.session.scalar(select(User.id).limit(1)) is None:
            user = _add_user(FIRST_EMAIL, FIRST_NAME, is_operator=True)
            client_id = _find_client("my-company") or open_client(FIRST_CLIENT).id
            _join(client_id, user, Role.ADMIN)
            _say(f"Made the client {FIRST_CLIENT!r} and its first user {FIRST_EMAIL} (admin and operator).")
        operator = db.session.scalar(
            select(User).where(User.is_operator, User.is_active).order_by(User.created_at, User.id).limit(1)
        )
        link = operator and sign_in.make_link(operator.id, SYSTEM, direct=True)
    if operator and link:
        _say(f"Sign in as {operator.name} ({operator.email}), once, within {sign_in.LINK_MINUTES} minutes:")
        click.echo(_address_of(link, base_url))
    else:
        _say("There is no active operator to sign in as: make one with `flask create-user EMAIL --operator`.")


@click.command("create-client")
@click.argument("name")
@with_appcontext
def create_client_command(name: str) -> None:
    """Make a client with an empty default catalog."""
    form = Form({"name": name})
    name = form.text("name", "A name has at least two letters.", least=2)
    form.require_valid()
    with transaction():
        client = open_client(name)
    _say(f"Made the client {client.name!r}; its short name is {client.slug}.")


@click.command("create-user")
@click.argument("email")
@click.option("--name", help="How the person is called. Needed for a new account.")
@click.option("--client", "slug", help="Short name of the client to work for.")
@click.option("--role", type=click.Choice([role.value for role in Role]), default=Role.STAFF.value, show_default=True)
@click.option("--operator", is_flag=True, help="Looks after the whole installation.")
@with_appcontext
def create_user_command(email: str, name: str | None, slug: str | None, role: str, operator: bool) -> None:
    """Make an account, or let an existing one work for one more client. A sign-in link is the last line.

    An existing account is signed out everywhere and loses its password, unless it is an operator's: whoever made it
    elsewhere must not come along.
    """
    form = Form({"email": email, "name": name or email.partition("@")[0]})
    email, name = form.email(), form.text("name", "A name is needed.")
    form.require_valid()
    with transaction():
        user = sign_in.by_email(email)
        if user and not slug:
            raise Invalid(f"{email} has an account already; --client lets it work for a client.")
        is_known, user = user is not None, user or _add_user(email, name, is_operator=operator)
        link = None
        if slug:
            client_id = _find_client(slug)
            if client_id is None:
                raise NotFound(f"There is no client with the short name {slug!r}.")
            _join(client_id, user, Role(role))
            with tenant(client_id):
                link = services.hand_over(user, SYSTEM, client_id) if is_known else None
            if link:
                _say(f"{email} was signed out everywhere, and its password no longer works.")
        link = link or sign_in.make_link(user.id, SYSTEM)
    _say(f"{user.name} ({user.email}) can sign in, once, within {sign_in.LINK_MINUTES} minutes:")
    click.echo(_address_of(link))


@click.command("sign-in-link")
@click.argument("email")
@with_appcontext
def link_command(email: str) -> None:
    """Make a sign-in link for an account; earlier unused links stop working."""
    with transaction():
        user = sign_in.by_email(email)
        if user is None or not user.is_active:
            raise NotFound(f"There is no active account {email}.")
        link = sign_in.make_link(user.id, SYSTEM)
    _say(f"{user.name} ({user.email}) can sign in, once, within {sign_in.LINK_MINUTES} minutes:")
    click.echo(_address_of(link))


def _add_user(email: str, name: str, *, is_operator: bool) -> User:
    return services.create_user(SYSTEM, name=name, email=email, is_operator=is_operator)


def _join(client_id: UUID, user: User, role: Role) -> None:
    with tenant(client_id, user.id, role.value):
        if db.session.get(Membership, (client_id, user.id)):
            raise Invalid(f"{user.email} works for this client already.")
        services.join(client_id, user.id, SYSTEM, role)


def _find_client(slug: str) -> UUID | None:
    """The client with this short name. Asked as the system login: the app's sees no client but its own."""
    with system_engine().connect() as connection:
        return connection.execute(select(Client.id).where(Client.slug == slug)).scalar()


def _address_of(link: sign_in.Link, base_url: str | None = None) -> str:
    config: Config = current_app.extensions["lotline_config"]
    return f"{(base_url or config.base_url).rstrip('/')}/sign-in/{link.token}"


def _say(line: str) -> None:
    click.echo(line, err=True)


def _in_plain_words(invoke: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(invoke)
    def invoke_plainly(*args: Any, **kwargs: Any) -> Any:
        try:
            return invoke(*args, **kwargs)
        except DomainError as error:
            raise click.ClickException(" ".join([error.message, *error.fields.values()])) from None
        except ConfigError as error:
            raise click.ClickException(str(error)) from None
        except OperationalError as error:
            reason = str(error.orig).strip().splitlines()[-1]
            if any(sign in reason for sign in _NOT_OURS):
                raise click.ClickException(_not_ours()) from None
            raise click.ClickException(f"the database does not answer as it should: {reason}") from None

    return invoke_plainly


_NOT_OURS = ("authentication failed", "does not exist")
"""Of a server's refusal: it knows no such login or database, or another password for it."""


def _not_ours() -> str:
    """What to do about a database that Lotline has not set up with these settings. A password says nothing to whoever
    never chose one: the logins' are derived."""
    config: Config = current_app.extensions["lotline_config"]
    where = make_url(config.database_url)
    return (
        f"Lotline was never started on the database {where.database} at {where.host or where.query.get('host')} with"
        " this SECRET_KEY. If it runs elsewhere, give the command the LOTLINE_VAR"
        f" (now {config.var}), DATABASE_URL and SECRET_KEY that Lotline runs with; if not, start it once: make run"
    )
