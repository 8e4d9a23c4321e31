"""Households: consents, persons who asked for a service, visits, and what stands on a consent.

Revision: 0011
Follows: 0010
"""

import sqlalchemy as sa
from alembic import op
from geoalchemy2 import Geometry

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Id = sa.Uuid(as_uuid=False).with_variant(sa.String(36), "sqlite")
Moment = sa.DateTime(timezone=True)
TABLES = ("consent", "service_person", "visit", "household_act", "unsaid")
INDEXES = {
    "consent": ("expires_at", "grid", "household", "state", "subject"),
    "service_person": ("grid", "household"),
    "visit": ("grid", "household", "visited_at"),
    "household_act": ("grid", "household"),
    "household": ("address_blind",),
}
HOUSEHOLD = (
    ("heating", sa.String(40)),
    ("co_alarm", sa.Boolean()),
    ("gas_kind", sa.String(40)),
    ("evacuation_help", sa.Boolean()),
    ("contact_pref", sa.String(40)),
    ("contact_hours", sa.String(40)),
    ("not_held", sa.JSON()),
    ("address_blind", sa.String(32)),
)


def _record() -> list[sa.Column]:
    """Return the columns of every synced record that belongs to a household."""
    return [
        sa.Column("id", Id, nullable=False),
        sa.Column("rv", Big, nullable=False),
        sa.Column("deleted", sa.String(length=10), nullable=True),
        sa.Column("marks", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("household", Id, nullable=True),
        sa.Column("grid", Big, nullable=True),
    ]


def upgrade() -> None:
    """Make the tables, and the fields of households that stand on a consent."""
    op.create_table(
        "consent",
        *_record(),
        sa.Column("subject", Id, nullable=True),
        sa.Column("purpose", sa.String(length=40), nullable=True),
        sa.Column("state", sa.String(length=40), nullable=True),
        sa.Column("notice_version", Big, nullable=True),
        sa.Column("given_by", sa.String(length=40), nullable=True),
        sa.Column("method", sa.String(length=40), nullable=True),
        sa.Column("given_at", Moment, nullable=True),
        sa.Column("expires_at", Moment, nullable=True),
        sa.Column("withdrawn_at", Moment, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent")),
    )
    op.create_table(
        "service_person",
        *_record(),
        sa.Column("display_name", sa.Text(), nullable=True),
        sa.Column("birth_year", Big, nullable=True),
        sa.Column("services", sa.JSON(), nullable=True),
        sa.Column("care_note", sa.Text(), nullable=True),
        sa.Column("power_dependent", sa.Text(), nullable=True),
        sa.Column("guardian_contact_id", Id, nullable=True),
        sa.Column("not_held", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service_person")),
    )
    op.create_table(
        "visit",
        *_record(),
        sa.Column("outcome", sa.String(length=40), nullable=True),
        sa.Column("note", sa.String(length=500), nullable=True),
        sa.Column("checkin_point", Geometry("POINT", srid=4326), nullable=True),
        sa.Column("checkin_accuracy_m", Big, nullable=True),
        sa.Column("visited_by", Big, nullable=True),
        sa.Column("visited_at", Moment, nullable=True),
        sa.Column("met_at", Moment, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visit")),
    )
    op.create_table(
        "household_act",
        *_record(),
        sa.Column("verb", sa.String(length=40), nullable=True),
        sa.Column("other", Id, nullable=True),
        sa.Column("people", sa.JSON(), nullable=True),
        sa.Column("changes", sa.JSON(), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("state", sa.String(length=40), nullable=True),
        sa.Column("effects", sa.JSON(), nullable=True),
        sa.Column("done_at", Moment, nullable=True),
        sa.Column("done_by", Big, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_household_act")),
    )
    op.create_table(
        "unsaid",
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("record", Id, nullable=False),
        sa.Column("done_ms", Big, nullable=False),
        sa.PrimaryKeyConstraint("kind", "record", name=op.f("pk_unsaid")),
    )
    for name, type_ in HOUSEHOLD:
        op.add_column("household", sa.Column(name, type_, nullable=True))
    op.add_column("contact", sa.Column("not_held", sa.JSON(), nullable=True))
    for table, columns in INDEXES.items():
        for column in columns:
            op.create_index(op.f(f"ix_{table}_{column}"), table, [column], unique=False)
    if op.get_bind().dialect.name == "sqlite":
        for prefix in ("ggi", "ggu"):
            # These end the whole transaction over one bad shape; we check before.
            op.execute(f"DROP TRIGGER IF EXISTS {prefix}_visit_checkin_point")


def downgrade() -> None:
    """Drop everything."""
    op.drop_index(op.f("ix_household_address_blind"), "household")
    op.drop_column("contact", "not_held")
    for name, _ in reversed(HOUSEHOLD):
        op.drop_column("household", name)
    if op.get_bind().dialect.name == "sqlite":
        op.execute("SELECT DisableSpatialIndex('visit', 'checkin_point')")
        op.execute("DROP TABLE IF EXISTS idx_visit_checkin_point")
        op.execute("SELECT DiscardGeometryColumn('visit', 'checkin_point')")
    for table in reversed(TABLES):
        op.drop_table(table)
