"""An index by which a source's offers that were not seen for long are found and forgotten."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_offers_client_source_seen", "offers", ["client_id", "source", "seen_at"])


def downgrade() -> None:
    op.drop_index("ix_offers_client_source_seen", "offers")
