"""Clients, their members, and what an admin changes about them. Callers hold a `transaction()` and the tenant."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from webapp.access import sessions, sign_in
from webapp.access.models import Client, Membership, Role, User, UserSession
from webapp.audit.services import Actor, record
from webapp.database import db, new_id, tenant
from webapp.errors import Conflict, Forbidden, Invalid, NotFound


@dataclass(frozen=True)
class Member:
    """A line of the users page. `seen_at`: when last seen at this client."""

    id: UUID
    name: str
    email: str
    role: Role
    seen_at: datetime | None
    is_you: bool


def members(client_id: UUID, you: UUID) -> list[Member]:
    """Everybody who works for the client, by name. One query."""
    seen_at = (
        select(func.max(UserSession.last_seen_at))
        .where(UserSession.user_id == User.id, UserSession.client_id == client_id)
        .scalar_subquery()
    )
    rows = db.session.execute(
        select(User.id, User.name, User.email, Membership.role, seen_at)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.client_id == client_id)
        .order_by(func.lower(User.name), User.id)
    )
    return [Member(*row, is_you=row[0] == you) for row in rows]


class Added(NamedTuple):
    """Who works for the client now. `link`: to sign in with; None: as before. `is_new`: the account was made for it."""

    user: User
    link: sign_in.Link | None
    is_new: bool


class NotYoursToGive(Invalid):
    """An address with an account, which only an operator may add to a further client."""

    def __init__(self, email: str) -> None:
        says = "This address cannot be added here. The operator of this installation can do it."
        super().__init__("not yours to give", fields={"email": says})
        self.email = email


def add_member(client_id: UUID, actor: Actor, *, name: str, email: str, role: Role, by_operator: bool = False) -> Added:
    """Let a person work for the client. Who is new gets an account and a link to sign in with.

    Only an operator may let who has an account work for a further client, and it is handed over anew (`hand_over`).

    Raises:
        Conflict: the person works for the client already.
        NotYoursToGive: the address has an account, and this is no operator.
        Invalid: the account was closed, or a new person has no name.
    """
    user, is_new = sign_in.by_email(email), False
    if user is None:
        if not name:
            raise Invalid("A name is needed.", fields={"name": "Say how the person is called."})
        user, is_new = create_user(actor, name=name, email=email), True
        link: sign_in.Link | None = sign_in.make_link(user.id, actor, client_id=client_id)
    else:
        is_here = db.session.get(Membership, (client_id, user.id)) is not None
        if not is_here and not by_operator:  # nor is told whether it is closed
            raise NotYoursToGive(email)
        if not user.is_active:
            raise Invalid("closed", fields={"email": "This account was closed. An operator can open it again."})
        if is_here:
            raise Conflict("here already", fields={"email": f"{user.name} works here already."})
        link = hand_over(user, actor, client_id)
    join(client_id, user.id, actor, role)
    return Added(user, link, is_new)


def hand_over(user: User, actor: Actor, client_id: UUID) -> sign_in.Link | None:
    """Put an account that is to work for one more client into the hands of who gets the link from the operator: without
    a password, signed out everywhere. It keeps its other memberships.

    Until addresses are confirmed by mail, an account says nothing of who holds it: an admin elsewhere may have made it
    for somebody else's address, and would come along by its password or session. Operators' accounts are made by
    commands on this machine alone: they stay as they are, and there is no link.
    """
    if user.is_operator:
        sign_in.void_links(user.id)
        return None
    db.session.refresh(user, with_for_update=True)  # before `check_password` looks again, or after its session began
    user.password_hash = None
    link = sign_in.make_link(user.id, actor, client_id=client_id)
    sessions.revoke(user.id)
    record(actor, "account_handed_over", client_id=client_id, table="users", row_id=user.id)
    return link


def note_refusal(client_id: UUID, actor: Actor, refused: NotYoursToGive) -> None:
    """Write down that an admin asked for an address that has an account: who tries many looks for other people's."""
    record(actor, "member_refused", client_id=client_id, table="memberships", details={"email": refused.email})


def create_user(actor: Actor, *, name: str, email: str, is_operator: bool = False) -> User:
    """A new account, without a password and without a client.

    Raises:
        Conflict: the address has an account.
    """
    user = User(id=new_id(), name=name, email=email, time_zone="", is_operator=is_operator)
    try:
        with db.session.begin_nested():
            db.session.add(user)
    except IntegrityError:
        raise Conflict("taken", fields={"email": f"{email} has an account already."}) from None
    record(
        actor,
        "user_created",
        table="users",
        row_id=user.id,
        new={"name": name, "email": email, "is_operator": is_operator},
    )
    return user


def join(client_id: UUID, user_id: UUID, actor: Actor, role: Role) -> None:
    """Make the user a member of the client."""
    db.session.add(Membership(client_id=client_id, user_id=user_id, role=role))
    db.session.flush()
    record(
        actor,
        "member_added",
        client_id=client_id,
        table="memberships",
        row_id=user_id,
        new={"user_id": user_id, "role": role},
    )


