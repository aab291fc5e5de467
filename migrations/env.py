"""Runs migrations as the database's owner (DATABASE_URL), never as the app's own login."""

from alembic import context
from flask import current_app
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from webapp.database import Base
from webapp.roles import ensure_logins, require_version

settings = current_app.extensions["lotline_config"]
# Two processes that migrate at once wait for each other; the number has no meaning beyond being ours.
MIGRATION_LOCK = 7_302_001


def run() -> None:
    engine = create_engine(settings.database_url, poolclass=NullPool)
    with engine.connect() as connection:
        require_version(connection)
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
        ensure_logins(connection, settings)
        connection.commit()
        context.configure(connection=connection, target_metadata=Base.metadata, compare_type=True)
        with context.begin_transaction():
            context.run_migrations()


run()
