"""The database logins: an owner that migrates, the app's, the system's, and one that only owns search functions."""

from psycopg import sql
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url

from webapp.config import Config
from webapp.errors import ConfigError

SEARCH_ROLE = "lotline_search"
MINIMUM_VERSION = 170000


def require_version(connection: Connection) -> None:
    """Refuse a server older than PostgreSQL 17, which lacks `MERGE … RETURNING`."""
    number = int(connection.execute(text("SHOW server_version_num")).scalar_one())
    if number < MINIMUM_VERSION:
        raise ConfigError(f"the database server is PostgreSQL {number // 10000}; Lotline needs 17 or newer")


def login_names(config: Config) -> tuple[str, str]:
    """Names of the app's and the system's login, as their URLs give them."""
    app, system = make_url(config.database_app_url).username, make_url(config.database_system_url).username
    if not app or not system:
        raise ConfigError("DATABASE_APP_URL and DATABASE_SYSTEM_URL must name a user each")
    return app, system


def ensure_logins(connection: Connection, config: Config) -> None:
    """Create the logins, or bring their passwords up to date with the secret key. Existing rights stay.

    Raises:
        ConfigError: the owner may not create roles; the message says what to do.
    """
    app, system = login_names(config)
    passwords = {
        app: make_url(config.database_app_url).password,
        system: make_url(config.database_system_url).password,
    }
    allowed = connection.execute(
        text("SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user")
    ).scalar_one()
    existing = set(
        connection.execute(
            text("SELECT rolname FROM pg_roles WHERE rolname = ANY(:names)"), {"names": [app, system, SEARCH_ROLE]}
        ).scalars()
    )
    if not allowed:
        missing = {app, system, SEARCH_ROLE} - existing
        if missing:
            raise ConfigError(
                f"DATABASE_URL's user may not create the roles {', '.join(sorted(missing))}:"
                " give it CREATEROLE, or create them (the last without login) and grant them to it"
            )
        return
    cursor = connection.connection.cursor()
    for name, password in passwords.items():
        verb = "ALTER" if name in existing else "CREATE"
        cursor.execute(
            sql.SQL(verb + " ROLE {} LOGIN NOINHERIT PASSWORD {}").format(sql.Identifier(name), sql.Literal(password))
        )
    if SEARCH_ROLE not in existing:
        cursor.execute(sql.SQL("CREATE ROLE {} NOLOGIN NOINHERIT").format(sql.Identifier(SEARCH_ROLE)))
        # Since PostgreSQL 16 a creator may administer, but not act for, the role it made.
        cursor.execute(
            sql.SQL("GRANT {} TO CURRENT_USER WITH SET TRUE, INHERIT FALSE").format(sql.Identifier(SEARCH_ROLE))
        )
