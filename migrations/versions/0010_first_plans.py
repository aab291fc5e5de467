"""Tables that are new are planned for as if they belonged to a few clients, until they are analysed.

Of a table without statistics the planner thinks that any client has one row, and so reads all of a client's rows where
it could go by key; every policy names the client. Until autovacuum came by, a minute later, a step of the pipeline cost
more with each product that waited (and a plan that was made then is kept by its connection). PostgreSQL 17 has no such
function: there it stays like that for the first minute.
"""

from alembic import op
from sqlalchemy import text

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

OF_A_FEW_CLIENTS = """
    SELECT pg_restore_attribute_stats(
        'schemaname', 'public', 'relname', c.relname::text, 'attname', 'client_id', 'inherited', false,
        'null_frac', 0::real, 'avg_width', 16, 'n_distinct', 4::real)
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attname = 'client_id'
      AND NOT EXISTS (SELECT FROM pg_stats s
                      WHERE s.schemaname = 'public' AND s.tablename = c.relname AND s.attname = 'client_id')
"""


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.server_version_info >= (18,):
        connection.execute(text(OF_A_FEW_CLIENTS)).all()


def downgrade() -> None:
    """The next ANALYZE of a table replaces what was said of it."""
