"""Tasks: what the server notes of their steps, batches and rules; for whom a cover stands in.

Revision: 0013
Follows: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Id = sa.Uuid(as_uuid=False).with_variant(sa.String(36), "sqlite")
Moment = sa.DateTime(timezone=True)


def _task_columns() -> tuple[sa.Column, ...]:
    return (
        sa.Column("done_by", Big, nullable=True),
        sa.Column("unchanged", sa.Boolean(), nullable=True),
        sa.Column("confirmed_at", Moment, nullable=True),
        sa.Column("rework_count", Big, nullable=True),
        sa.Column("pool", sa.Boolean(), nullable=True),
        sa.Column("reminded_at", Moment, nullable=True),
        sa.Column("batch", Id, nullable=True),
    )


def upgrade() -> None:
    """Add the columns of tasks and posts, and make the tables of batches and rules."""
    for column in _task_columns():
        op.add_column("task", column)
    op.create_index(op.f("ix_task_batch"), "task", ["batch"], unique=False)
    op.add_column("post", sa.Column("covers", Big, nullable=True))
    op.create_table(
        "task_rule",
        sa.Column("id", Id, nullable=False),
        sa.Column("area_id", Big, nullable=False),
        sa.Column("task_kind", sa.String(length=40), nullable=False),
        sa.Column("title", sa.String(length=120), nullable=False),
        sa.Column("instructions", sa.String(length=2000), nullable=True),
        sa.Column("pattern", sa.String(length=10), nullable=False),
        sa.Column("days", sa.String(length=100), server_default="", nullable=False),
        sa.Column("every", sa.Integer(), server_default="1", nullable=False),
        sa.Column("shifts", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("starts", sa.Date(), nullable=False),
        sa.Column("ends", sa.Date(), nullable=True),
        sa.Column("due_days", sa.Integer(), nullable=False),
        sa.Column("assign", sa.String(length=10), nullable=False),
        sa.Column("unseen_days", sa.Integer(), nullable=True),
        sa.Column("made_by", Big, nullable=False),
        sa.Column("made", Moment, nullable=False),
        sa.Column("ended_at", Moment, nullable=True),
        sa.Column("made_key", sa.String(length=100), nullable=True),
        sa.ForeignKeyConstraint(["area_id"], ["area.id"], name=op.f("fk_task_rule_area_id_area")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task_rule")),
        sa.UniqueConstraint("made_key", name=op.f("uq_task_rule_made_key")),
    )
    op.create_index(op.f("ix_task_rule_area_id"), "task_rule", ["area_id"], unique=False)
    op.create_table(
        "task_batch",
        sa.Column("id", Id, nullable=False),
        sa.Column("way", sa.String(length=10), nullable=False),
        sa.Column("area_id", Big, nullable=False),
        sa.Column("task_kind", sa.String(length=40), nullable=False),
        sa.Column("title", sa.String(length=120), nullable=False),
        sa.Column("tasks", sa.Integer(), nullable=False),
        sa.Column("unserved", sa.Integer(), nullable=False),
        sa.Column("rule_id", Id, nullable=True),
        sa.Column("day", sa.Date(), nullable=True),
        sa.Column("made_by", Big, nullable=False),
        sa.Column("made", Moment, nullable=False),
        sa.Column("made_key", sa.String(length=100), nullable=True),
        sa.ForeignKeyConstraint(["area_id"], ["area.id"], name=op.f("fk_task_batch_area_id_area")),
        sa.ForeignKeyConstraint(
            ["rule_id"], ["task_rule.id"], name=op.f("fk_task_batch_rule_id_task_rule")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task_batch")),
        sa.UniqueConstraint("made_key", name=op.f("uq_task_batch_made_key")),
        sa.UniqueConstraint("rule_id", "day", name=op.f("uq_task_batch_rule_id_day")),
    )
    op.create_index(op.f("ix_task_batch_area_id"), "task_batch", ["area_id"], unique=False)


def downgrade() -> None:
    """Drop everything."""
    op.drop_table("task_batch")
    op.drop_table("task_rule")
    op.drop_column("post", "covers")
    op.drop_index(op.f("ix_task_batch"), "task")
    for column in reversed(_task_columns()):
        op.drop_column("task", column.name)
