"""Numbers: the indexes they are counted in, and the last word of each phone about itself.

Revision: 0013
Follows: 0007a
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0007a"
branch_labels = None
depends_on = None

Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Id = sa.Uuid(as_uuid=False).with_variant(sa.String(36), "sqlite")
INDEXES = (
    ("ix_household_grid_confirmed", "household", ["grid", "deleted", "last_confirmed_at"]),
    ("ix_task_grid_due", "task", ["grid", "deleted", "due_at", "state", "done_at"]),
    ("ix_task_grid_done", "task", ["grid", "deleted", "done_at", "return_reason"]),
    ("ix_incident_grid_reported", "incident", ["grid", "deleted", "reported_at"]),
)


def upgrade() -> None:
    for name, table, columns in INDEXES:
        op.create_index(name, table, columns, unique=False)
    op.create_table(
        "phone_health",
        sa.Column("device", Id, nullable=False),
        sa.Column("synced_ms", Big, nullable=False),
        sa.Column("unsent", sa.Integer(), nullable=False),
        sa.Column("photos_waiting", sa.Integer(), nullable=False),
        sa.Column("app", sa.String(60), nullable=True),
        sa.Column("schema", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("device", name=op.f("pk_phone_health")),
    )


def downgrade() -> None:
    op.drop_table("phone_health")
    for name, table, _columns in reversed(INDEXES):
        op.drop_index(name, table_name=table)
