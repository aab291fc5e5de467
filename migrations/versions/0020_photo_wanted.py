"""A reviewer asks the dock for a new photo: since when, who, and what is to be seen on it."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("products", sa.Column("photo_wanted_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("products", sa.Column("photo_wanted_by", sa.UUID(), nullable=True))
    op.add_column("products", sa.Column("photo_wanted_note", sa.Text(), nullable=True))
    op.create_foreign_key(
        op.f("fk_products_photo_wanted_by_users"),
        "products",
        "users",
        ["photo_wanted_by"],
        ["id"],
        ondelete="SET NULL",
    )
    op.create_check_constraint(
        op.f("ck_products_photo_wanted"), "products", "(photo_wanted_at IS NULL) = (photo_wanted_note IS NULL)"
    )
    op.create_check_constraint(
        op.f("ck_products_photo_wanted_in_use"), "products", "photo_wanted_at IS NULL OR deleted_at IS NULL"
    )
    op.create_index("ix_products_photo_wanted_by", "products", ["photo_wanted_by"])
    op.create_index(
        "ix_products_photo_wanted",
        "products",
        ["client_id", "photo_wanted_at"],
        postgresql_where=sa.text("photo_wanted_at IS NOT NULL"),
    )


def downgrade() -> None:
    for name in ("photo_wanted_note", "photo_wanted_by", "photo_wanted_at"):
        op.drop_column("products", name)  # with its constraints and indexes
