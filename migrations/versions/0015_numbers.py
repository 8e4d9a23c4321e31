"""Numbers and exports: indexes to count in, phones' last word, exports and their approval.

Revision: 0015
Follows: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Moment = sa.DateTime(timezone=True)
Id = sa.Uuid(as_uuid=False).with_variant(sa.String(36), "sqlite")
INDEXES = (
    ("ix_household_grid_confirmed", "household", ["grid", "deleted", "last_confirmed_at"]),
    ("ix_task_grid_due", "task", ["grid", "deleted", "due_at", "state", "done_at"]),
    ("ix_task_grid_done", "task", ["grid", "deleted", "done_at", "rework_count"]),
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
    op.create_table(
        "approval",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("action", sa.String(40), nullable=False),
        sa.Column("subject", sa.String(80), nullable=False),
        sa.Column("area_id", Big, nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("asked_by", Big, nullable=False),
        sa.Column("asked_at", Moment, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("decided_by", Big, nullable=True),
        sa.Column("decided_at", Moment, nullable=True),
        sa.ForeignKeyConstraint(["area_id"], ["area.id"], name=op.f("fk_approval_area_id_area")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval")),
    )
    op.create_index("ix_approval_action_state", "approval", ["action", "state"], unique=False)
    op.create_table(
        "export",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("user_id", Big, nullable=False),
        sa.Column("layer", sa.String(20), nullable=False),
        sa.Column("format", sa.String(10), nullable=False),
        sa.Column("area_id", Big, nullable=False),
        sa.Column("personal", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("approval", sa.String(36), nullable=True),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("fault", sa.String(40), nullable=True),
        sa.Column("rows_done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("rows_total", sa.Integer(), nullable=True),
        sa.Column("size_bytes", Big, nullable=True),
        sa.Column("asked_at", Moment, nullable=False),
        sa.Column("expires_at", Moment, nullable=True),
        sa.ForeignKeyConstraint(["area_id"], ["area.id"], name=op.f("fk_export_area_id_area")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_export")),
    )
    op.create_index("ix_export_user_id", "export", ["user_id"], unique=False)
    op.create_index("ix_export_state_expires_at", "export", ["state", "expires_at"], unique=False)


def downgrade() -> None:
    op.drop_table("export")
    op.drop_table("approval")
    op.drop_table("phone_health")
    for name, table, _columns in reversed(INDEXES):
        op.drop_index(name, table_name=table)
