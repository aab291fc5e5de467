"""What lost its worker, and waits for another, by an index of its own: every dispatcher looks for it each second. And
the categories of phase 1 as what they are now: a field, the others its alternatives."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_work_interrupted",
        "work",
        ["id"],
        postgresql_where=sa.text("state = 'ready' AND crashes > 0"),
    )
    op.execute("""
        UPDATE analysis_findings SET findings = findings - 'categories' || jsonb_build_object('category',
            jsonb_build_object('value', findings #> '{categories,0,value}',
                               'confidence', findings #> '{categories,0,confidence}',
                               'alternatives', jsonb_path_query_array(findings, '$.categories[1 to last]')))
        WHERE jsonb_array_length(findings -> 'categories') > 0 AND NOT findings ? 'category'
    """)


def downgrade() -> None:
    op.execute("""
        UPDATE analysis_findings SET findings = findings - 'category' || jsonb_build_object('categories',
            jsonb_build_array(jsonb_build_object('value', findings #> '{category,value}',
                                                 'confidence', coalesce(findings #> '{category,confidence}', '0')))
            || coalesce(findings #> '{category,alternatives}', '[]'))
        WHERE findings #>> '{category,value}' IS NOT NULL
    """)
    op.drop_index("ix_work_interrupted", table_name="work")
