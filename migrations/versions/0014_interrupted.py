"""What lost its worker, and waits for another, by an index of its own: every dispatcher looks for it each second."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_work_interrupted",
        "work",
        ["id"],
        postgresql_where=sa.text("state = 'ready' AND crashes > 0"),
    )


def downgrade() -> None:
    op.drop_index("ix_work_interrupted", table_name="work")
