"""The working calendar: days that differ from the week, and hours of work of areas.

Revision: 0008
Follows: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "calendar_day",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("works", sa.Boolean(), nullable=False),
        sa.Column("name_zh", sa.String(40), nullable=False),
        sa.Column("name_en", sa.String(60), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_calendar_day")),
    )
    op.create_table(
        "calendar_hours",
        sa.Column("area_id", Big, nullable=False),
        sa.Column("hours", sa.String(60), nullable=False),
        sa.ForeignKeyConstraint(
            ["area_id"], ["area.id"], name=op.f("fk_calendar_hours_area_id_area")
        ),
        sa.PrimaryKeyConstraint("area_id", name=op.f("pk_calendar_hours")),
    )


def downgrade() -> None:
    op.drop_table("calendar_hours")
    op.drop_table("calendar_day")
