"""Confidence: audits, corrections, rules, calibrations."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations import rls

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

OWNED = ["calibrations", "corrections", "rules", "rule_uses"]


def choice(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)


def key_kind() -> sa.Enum:
    return choice("key_kind", "gtin", "brand")


def now() -> sa.TextClause:
    return sa.text("now()")


def upgrade() -> None:
    op.add_column("clients", sa.Column("audit_percent", sa.SmallInteger(), server_default=sa.text("2"), nullable=False))
    op.create_check_constraint(op.f("ck_clients_audit_percent"), "clients", "audit_percent BETWEEN 0 AND 100")

    op.add_column("runs", sa.Column("audit", choice("audit", "open", "decided"), nullable=True))
    op.add_column("runs", sa.Column("audit_percent", sa.SmallInteger(), nullable=True))
    op.create_check_constraint(op.f("ck_runs_audit_drawn"), "runs", "(audit IS NULL) = (audit_percent IS NULL)")
    op.create_index("ix_runs_audit_open", "runs", ["client_id", "id"], postgresql_where=sa.text("audit = 'open'"))

    op.add_column("reviews", sa.Column("replaced", postgresql.JSONB(), nullable=True))
    op.create_index("ix_reviews_client_decided", "reviews", ["client_id", "decided_at"])

    op.add_column("analysis_findings", sa.Column("path", sa.Text(), nullable=True))
    op.add_column("analysis_findings", sa.Column("raw", sa.SmallInteger(), nullable=True))
    op.add_column("analysis_findings", sa.Column("shown", sa.SmallInteger(), nullable=True))
    op.create_index(
        "ix_analysis_findings_client_at",
        "analysis_findings",
        ["client_id", "created_at"],
        postgresql_include=["path", "shown"],
    )

    op.create_table(
        "calibrations",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("catalog_id", sa.UUID(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("is_used", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("calibrator", postgresql.JSONB(), nullable=False),
        sa.Column("decisions", sa.BigInteger(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("fitted_by", sa.UUID(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now(), nullable=False),
        sa.CheckConstraint("version > 0", name=op.f("ck_calibrations_version")),
        sa.ForeignKeyConstraint(
            ["client_id", "catalog_id"],
            ["catalogs.client_id", "catalogs.id"],
            name=op.f("fk_calibrations_client_id_catalog_id_catalogs"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["fitted_by"], ["users.id"], name=op.f("fk_calibrations_fitted_by_users"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calibrations")),
        sa.UniqueConstraint("client_id", "id", name=op.f("uq_calibrations_client_id_id")),
        sa.UniqueConstraint("catalog_id", "version", name=op.f("uq_calibrations_catalog_id_version")),
    )
    op.create_index(
        "uq_calibrations_used", "calibrations", ["catalog_id"], unique=True, postgresql_where=sa.text("is_used")
    )
    op.create_index("ix_calibrations_client_catalog", "calibrations", ["client_id", "catalog_id"])
    op.create_index(op.f("ix_calibrations_fitted_by"), "calibrations", ["fitted_by"])

    op.create_table(
        "corrections",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("run_id", sa.UUID(), nullable=False),
        sa.Column("product_id", sa.UUID(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("old", sa.Text(), nullable=True),
        sa.Column("new", sa.Text(), nullable=True),
        sa.Column("key_kind", key_kind(), nullable=False),
        sa.Column("key_value", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now(), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id", "run_id"],
            ["runs.client_id", "runs.id"],
            name=op.f("fk_corrections_client_id_run_id_runs"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["client_id", "product_id"],
            ["products.client_id", "products.id"],
            name=op.f("fk_corrections_client_id_product_id_products"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_corrections")),
        sa.UniqueConstraint("client_id", "id", name=op.f("uq_corrections_client_id_id")),
    )
    op.create_index("ix_corrections_client_key", "corrections", ["client_id", "key_kind", "key_value", "field"])
    op.create_index("ix_corrections_client_run", "corrections", ["client_id", "run_id"])
    op.create_index("ix_corrections_client_product", "corrections", ["client_id", "product_id"])

    op.create_table(
        "rules",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("old", sa.Text(), nullable=True),
        sa.Column("new", sa.Text(), nullable=True),
        sa.Column("key_kind", key_kind(), nullable=False),
        sa.Column("key_value", sa.Text(), nullable=False),
        sa.Column(
            "state",
            choice("state", "proposed", "accepted", "refused", "withdrawn"),
            server_default="proposed",
            nullable=False,
        ),
        sa.Column("decided_by", sa.UUID(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now(), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"], ["clients.id"], name=op.f("fk_rules_client_id_clients"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["decided_by"], ["users.id"], name=op.f("fk_rules_decided_by_users"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rules")),
        sa.UniqueConstraint("client_id", "id", name=op.f("uq_rules_client_id_id")),
        sa.UniqueConstraint(
            "client_id",
            "key_kind",
            "key_value",
            "field",
            "old",
            "new",
            name=op.f("uq_rules_client_id_key_kind_key_value_field_old_new"),
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_index(
        "uq_rules_accepted",
        "rules",
        ["client_id", "key_kind", "key_value", "field", "old"],
        unique=True,
        postgresql_nulls_not_distinct=True,
        postgresql_where=sa.text("state = 'accepted'"),
    )
    op.create_index("ix_rules_client_state", "rules", ["client_id", "state", "id"])
    op.create_index(op.f("ix_rules_decided_by"), "rules", ["decided_by"])
    op.create_table(
        "rule_uses",
        sa.Column("rule_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("run_id", sa.UUID(), nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("product_id", sa.UUID(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now(), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id", "rule_id"],
            ["rules.client_id", "rules.id"],
            name=op.f("fk_rule_uses_client_id_rule_id_rules"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["client_id", "run_id"],
            ["runs.client_id", "runs.id"],
            name=op.f("fk_rule_uses_client_id_run_id_runs"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["client_id", "product_id"],
            ["products.client_id", "products.id"],
            name=op.f("fk_rule_uses_client_id_product_id_products"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("rule_id", "run_id", name=op.f("pk_rule_uses")),
    )
    op.create_index("ix_rule_uses_client_rule", "rule_uses", ["client_id", "rule_id", "created_at"])
    op.create_index("ix_rule_uses_client_run", "rule_uses", ["client_id", "run_id"])
    op.create_index("ix_rule_uses_client_product", "rule_uses", ["client_id", "product_id"])
    for table in OWNED:
        rls.own(table)


def downgrade() -> None:
    for table in reversed(OWNED):
        op.drop_table(table)
    op.drop_index("ix_analysis_findings_client_at", "analysis_findings")
    op.drop_column("analysis_findings", "shown")
    op.drop_column("analysis_findings", "raw")
    op.drop_column("analysis_findings", "path")
    op.drop_index("ix_reviews_client_decided", "reviews")
    op.drop_column("reviews", "replaced")
    op.drop_index("ix_runs_audit_open", "runs")
    op.drop_column("runs", "audit_percent")
    op.drop_column("runs", "audit")
    op.drop_column("clients", "audit_percent")
