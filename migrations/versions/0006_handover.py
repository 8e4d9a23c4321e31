"""Hand-over: heirs of grids, what follows a household, and phones that drain before they wipe.

Revision: 0006
Follows: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Id = sa.Uuid(as_uuid=False).with_variant(sa.String(36), "sqlite")
PathText = sa.String(120).with_variant(sa.String(120, collation="C"), "postgresql")
Moment = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "area_heir",
        sa.Column("old_id", Big, nullable=False),
        sa.Column("new_id", Big, nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("main", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["old_id"], ["area.id"], name=op.f("fk_area_heir_old_id_area")),
        sa.ForeignKeyConstraint(["new_id"], ["area.id"], name=op.f("fk_area_heir_new_id_area")),
        sa.PrimaryKeyConstraint("old_id", "new_id", "at", name=op.f("pk_area_heir")),
    )
    op.create_index("ix_area_heir_new_id", "area_heir", ["new_id"])
    op.create_table(
        "area_move",
        sa.Column("area_id", Big, nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("was_path", PathText, nullable=False),
        sa.ForeignKeyConstraint(["area_id"], ["area.id"], name=op.f("fk_area_move_area_id_area")),
        sa.PrimaryKeyConstraint("area_id", "at", name=op.f("pk_area_move")),
    )
    op.add_column("incident", sa.Column("household", Id, nullable=True))
    op.create_index(op.f("ix_incident_household"), "incident", ["household"])
    op.create_index(op.f("ix_task_household"), "task", ["household"])
    op.create_index(op.f("ix_task_incident"), "task", ["incident"])
    op.add_column("enrolment", sa.Column("drain_until", Moment, nullable=True))
    op.add_column("enrolment", sa.Column("wiped_at", Moment, nullable=True))
    op.add_column("enrolment", sa.Column("wiped_unsent", sa.Integer(), nullable=True))
    op.add_column("user", sa.Column("dismissed_at", Moment, nullable=True))


def downgrade() -> None:
    # SQLite itself drops these columns; a rebuilt table would lose its spatial index.
    op.drop_column("user", "dismissed_at")
    for column in ("wiped_unsent", "wiped_at", "drain_until"):
        op.drop_column("enrolment", column)
    op.drop_index(op.f("ix_task_incident"), table_name="task")
    op.drop_index(op.f("ix_task_household"), table_name="task")
    op.drop_index(op.f("ix_incident_household"), table_name="incident")
    op.drop_column("incident", "household")
    op.drop_table("area_move")
    op.drop_index("ix_area_heir_new_id", table_name="area_heir")
    op.drop_table("area_heir")
