"""The numbers that stand for cursors of phones with WatermelonDB or RxDB.

Revision: 0005
Follows: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Id = sa.Uuid(as_uuid=False).with_variant(sa.String(36), "sqlite")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "face_cursor",
        sa.Column("device", Id, nullable=False),
        sa.Column("face", sa.String(length=60), nullable=False),
        sa.Column("number", Big, autoincrement=False, nullable=False),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("handed_ms", Big, nullable=False),
        sa.Column("seen_ms", Big, nullable=False),
        sa.Column("held", sa.SmallInteger(), nullable=False),
        sa.Column("pushed", sa.Boolean(), nullable=False),
        sa.Column("again", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("device", "face", "number", name=op.f("pk_face_cursor")),
    )


def downgrade() -> None:
    """Drop the table; phones begin with a new copy."""
    op.drop_table("face_cursor")
