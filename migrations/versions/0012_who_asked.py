"""Who made a call, so that its work's next holder can make sure that it is not still about to make it."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("steps", sa.Column("asked_by", sa.Text(), server_default="", nullable=False))


def downgrade() -> None:
    op.drop_column("steps", "asked_by")
