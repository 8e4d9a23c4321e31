"""The first tables: areas, identity, the sync engine, households, tasks, incidents, audit.

Revision: 0001
Follows: nothing
"""

import uuid

import sqlalchemy as sa
from alembic import op
from geoalchemy2 import Geometry

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Id = sa.Uuid(as_uuid=False).with_variant(sa.String(36), "sqlite")
Moment = sa.DateTime(timezone=True)
SHAPES = (("area_border", "geom"), ("household", "door_point"), ("incident", "point"))
TABLES = (
    "area",
    "audit_event",
    "conflict",
    "contact",
    "household",
    "incident",
    "incident_category",
    "sync_device",
    "sync_feed",
    "sync_ledger",
    "sync_meta",
    "sync_parked",
    "sync_scope",
    "task",
    "task_kind",
    "user",
    "area_border",
    "area_version",
    "enrolment",
    "post",
    "auth_session",
    "enrolment_code",
)


def upgrade() -> None:
    """Make the tables, and begin the first epoch."""
    op.create_table(
        "area",
        sa.Column("id", Big, autoincrement=True, nullable=False),
        sa.Column("level", sa.String(length=10), nullable=False),
        sa.Column("parent_id", Big, nullable=True),
        sa.Column(
            "path",
            sa.String(length=120).with_variant(sa.String(length=120, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["parent_id"], ["area.id"], name=op.f("fk_area_parent_id_area")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_area")),
    )
    op.create_index("ix_area_parent_id", "area", ["parent_id"], unique=False)
    op.create_index("ix_area_path", "area", ["path"], unique=False)
    op.create_table(
        "audit_event",
        sa.Column("id", Big, autoincrement=True, nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("event", sa.String(length=60), nullable=False),
        sa.Column("user_id", Big, nullable=True),
        sa.Column("subject", sa.String(length=80), nullable=True),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_event")),
    )
    op.create_index(op.f("ix_audit_event_event"), "audit_event", ["event"], unique=False)
    op.create_index(op.f("ix_audit_event_user_id"), "audit_event", ["user_id"], unique=False)
    op.create_table(
        "conflict",
        sa.Column("record_kind", sa.String(length=40), nullable=False),
        sa.Column("record", Id, nullable=False),
        sa.Column("unit", sa.String(length=60), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("grid", Big, nullable=True),
        sa.Column("id", Id, nullable=False),
        sa.Column("rv", Big, nullable=False),
        sa.Column("deleted", sa.String(length=10), nullable=True),
        sa.Column("marks", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conflict")),
    )
    op.create_index("ix_conflict_grid_state", "conflict", ["grid", "state"], unique=False)
    op.create_index(op.f("ix_conflict_record"), "conflict", ["record"], unique=False)
    op.create_table(
        "contact",
        sa.Column("household", Id, nullable=True),
        sa.Column("grid", Big, nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("relation", sa.String(length=40), nullable=True),
        sa.Column("is_emergency", sa.Boolean(), nullable=True),
        sa.Column("phone_blind", sa.String(length=32), nullable=True),
        sa.Column("id", Id, nullable=False),
        sa.Column("rv", Big, nullable=False),
        sa.Column("deleted", sa.String(length=10), nullable=True),
        sa.Column("marks", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact")),
    )
    op.create_index(op.f("ix_contact_grid"), "contact", ["grid"], unique=False)
    op.create_index(op.f("ix_contact_household"), "contact", ["household"], unique=False)
    op.create_index(op.f("ix_contact_phone_blind"), "contact", ["phone_blind"], unique=False)
    op.create_table(
        "household",
        sa.Column("grid", Big, nullable=True),
        sa.Column("address_text", sa.String(length=120), nullable=True),
        sa.Column("building", sa.String(length=20), nullable=True),
        sa.Column("unit_room", sa.String(length=20), nullable=True),
        sa.Column("door_point", Geometry("POINT", srid=4326), nullable=True),
        sa.Column("door_accuracy_m", Big, nullable=True),
        sa.Column("door_source", sa.String(length=40), nullable=True),
        sa.Column("occupancy", sa.String(length=40), nullable=True),
        sa.Column("residents_count", Big, nullable=True),
        sa.Column("count_0_5", Big, nullable=True),
        sa.Column("count_6_13", Big, nullable=True),
        sa.Column("count_14_17", Big, nullable=True),
        sa.Column("count_18_59", Big, nullable=True),
        sa.Column("count_60_79", Big, nullable=True),
        sa.Column("count_80_up", Big, nullable=True),
        sa.Column("last_confirmed_at", Moment, nullable=True),
        sa.Column("id", Id, nullable=False),
        sa.Column("rv", Big, nullable=False),
        sa.Column("deleted", sa.String(length=10), nullable=True),
        sa.Column("marks", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_household")),
    )
    op.create_index(op.f("ix_household_grid"), "household", ["grid"], unique=False)
    op.create_table(
        "incident",
        sa.Column("category", sa.String(length=4), nullable=True),
        sa.Column("text", sa.String(length=2000), nullable=True),
        sa.Column("point", Geometry("POINT", srid=4326), nullable=True),
        sa.Column("accuracy_m", Big, nullable=True),
        sa.Column("point_source", sa.String(length=40), nullable=True),
        sa.Column("address_text", sa.String(length=120), nullable=True),
        sa.Column("grid", Big, nullable=True),
        sa.Column("grid_distance_m", Big, nullable=True),
        sa.Column("state", sa.String(length=40), nullable=True),
        sa.Column("round", Big, nullable=True),
        sa.Column("state_reason", sa.String(length=500), nullable=True),
        sa.Column("result_text", sa.String(length=2000), nullable=True),
        sa.Column("priority", Big, nullable=True),
        sa.Column("reporter", Big, nullable=True),
        sa.Column("seen_at", Moment, nullable=True),
        sa.Column("reported_at", Moment, nullable=True),
        sa.Column("id", Id, nullable=False),
        sa.Column("rv", Big, nullable=False),
        sa.Column("deleted", sa.String(length=10), nullable=True),
        sa.Column("marks", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident")),
    )
    op.create_index(op.f("ix_incident_category"), "incident", ["category"], unique=False)
    op.create_index("ix_incident_grid_state", "incident", ["grid", "state"], unique=False)
    op.create_index(op.f("ix_incident_reporter"), "incident", ["reporter"], unique=False)
    op.create_table(
        "incident_category",
        sa.Column("code", sa.String(length=4), nullable=False),
        sa.Column("parent_code", sa.String(length=4), nullable=True),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("name_zh", sa.String(length=60), nullable=False),
        sa.Column("name_en", sa.String(length=80), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=True),
        sa.Column("accept_minutes", sa.Integer(), nullable=True),
        sa.Column("handle_hours", sa.Integer(), nullable=True),
        sa.Column("start_level", sa.String(length=10), nullable=True),
        sa.Column("escalate_after_hours", sa.Integer(), nullable=True),
        sa.Column("sensitivity", sa.Integer(), nullable=True),
        sa.Column("photo", sa.String(length=10), nullable=True),
        sa.Column("emergency_call", sa.String(length=10), nullable=True),
        sa.Column("gbt30428_class", sa.String(length=4), nullable=True),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_incident_category")),
    )
    op.create_table(
        "sync_device",
        sa.Column("id", Id, nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("enrolment", Id, nullable=True),
        sa.Column("last_n", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("last_id", Id, nullable=True),
        sa.Column("last_ms", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("app", sa.String(length=60), nullable=True),
        sa.Column("schema", sa.Integer(), server_default="1", nullable=False),
        sa.Column("made_ms", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sync_device")),
    )
    op.create_index(op.f("ix_sync_device_enrolment"), "sync_device", ["enrolment"], unique=False)
    op.create_index(op.f("ix_sync_device_user_id"), "sync_device", ["user_id"], unique=False)
    op.create_table(
        "sync_feed",
        sa.Column("scope", sa.String(length=60), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("record", Id, nullable=False),
        sa.Column("ver", sa.BigInteger(), nullable=False),
        sa.Column("rank", sa.SmallInteger(), nullable=False),
        sa.Column("op", sa.String(length=5), nullable=False),
        sa.Column("rv", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "kind", "record", name=op.f("pk_sync_feed")),
    )
    op.create_index("ix_sync_feed_scope_ver", "sync_feed", ["scope", "ver"], unique=False)
    op.create_table(
        "sync_ledger",
        sa.Column("edit", Id, nullable=False),
        sa.Column("device", Id, nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("op", sa.String(length=60), nullable=False),
        sa.Column("kind", sa.String(length=60), nullable=False),
        sa.Column("rec", Id, nullable=False),
        sa.Column("rv", sa.BigInteger(), nullable=False),
        sa.Column("schema", sa.BigInteger(), nullable=False),
        sa.Column("ms", sa.BigInteger(), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=16), nullable=False),
        sa.Column("receipt", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("edit", name=op.f("pk_sync_ledger")),
        sa.UniqueConstraint("device", "n", name=op.f("uq_sync_ledger_device_n")),
    )
    op.create_index("ix_sync_ledger_rec_rv", "sync_ledger", ["rec", "rv"], unique=False)
    op.create_table(
        "sync_meta",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("value", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_sync_meta")),
    )
    op.create_table(
        "sync_parked",
        sa.Column("edit", Id, nullable=False),
        sa.Column("device", Id, nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=60), nullable=False),
        sa.Column("code", sa.String(length=60), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("ms", sa.BigInteger(), nullable=False),
        sa.Column("parked_ms", sa.BigInteger(), nullable=False),
        sa.Column("waits_for", Id, nullable=False),
        sa.Column("scope", sa.String(length=60), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("edit", name=op.f("pk_sync_parked")),
    )
    op.create_index(op.f("ix_sync_parked_scope"), "sync_parked", ["scope"], unique=False)
    op.create_index(op.f("ix_sync_parked_user_id"), "sync_parked", ["user_id"], unique=False)
    op.create_index(op.f("ix_sync_parked_waits_for"), "sync_parked", ["waits_for"], unique=False)
    op.create_table(
        "sync_scope",
        sa.Column("scope", sa.String(length=60), nullable=False),
        sa.Column("ver", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.BigInteger(), nullable=False),
        sa.Column("live", sa.BigInteger(), nullable=False),
        sa.Column("floor", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("scope", name=op.f("pk_sync_scope")),
    )
    op.create_table(
        "task",
        sa.Column("grid", Big, nullable=True),
        sa.Column("task_kind", sa.String(length=40), nullable=True),
        sa.Column("title", sa.String(length=120), nullable=True),
        sa.Column("instructions", sa.String(length=2000), nullable=True),
        sa.Column("assignee", Big, nullable=True),
        sa.Column("due_at", Moment, nullable=True),
        sa.Column("household", Id, nullable=True),
        sa.Column("incident", Id, nullable=True),
        sa.Column("state", sa.String(length=40), nullable=True),
        sa.Column("round", Big, nullable=True),
        sa.Column("report_text", sa.String(length=2000), nullable=True),
        sa.Column("report_count", Big, nullable=True),
        sa.Column("decline_reason", sa.String(length=500), nullable=True),
        sa.Column("return_reason", sa.String(length=500), nullable=True),
        sa.Column("cancel_reason", sa.String(length=500), nullable=True),
        sa.Column("assigned_by", Big, nullable=True),
        sa.Column("done_at", Moment, nullable=True),
        sa.Column("id", Id, nullable=False),
        sa.Column("rv", Big, nullable=False),
        sa.Column("deleted", sa.String(length=10), nullable=True),
        sa.Column("marks", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task")),
    )
    op.create_index(op.f("ix_task_assignee"), "task", ["assignee"], unique=False)
    op.create_index("ix_task_due_at", "task", ["due_at"], unique=False)
    op.create_index("ix_task_grid_state", "task", ["grid", "state"], unique=False)
    op.create_table(
        "task_kind",
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("name_zh", sa.String(length=60), nullable=False),
        sa.Column("name_en", sa.String(length=80), nullable=False),
        sa.Column("pattern", sa.String(length=20), nullable=False),
        sa.Column("target", sa.String(length=20), nullable=False),
        sa.Column("default_due_days", sa.Integer(), nullable=False),
        sa.Column("remind_before_hours", sa.Integer(), nullable=False),
        sa.Column("result_type", sa.String(length=20), nullable=False),
        sa.Column("needs_location", sa.Boolean(), nullable=False),
        sa.Column("sensitivity", sa.Integer(), nullable=False),
        sa.Column("photo", sa.String(length=10), nullable=False),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_task_kind")),
    )
    op.create_table(
        "user",
        sa.Column("id", Big, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("login", sa.String(length=64), nullable=True),
        sa.Column("password_hash", sa.String(length=200), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("phone_blind", sa.String(length=32), nullable=True),
        sa.Column("active", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("created", Moment, nullable=False),
        sa.Column("made_key", sa.String(length=100), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user")),
        sa.UniqueConstraint("login", name=op.f("uq_user_login")),
        sa.UniqueConstraint("made_key", name=op.f("uq_user_made_key")),
    )
    op.create_index(op.f("ix_user_phone_blind"), "user", ["phone_blind"], unique=False)
    op.create_table(
        "area_border",
        sa.Column("id", Big, autoincrement=True, nullable=False),
        sa.Column("area_id", Big, nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("geom", Geometry("MULTIPOLYGON", srid=4326), nullable=False),
        sa.Column("datum_in", sa.String(length=10), nullable=False),
        sa.Column("accuracy_m", sa.Double(), nullable=True),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(["area_id"], ["area.id"], name=op.f("fk_area_border_area_id_area")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_area_border")),
    )
    op.create_index("ix_area_border_area_id", "area_border", ["area_id"], unique=False)
    op.create_index(
        "uq_area_border_area_current",
        "area_border",
        ["area_id"],
        unique=True,
        sqlite_where=sa.text("valid_until IS NULL"),
        postgresql_where=sa.text("valid_until IS NULL"),
    )
    op.create_table(
        "area_version",
        sa.Column("area_id", Big, nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("code", sa.String(length=15), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("short_name", sa.String(length=100), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("parent_id", Big, nullable=True),
        sa.Column("urban_rural_code", sa.String(length=3), nullable=False),
        sa.Column("edition", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["area_id"], ["area.id"], name=op.f("fk_area_version_area_id_area")
        ),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["area.id"], name=op.f("fk_area_version_parent_id_area")
        ),
        sa.PrimaryKeyConstraint("area_id", "valid_from", name=op.f("pk_area_version")),
    )
    op.create_index("ix_area_version_code", "area_version", ["code"], unique=False)
    op.create_index(
        "uq_area_version_code_current",
        "area_version",
        ["code"],
        unique=True,
        sqlite_where=sa.text("valid_until IS NULL"),
        postgresql_where=sa.text("valid_until IS NULL"),
    )
    op.create_table(
        "enrolment",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user_id", Big, nullable=False),
        sa.Column("install_id", sa.String(length=64), nullable=False),
        sa.Column("model", sa.String(length=100), nullable=False),
        sa.Column("app", sa.String(length=40), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("made", Moment, nullable=False),
        sa.Column("revoked_at", Moment, nullable=True),
        sa.Column("revoked_by", Big, nullable=True),
        sa.Column("wipe_asked_at", Moment, nullable=True),
        sa.ForeignKeyConstraint(
            ["revoked_by"], ["user.id"], name=op.f("fk_enrolment_revoked_by_user")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_enrolment_user_id_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enrolment")),
    )
    op.create_index("ix_enrolment_user_id", "enrolment", ["user_id"], unique=False)
    op.create_table(
        "post",
        sa.Column("id", Big, autoincrement=True, nullable=False),
        sa.Column("user_id", Big, nullable=False),
        sa.Column("role", sa.String(length=2), nullable=False),
        sa.Column("area_id", Big, nullable=False),
        sa.Column("starts", Moment, nullable=False),
        sa.Column("ends", Moment, nullable=True),
        sa.Column("reason", sa.String(length=200), server_default="", nullable=False),
        sa.Column("mode", sa.String(length=10), server_default="permanent", nullable=False),
        sa.Column("made_by", Big, nullable=True),
        sa.Column("made_key", sa.String(length=100), nullable=True),
        sa.CheckConstraint("mode IN ('permanent', 'cover')", name=op.f("ck_post_mode")),
        sa.CheckConstraint(
            "role IN ('gw', 'vl', 'ts', 'cm', 'au', 'da')", name=op.f("ck_post_role")
        ),
        sa.CheckConstraint("ends IS NULL OR ends >= starts", name=op.f("ck_post_ends")),
        sa.ForeignKeyConstraint(["area_id"], ["area.id"], name=op.f("fk_post_area_id_area")),
        sa.ForeignKeyConstraint(["made_by"], ["user.id"], name=op.f("fk_post_made_by_user")),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_post_user_id_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_post")),
        sa.UniqueConstraint("made_key", name=op.f("uq_post_made_key")),
    )
    op.create_index("ix_post_area_id_role", "post", ["area_id", "role"], unique=False)
    op.create_index("ix_post_user_id", "post", ["user_id"], unique=False)
    op.create_table(
        "auth_session",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user_id", Big, nullable=False),
        sa.Column("enrolment_id", sa.String(length=36), nullable=True),
        sa.Column("generation", sa.Integer(), server_default="0", nullable=False),
        sa.Column("refresh_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(length=32), nullable=True),
        sa.Column("rotated_at", Moment, nullable=False),
        sa.Column("proof_ms", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("made", Moment, nullable=False),
        sa.Column("idle_until", Moment, nullable=False),
        sa.Column("absolute_until", Moment, nullable=False),
        sa.Column("revoked_at", Moment, nullable=True),
        sa.Column("revoked_why", sa.String(length=20), nullable=True),
        sa.ForeignKeyConstraint(
            ["enrolment_id"], ["enrolment.id"], name=op.f("fk_auth_session_enrolment_id_enrolment")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user.id"], name=op.f("fk_auth_session_user_id_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_auth_session")),
    )
    op.create_index("ix_auth_session_enrolment_id", "auth_session", ["enrolment_id"], unique=False)
    op.create_index("ix_auth_session_user_id", "auth_session", ["user_id"], unique=False)
    op.create_table(
        "enrolment_code",
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("user_id", Big, nullable=False),
        sa.Column("made_by", Big, nullable=True),
        sa.Column("made", Moment, nullable=False),
        sa.Column("expires", Moment, nullable=False),
        sa.Column("used_at", Moment, nullable=True),
        sa.Column("enrolment_id", sa.String(length=36), nullable=True),
        sa.ForeignKeyConstraint(
            ["enrolment_id"],
            ["enrolment.id"],
            name=op.f("fk_enrolment_code_enrolment_id_enrolment"),
        ),
        sa.ForeignKeyConstraint(
            ["made_by"], ["user.id"], name=op.f("fk_enrolment_code_made_by_user")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user.id"], name=op.f("fk_enrolment_code_user_id_user")
        ),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_enrolment_code")),
    )
    op.create_index(op.f("ix_enrolment_code_user_id"), "enrolment_code", ["user_id"], unique=False)

    epoch = sa.table("sync_meta", sa.column("name", sa.String), sa.column("value", sa.String))
    op.bulk_insert(epoch, [{"name": "epoch", "value": str(uuid.uuid4())}])
    if op.get_bind().dialect.name == "sqlite":
        _drop_geometry_checks()


def downgrade() -> None:
    """Drop everything."""
    if op.get_bind().dialect.name == "sqlite":
        _forget_shapes()
    for table in reversed(TABLES):
        op.drop_table(table)


def _drop_geometry_checks() -> None:
    """Drop the triggers that end the whole transaction over one bad shape; we check before."""
    for table, column in SHAPES:
        for prefix in ("ggi", "ggu"):
            op.execute(f"DROP TRIGGER IF EXISTS {prefix}_{table}_{column}")


def _forget_shapes() -> None:
    """Take the shapes out of SpatiaLite's own books before their tables go."""
    for table, column in SHAPES:
        op.execute(f"SELECT DisableSpatialIndex('{table}', '{column}')")
        op.execute(f"DROP TABLE IF EXISTS idx_{table}_{column}")
        op.execute(f"SELECT DiscardGeometryColumn('{table}', '{column}')")
