"""Parked edits get a version, so that they are synced; bodies that could not be read are kept.

Revision: 0002
Follows: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the version, and the table of unreadable bodies."""
    op.add_column(
        "sync_parked", sa.Column("rv", sa.BigInteger(), server_default="0", nullable=False)
    )
    op.create_table(
        "sync_unread",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("enrolment", sa.String(length=36), nullable=False),
        sa.Column("user_id", Big, nullable=False),
        sa.Column("path", sa.String(length=60), nullable=False),
        sa.Column("code", sa.String(length=60), nullable=False),
        sa.Column("encoding", sa.String(length=20), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", Big, nullable=False),
        sa.Column("kept_bytes", Big, nullable=False),
        sa.Column("times", Big, nullable=False),
        sa.Column("first_ms", Big, nullable=False),
        sa.Column("last_ms", Big, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sync_unread")),
        sa.UniqueConstraint("enrolment", "digest", name=op.f("uq_sync_unread_enrolment_digest")),
    )
    op.create_index(op.f("ix_sync_unread_last_ms"), "sync_unread", ["last_ms"], unique=False)


def downgrade() -> None:
    """Take both away again."""
    op.drop_index(op.f("ix_sync_unread_last_ms"), table_name="sync_unread")
    op.drop_table("sync_unread")
    op.drop_column("sync_parked", "rv")
