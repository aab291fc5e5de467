"""Row-level security, spelled once for all migrations.

Enabled, not forced: forced, a plain owner and `pg_dump` would see nothing, in silence.
"""

from alembic import op
from flask import current_app

from webapp.roles import login_names

CLIENT = "(SELECT nullif(current_setting('app.client_id', true), '')::uuid)"
USER = "(SELECT nullif(current_setting('app.user_id', true), '')::uuid)"


def app_role() -> str:
    return login_names(current_app.extensions["lotline_config"])[0]


def system_role() -> str:
    return login_names(current_app.extensions["lotline_config"])[1]


def own(table: str, verbs: str = "SELECT, INSERT, UPDATE, DELETE") -> None:
    """Make `table` client-owned: the app's login sees and writes only rows of the context's client."""
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(
        f'CREATE POLICY client_isolation ON {table} TO "{app_role()}"'
        f" USING (client_id = {CLIENT}) WITH CHECK (client_id = {CLIENT})"
    )
    op.execute(f'GRANT {verbs} ON {table} TO "{app_role()}"')


def let_system(table: str, verbs: str) -> None:
    """Let the system login do `verbs` on all clients' rows of an owned table."""
    for verb in verbs.split(", "):
        clause = "WITH CHECK (true)" if verb == "INSERT" else "USING (true)"
        op.execute(f'CREATE POLICY system_{verb.lower()} ON {table} FOR {verb} TO "{system_role()}" {clause}')
    op.execute(f'GRANT {verbs} ON {table} TO "{system_role()}"')


def share(table: str, app: str, system: str = "") -> None:
    """Grant on a table that no client owns."""
    op.execute(f'GRANT {app} ON {table} TO "{app_role()}"')
    if system:
        op.execute(f'GRANT {system} ON {table} TO "{system_role()}"')