def change_role(client_id: UUID, user_id: UUID, actor: Actor, role: Role) -> None:
    """Give a member another role.

    Raises:
        NotFound: not a member.
        Conflict: nobody would be left to manage the client.
    """
    membership = _member_for_change(client_id, user_id)
    if membership.role is role:
        return
    if membership.role is Role.ADMIN:
        _require_another_admin(client_id, user_id)
    old, membership.role = membership.role, role
    db.session.flush()
    sessions.send_away(user_id, client_id)
    record(
        actor,
        "member_role_changed",
        client_id=client_id,
        table="memberships",
        row_id=user_id,
        old={"role": old},
        new={"role": role},
    )


def remove_member(client_id: UUID, user_id: UUID, actor: Actor) -> None:
    """End a membership; what the person did stays.

    Raises:
        NotFound: not a member.
        Conflict: nobody would be left to manage the client.
    """
    membership = _member_for_change(client_id, user_id)
    if membership.role is Role.ADMIN:
        _require_another_admin(client_id, user_id)
    sessions.send_away(user_id, client_id)
    sign_in.void_links(user_id)
    db.session.delete(membership)
    db.session.flush()
    record(
        actor,
        "member_removed",
        client_id=client_id,
        table="memberships",
        row_id=user_id,
        old={"user_id": user_id, "role": membership.role},
    )


def link_for_member(client_id: UUID, user_id: UUID, actor: Actor) -> tuple[User, sign_in.Link]:
    """A sign-in link for a member, to be handed over by an admin.

    Only for people who work for this client alone: the link is the whole account, and an admin here must not come to
    another client through it.

    Raises:
        NotFound: not a member.
        Forbidden: the person also works elsewhere, or is an operator.
    """
    if db.session.get(Membership, (client_id, user_id)) is None:
        raise NotFound("This person does not work here.")
    user = db.session.get_one(User, user_id)
    with tenant(None, user_id):
        elsewhere = db.session.scalar(
            select(func.count())
            .select_from(Membership)
            .where(Membership.user_id == user_id, Membership.client_id != client_id)
        )
    if (elsewhere or user.is_operator) and actor.user_id != user_id:
        raise Forbidden(
            f"{user.name} has rights outside this client, so only an operator can make a sign-in link for them."
        )
    return user, sign_in.make_link(user_id, actor, client_id=client_id)


def create_client(name: str, actor: Actor) -> Client:
    """A new client, empty. Its first member and its default catalog are the caller's to add, as that tenant.

    Raises:
        Conflict: the short name that follows from the name is taken.
    """
    client = Client(id=new_id(), name=name, slug=slug_of(name))
    with tenant(client.id):
        try:
            with db.session.begin_nested():
                db.session.add(client)
        except IntegrityError:
            raise Conflict(f"A client with the short name {client.slug!r} exists already.") from None
        record(actor, "client_created", client_id=client.id, table="clients", row_id=client.id, new={"name": name})
    return client


def change_client(client_id: UUID, actor: Actor, **changes: object) -> None:
    """Change some of the client's settings: `name`, `currency` (that prices are found and proposed in),
    `review_threshold` (the confidence, 0 to 100, below which a person is asked), `expects_barcodes` (whether a product
    without one is an exception), `audit_percent` (how many in a hundred of what goes on by itself a person looks at),
    `running_cap` (how many of its phases may run at once), `model_uses`, `model_budget_usd`, `model_cap_usd` (what
    language models may be asked for and may cost); the cap and the money are an operator's to change."""
    client = db.session.get_one(Client, client_id, with_for_update=True)
    old = {name: getattr(client, name) for name in changes}
    new = changes
    if old == new:
        return
    for name, value in changes.items():
        setattr(client, name, value)
    db.session.flush()
    record(actor, "client_changed", client_id=client_id, table="clients", row_id=client_id, old=old, new=new)


def change_profile(user_id: UUID, actor: Actor, *, name: str, time_zone: str) -> None:
    """Change a user's own name and time zone ("": the device's)."""
    user = db.session.get_one(User, user_id, with_for_update=True)
    old = {"name": user.name, "time_zone": user.time_zone}
    new = {"name": name, "time_zone": time_zone}
    if old == new:
        return
    user.name, user.time_zone = name, time_zone
    db.session.flush()
    record(actor, "profile_changed", table="users", row_id=user_id, old=old, new=new)


def slug_of(name: str) -> str:
    """The name as a part of an address: `My company` becomes `my-company`."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "client"


def _member_for_change(client_id: UUID, user_id: UUID) -> Membership:
    """The membership, with the client locked, so that two admins cannot demote each other at the same moment. The lock
    leaves room for new rows that point at the client."""
    db.session.execute(select(Client.id).where(Client.id == client_id).with_for_update(key_share=True))
    membership = db.session.get(Membership, (client_id, user_id), populate_existing=True)
    if membership is None:
        raise NotFound("This person does not work here (any more).")
    return membership


def _require_another_admin(client_id: UUID, user_id: UUID) -> None:
    others = (
        select(Membership.user_id)
        .join(User)
        .where(
            Membership.client_id == client_id,
            Membership.role == Role.ADMIN,
            Membership.user_id != user_id,
            User.is_active,
        )
    )
    if db.session.scalar(others.limit(1)) is None:
        raise Conflict("Somebody must remain who can manage this client: make another person an admin first.")
