"""What came of what was asked for last, by what it was asked for: a page tells it long after the work has ended."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_work_last_asked",
        "work",
        ["client_id", "dedup_key", "id"],
        postgresql_where=sa.text("dedup_key IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_work_last_asked", table_name="work")
