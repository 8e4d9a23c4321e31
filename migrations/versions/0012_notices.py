"""Notices with what comes back of them; emergency orders with what stands under them.

Revision: 0012
Follows: 0011
"""

import sqlalchemy as sa
from alembic import op
from geoalchemy2 import Geometry

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Id = sa.Uuid(as_uuid=False).with_variant(sa.String(36), "sqlite")
Moment = sa.DateTime(timezone=True)
TABLES = (
    "campaign_part",
    "campaign_plan",
    "campaign_tally",
    "destruction_certificate",
    "emergency_entry",
    "emergency_order",
    "notice",
    "notice_ack",
    "notice_explained",
)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "campaign_part",
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("record", Id, nullable=False),
        sa.Column("order_id", Id, nullable=False),
        sa.PrimaryKeyConstraint("kind", "record", name=op.f("pk_campaign_part")),
    )
    op.create_index("ix_campaign_part_order_id", "campaign_part", ["order_id"], unique=False)
    op.create_table(
        "campaign_plan",
        sa.Column("order_id", Id, nullable=False),
        sa.Column("notice", sa.JSON(), nullable=True),
        sa.Column("task", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_campaign_plan")),
    )
    op.create_table(
        "campaign_tally",
        sa.Column("order_id", Id, nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("area_id", Big, autoincrement=False, nullable=False),
        sa.Column("records", Big, nullable=False),
        sa.Column("people", Big, nullable=False),
        sa.PrimaryKeyConstraint("order_id", "kind", "area_id", name=op.f("pk_campaign_tally")),
    )
    op.create_table(
        "destruction_certificate",
        sa.Column("order_id", Id, nullable=False),
        sa.Column("county", Big, nullable=False),
        sa.Column("title", sa.String(length=120), nullable=False),
        sa.Column("basis", sa.String(length=300), nullable=False),
        sa.Column("purpose", sa.String(length=500), nullable=False),
        sa.Column("starts", Moment, nullable=False),
        sa.Column("ends", Moment, nullable=False),
        sa.Column("destroy_by", Moment, nullable=False),
        sa.Column("begun_at", Moment, nullable=False),
        sa.Column("done_at", Moment, nullable=True),
        sa.Column("counts", sa.JSON(), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_destruction_certificate")),
    )
    op.create_index(
        op.f("ix_destruction_certificate_county"),
        "destruction_certificate",
        ["county"],
        unique=False,
    )
    op.create_table(
        "emergency_entry",
        sa.Column("order_id", Id, nullable=True),
        sa.Column("grid", Big, nullable=True),
        sa.Column("count_arrived", sa.Text(), nullable=True),
        sa.Column("from_region", sa.Text(), nullable=True),
        sa.Column("arrived_on", sa.Text(), nullable=True),
        sa.Column("contact_phone", sa.Text(), nullable=True),
        sa.Column("answers", sa.Text(), nullable=True),
        sa.Column("id", Id, nullable=False),
        sa.Column("rv", Big, nullable=False),
        sa.Column("deleted", sa.String(length=10), nullable=True),
        sa.Column("marks", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_emergency_entry")),
    )
    op.create_index(op.f("ix_emergency_entry_grid"), "emergency_entry", ["grid"], unique=False)
    op.create_index(
        op.f("ix_emergency_entry_order_id"), "emergency_entry", ["order_id"], unique=False
    )
    op.create_table(
        "emergency_order",
        sa.Column("title", sa.String(length=120), nullable=True),
        sa.Column("basis", sa.String(length=300), nullable=True),
        sa.Column("purpose", sa.String(length=500), nullable=True),
        sa.Column("county", Big, nullable=True),
        sa.Column("areas", sa.JSON(), nullable=True),
        sa.Column("asks", sa.JSON(), nullable=True),
        sa.Column("form", sa.String(length=40), nullable=True),
        sa.Column("form_version", Big, nullable=True),
        sa.Column("starts", Moment, nullable=True),
        sa.Column("ends", Moment, nullable=True),
        sa.Column("destroy_by", Moment, nullable=True),
        sa.Column("approved", sa.String(length=40), nullable=True),
        sa.Column("state", sa.String(length=40), nullable=True),
        sa.Column("paths", sa.String(length=4000), nullable=True),
        sa.Column("proposed_by", Big, nullable=True),
        sa.Column("approved_by", Big, nullable=True),
        sa.Column("id", Id, nullable=False),
        sa.Column("rv", Big, nullable=False),
        sa.Column("deleted", sa.String(length=10), nullable=True),
        sa.Column("marks", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_emergency_order")),
    )
    op.create_index(
        "ix_emergency_order_destroy_by", "emergency_order", ["destroy_by"], unique=False
    )
    op.create_table(
        "notice",
        sa.Column("areas", sa.JSON(), nullable=True),
        sa.Column("roles", sa.JSON(), nullable=True),
        sa.Column("point", Geometry("POINT", srid=4326), nullable=True),
        sa.Column("radius_m", Big, nullable=True),
        sa.Column("urgency", sa.String(length=40), nullable=True),
        sa.Column("title", sa.String(length=120), nullable=True),
        sa.Column("text", sa.String(length=4000), nullable=True),
        sa.Column("talking_points", sa.JSON(), nullable=True),
        sa.Column("title_en", sa.String(length=200), nullable=True),
        sa.Column("text_en", sa.String(length=8000), nullable=True),
        sa.Column("talking_points_en", sa.JSON(), nullable=True),
        sa.Column("valid_from", Moment, nullable=True),
        sa.Column("valid_until", Moment, nullable=True),
        sa.Column("withdraw_reason", sa.String(length=500), nullable=True),
        sa.Column("state", sa.String(length=40), nullable=True),
        sa.Column("version", Big, nullable=True),
        sa.Column("paths", sa.String(length=8000), nullable=True),
        sa.Column("published_by", Big, nullable=True),
        sa.Column("id", Id, nullable=False),
        sa.Column("rv", Big, nullable=False),
        sa.Column("deleted", sa.String(length=10), nullable=True),
        sa.Column("marks", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
    )
    op.create_index("ix_notice_state_valid_until", "notice", ["state", "valid_until"], unique=False)
    op.create_table(
        "notice_ack",
        sa.Column("notice", Id, nullable=True),
        sa.Column("version", Big, nullable=True),
        sa.Column("worker", Big, nullable=True),
        sa.Column("acknowledged_at", Moment, nullable=True),
        sa.Column("id", Id, nullable=False),
        sa.Column("rv", Big, nullable=False),
        sa.Column("deleted", sa.String(length=10), nullable=True),
        sa.Column("marks", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice_ack")),
    )
    op.create_index(op.f("ix_notice_ack_notice"), "notice_ack", ["notice"], unique=False)
    op.create_index(op.f("ix_notice_ack_worker"), "notice_ack", ["worker"], unique=False)
    op.create_table(
        "notice_explained",
        sa.Column("notice", Id, nullable=True),
        sa.Column("grid", Big, nullable=True),
        sa.Column("times", Big, nullable=True),
        sa.Column("id", Id, nullable=False),
        sa.Column("rv", Big, nullable=False),
        sa.Column("deleted", sa.String(length=10), nullable=True),
        sa.Column("marks", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice_explained")),
    )
    op.create_index(op.f("ix_notice_explained_grid"), "notice_explained", ["grid"], unique=False)
    op.create_index(
        op.f("ix_notice_explained_notice"), "notice_explained", ["notice"], unique=False
    )
    if op.get_bind().dialect.name == "sqlite":
        _drop_geometry_checks()


def downgrade() -> None:
    """Drop everything."""
    if op.get_bind().dialect.name == "sqlite":
        _forget_shape()
    for table in reversed(TABLES):
        op.drop_table(table)


def _drop_geometry_checks() -> None:
    """Drop the triggers that end the whole transaction over one bad shape; we check before."""
    for prefix in ("ggi", "ggu"):
        op.execute(f"DROP TRIGGER IF EXISTS {prefix}_notice_point")


def _forget_shape() -> None:
    """Take the shape out of SpatiaLite's own books before its table goes."""
    op.execute("SELECT DisableSpatialIndex('notice', 'point')")
    op.execute("DROP TABLE IF EXISTS idx_notice_point")
    op.execute("SELECT DiscardGeometryColumn('notice', 'point')")
