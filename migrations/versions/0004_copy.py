"""Count the digests that were wrong, by device.

Revision: 0004
Follows: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Id = sa.Uuid(as_uuid=False).with_variant(sa.String(36), "sqlite")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "digest_alarm",
        sa.Column("device", Id, nullable=False),
        sa.Column("alarms", Big, nullable=False),
        sa.Column("buckets", Big, nullable=False),
        sa.Column("last_ms", Big, nullable=False),
        sa.PrimaryKeyConstraint("device", name=op.f("pk_digest_alarm")),
    )


def downgrade() -> None:
    """Take it away."""
    op.drop_table("digest_alarm")
