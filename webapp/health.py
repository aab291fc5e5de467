"""Whether this process lives, and whether the installation can do its work."""

import logging
import shutil
from collections.abc import Callable
from functools import cache

from alembic.config import Config as AlembicConfig
from alembic.script import ScriptDirectory
from flask import Blueprint, Response, current_app, jsonify
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from webapp import queue
from webapp.access.guard import bare
from webapp.assets import ROOT
from webapp.config import MEBIBYTE, Config
from webapp.database import db

log = logging.getLogger(__name__)
bp = Blueprint("health", __name__)

SLOT_SECONDS = 30
DISPATCHER_SECONDS = 10
MIN_FREE_BYTES = 200 * MEBIBYTE


@bp.get("/health")
@bare
def alive() -> Response:
    """This process answers."""
    return jsonify(status="alive")


@bp.get("/ready")
@bare
def ready() -> tuple[Response, int]:
    """The truth about each part; 503 if any of them is bad."""
    parts = {name: check() for name, check in CHECKS.items()}
    is_ready = all(state == "ok" for state in parts.values())
    return jsonify(status="ready" if is_ready else "not ready", parts=parts), 200 if is_ready else 503


def _database() -> str:
    try:
        found = _ask("SELECT version_num FROM alembic_version")
    except SQLAlchemyError:
        return "cannot be reached"
    return "ok" if found == newest_migration() else "needs flask db upgrade"


def _redis() -> str:
    try:
        queue.redis().ping()
    except RedisError:
        return "cannot be reached"
    return "ok"


def _seen(kind: str, within_seconds: int) -> str:
    seen = "SELECT max(last_seen) > clock_timestamp() - make_interval(secs => :s) FROM workers WHERE kind = :kind"
    try:
        is_here = _ask(seen, kind=kind, s=within_seconds)
    except SQLAlchemyError:
        return "not known: the database cannot be reached"
    if is_here is None:
        return "never seen"
    return "ok" if is_here else f"not seen for {within_seconds} s"


def _slot() -> str:
    return _seen("slot", SLOT_SECONDS)


def _dispatcher() -> str:
    return _seen("dispatcher", DISPATCHER_SECONDS)


def _disk() -> str:
    config: Config = current_app.extensions["lotline_config"]
    try:
        free_bytes = shutil.disk_usage(config.var).free
    except OSError:
        return "cannot be read"
    return "ok" if free_bytes >= MIN_FREE_BYTES else f"only {free_bytes // MEBIBYTE} MB left"


CHECKS: dict[str, Callable[[], str]] = {
    "database": _database,
    "redis": _redis,
    "slot": _slot,
    "dispatcher": _dispatcher,
    "disk": _disk,
}


@cache
def newest_migration() -> str | None:
    """The version that the code's database has."""
    scripts = AlembicConfig()
    scripts.set_main_option("script_location", str(ROOT / "migrations"))
    return ScriptDirectory.from_config(scripts).get_current_head()


def _ask(statement: str, **parameters: object) -> object:
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        return connection.execute(text(statement), parameters).scalar()
