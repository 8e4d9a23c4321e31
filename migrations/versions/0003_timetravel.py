"""What compaction and erasure write down: ages of scopes, erasures, and who has wiped.

Revision: 0003
Follows: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

Id = sa.Uuid(as_uuid=False).with_variant(sa.String(36), "sqlite")
TABLES = ("sync_age", "sync_erasure", "sync_wiped")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "sync_age",
        sa.Column("scope", sa.String(length=60), nullable=False),
        sa.Column("ver", sa.BigInteger(), nullable=False),
        sa.Column("ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "ver", name=op.f("pk_sync_age")),
    )
    op.create_table(
        "sync_erasure",
        sa.Column("kind", sa.String(length=60), nullable=False),
        sa.Column("record", Id, nullable=False),
        sa.Column("ms", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("asked_by", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("kind", "record", name=op.f("pk_sync_erasure")),
    )
    op.create_table(
        "sync_wiped",
        sa.Column("device", Id, nullable=False),
        sa.Column("scope", sa.String(length=60), nullable=False),
        sa.Column("ver", sa.BigInteger(), nullable=False),
        sa.Column("ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("device", "scope", name=op.f("pk_sync_wiped")),
    )


def downgrade() -> None:
    """Take the tables away again."""
    for table in TABLES:
        op.drop_table(table)
