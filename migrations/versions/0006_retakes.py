"""Photos that were taken again, and whether a client's items have barcodes as a rule."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

KEY = "fk_photos_client_id_replaced_by_photos"


def upgrade() -> None:
    op.add_column(
        "clients", sa.Column("expects_barcodes", sa.Boolean(), server_default=sa.text("true"), nullable=False)
    )
    op.add_column("photos", sa.Column("replaced_by", sa.UUID(), nullable=True))
    op.create_foreign_key(op.f(KEY), "photos", "photos", ["client_id", "replaced_by"], ["client_id", "id"])
    op.create_check_constraint(op.f("ck_photos_in_use"), "photos", "replaced_by IS NULL OR NOT is_primary")
    op.create_index("ix_photos_client_replaced_by", "photos", ["client_id", "replaced_by"], unique=False)


def downgrade() -> None:
    # What was taken again comes back as a photo of its own beside the newer one: nothing is erased.
    op.drop_index("ix_photos_client_replaced_by", table_name="photos")
    op.drop_constraint(op.f("ck_photos_in_use"), "photos")
    op.drop_constraint(op.f(KEY), "photos")
    op.drop_column("photos", "replaced_by")
    op.drop_column("clients", "expects_barcodes")
