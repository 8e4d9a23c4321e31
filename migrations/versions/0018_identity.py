"""Identity: second factors, fresh proofs, attempts counted for all processes, reveals.

Revision: 0018
Follows: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Moment = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("user", sa.Column("password_until", Moment, nullable=True))
    op.add_column("auth_session", sa.Column("factor_at", Moment, nullable=True))
    op.add_column("auth_session", sa.Column("proven_at", Moment, nullable=True))
    op.add_column("approval", sa.Column("details", sa.JSON(), nullable=True))
    op.create_index("ix_approval_asked_by", "approval", ["asked_by"], unique=False)
    # The device key of a phone is its second factor; the office gives one when it signs in anew.
    op.execute("UPDATE auth_session SET factor_at = made WHERE enrolment_id IS NOT NULL")
    op.create_table(
        "second_factor",
        sa.Column("user_id", Big, nullable=False),
        sa.Column("secret", sa.Text(), nullable=True),
        sa.Column("pending", sa.Text(), nullable=True),
        sa.Column("confirmed_at", Moment, nullable=True),
        sa.Column("last_step", Big, server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_second_factor_user_id_user")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_second_factor")),
    )
    op.create_table(
        "recovery_code",
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sa.Column("user_id", Big, nullable=False),
        sa.Column("used_at", Moment, nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_recovery_code_user_id_user")),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_recovery_code")),
    )
    op.create_index("ix_recovery_code_user_id", "recovery_code", ["user_id"], unique=False)
    op.create_table(
        "attempt",
        sa.Column("key", sa.String(32), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("since", Moment, nullable=False),
        sa.Column("until", Moment, nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_attempt")),
    )
    op.create_index("ix_attempt_since", "attempt", ["since"], unique=False)
    op.create_table(
        "reveal",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("session_id", sa.String(36), nullable=False),
        sa.Column("user_id", Big, nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("record", sa.String(36), nullable=False),
        sa.Column("action", sa.String(40), nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("opened_at", Moment, nullable=False),
        sa.Column("until", Moment, nullable=False),
        sa.Column("ended_at", Moment, nullable=True),
        sa.Column("approved_by", Big, nullable=True),
        sa.Column("uses", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reveal")),
    )
    op.create_index("ix_reveal_session_id_record", "reveal", ["session_id", "record"], unique=False)
    op.create_index("ix_reveal_user_id", "reveal", ["user_id"], unique=False)


def downgrade() -> None:
    op.drop_table("reveal")
    op.drop_table("attempt")
    op.drop_table("recovery_code")
    op.drop_table("second_factor")
    op.drop_index("ix_approval_asked_by", table_name="approval")
    op.drop_column("approval", "details")
    op.drop_column("auth_session", "proven_at")
    op.drop_column("auth_session", "factor_at")
    op.drop_column("user", "password_until")
