"""Privacy: requests of people, purposes and notices, hand-overs; what is only kept.

Revision: 0019
Follows: 0018
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Moment = sa.DateTime(timezone=True)
Id = sa.Uuid(as_uuid=False).with_variant(sa.String(36), "sqlite")
KEPT = ("household", "contact", "service_person", "consent", "visit", "household_act")


def upgrade() -> None:
    for table in KEPT:
        op.add_column(table, sa.Column("restricted", Id, nullable=True))
    _purposes()
    _requests()
    _answers()
    op.create_table(
        "hand_over",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("area_id", Big, nullable=False),
        sa.Column("recipient", sa.String(120), nullable=False),
        sa.Column("purpose", sa.String(200), nullable=False),
        sa.Column("kinds", sa.JSON(), nullable=False),
        sa.Column("agreement", sa.String(60), nullable=False),
        sa.Column("basis", sa.String(120), nullable=False),
        sa.Column("people", Big, nullable=False),
        sa.Column("made_at", Moment, nullable=False),
        sa.Column("made_by", Big, nullable=False),
        sa.ForeignKeyConstraint(["area_id"], ["area.id"], name=op.f("fk_hand_over_area_id_area")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hand_over")),
    )
    op.create_index(op.f("ix_hand_over_made_at"), "hand_over", ["made_at"])


def _purposes() -> None:
    op.create_table(
        "consent_purpose",
        sa.Column("purpose", sa.String(40), nullable=False),
        sa.Column("from_notice", sa.Integer(), server_default="1", nullable=False),
        sa.Column("opened_at", Moment, nullable=True),
        sa.Column("opened_by", Big, nullable=True),
        sa.Column("assessment", sa.String(60), nullable=True),
        sa.Column("assessed_on", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("purpose", name=op.f("pk_consent_purpose")),
    )
    op.create_table(
        "consent_notice",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("from", sa.Date(), nullable=False),
        sa.Column("zh", sa.String(2000), nullable=False),
        sa.Column("en", sa.String(2000), nullable=False),
        sa.Column("renews", sa.JSON(), nullable=False),
        sa.Column("published_at", Moment, nullable=False),
        sa.Column("published_by", Big, nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_consent_notice")),
    )


def _requests() -> None:
    op.create_table(
        "subject_request",
        sa.Column("household", Id, nullable=True),
        sa.Column("subject", Id, nullable=True),
        sa.Column("grid", Big, nullable=True),
        sa.Column("right", sa.String(40), nullable=True),
        sa.Column("details", sa.Text(), nullable=True),
        sa.Column("proof_note", sa.Text(), nullable=True),
        sa.Column("came_by", sa.String(40), nullable=True),
        sa.Column("received_at", Moment, nullable=True),
        sa.Column("target_at", Moment, nullable=True),
        sa.Column("due_at", Moment, nullable=True),
        sa.Column("state", sa.String(40), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("answered_at", Moment, nullable=True),
        sa.Column("answered_by", Big, nullable=True),
        sa.Column("approved_by", Big, nullable=True),
        sa.Column("id", Id, nullable=False),
        sa.Column("rv", Big, nullable=False),
        sa.Column("deleted", sa.String(10), nullable=True),
        sa.Column("marks", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subject_request")),
    )
    for column in ("household", "subject", "grid", "due_at", "state", "answered_at"):
        op.create_index(op.f(f"ix_subject_request_{column}"), "subject_request", [column])


def _answers() -> None:
    op.create_table(
        "subject_answer",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("request", sa.String(36), nullable=False),
        sa.Column("verdict", sa.String(10), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("approval", sa.String(36), nullable=False),
        sa.Column("asked_by", Big, nullable=False),
        sa.Column("asked_at", Moment, nullable=False),
        sa.Column("decided_by", Big, nullable=True),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("size_bytes", Big, nullable=True),
        sa.Column("expires_at", Moment, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subject_answer")),
    )
    op.create_index("ix_subject_answer_request", "subject_answer", ["request"])
    op.create_index(op.f("ix_subject_answer_expires_at"), "subject_answer", ["expires_at"])


def downgrade() -> None:
    for table in ("hand_over", "subject_answer", "subject_request", "consent_notice",
                  "consent_purpose"):  # fmt: skip
        op.drop_table(table)
    for table in reversed(KEPT):
        # SQLite itself drops this column; a rebuilt table would lose its spatial index.
        op.drop_column(table, "restricted")
