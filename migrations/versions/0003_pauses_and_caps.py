"""Pauses, drained slots, a cap on what a client has running, and the backlog by activity."""

import sqlalchemy as sa
from alembic import op

from migrations import rls

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

WAITS = sa.text("state = 'ready' AND dispatched_at IS NULL")
OPERATOR = f"EXISTS (SELECT FROM users WHERE id = {rls.USER} AND is_operator AND is_active)"


def upgrade() -> None:
    op.add_column("clients", sa.Column("running_cap", sa.SmallInteger(), server_default=sa.text("8"), nullable=False))
    op.create_check_constraint("running_cap", "clients", "running_cap BETWEEN 1 AND 1000")
    op.add_column(
        "work",
        sa.Column(
            "activity",
            sa.Text(),
            sa.Computed("coalesce(args #>> '{event,phase}', kind)", persisted=True),
            nullable=False,
        ),
    )
    op.drop_index("ix_work_backlog", table_name="work", postgresql_where=WAITS)
    op.create_index(
        "ix_work_backlog",
        "work",
        ["queue", "client_id", "activity", "priority", "run_at", "id"],
        unique=False,
        postgresql_where=WAITS,
    )
    op.create_index(
        "ix_work_finished_at",
        "work",
        ["finished_at"],
        unique=False,
        postgresql_where=sa.text("finished_at IS NOT NULL"),
    )
    op.add_column("workers", sa.Column("name", sa.Text(), server_default="", nullable=False))
    op.add_column("workers", sa.Column("drain_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("workers", sa.Column("drain_by_name", sa.Text(), nullable=True))
    _create_pauses()


def _create_pauses() -> None:
    op.create_table(
        "pauses",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=True),
        sa.Column("activity", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("paused_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("paused_by", sa.UUID(), nullable=True),
        sa.Column("paused_by_name", sa.Text(), nullable=False),
        sa.CheckConstraint("num_nonnulls(client_id, activity) = 1", name=op.f("ck_pauses_subject")),
        sa.ForeignKeyConstraint(
            ["client_id"], ["clients.id"], name=op.f("fk_pauses_client_id_clients"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["paused_by"], ["users.id"], name=op.f("fk_pauses_paused_by_users"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pauses")),
    )
    op.create_index(op.f("ix_pauses_paused_by"), "pauses", ["paused_by"], unique=False)
    for column in ("client_id", "activity"):
        op.create_index(
            f"uq_pauses_{column}",
            "pauses",
            [column],
            unique=True,
            postgresql_where=sa.text(f"{column} IS NOT NULL"),
        )
    app = rls.app_role()
    op.execute("ALTER TABLE pauses ENABLE ROW LEVEL SECURITY")
    # Everybody sees what holds for all; who may change that, and other clients' pauses, is an operator.
    op.execute(
        f'CREATE POLICY reads ON pauses FOR SELECT TO "{app}"'
        f" USING (client_id = {rls.CLIENT} OR client_id IS NULL OR {OPERATOR})"
    )
    op.execute(
        f'CREATE POLICY pauses ON pauses FOR INSERT TO "{app}" WITH CHECK (client_id = {rls.CLIENT} OR {OPERATOR})'
    )
    op.execute(f'CREATE POLICY resumes ON pauses FOR DELETE TO "{app}" USING (client_id = {rls.CLIENT} OR {OPERATOR})')
    op.execute(f'GRANT SELECT, INSERT, DELETE ON pauses TO "{app}"')
    rls.let_system("pauses", "SELECT")


def downgrade() -> None:
    op.drop_table("pauses")
    op.drop_column("workers", "drain_by_name")
    op.drop_column("workers", "drain_at")
    op.drop_column("workers", "name")
    op.drop_index("ix_work_finished_at", table_name="work")
    op.drop_index("ix_work_backlog", table_name="work")
    op.create_index(
        "ix_work_backlog",
        "work",
        ["queue", "client_id", "priority", "run_at", "id"],
        unique=False,
        postgresql_where=WAITS,
    )
    op.drop_column("work", "activity")
    op.drop_constraint(op.f("ck_clients_running_cap"), "clients")
    op.drop_column("clients", "running_cap")
