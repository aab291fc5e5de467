"""Whether bars may be on a photo, so that a missing barcode is told when the photo comes in; of earlier photos nobody knows."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("photos", sa.Column("may_show_bars", sa.Boolean(), server_default=sa.text("true"), nullable=False))


def downgrade() -> None:
    op.drop_column("photos", "may_show_bars")
