"""Incidents whole: steps, clocks, scores, merging; time limits of areas.

Revision: 0014
Follows: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Id = sa.Uuid(as_uuid=False).with_variant(sa.String(36), "sqlite")
Moment = sa.DateTime(timezone=True)
Word = sa.String(40)

COLUMNS = (
    ("step_level", Word), ("step_unit", Big), ("step_until", Moment), ("step_close", Word),
    ("merged_into", Id), ("score_service", Big), ("score_result", Big), ("parties", sa.JSON()),
    ("refused_by", Word), ("act", Word), ("act_text", sa.String(500)), ("act_until", Moment),
    ("state_by", Big), ("state_by_name", sa.String(100)), ("state_at", Moment), ("unit", Big),
    ("handler", Big), ("handlers", sa.JSON()), ("return_count", Big), ("rework_count", Big),
    ("filed_at", Moment), ("dispatched_at", Moment), ("claimed_at", Moment),
    ("answered_at", Moment), ("closed_at", Moment), ("close_kind", Word),
    ("sampled", sa.Boolean()), ("level", Word), ("verify_due_at", Moment),
    ("sign_due_at", Moment), ("due_at", Moment), ("hung_at", Moment), ("overdue", sa.Boolean()),
    ("urged_for", Moment), ("lifted_for", Moment), ("watch_at", Moment), ("extension", Word),
    ("extension_until", Moment), ("extension_reason", sa.String(500)), ("hand_asked", Word),
    ("hand_reason", sa.String(500)), ("urge_count", Big), ("urged_at", Moment),
    ("supervised_level", Word), ("supervised_at", Moment), ("told_state", Word),
)  # fmt: skip
INDEXED = ("merged_into", "unit", "watch_at", "due_at")


def upgrade() -> None:
    for name, type_ in COLUMNS:
        op.add_column("incident", sa.Column(name, type_, nullable=True))
    for name in INDEXED:
        op.create_index(op.f(f"ix_incident_{name}"), "incident", [name])
    op.add_column("incident_category", sa.Column("self_handling", sa.Boolean(), nullable=True))
    op.create_table(
        "incident_limit",
        sa.Column("area_id", Big, nullable=False),
        sa.Column("category", sa.String(4), nullable=False),
        sa.Column("verify_minutes", sa.Integer(), nullable=True),
        sa.Column("sign_minutes", sa.Integer(), nullable=True),
        sa.Column("handle_hours", sa.Integer(), nullable=True),
        sa.Column("lift_after_hours", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["area_id"], ["area.id"], name=op.f("fk_incident_limit_area_id_area")
        ),
        sa.PrimaryKeyConstraint("area_id", "category", name=op.f("pk_incident_limit")),
    )


def downgrade() -> None:
    # SQLite itself drops these columns; a rebuilt table would lose its spatial index.
    op.drop_table("incident_limit")
    op.drop_column("incident_category", "self_handling")
    for name in INDEXED:
        op.drop_index(op.f(f"ix_incident_{name}"), table_name="incident")
    for name, _ in reversed(COLUMNS):
        op.drop_column("incident", name)
