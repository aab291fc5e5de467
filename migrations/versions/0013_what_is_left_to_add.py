"""How many facts a person still has to add to a run's listing, so that no desk calls it ready without a word of them."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("runs", sa.Column("to_add", sa.SmallInteger(), server_default="0", nullable=False))
    op.execute("""
        UPDATE runs SET to_add = json_array_length(listing.findings::json -> 'missing')
        FROM phases JOIN listing_findings AS listing ON listing.phase_id = phases.id
        WHERE phases.run_id = runs.id AND json_typeof(listing.findings::json -> 'missing') = 'array'
    """)


def downgrade() -> None:
    op.drop_column("runs", "to_add")
