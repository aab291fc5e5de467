"""What people say of offers: whether they are the same product, kept per product and offer."""

import sqlalchemy as sa
from alembic import op

from migrations import rls

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "offer_verdicts",
        sa.Column("product_id", sa.UUID(), nullable=False),
        sa.Column("offer_id", sa.UUID(), nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("is_same", sa.Boolean(), nullable=False),
        sa.Column("said_by", sa.UUID(), nullable=True),
        sa.Column("said_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id", "product_id"],
            ["products.client_id", "products.id"],
            name=op.f("fk_offer_verdicts_client_id_product_id_products"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["client_id", "offer_id"],
            ["offers.client_id", "offers.id"],
            name=op.f("fk_offer_verdicts_client_id_offer_id_offers"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["said_by"], ["users.id"], name=op.f("fk_offer_verdicts_said_by_users"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("product_id", "offer_id", name=op.f("pk_offer_verdicts")),
    )
    op.create_index("ix_offer_verdicts_client_product", "offer_verdicts", ["client_id", "product_id"])
    op.create_index("ix_offer_verdicts_client_offer", "offer_verdicts", ["client_id", "offer_id"])
    op.create_index("ix_offer_verdicts_said_by", "offer_verdicts", ["said_by"])
    rls.own("offer_verdicts")


def downgrade() -> None:
    op.drop_table("offer_verdicts")
