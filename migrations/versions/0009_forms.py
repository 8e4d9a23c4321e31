"""Forms: every version of every form, as it was written.

Revision: 0009
Follows: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Moment = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the table of form versions."""
    op.create_table(
        "form_version",
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("made_at", Moment, nullable=False),
        sa.Column("made_by", Big, nullable=True),
        sa.Column("published_at", Moment, nullable=True),
        sa.Column("published_by", Big, nullable=True),
        sa.Column("retired_at", Moment, nullable=True),
        sa.Column("retired_by", Big, nullable=True),
        sa.PrimaryKeyConstraint("key", "version", name=op.f("pk_form_version")),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("form_version")
