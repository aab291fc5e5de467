"""Size and pieces sold together as values that a person settles: what the machine read on a label stayed wrong for good."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("products", sa.Column("size", sa.Text))
    op.add_column("products", sa.Column("quantity", sa.Text))
    op.create_check_constraint("quantity", "products", "quantity ~ '^[1-9][0-9]{0,3}$'")


def downgrade() -> None:
    op.drop_constraint("ck_products_quantity", "products")
    op.drop_column("products", "quantity")
    op.drop_column("products", "size")
