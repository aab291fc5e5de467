"""An index by which questions that were asked long ago are found and forgotten."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_lookups_client_asked", "lookups", ["client_id", "asked_at"])


def downgrade() -> None:
    op.drop_index("ix_lookups_client_asked", "lookups")
