"""Language models: budgets of clients, where the money of each call stands, answers that are good for a while."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations import rls

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

OWNED = ["ai_spending", "ai_answers"]
RESERVED = sa.text("state = 'reserved'")


def money(name: str, precision: int, scale: int, default: str = "0") -> sa.Column:
    return sa.Column(name, sa.Numeric(precision, scale), server_default=sa.text(default), nullable=False)


def choice(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)


def upgrade() -> None:
    op.add_column("clients", money("model_budget_usd", 10, 2))
    op.add_column("clients", money("model_cap_usd", 10, 4, "0.05"))
    op.add_column(
        "clients",
        sa.Column(
            "model_uses",
            postgresql.ARRAY(sa.Text()),
            server_default=sa.text("'{analysis,matching,listing}'::text[]"),
            nullable=False,
        ),
    )
    op.create_check_constraint(
        op.f("ck_clients_model_money"), "clients", "model_budget_usd >= 0 AND model_cap_usd >= 0"
    )

    op.add_column("ai_calls", sa.Column("epoch", sa.BigInteger(), nullable=True))
    op.add_column("ai_calls", sa.Column("product_id", sa.UUID(), nullable=True))
    op.add_column("ai_calls", sa.Column("use", choice("use", "analysis", "matching", "listing"), nullable=True))
    op.add_column(
        "ai_calls",
        sa.Column(
            "state",
            choice("call_state", "reserved", "settled", "released", "unknown"),
            server_default="settled",
            nullable=False,
        ),
    )
    op.add_column("ai_calls", sa.Column("month", sa.Date(), nullable=True))
    op.add_column("ai_calls", money("reserved_usd", 12, 6))
    op.create_check_constraint(op.f("ck_ai_calls_reserved"), "ai_calls", "reserved_usd >= 0")
    op.create_foreign_key(
        op.f("fk_ai_calls_client_id_product_id_products"),
        "ai_calls",
        "products",
        ["client_id", "product_id"],
        ["client_id", "id"],
        ondelete="CASCADE",
    )
    op.create_index("ix_ai_calls_client_id", "ai_calls", ["client_id", "id"])
    op.create_index("ix_ai_calls_client_product", "ai_calls", ["client_id", "product_id"])
    op.create_index("ix_ai_calls_reserved", "ai_calls", ["client_id"], postgresql_where=RESERVED)

    op.create_table(
        "ai_spending",
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        money("spent", 14, 6),
        money("reserved", 14, 6),
        sa.CheckConstraint("reserved >= 0", name=op.f("ck_ai_spending_reserved")),
        sa.CheckConstraint("spent >= 0", name=op.f("ck_ai_spending_spent")),
        sa.ForeignKeyConstraint(
            ["client_id"], ["clients.id"], name=op.f("fk_ai_spending_client_id_clients"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("client_id", "month", name=op.f("pk_ai_spending")),
    )
    op.create_table(
        "ai_answers",
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("answer", postgresql.JSONB(), nullable=True),
        sa.Column("problem", sa.Text(), server_default="", nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"], ["clients.id"], name=op.f("fk_ai_answers_client_id_clients"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("client_id", "question", name=op.f("pk_ai_answers")),
    )
    op.create_index("ix_ai_answers_client_at", "ai_answers", ["client_id", "asked_at"])
    for table in OWNED:
        rls.own(table)


def downgrade() -> None:
    for table in reversed(OWNED):
        op.drop_table(table)
    op.drop_index("ix_ai_calls_reserved", table_name="ai_calls", postgresql_where=RESERVED)
    op.drop_index("ix_ai_calls_client_product", table_name="ai_calls")
    op.drop_index("ix_ai_calls_client_id", table_name="ai_calls")
    for column in ("reserved_usd", "month", "state", "use", "product_id", "epoch"):
        op.drop_column("ai_calls", column)
    op.drop_constraint(op.f("ck_clients_model_money"), "clients")
    for column in ("model_uses", "model_cap_usd", "model_budget_usd"):
        op.drop_column("clients", column)
