"""Circuits of outside services, causes of failures, remembered look-ups, and what people tried again together."""

import sqlalchemy as sa
from alembic import op

from migrations import rls

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "circuits",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column(
            "state",
            sa.Enum("closed", "open", "half_open", name="state", native_enum=False, create_constraint=True, length=32),
            server_default="closed",
            nullable=False,
        ),
        sa.Column("failures", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("probes", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_probe_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("probe_token", sa.UUID(), nullable=True),
        sa.Column("probe_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_circuits")),
    )
    rls.share("circuits", "SELECT, INSERT, UPDATE", "SELECT, UPDATE")

    op.add_column("work", sa.Column("cause", sa.Text(), nullable=True))
    op.add_column("work", sa.Column("waits_for", sa.Text(), nullable=True))
    op.add_column("work", sa.Column("waits_since", sa.DateTime(timezone=True), nullable=True))
    # What failed before this is grouped by what it said, as work without a cause of its own is from now on.
    op.execute("UPDATE work SET cause = left(lower(last_error), 120) WHERE last_error IS NOT NULL")
    op.create_index(
        "ix_work_waits_for",
        "work",
        ["waits_for", "client_id"],
        postgresql_where=sa.text("waits_for IS NOT NULL"),
    )
    op.create_index(
        "ix_work_failed",
        "work",
        ["client_id", "cause", "finished_at"],
        postgresql_where=sa.text("state = 'failed'"),
    )
    op.add_column(
        "steps",
        sa.Column("idempotency_key", sa.UUID(), server_default=sa.text("gen_random_uuid()"), nullable=False),
    )

    op.create_table(
        "lookups",
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("found", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"], ["clients.id"], name=op.f("fk_lookups_client_id_clients"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("client_id", "source", "question", name=op.f("pk_lookups")),
    )
    rls.own("lookups")

    op.create_table(
        "retries",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("says", sa.Text(), nullable=False),
        sa.Column("created_by", sa.UUID(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["client_id"], ["clients.id"], name=op.f("fk_retries_client_id_clients"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["created_by"], ["users.id"], name=op.f("fk_retries_created_by_users"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retries")),
        sa.UniqueConstraint("client_id", "id", name=op.f("uq_retries_client_id_id")),
    )
    op.create_index("ix_retries_client_created", "retries", ["client_id", "created_at"])
    op.create_index(op.f("ix_retries_created_by"), "retries", ["created_by"])
    rls.own("retries")
    op.create_table(
        "retried",
        sa.Column("retry_id", sa.UUID(), nullable=False),
        sa.Column("work_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id", "retry_id"],
            ["retries.client_id", "retries.id"],
            name=op.f("fk_retried_client_id_retry_id_retries"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["client_id", "work_id"],
            ["work.client_id", "work.id"],
            name=op.f("fk_retried_client_id_work_id_work"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("retry_id", "work_id", name=op.f("pk_retried")),
    )
    op.create_index("ix_retried_client_retry", "retried", ["client_id", "retry_id"])
    op.create_index("ix_retried_client_work", "retried", ["client_id", "work_id"])
    rls.own("retried")


def downgrade() -> None:
    op.drop_table("retried")
    op.drop_table("retries")
    op.drop_table("lookups")
    op.drop_column("steps", "idempotency_key")
    op.drop_index("ix_work_failed", table_name="work")
    op.drop_index("ix_work_waits_for", table_name="work")
    op.drop_column("work", "waits_since")
    op.drop_column("work", "waits_for")
    op.drop_column("work", "cause")
    op.drop_table("circuits")
