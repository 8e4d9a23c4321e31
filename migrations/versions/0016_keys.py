"""Data keys, and with which of them a blob is sealed.

Revision: 0016
Follows: 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the table; whatever is sealed is sealed with the first key, which needs no row."""
    op.create_table(
        "field_key",
        sa.Column("number", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("algorithm", sa.String(20), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("root", sa.SmallInteger(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=True),
        sa.Column("known_by", sa.String(16), nullable=False),
        sa.Column("made_ms", Big, nullable=False),
        sa.Column("asked", sa.String(36), nullable=True),
        sa.Column("total", sa.Integer(), server_default="0", nullable=False),
        sa.Column("done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("resealed_ms", Big, nullable=True),
        sa.Column("ended_ms", Big, nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_field_key")),
        sa.UniqueConstraint("asked", name=op.f("uq_field_key_asked")),
    )
    op.add_column(
        "blob",
        sa.Column("sealed_with", sa.SmallInteger(), server_default="1", nullable=False),
    )


def downgrade() -> None:
    """Forget the keys; what they sealed can then be read no more."""
    op.drop_column("blob", "sealed_with")
    op.drop_table("field_key")
