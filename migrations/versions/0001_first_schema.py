"""First schema: clients, people, catalogs, durable work, runs and reviews, each behind row-level security."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations import rls
from webapp.roles import SEARCH_ROLE

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Comes with PostgreSQL and is trusted: the database's owner may create it.
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    op.create_table(
        "clients",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("logo_url", sa.Text(), nullable=True),
        sa.Column("contact_email", sa.Text(), nullable=True),
        sa.Column("contact_phone", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("review_threshold", sa.BigInteger(), server_default=sa.text("80"), nullable=False),
        sa.Column("currency", sa.Text(), server_default="USD", nullable=False),
        sa.Column("products_named", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("settings", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("ck_clients_currency")),
        sa.CheckConstraint("slug ~ '^[a-z0-9-]+$'", name=op.f("ck_clients_slug")),
        sa.CheckConstraint("length(name) >= 2", name=op.f("ck_clients_name")),
        sa.CheckConstraint("review_threshold BETWEEN 0 AND 100", name=op.f("ck_clients_review_threshold")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clients")),
        sa.UniqueConstraint("slug", name=op.f("uq_clients_slug")),
    )
    op.create_index(op.f("ix_clients_created_at"), "clients", ["created_at"], unique=False)
    op.create_table(
        "users",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("time_zone", sa.Text(), server_default="UTC", nullable=False),
        sa.Column("is_operator", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_sign_in_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
    )
    op.create_index("uq_users_email", "users", [sa.literal_column("lower(email)")], unique=True)
    op.create_table(
        "workers",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=True),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column(
            "started_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("last_seen", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("doing", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workers")),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("user_id", sa.UUID(), nullable=True),
        sa.Column("api_key_id", sa.UUID(), nullable=True),
        sa.Column("session_id", sa.UUID(), nullable=True),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("table_name", sa.Text(), nullable=True),
        sa.Column("row_id", sa.Text(), nullable=True),
        sa.Column("old", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("new", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("changed_fields", postgresql.ARRAY(sa.TEXT()), nullable=True),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("address", postgresql.INET(), nullable=True),
        sa.Column("user_agent", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["client_id"], ["clients.id"], name=op.f("fk_audit_client_id_clients"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_audit_user_id_users"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index("ix_audit_client_at", "audit", ["client_id", "at"], unique=False)
    op.create_index("ix_audit_row", "audit", ["client_id", "table_name", "row_id", "at"], unique=False)
    op.create_index(op.f("ix_audit_user_id"), "audit", ["user_id"], unique=False)
    op.create_table(
        "catalogs",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "erp", "manual", "vendor", "dropship", name="kind", native_enum=False, create_constraint=True, length=32
            ),
            server_default="manual",
            nullable=False,
        ),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column(
            "status",
            sa.Enum("draft", "active", "inactive", name="status", native_enum=False, create_constraint=True, length=32),
            server_default="active",
            nullable=False,
        ),
        sa.Column("is_default", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "source_config", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column(
            "sync_settings", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column(
            "pricing_rules", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("last_sync_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"], ["clients.id"], name=op.f("fk_catalogs_client_id_clients"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_catalogs")),
        sa.UniqueConstraint("client_id", "id", name=op.f("uq_catalogs_client_id_id")),
    )
    op.create_index(op.f("ix_catalogs_client_id"), "catalogs", ["client_id"], unique=False)
    op.create_index(op.f("ix_catalogs_last_sync_at"), "catalogs", ["last_sync_at"], unique=False)
    op.create_index(
        "uq_catalogs_default", "catalogs", ["client_id"], unique=True, postgresql_where=sa.text("is_default")
    )
    op.create_table(
        "memberships",
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("user_id", sa.UUID(), nullable=False),
        sa.Column(
            "role",
            sa.Enum("staff", "reviewer", "admin", name="role", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"], ["clients.id"], name=op.f("fk_memberships_client_id_clients"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_memberships_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("client_id", "user_id", name=op.f("pk_memberships")),
    )
    op.create_index(op.f("ix_memberships_user_id"), "memberships", ["user_id"], unique=False)
    op.create_table(
        "offers",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_ref", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), server_default="offer", nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("marketplace", sa.Text(), nullable=True),
        sa.Column("link", sa.Text(), nullable=True),
        sa.Column("brand", sa.Text(), nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("gtin14", sa.Text(), nullable=True),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column(
            "condition",
            sa.Enum(
                "new",
                "like_new",
                "refurbished",
                "used",
                "for_parts",
                name="condition",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("price", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column(
            "search_text",
            sa.Text(),
            sa.Computed("lower(title || ' ' || coalesce(brand, '') || ' ' || coalesce(model, ''))", persisted=True),
            nullable=False,
        ),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("ck_offers_currency")),
        sa.CheckConstraint("gtin14 ~ '^[0-9]{14}$'", name=op.f("ck_offers_gtin14")),
        sa.CheckConstraint("kind IN ('offer', 'list')", name=op.f("ck_offers_kind")),
        sa.CheckConstraint("price >= 0", name=op.f("ck_offers_price")),
        sa.ForeignKeyConstraint(
            ["client_id"], ["clients.id"], name=op.f("fk_offers_client_id_clients"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offers")),
        sa.UniqueConstraint("client_id", "id", name=op.f("uq_offers_client_id_id")),
        sa.UniqueConstraint("client_id", "source", "source_ref", name=op.f("uq_offers_client_id_source_source_ref")),
    )
    op.create_index("ix_offers_client_gtin14", "offers", ["client_id", "gtin14"], unique=False)
    op.create_index(
        "ix_offers_search_text",
        "offers",
        ["search_text"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"search_text": "gin_trgm_ops"},
    )
    op.create_table(
        "prompts",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("current_version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_by", sa.UUID(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["client_id"], ["clients.id"], name=op.f("fk_prompts_client_id_clients"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["created_by"], ["users.id"], name=op.f("fk_prompts_created_by_users"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prompts")),
        sa.UniqueConstraint("client_id", "id", name=op.f("uq_prompts_client_id_id")),
        sa.UniqueConstraint("client_id", "name", name=op.f("uq_prompts_client_id_name")),
    )
    op.create_index(op.f("ix_prompts_created_by"), "prompts", ["created_by"], unique=False)
    op.create_table(
        "sessions",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("user_id", sa.UUID(), nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("address", postgresql.INET(), nullable=True),
        sa.Column("user_agent", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["client_id"], ["clients.id"], name=op.f("fk_sessions_client_id_clients"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sessions_user_id_users"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_sessions_token_hash")),
    )
    op.create_index(op.f("ix_sessions_client_id"), "sessions", ["client_id"], unique=False)
    op.create_index(op.f("ix_sessions_expires_at"), "sessions", ["expires_at"], unique=False)
    op.create_index(op.f("ix_sessions_user_id"), "sessions", ["user_id"], unique=False)
    op.create_table(
        "sign_in_links",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("user_id", sa.UUID(), nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["client_id"], ["clients.id"], name=op.f("fk_sign_in_links_client_id_clients"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_sign_in_links_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_links")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_sign_in_links_token_hash")),
    )
    op.create_index(op.f("ix_sign_in_links_client_id"), "sign_in_links", ["client_id"], unique=False)
    op.create_index(op.f("ix_sign_in_links_user_id"), "sign_in_links", ["user_id"], unique=False)
    op.create_table(
        "streams",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"], ["clients.id"], name=op.f("fk_streams_client_id_clients"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_streams")),
        sa.UniqueConstraint("client_id", "id", name=op.f("uq_streams_client_id_id")),
    )
    op.create_index("ix_streams_client_changed", "streams", ["client_id", "changed_at"], unique=False)
    op.create_table(
        "events",
        sa.Column("stream_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column(
            "level",
            sa.Enum(
                "debug", "info", "warning", "error", name="level", native_enum=False, create_constraint=True, length=32
            ),
            nullable=False,
        ),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id", "stream_id"],
            ["streams.client_id", "streams.id"],
            name=op.f("fk_events_client_id_stream_id_streams"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("stream_id", "seq", name=op.f("pk_events")),
    )
    op.create_index("ix_events_client_stream", "events", ["client_id", "stream_id", "seq"], unique=False)
    op.create_table(
        "products",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("catalog_id", sa.UUID(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("sku", sa.Text(), nullable=True),
        sa.Column("gtin14", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("brand", sa.Text(), nullable=True),
        sa.Column(
            "kind",
            sa.Enum("PRODUCT", "SERVICE", name="kind", native_enum=False, create_constraint=True, length=32),
            server_default="PRODUCT",
            nullable=False,
        ),
        sa.Column(
            "condition",
            sa.Enum(
                "new",
                "like_new",
                "refurbished",
                "used",
                "for_parts",
                name="condition",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("price", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column(
            "attributes", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("inventory_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column(
            "fixed_fields", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False
        ),
        sa.Column("source_data", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("upload_key", sa.UUID(), nullable=True),
        sa.Column("created_by", sa.UUID(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_by", sa.UUID(), nullable=True),
        sa.Column("row_version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column(
            "search_text",
            sa.Text(),
            sa.Computed(
                "lower(coalesce(name, '') || ' ' || coalesce(brand, '') || ' ' || coalesce(model, '') || ' ' || coalesce(sku, ''))",
                persisted=True,
            ),
            nullable=False,
        ),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("ck_products_currency")),
        sa.CheckConstraint("gtin14 ~ '^[0-9]{14}$'", name=op.f("ck_products_gtin14")),
        sa.CheckConstraint("inventory_count >= 0", name=op.f("ck_products_inventory_count")),
        sa.CheckConstraint("price >= 0", name=op.f("ck_products_price")),
        sa.ForeignKeyConstraint(
            ["client_id", "catalog_id"],
            ["catalogs.client_id", "catalogs.id"],
            name=op.f("fk_products_client_id_catalog_id_catalogs"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["created_by"], ["users.id"], name=op.f("fk_products_created_by_users"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["deleted_by"], ["users.id"], name=op.f("fk_products_deleted_by_users"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_products")),
        sa.UniqueConstraint("catalog_id", "sku", name=op.f("uq_products_catalog_id_sku")),
        sa.UniqueConstraint("client_id", "code", name=op.f("uq_products_client_id_code")),
        sa.UniqueConstraint("client_id", "id", name=op.f("uq_products_client_id_id")),
        sa.UniqueConstraint("client_id", "upload_key", name=op.f("uq_products_client_id_upload_key")),
    )
    op.create_index(op.f("ix_products_catalog_id"), "products", ["catalog_id"], unique=False)
    op.create_index("ix_products_client_brand", "products", ["client_id", "brand"], unique=False)
    op.create_index("ix_products_client_catalog", "products", ["client_id", "catalog_id"], unique=False)
    op.create_index("ix_products_client_created", "products", ["client_id", "created_at"], unique=False)
    op.create_index("ix_products_client_gtin14", "products", ["client_id", "gtin14"], unique=False)
    op.create_index(op.f("ix_products_created_by"), "products", ["created_by"], unique=False)
    op.create_index(op.f("ix_products_deleted_by"), "products", ["deleted_by"], unique=False)
    op.create_index(
        "ix_products_search_text",
        "products",
        ["search_text"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"search_text": "gin_trgm_ops"},
    )
    op.create_table(
        "prompt_versions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("prompt_id", sa.UUID(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column(
            "parameters", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("created_by", sa.UUID(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("version >= 1", name=op.f("ck_prompt_versions_version")),
        sa.ForeignKeyConstraint(
            ["client_id", "prompt_id"],
            ["prompts.client_id", "prompts.id"],
            name=op.f("fk_prompt_versions_client_id_prompt_id_prompts"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["created_by"], ["users.id"], name=op.f("fk_prompt_versions_created_by_users"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prompt_versions")),
        sa.UniqueConstraint("client_id", "id", name=op.f("uq_prompt_versions_client_id_id")),
        sa.UniqueConstraint("prompt_id", "version", name=op.f("uq_prompt_versions_prompt_id_version")),
    )
    op.create_index("ix_prompt_versions_client_prompt", "prompt_versions", ["client_id", "prompt_id"], unique=False)
    op.create_index(op.f("ix_prompt_versions_created_by"), "prompt_versions", ["created_by"], unique=False)
    op.create_table(
        "work",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("stream_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("args", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "blocked",
                "ready",
                "running",
                "done",
                "held",
                "waiting",
                "failed",
                "stopped",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("epoch", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("lease_token", sa.UUID(), nullable=True),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deadline_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deadline_seconds", sa.Double(), server_default=sa.text("600"), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("failures", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("crashes", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("max_failures", sa.SmallInteger(), server_default=sa.text("3"), nullable=False),
        sa.Column("run_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("dispatched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("priority", sa.SmallInteger(), server_default=sa.text("5"), nullable=False),
        sa.Column("progress", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("message", sa.Text(), server_default="", nullable=False),
        sa.Column("result", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("dedup_key", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state = 'running') = (lease_token IS NOT NULL) AND (lease_token IS NULL) = (lease_until IS NULL)",
            name=op.f("ck_work_lease"),
        ),
        sa.CheckConstraint("progress BETWEEN 0 AND 100", name=op.f("ck_work_progress")),
        sa.ForeignKeyConstraint(
            ["client_id", "stream_id"],
            ["streams.client_id", "streams.id"],
            name=op.f("fk_work_client_id_stream_id_streams"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_work")),
        sa.UniqueConstraint("client_id", "id", name=op.f("uq_work_client_id_id")),
        postgresql_with={"fillfactor": 70},
    )
    op.create_index(
        "ix_work_backlog",
        "work",
        ["queue", "client_id", "priority", "run_at", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'ready' AND dispatched_at IS NULL"),
    )
    op.create_index(
        "ix_work_rung",
        "work",
        ["queue", "client_id", "dispatched_at"],
        unique=False,
        postgresql_where=sa.text("state = 'ready' AND dispatched_at IS NOT NULL"),
    )
    op.create_index("ix_work_client_stream", "work", ["client_id", "stream_id"], unique=False)
    op.create_index(
        "ix_work_queue",
        "work",
        ["state", "queue", "run_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('ready', 'running', 'waiting')"),
    )
    op.create_index(
        "uq_work_dedup_key",
        "work",
        ["client_id", "dedup_key"],
        unique=True,
        postgresql_where=sa.text("state IN ('blocked', 'ready', 'running', 'held', 'waiting')"),
    )
    op.create_table(
        "ai_calls",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("prompt_version_id", sa.BigInteger(), nullable=True),
        sa.Column("user_id", sa.UUID(), nullable=True),
        sa.Column("work_id", sa.BigInteger(), nullable=True),
        sa.Column("tokens_in", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("tokens_out", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("cost_usd", sa.Numeric(precision=12, scale=6), server_default=sa.text("0"), nullable=False),
        sa.Column("duration_ms", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint("tokens_in >= 0 AND tokens_out >= 0 AND cost_usd >= 0", name=op.f("ck_ai_calls_amounts")),
        sa.ForeignKeyConstraint(
            ["client_id", "prompt_version_id"],
            ["prompt_versions.client_id", "prompt_versions.id"],
            name=op.f("fk_ai_calls_client_id_prompt_version_id_prompt_versions"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["client_id", "work_id"],
            ["work.client_id", "work.id"],
            name=op.f("fk_ai_calls_client_id_work_id_work"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["client_id"], ["clients.id"], name=op.f("fk_ai_calls_client_id_clients"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_ai_calls_user_id_users"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ai_calls")),
    )
    op.create_index("ix_ai_calls_client_at", "ai_calls", ["client_id", "at"], unique=False)
    op.create_index("ix_ai_calls_client_prompt_version", "ai_calls", ["client_id", "prompt_version_id"], unique=False)
    op.create_index("ix_ai_calls_client_work", "ai_calls", ["client_id", "work_id"], unique=False)
    op.create_index(op.f("ix_ai_calls_user_id"), "ai_calls", ["user_id"], unique=False)
    op.create_table(
        "photos",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("product_id", sa.UUID(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("is_primary", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("mime_type", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("width", sa.BigInteger(), nullable=False),
        sa.Column("height", sa.BigInteger(), nullable=False),
        sa.Column("original_key", sa.Text(), nullable=False),
        sa.Column("display_key", sa.Text(), nullable=False),
        sa.Column("thumb_key", sa.Text(), nullable=False),
        sa.Column("quality_score", sa.BigInteger(), nullable=True),
        sa.Column("quality_says", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id", "product_id"],
            ["products.client_id", "products.id"],
            name=op.f("fk_photos_client_id_product_id_products"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_photos")),
        sa.UniqueConstraint("client_id", "id", name=op.f("uq_photos_client_id_id")),
    )
    op.create_index("ix_photos_client_product", "photos", ["client_id", "product_id", "position"], unique=False)
    op.create_index("ix_photos_client_sha256", "photos", ["client_id", "sha256"], unique=False)
    op.create_index("uq_photos_primary", "photos", ["product_id"], unique=True, postgresql_where=sa.text("is_primary"))
    op.create_table(
        "runs",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("product_id", sa.UUID(), nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("is_latest", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("stream_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "running",
                "review",
                "completed",
                "failed",
                "stopped",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("confidence", sa.SmallInteger(), nullable=True),
        sa.Column("reasons", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("hints", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("created_by", sa.UUID(), nullable=True),
        sa.Column("started_by", sa.UUID(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("confidence BETWEEN 0 AND 100", name=op.f("ck_runs_confidence")),
        sa.ForeignKeyConstraint(
            ["client_id", "product_id"],
            ["products.client_id", "products.id"],
            name=op.f("fk_runs_client_id_product_id_products"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["client_id", "stream_id"],
            ["streams.client_id", "streams.id"],
            name=op.f("fk_runs_client_id_stream_id_streams"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["created_by"], ["users.id"], name=op.f("fk_runs_created_by_users"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["started_by"], ["users.id"], name=op.f("fk_runs_started_by_users"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
        sa.UniqueConstraint("client_id", "id", name=op.f("uq_runs_client_id_id")),
        sa.UniqueConstraint("product_id", "number", name=op.f("uq_runs_product_id_number")),
        sa.UniqueConstraint("stream_id", name=op.f("uq_runs_stream_id")),
    )
    op.create_index("ix_runs_client_product", "runs", ["client_id", "product_id"], unique=False)
    op.create_index("ix_runs_client_stream", "runs", ["client_id", "stream_id"], unique=False)
    op.create_index(op.f("ix_runs_created_by"), "runs", ["created_by"], unique=False)
    op.create_index("ix_runs_desk", "runs", ["client_id", "id"], unique=False, postgresql_where=sa.text("is_latest"))
    op.create_index(
        "ix_runs_desk_mine",
        "runs",
        ["client_id", "created_by", "state", "id"],
        unique=False,
        postgresql_where=sa.text("is_latest"),
    )
    op.create_index(
        "ix_runs_desk_state", "runs", ["client_id", "state", "id"], unique=False, postgresql_where=sa.text("is_latest")
    )
    op.create_index(op.f("ix_runs_started_by"), "runs", ["started_by"], unique=False)
    op.create_index(
        "uq_runs_active",
        "runs",
        ["product_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('running', 'review')"),
    )
    op.create_index("uq_runs_latest", "runs", ["product_id"], unique=True, postgresql_where=sa.text("is_latest"))
    op.create_table(
        "steps",
        sa.Column("work_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("intent", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("output", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column(
            "intended_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["client_id", "work_id"],
            ["work.client_id", "work.id"],
            name=op.f("fk_steps_client_id_work_id_work"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("work_id", "key", name=op.f("pk_steps")),
    )
    op.create_index("ix_steps_client_work", "steps", ["client_id", "work_id"], unique=False)
    op.create_table(
        "phases",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("run_id", sa.UUID(), nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("work_id", sa.BigInteger(), nullable=False),
        sa.Column("input_fingerprint", sa.Text(), nullable=True),
        sa.CheckConstraint("number BETWEEN 1 AND 4", name=op.f("ck_phases_number")),
        sa.ForeignKeyConstraint(
            ["client_id", "run_id"],
            ["runs.client_id", "runs.id"],
            name=op.f("fk_phases_client_id_run_id_runs"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["client_id", "work_id"],
            ["work.client_id", "work.id"],
            name=op.f("fk_phases_client_id_work_id_work"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_phases")),
        sa.UniqueConstraint("client_id", "id", name=op.f("uq_phases_client_id_id")),
        sa.UniqueConstraint("run_id", "number", name=op.f("uq_phases_run_id_number")),
        sa.UniqueConstraint("work_id", name=op.f("uq_phases_work_id")),
    )
    op.create_index("ix_phases_client_run", "phases", ["client_id", "run_id"], unique=False)
    op.create_index("ix_phases_client_work", "phases", ["client_id", "work_id"], unique=False)
    op.create_table(
        "reviews",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("run_id", sa.UUID(), nullable=False),
        sa.Column("claimed_by", sa.UUID(), nullable=True),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decision", sa.Text(), nullable=True),
        sa.Column("decided_by", sa.UUID(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("before", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("after", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("decision IN ('confirmed', 'corrected')", name=op.f("ck_reviews_decision")),
        sa.CheckConstraint("(decision IS NULL) = (decided_at IS NULL)", name=op.f("ck_reviews_decided")),
        sa.ForeignKeyConstraint(
            ["claimed_by"], ["users.id"], name=op.f("fk_reviews_claimed_by_users"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["client_id", "run_id"],
            ["runs.client_id", "runs.id"],
            name=op.f("fk_reviews_client_id_run_id_runs"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["decided_by"], ["users.id"], name=op.f("fk_reviews_decided_by_users"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reviews")),
        sa.UniqueConstraint("client_id", "id", name=op.f("uq_reviews_client_id_id")),
        sa.UniqueConstraint("run_id", name=op.f("uq_reviews_run_id")),
    )
    op.create_index(op.f("ix_reviews_claimed_by"), "reviews", ["claimed_by"], unique=False)
    op.create_index("ix_reviews_client_run", "reviews", ["client_id", "run_id"], unique=False)
    op.create_index(op.f("ix_reviews_decided_by"), "reviews", ["decided_by"], unique=False)
    op.create_table(
        "analysis_findings",
        sa.Column("product_name", sa.Text(), nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("brand", sa.Text(), nullable=True),
        sa.Column("gtin14", sa.Text(), nullable=True),
        sa.Column("confidence", sa.SmallInteger(), nullable=False),
        sa.Column(
            "item_condition",
            sa.Enum(
                "new",
                "like_new",
                "refurbished",
                "used",
                "for_parts",
                name="item_condition",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("condition_details", sa.Text(), nullable=True),
        sa.Column(
            "detected_categories",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'"),
            nullable=False,
        ),
        sa.Column(
            "detected_brands", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False
        ),
        sa.Column("image_quality_score", sa.SmallInteger(), nullable=False),
        sa.Column("phase_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("findings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("written_by", sa.Text(), server_default="machine", nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["client_id", "phase_id"],
            ["phases.client_id", "phases.id"],
            name=op.f("fk_analysis_findings_client_id_phase_id_phases"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("phase_id", name=op.f("pk_analysis_findings")),
    )
    op.create_index(
        op.f("ix_analysis_findings_client_id_phase_id"), "analysis_findings", ["client_id", "phase_id"], unique=False
    )
    op.create_table(
        "listing_findings",
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("bullets", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("price", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column(
            "item_condition",
            sa.Enum(
                "new",
                "like_new",
                "refurbished",
                "used",
                "for_parts",
                name="item_condition",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("specifics", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("phase_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("findings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("written_by", sa.Text(), server_default="machine", nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["client_id", "phase_id"],
            ["phases.client_id", "phases.id"],
            name=op.f("fk_listing_findings_client_id_phase_id_phases"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("phase_id", name=op.f("pk_listing_findings")),
    )
    op.create_index(
        op.f("ix_listing_findings_client_id_phase_id"), "listing_findings", ["client_id", "phase_id"], unique=False
    )
    op.create_table(
        "market_findings",
        sa.Column("competitive_price", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("list_price", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("marketplace", sa.Text(), nullable=True),
        sa.Column("marketplace_price", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("marketplace_link", sa.Text(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("low_price", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("high_price", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("offers_found", sa.BigInteger(), nullable=False),
        sa.Column("offers_used", sa.BigInteger(), nullable=False),
        sa.Column("newest_days", sa.BigInteger(), nullable=True),
        sa.Column("oldest_days", sa.BigInteger(), nullable=True),
        sa.Column("brand", sa.Text(), nullable=True),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("phase_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("findings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("written_by", sa.Text(), server_default="machine", nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["client_id", "phase_id"],
            ["phases.client_id", "phases.id"],
            name=op.f("fk_market_findings_client_id_phase_id_phases"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("phase_id", name=op.f("pk_market_findings")),
    )
    op.create_index(
        op.f("ix_market_findings_client_id_phase_id"), "market_findings", ["client_id", "phase_id"], unique=False
    )
    op.create_table(
        "seo_findings",
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("score", sa.SmallInteger(), nullable=False),
        sa.Column("keywords", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False),
        sa.Column(
            "structured_data", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("phase_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("findings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("written_by", sa.Text(), server_default="machine", nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["client_id", "phase_id"],
            ["phases.client_id", "phases.id"],
            name=op.f("fk_seo_findings_client_id_phase_id_phases"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("phase_id", name=op.f("pk_seo_findings")),
    )
    op.create_index(op.f("ix_seo_findings_client_id_phase_id"), "seo_findings", ["client_id", "phase_id"], unique=False)
    raise_walls()


OWNED = [
    "ai_calls",
    "analysis_findings",
    "catalogs",
    "events",
    "listing_findings",
    "market_findings",
    "offers",
    "phases",
    "photos",
    "products",
    "prompts",
    "prompt_versions",
    "reviews",
    "runs",
    "seo_findings",
    "steps",
    "streams",
    "work",
]
# What the dispatcher may change: where work stands, never what it is or found.
REAPED = (
    "state, epoch, lease_token, lease_owner, lease_until, deadline_at, crashes, run_at, dispatched_at, finished_at,"
    " last_error, message"
)
SEARCHED = ("products", "offers")


def raise_walls() -> None:
    """Rights and policies: the second wall, behind the checks in the code."""
    for table in OWNED:
        rls.own(table)
    app, system = rls.app_role(), rls.system_role()

    op.execute("ALTER TABLE clients ENABLE ROW LEVEL SECURITY")
    op.execute(
        f'CREATE POLICY client_isolation ON clients TO "{app}" USING (id = {rls.CLIENT}) WITH CHECK (id = {rls.CLIENT})'
    )
    op.execute(
        f'CREATE POLICY member_reads ON clients FOR SELECT TO "{app}"'
        f" USING (id IN (SELECT client_id FROM memberships WHERE user_id = {rls.USER}))"
    )
    op.execute(f'GRANT SELECT, INSERT, UPDATE ON clients TO "{app}"')
    rls.let_system("clients", "SELECT")

    rls.own("memberships")
    op.execute(f'CREATE POLICY own_memberships ON memberships FOR SELECT TO "{app}" USING (user_id = {rls.USER})')
    rls.let_system("memberships", "SELECT")

    op.execute("ALTER TABLE audit ENABLE ROW LEVEL SECURITY")
    op.execute(f'CREATE POLICY client_reads ON audit FOR SELECT TO "{app}" USING (client_id = {rls.CLIENT})')
    op.execute(
        f'CREATE POLICY append ON audit FOR INSERT TO "{app}"'
        f" WITH CHECK (client_id = {rls.CLIENT} OR client_id IS NULL)"
    )
    op.execute(f'GRANT SELECT, INSERT ON audit TO "{app}"')

    rls.share("users", "SELECT, INSERT, UPDATE", "SELECT")
    rls.share("sessions", "SELECT, INSERT, UPDATE, DELETE", "SELECT")
    rls.share("sign_in_links", "SELECT, INSERT, UPDATE, DELETE")
    rls.share("workers", "SELECT, INSERT, UPDATE, DELETE", "SELECT, INSERT, UPDATE, DELETE")
    rls.share("alembic_version", "SELECT", "SELECT")

    rls.let_system("streams", "SELECT, UPDATE")
    rls.let_system("events", "SELECT, INSERT")
    rls.let_system("work", "SELECT")
    op.execute(f'CREATE POLICY system_update ON work FOR UPDATE TO "{system}" USING (true)')
    op.execute(f'GRANT UPDATE ({REAPED}) ON work TO "{system}"')

    for table in SEARCHED:
        make_search(table)


def make_search(table: str) -> None:
    """Typo-tolerant search as a function: trigram operators are not leakproof, so under a policy they would never use
    their index. The function runs as a role that no one can sign in as, filters by the context itself and gives ids,
    which callers join back under row-level security."""
    live = "AND t.deleted_at IS NULL" if table == "products" else ""
    op.execute(f"GRANT SELECT ON {table} TO {SEARCH_ROLE}")
    op.execute(f"CREATE POLICY search_reads ON {table} FOR SELECT TO {SEARCH_ROLE} USING (true)")
    op.execute(f"""
        CREATE FUNCTION search_{table}(query text, row_limit integer) RETURNS TABLE (id uuid, score real)
        LANGUAGE sql STABLE SECURITY DEFINER
        SET search_path = pg_catalog, public, pg_temp
        SET pg_trgm.similarity_threshold = 0.25
        SET pg_trgm.word_similarity_threshold = 0.5
        AS $$
            SELECT t.id, greatest(similarity(t.search_text, lower(query)), word_similarity(lower(query), t.search_text))
            FROM {table} t
            WHERE t.client_id = nullif(current_setting('app.client_id', true), '')::uuid {live}
              AND (t.search_text % lower(query) OR t.search_text %> lower(query))
            ORDER BY 2 DESC, 1
            LIMIT least(row_limit, 200)
        $$
    """)
    op.execute(f"GRANT CREATE ON SCHEMA public TO {SEARCH_ROLE}")  # PostgreSQL asks this of a new owner
    op.execute(f"ALTER FUNCTION search_{table}(text, integer) OWNER TO {SEARCH_ROLE}")
    op.execute(f"REVOKE CREATE ON SCHEMA public FROM {SEARCH_ROLE}")
    op.execute(f"REVOKE ALL ON FUNCTION search_{table}(text, integer) FROM PUBLIC")
    op.execute(f'GRANT EXECUTE ON FUNCTION search_{table}(text, integer) TO "{rls.app_role()}"')


def downgrade() -> None:
    for table in SEARCHED:
        op.execute(f"DROP FUNCTION search_{table}(text, integer)")
    op.execute("DROP POLICY member_reads ON clients")  # it reads memberships
    op.drop_index(op.f("ix_seo_findings_client_id_phase_id"), table_name="seo_findings")
    op.drop_table("seo_findings")
    op.drop_index(op.f("ix_market_findings_client_id_phase_id"), table_name="market_findings")
    op.drop_table("market_findings")
    op.drop_index(op.f("ix_listing_findings_client_id_phase_id"), table_name="listing_findings")
    op.drop_table("listing_findings")
    op.drop_index(op.f("ix_analysis_findings_client_id_phase_id"), table_name="analysis_findings")
    op.drop_table("analysis_findings")
    op.drop_index(op.f("ix_reviews_decided_by"), table_name="reviews")
    op.drop_index("ix_reviews_client_run", table_name="reviews")
    op.drop_index(op.f("ix_reviews_claimed_by"), table_name="reviews")
    op.drop_table("reviews")
    op.drop_index("ix_phases_client_work", table_name="phases")
    op.drop_index("ix_phases_client_run", table_name="phases")
    op.drop_table("phases")
    op.drop_index("ix_steps_client_work", table_name="steps")
    op.drop_table("steps")
    op.drop_index("uq_runs_latest", table_name="runs", postgresql_where=sa.text("is_latest"))
    op.drop_index("uq_runs_active", table_name="runs", postgresql_where=sa.text("state IN ('running', 'review')"))
    op.drop_index(op.f("ix_runs_started_by"), table_name="runs")
    op.drop_index("ix_runs_desk_state", table_name="runs", postgresql_where=sa.text("is_latest"))
    op.drop_index("ix_runs_desk_mine", table_name="runs", postgresql_where=sa.text("is_latest"))
    op.drop_index("ix_runs_desk", table_name="runs", postgresql_where=sa.text("is_latest"))
    op.drop_index(op.f("ix_runs_created_by"), table_name="runs")
    op.drop_index("ix_runs_client_stream", table_name="runs")
    op.drop_index("ix_runs_client_product", table_name="runs")
    op.drop_table("runs")
    op.drop_index("uq_photos_primary", table_name="photos", postgresql_where=sa.text("is_primary"))
    op.drop_index("ix_photos_client_sha256", table_name="photos")
    op.drop_index("ix_photos_client_product", table_name="photos")
    op.drop_table("photos")
    op.drop_index(op.f("ix_ai_calls_user_id"), table_name="ai_calls")
    op.drop_index("ix_ai_calls_client_work", table_name="ai_calls")
    op.drop_index("ix_ai_calls_client_prompt_version", table_name="ai_calls")
    op.drop_index("ix_ai_calls_client_at", table_name="ai_calls")
    op.drop_table("ai_calls")
    op.drop_index(
        "uq_work_dedup_key",
        table_name="work",
        postgresql_where=sa.text("state IN ('blocked', 'ready', 'running', 'held', 'waiting')"),
    )
    op.drop_index(
        "ix_work_queue", table_name="work", postgresql_where=sa.text("state IN ('ready', 'running', 'waiting')")
    )
    op.drop_index("ix_work_client_stream", table_name="work")
    op.drop_index(
        "ix_work_rung",
        table_name="work",
        postgresql_where=sa.text("state = 'ready' AND dispatched_at IS NOT NULL"),
    )
    op.drop_index(
        "ix_work_backlog",
        table_name="work",
        postgresql_where=sa.text("state = 'ready' AND dispatched_at IS NULL"),
    )
    op.drop_table("work")
    op.drop_index(op.f("ix_prompt_versions_created_by"), table_name="prompt_versions")
    op.drop_index("ix_prompt_versions_client_prompt", table_name="prompt_versions")
    op.drop_table("prompt_versions")
    op.drop_index(
        "ix_products_search_text",
        table_name="products",
        postgresql_using="gin",
        postgresql_ops={"search_text": "gin_trgm_ops"},
    )
    op.drop_index(op.f("ix_products_deleted_by"), table_name="products")
    op.drop_index(op.f("ix_products_created_by"), table_name="products")
    op.drop_index("ix_products_client_gtin14", table_name="products")
    op.drop_index("ix_products_client_created", table_name="products")
    op.drop_index("ix_products_client_catalog", table_name="products")
    op.drop_index("ix_products_client_brand", table_name="products")
    op.drop_index(op.f("ix_products_catalog_id"), table_name="products")
    op.drop_table("products")
    op.drop_index("ix_events_client_stream", table_name="events")
    op.drop_table("events")
    op.drop_index("ix_streams_client_changed", table_name="streams")
    op.drop_table("streams")
    op.drop_index(op.f("ix_sign_in_links_user_id"), table_name="sign_in_links")
    op.drop_index(op.f("ix_sign_in_links_client_id"), table_name="sign_in_links")
    op.drop_table("sign_in_links")
    op.drop_index(op.f("ix_sessions_user_id"), table_name="sessions")
    op.drop_index(op.f("ix_sessions_expires_at"), table_name="sessions")
    op.drop_index(op.f("ix_sessions_client_id"), table_name="sessions")
    op.drop_table("sessions")
    op.drop_index(op.f("ix_prompts_created_by"), table_name="prompts")
    op.drop_table("prompts")
    op.drop_index(
        "ix_offers_search_text",
        table_name="offers",
        postgresql_using="gin",
        postgresql_ops={"search_text": "gin_trgm_ops"},
    )
    op.drop_index("ix_offers_client_gtin14", table_name="offers")
    op.drop_table("offers")
    op.drop_index(op.f("ix_memberships_user_id"), table_name="memberships")
    op.drop_table("memberships")
    op.drop_index("uq_catalogs_default", table_name="catalogs", postgresql_where=sa.text("is_default"))
    op.drop_index(op.f("ix_catalogs_last_sync_at"), table_name="catalogs")
    op.drop_index(op.f("ix_catalogs_client_id"), table_name="catalogs")
    op.drop_table("catalogs")
    op.drop_index(op.f("ix_audit_user_id"), table_name="audit")
    op.drop_index("ix_audit_row", table_name="audit")
    op.drop_index("ix_audit_client_at", table_name="audit")
    op.drop_table("audit")
    op.drop_table("workers")
    op.drop_index("uq_users_email", table_name="users")
    op.drop_table("users")
    op.drop_index(op.f("ix_clients_created_at"), table_name="clients")
    op.drop_table("clients")
