"""Market: exchange rates, former prices of offers, own sales, shipping, what products cost."""

import sqlalchemy as sa
from alembic import op

from migrations import rls

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("offers", sa.Column("shipping", sa.Numeric(precision=14, scale=2), nullable=True))
    op.create_check_constraint(op.f("ck_offers_shipping"), "offers", "shipping >= 0")
    op.drop_constraint(op.f("ck_offers_kind"), "offers")
    op.create_check_constraint(op.f("ck_offers_kind"), "offers", "kind IN ('offer', 'list', 'sale')")

    op.create_table(
        "offer_prices",
        sa.Column("offer_id", sa.UUID(), nullable=False),
        sa.Column("seen_on", sa.Date(), nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("price", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("ck_offer_prices_currency")),
        sa.ForeignKeyConstraint(
            ["client_id", "offer_id"],
            ["offers.client_id", "offers.id"],
            name=op.f("fk_offer_prices_client_id_offer_id_offers"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("offer_id", "seen_on", name=op.f("pk_offer_prices")),
    )
    op.create_index("ix_offer_prices_client_offer", "offer_prices", ["client_id", "offer_id"])
    rls.own("offer_prices")

    op.create_table(
        "exchange_rates",
        sa.Column("quote", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("base", sa.Text(), nullable=False),
        sa.Column("rate", sa.Numeric(precision=20, scale=10), nullable=False),
        sa.CheckConstraint("rate > 0", name=op.f("ck_exchange_rates_rate")),
        sa.CheckConstraint("base ~ '^[A-Z]{3}$'", name=op.f("ck_exchange_rates_base")),
        sa.CheckConstraint("quote ~ '^[A-Z]{3}$'", name=op.f("ck_exchange_rates_quote")),
        sa.PrimaryKeyConstraint("quote", "day", "base", name=op.f("pk_exchange_rates")),
    )
    # Everybody reads them; only the installation's own commands write them.
    rls.share("exchange_rates", "SELECT", "SELECT, INSERT, UPDATE")

    op.add_column("products", sa.Column("cost", sa.Numeric(precision=14, scale=2), nullable=True))
    op.add_column("products", sa.Column("cost_currency", sa.Text(), nullable=True))
    op.create_check_constraint(op.f("ck_products_cost"), "products", "cost >= 0")
    op.create_check_constraint(
        op.f("ck_products_cost_has_currency"), "products", "(cost IS NULL) = (cost_currency IS NULL)"
    )
    op.create_check_constraint(op.f("ck_products_cost_currency"), "products", "cost_currency ~ '^[A-Z]{3}$'")


def downgrade() -> None:
    op.drop_column("products", "cost_currency")
    op.drop_column("products", "cost")
    op.drop_table("exchange_rates")
    op.drop_table("offer_prices")
    op.execute("DELETE FROM offers WHERE kind = 'sale'")  # the earlier schema has no word for them
    op.drop_constraint(op.f("ck_offers_kind"), "offers")
    op.create_check_constraint(op.f("ck_offers_kind"), "offers", "kind IN ('offer', 'list')")
    op.drop_column("offers", "shipping")
