"""Photos: their records, the tables of their bytes, jobs; and how many photos a report has.

Revision: 0007
Follows: 0006
"""

import sqlalchemy as sa
from alembic import op
from geoalchemy2 import Geometry

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Id = sa.Uuid(as_uuid=False).with_variant(sa.String(36), "sqlite")
Moment = sa.DateTime(timezone=True)
SHAPES = (("photo", "point"), ("photo", "camera_point"))
TABLES = (
    "blob",
    "job",
    "photo",
    "photo_file",
    "photo_picture",
    "upload",
    "upload_day",
)
ANNOUNCING = ("incident", "task")


def upgrade() -> None:
    """Make the tables, and let incidents and tasks say how many photos were taken."""
    op.create_table(
        "blob",
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("size", Big, nullable=False),
        sa.Column("place", sa.String(length=5), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_blob")),
    )
    op.create_index(op.f("ix_blob_place"), "blob", ["place"], unique=False)
    op.create_table(
        "job",
        sa.Column("id", Big, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=80), server_default="", nullable=False),
        sa.Column("asked", sa.Integer(), server_default="1", nullable=False),
        sa.Column("due_ms", Big, nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("fault", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
        sa.UniqueConstraint("name", "subject", name=op.f("uq_job_name_subject")),
    )
    op.create_index("ix_job_due_ms", "job", ["due_ms"], unique=False)
    op.create_table(
        "photo",
        sa.Column("incident", Id, nullable=True),
        sa.Column("task", Id, nullable=True),
        sa.Column("purpose", sa.String(length=40), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("size_bytes", Big, nullable=True),
        sa.Column("media_type", sa.String(length=40), nullable=True),
        sa.Column("taken_at", Moment, nullable=True),
        sa.Column("point", Geometry("POINT", srid=4326), nullable=True),
        sa.Column("accuracy_m", Big, nullable=True),
        sa.Column("redactions", sa.JSON(), nullable=True),
        sa.Column("grid", Big, nullable=True),
        sa.Column("taken_by", Big, nullable=True),
        sa.Column("registered_at", Moment, nullable=True),
        sa.Column("state", sa.String(length=40), nullable=True),
        sa.Column("fault", sa.String(length=40), nullable=True),
        sa.Column("file", Id, nullable=True),
        sa.Column("width", Big, nullable=True),
        sa.Column("height", Big, nullable=True),
        sa.Column("camera", sa.String(length=80), nullable=True),
        sa.Column("camera_taken_at", Moment, nullable=True),
        sa.Column("camera_point", Geometry("POINT", srid=4326), nullable=True),
        sa.Column("id", Id, nullable=False),
        sa.Column("rv", Big, nullable=False),
        sa.Column("deleted", sa.String(length=10), nullable=True),
        sa.Column("marks", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_photo")),
    )
    op.create_index(op.f("ix_photo_file"), "photo", ["file"], unique=False)
    op.create_index(op.f("ix_photo_grid"), "photo", ["grid"], unique=False)
    op.create_index(op.f("ix_photo_incident"), "photo", ["incident"], unique=False)
    op.create_index(op.f("ix_photo_sha256"), "photo", ["sha256"], unique=False)
    op.create_index(op.f("ix_photo_state"), "photo", ["state"], unique=False)
    op.create_index(op.f("ix_photo_task"), "photo", ["task"], unique=False)
    op.create_table(
        "photo_file",
        sa.Column("id", Id, nullable=False),
        sa.Column("scope", sa.String(length=60), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", Big, nullable=False),
        sa.Column("media_type", sa.String(length=40), nullable=False),
        sa.Column("unused_since_ms", Big, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_photo_file")),
        sa.UniqueConstraint("scope", "sha256", name=op.f("uq_photo_file_scope_sha256")),
    )
    op.create_index(
        op.f("ix_photo_file_unused_since_ms"), "photo_file", ["unused_since_ms"], unique=False
    )
    op.create_table(
        "photo_picture",
        sa.Column("photo", Id, nullable=False),
        sa.Column("version", Id, nullable=True),
        sa.Column("parts", sa.Text(), nullable=False),
        sa.Column("fault", sa.String(length=40), nullable=True),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("photo", name=op.f("pk_photo_picture")),
    )
    op.create_table(
        "upload",
        sa.Column("photo", Id, nullable=False),
        sa.Column("user_id", Big, nullable=False),
        sa.Column("length", Big, nullable=False),
        sa.Column("received", Big, nullable=False),
        sa.Column("holder", Id, nullable=False),
        sa.Column("parts", sa.Text(), nullable=False),
        sa.Column("expires_ms", Big, nullable=False),
        sa.PrimaryKeyConstraint("photo", name=op.f("pk_upload")),
    )
    op.create_index(op.f("ix_upload_expires_ms"), "upload", ["expires_ms"], unique=False)
    op.create_table(
        "upload_day",
        sa.Column("sender", sa.String(length=50), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("bytes", Big, nullable=False),
        sa.PrimaryKeyConstraint("sender", "day", name=op.f("pk_upload_day")),
    )
    for table in ANNOUNCING:
        op.add_column(table, sa.Column("photo_count", Big, nullable=True))
        op.add_column(table, sa.Column("no_photo_reason", sa.String(200), nullable=True))
    if op.get_bind().dialect.name == "sqlite":
        _drop_geometry_checks()


def downgrade() -> None:
    """Drop everything."""
    for table in ANNOUNCING:
        op.drop_column(table, "no_photo_reason")
        op.drop_column(table, "photo_count")
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
    """Take the shapes out of SpatiaLite's own books before their table goes."""
    for table, column in SHAPES:
        op.execute(f"SELECT DisableSpatialIndex('{table}', '{column}')")
        op.execute(f"DROP TABLE IF EXISTS idx_{table}_{column}")
        op.execute(f"SELECT DiscardGeometryColumn('{table}', '{column}')")
