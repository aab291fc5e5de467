"""Where learned matchers are kept: files below `var/matchers`, one for everybody and one for each client that has its
own, beside it the client's former one. Nothing here brings numpy: the web process shows matchers, and judges nothing.

Whatever changes a client's files does so in a `transaction()`, one change at a time, and writes it down.
"""

import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, TypeVar
from uuid import UUID

from flask import current_app
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webapp.audit import services as audit
from webapp.audit.services import Actor
from webapp.database import new_id
from webapp.errors import Conflict
from webapp.phases.facts import JudgeKind
from webapp.phases.matching.header import Header, UnusableMatcher, header_of

Loaded = TypeVar("Loaded")
LEFT_AFTER_SECONDS = 3600
"""Age from which a file that was to take a matcher's place was left by a crash: writing one takes a moment."""


class Found(NamedTuple):
    """A matcher's file: what it tells of itself, or why it cannot be used."""

    header: Header | None
    fault: str = ""


class Standing(NamedTuple):
    """Who can judge a client's names; None: there is no such file. `former`: what can be put back."""

    own: Found | None
    everybody: Found | None
    former: Header | None

    @property
    def in_use(self) -> Header | None:
        """The learned one that judges; None: the rules do."""
        return next((each.header for each in (self.own, self.everybody) if each and each.header), None)

    @property
    def judge(self) -> JudgeKind:
        """Who judges now."""
        if self.own and self.own.header:
            return JudgeKind.OWN
        return JudgeKind.EVERYBODY if self.in_use else JudgeKind.RULES


def standing(client_id: UUID) -> Standing:
    """Who can judge this client's names, by the files as they are now."""
    former = _look(_former_of(client_id))
    return Standing(
        own=_look(path_of(client_id)), everybody=_look(path_of(None)), former=former.header if former else None
    )


def path_of(client_id: UUID | None) -> Path:
    """Where a client's matcher is kept; None: everybody's."""
    var: Path = current_app.extensions["lotline_config"].var
    return var / "matchers" / f"{client_id or 'everybody'}.json"


def loaded(path: Path, load: Callable[[Path, int], Loaded]) -> Loaded | None:
    """What `load` makes of a file and the time of its last change; None where there is no file.

    Raises:
        UnusableMatcher: there is one, and it cannot be used.
    """
    try:
        return load(path, path.stat().st_mtime_ns)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnusableMatcher(f"its file cannot be read: {error.strerror}") from None


def put(data: bytes, client_id: UUID | None) -> Path:
    """Put a matcher in the place of the one before it, in one step; running slots take it for their next phase. A
    client's one before it becomes its former one. What crashes left of earlier ones goes."""
    path = path_of(client_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    _clear_left(path.parent)
    fresh = _beside(path)
    fresh.write_bytes(data)
    if client_id is not None and own_source(client_id):
        copy = _beside(path)
        shutil.copyfile(path, copy)
        copy.replace(_former_of(client_id))
    fresh.replace(path)
    return path


def own_source(client_id: UUID) -> str | None:
    """What the client's own matcher was learned from, as a fingerprint; None: it has none that can be used."""
    own = _look(path_of(client_id))
    return own.header.source if own and own.header else None


def set_aside(session: Session, client_id: UUID, actor: Actor) -> None:
    """Let others than the client's own matcher judge its names. It becomes the former one, to be put back, unless it
    cannot be used: then it would only take the place of one that can.

    Raises:
        Conflict: the client has none of its own, or its file cannot be removed.
    """
    lock(session, client_id)
    path, own = path_of(client_id), _look(path_of(client_id))
    if own is None:
        raise Conflict("There is no matcher of your own any more; somebody else was faster.")
    audit.record(
        actor,
        "matcher_set_aside",
        client_id=client_id,
        old={"source": own_source(client_id)},
        new={"source": None},
        details={"fault": own.fault} if own.fault else None,
    )
    if own.header:
        path.replace(_former_of(client_id))
        return
    try:
        path.unlink()
    except OSError:
        raise Conflict(
            "Its file cannot be removed. Whoever runs this installation can: it is in var/matchers."
        ) from None


def put_back(session: Session, client_id: UUID, actor: Actor) -> None:
    """Let the client's former matcher judge again. The one that did so until now becomes the former one.

    Raises:
        Conflict: there is no former one.
    """
    lock(session, client_id)
    before, former = own_source(client_id), _look(_former_of(client_id))
    if former is None or former.header is None:
        raise Conflict("There is no former matcher to put back any more; somebody else was faster.")
    audit.record(
        actor,
        "matcher_put_back",
        client_id=client_id,
        old={"source": before},
        new={"source": former.header.source},
    )
    put(_former_of(client_id).read_bytes(), client_id)
    if before is None:
        _former_of(client_id).unlink()  # nothing has taken its place


def lock(session: Session, client_id: UUID) -> None:
    """One change of a client's matcher at a time, until the transaction ends."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"matcher of {client_id}", 0))))


def _look(path: Path) -> Found | None:
    try:
        header = loaded(path, _header)
    except UnusableMatcher as error:
        return Found(None, str(error))
    return Found(header) if header else None


@lru_cache(maxsize=64)
def _header(path: Path, _changed: int) -> Header:
    return header_of(path.read_bytes())


def _former_of(client_id: UUID) -> Path:
    return path_of(client_id).with_suffix(".former.json")


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.{new_id()}")


def _clear_left(folder: Path) -> None:
    for left in folder.glob("*.json.*"):  # as _beside names them
        with suppress(OSError):  # another slot was faster, or it cannot be removed: no reason to keep no matcher
            if time.time() - left.stat().st_mtime > LEFT_AFTER_SECONDS:
                left.unlink()
