"""The day: the duty list of incidents, versions of kept rules, and what citizens report.

Revision: 0021
Follows: 0020
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Moment = sa.DateTime(timezone=True)
Id = sa.Uuid(as_uuid=False).with_variant(sa.String(36), "sqlite")


def upgrade() -> None:
    op.create_table(
        "rule_version",
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("version", sa.String(36), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_rule_version")),
    )
    op.create_table(
        "incident_duty",
        sa.Column("area_id", Big, nullable=False),
        sa.Column("category", sa.String(4), nullable=False),
        sa.Column("unit", Big, nullable=True),
        sa.Column("unit_level", sa.String(10), nullable=True),
        sa.ForeignKeyConstraint(
            ["area_id"], ["area.id"], name=op.f("fk_incident_duty_area_id_area")
        ),
        sa.PrimaryKeyConstraint("area_id", "category", name=op.f("pk_incident_duty")),
    )
    op.create_table(
        "citizen_request",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("incident", Id, nullable=False),
        sa.Column("service_code", sa.String(4), nullable=False),
        sa.Column("requested_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_citizen_request")),
    )
    op.create_index("ix_citizen_request_requested_at", "citizen_request", ["requested_at"])
    op.create_index("ix_citizen_request_incident", "citizen_request", ["incident"], unique=True)


def downgrade() -> None:
    op.drop_table("citizen_request")
    op.drop_table("incident_duty")
    op.drop_table("rule_version")
