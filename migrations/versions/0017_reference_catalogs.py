"""Known products that belong to the installation: what no client has sold yet could only be found among offers."""

import sqlalchemy as sa
from alembic import op

from migrations import rls

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reference_catalogs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("product_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reference_catalogs")),
        sa.UniqueConstraint("name", name=op.f("uq_reference_catalogs_name")),
    )
    op.create_table(
        "reference_products",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("catalog_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("brand", sa.Text(), nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("gtin14", sa.Text(), nullable=True),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column(
            "search_text",
            sa.Text(),
            sa.Computed("lower(name || ' ' || coalesce(brand, '') || ' ' || coalesce(model, ''))", persisted=True),
            nullable=False,
        ),
        sa.CheckConstraint("gtin14 ~ '^[0-9]{14}$'", name=op.f("ck_reference_products_gtin14")),
        sa.ForeignKeyConstraint(
            ["catalog_id"],
            ["reference_catalogs.id"],
            name=op.f("fk_reference_products_catalog_id_reference_catalogs"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reference_products")),
        sa.UniqueConstraint("catalog_id", "key", name=op.f("uq_reference_products_catalog_id_key")),
    )
    op.create_index("ix_reference_products_gtin14", "reference_products", ["gtin14"])
    op.create_index(
        "ix_reference_products_search_text",
        "reference_products",
        ["search_text"],
        postgresql_using="gin",
        postgresql_ops={"search_text": "gin_trgm_ops"},
    )
    # Everybody reads them; only the installation's own commands write them.
    for table in ("reference_catalogs", "reference_products"):
        rls.share(table, "SELECT", "SELECT, INSERT, UPDATE, DELETE")
    # No row is anybody's, so unlike the other searches it runs as its caller, who sees all of them.
    op.execute("""
        CREATE FUNCTION search_reference_products(query text, row_limit integer) RETURNS TABLE (id uuid, score real)
        LANGUAGE sql STABLE
        SET search_path = pg_catalog, public, pg_temp
        SET pg_trgm.similarity_threshold = 0.25
        SET pg_trgm.word_similarity_threshold = 0.5
        AS $$
            SELECT t.id, greatest(similarity(t.search_text, lower(query)), word_similarity(lower(query), t.search_text))
            FROM reference_products t
            WHERE t.search_text % lower(query) OR t.search_text %> lower(query)
            ORDER BY 2 DESC, 1
            LIMIT least(row_limit, 200)
        $$
    """)
    op.execute("REVOKE ALL ON FUNCTION search_reference_products(text, integer) FROM PUBLIC")
    op.execute(f'GRANT EXECUTE ON FUNCTION search_reference_products(text, integer) TO "{rls.app_role()}"')


def downgrade() -> None:
    op.execute("DROP FUNCTION search_reference_products(text, integer)")
    op.drop_table("reference_products")
    op.drop_table("reference_catalogs")
