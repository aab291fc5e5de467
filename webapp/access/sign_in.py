"""How people prove who they are: by password, or by a link that works once."""

import logging
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, select, update

from webapp.access import passwords
from webapp.access.forms import normal_email
from webapp.access.models import SignInLink, User
from webapp.access.tokens import digest, new_token
from webapp.audit.services import Actor, record
from webapp.database import db
from webapp.errors import Invalid, NotFound

log = logging.getLogger(__name__)

LINK_MINUTES = 60
FORGET_DAYS = 90
WRONG = "E-mail address or password is wrong."
_DIRECT = "direct-"
"""Begins the tokens of links that sign in as soon as they are opened; see `make_link`."""


@dataclass(frozen=True)
class Link:
    """A new link's token, which is kept nowhere else, and when it ends."""

    token: str
    until: datetime


def by_email(email: str) -> User | None:
    """The user with this address, whatever its case."""
    return db.session.scalar(select(User).where(func.lower(User.email) == normal_email(email)))


def check_password(email: str, password: str) -> User:
    """The active user whose password this is.

    Raises:
        Invalid: there is no such user, or the password is another; which of them is not told, nor does time tell.
    """
    user = by_email(email)
    kept = user.password_hash if user and user.is_active else None
    if not passwords.matches(password, kept) or user is None or kept is None:
        raise Invalid(WRONG)
    # Comparing takes a while: a password or an account that was taken back meanwhile opens no session.
    still = select(User.password_hash).where(User.id == user.id, User.is_active).with_for_update(key_share=True)
    if db.session.scalar(still) != kept:
        raise Invalid(WRONG)
    if passwords.is_outdated(kept):
        user.password_hash = passwords.hashed(password)
    return user


def set_password(user_id: UUID, actor: Actor, *, current: str, new: str) -> None:
    """Give the user a password; who has one already must know it.

    Raises:
        Invalid: the current password is wrong or the new one too weak.
    """
    user = db.session.get_one(User, user_id, with_for_update=True)
    if user.password_hash and not passwords.matches(current, user.password_hash):
        raise Invalid("The current password is wrong.", fields={"current_password": "This is not your password."})
    weakness = passwords.weakness(new, user.email)
    if weakness:
        raise Invalid(weakness, fields={"new_password": weakness})
    user.password_hash = passwords.hashed(new)
    void_links(user_id)
    record(actor, "password_changed", table="users", row_id=user_id)


def make_link(user_id: UUID, actor: Actor, *, client_id: UUID | None = None, direct: bool = False) -> Link:
    """A link that signs the user in once, within the hour; earlier unused links stop working.

    Whoever opens an ordinary link sees a page with a button first: mail scanners and chat previews open links too, and
    nobody should find himself signed in as somebody else. A `direct` link is for the person who reads it on their own
    terminal: it signs in at once.
    """
    void_links(user_id)
    old = SignInLink.expires_at < func.now() - func.make_interval(0, 0, 0, FORGET_DAYS)
    db.session.execute(delete(SignInLink).where(SignInLink.user_id == user_id, old))
    token = (_DIRECT if direct else "") + new_token()
    link = SignInLink(
        token_hash=digest(token),
        user_id=user_id,
        client_id=client_id,
        expires_at=func.now() + func.make_interval(0, 0, 0, 0, 0, LINK_MINUTES),
    )
    db.session.add(link)
    db.session.flush()
    record(actor, "sign_in_link_made", client_id=client_id, table="users", row_id=user_id)
    return Link(token, link.expires_at)


def is_direct(token: str) -> bool:
    """Whether the link signs in without asking."""
    return token.startswith(_DIRECT)


def holder(token: str) -> User:
    """Whom the link would sign in.

    Raises:
        NotFound: it is not valid; the message says why, as far as that is known.
    """
    found = db.session.execute(
        select(SignInLink.used_at, SignInLink.expires_at < func.now(), User)
        .join(User, User.id == SignInLink.user_id)
        .where(SignInLink.token_hash == digest(token))
    ).one_or_none()
    if found is None:
        raise NotFound("This sign-in link is not known here. Ask for a new one.")
    used_at, is_over, user = found
    if used_at is not None:
        raise NotFound("This sign-in link was used already, or a newer one took its place. Ask for a new one.")
    if is_over or not user.is_active:
        raise NotFound("This sign-in link is no longer valid. Ask for a new one.")
    return user


def use_link(token: str) -> tuple[User, UUID | None]:
    """Use the link up; gives the user and the client it leads to. Of several at once, one succeeds.

    Raises:
        NotFound: it is not valid (any more).
    """
    used = db.session.execute(
        update(SignInLink)
        .where(
            SignInLink.token_hash == digest(token),
            SignInLink.used_at.is_(None),
            SignInLink.expires_at > func.now(),
            SignInLink.user_id.in_(select(User.id).where(User.is_active)),
        )
        .values(used_at=func.now())
        .returning(SignInLink.user_id, SignInLink.client_id)
    ).one_or_none()
    if used is None:
        holder(token)  # says why
        raise NotFound("This sign-in link is no longer valid. Ask for a new one.")
    return db.session.get_one(User, used.user_id), used.client_id


def void_links(user_id: UUID) -> None:
    """Stop the user's unused links."""
    db.session.execute(
        update(SignInLink).where(SignInLink.user_id == user_id, SignInLink.used_at.is_(None)).values(used_at=func.now())
    )


def note_sign_in(user: User, actor: Actor, how: str) -> None:
    """Write down that the user came in, by `password` or `link`."""
    user.last_sign_in_at = func.now()
    record(
        Actor(user_id=user.id, address=actor.address, user_agent=actor.user_agent),
        "signed_in",
        table="users",
        row_id=user.id,
        details={"how": how},
    )
