"""Audit: rows that say more, bear a code and are never changed; their chain.

Revision: 0017
Follows: 0016
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
COLUMNS = (
    ("uid", sa.String(36)),
    ("sort", sa.String(10)),
    ("session_id", sa.String(36)),
    ("enrolment", sa.String(36)),
    ("device", sa.String(36)),
    ("scope", sa.String(60)),
    ("reason", sa.String(200)),
    ("result", sa.String(10)),
    ("address", sa.String(64)),
    ("phone_ms", Big),
    ("mac", sa.String(64)),
)
INDEXES = (
    ("ix_audit_event_at", ["at"], False),
    ("ix_audit_event_enrolment", ["enrolment", "at"], False),
    ("ix_audit_event_uid", ["uid"], True),
)

# What the law wants kept is refused by the database itself, whoever asks; the days are those of
# app/core/settings. Old rows leave by `flask audit retire`, run as the owner of the tables.
SQLITE = (
    """CREATE TRIGGER audit_event_stays BEFORE UPDATE ON audit_event
    BEGIN SELECT RAISE(ABORT, 'audit rows are never changed'); END""",
    """CREATE TRIGGER audit_event_kept BEFORE DELETE ON audit_event
    WHEN OLD.at > datetime('now', '-183 days')
      OR (coalesce(OLD.sort, 'act') NOT IN ('read', 'access')
          AND OLD.at > datetime('now', '-1095 days'))
    BEGIN SELECT RAISE(ABORT, 'the law wants this audit row kept'); END""",
    """CREATE TRIGGER audit_link_stays BEFORE UPDATE ON audit_link
    BEGIN SELECT RAISE(ABORT, 'audit links are never changed'); END""",
    """CREATE TRIGGER audit_link_kept BEFORE DELETE ON audit_link
    WHEN EXISTS (SELECT 1 FROM audit_event WHERE id = OLD.event_id)
    BEGIN SELECT RAISE(ABORT, 'the audit row of this link is still there'); END""",
)
POSTGRES = (
    """CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'audit rows are never changed'; END $$""",
    """CREATE FUNCTION audit_keep() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF OLD.at > now() - interval '183 days'
        OR (coalesce(OLD.sort, 'act') NOT IN ('read', 'access')
            AND OLD.at > now() - interval '1095 days')
      THEN RAISE EXCEPTION 'the law wants this audit row kept'; END IF;
      RETURN OLD;
    END $$""",
    """CREATE FUNCTION audit_keep_link() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF EXISTS (SELECT 1 FROM audit_event WHERE id = OLD.event_id)
      THEN RAISE EXCEPTION 'the audit row of this link is still there'; END IF;
      RETURN OLD;
    END $$""",
    """CREATE TRIGGER audit_event_stays BEFORE UPDATE ON audit_event
    FOR EACH ROW EXECUTE FUNCTION audit_refuse()""",
    """CREATE TRIGGER audit_event_kept BEFORE DELETE ON audit_event
    FOR EACH ROW EXECUTE FUNCTION audit_keep()""",
    """CREATE TRIGGER audit_event_whole BEFORE TRUNCATE ON audit_event
    EXECUTE FUNCTION audit_refuse()""",
    """CREATE TRIGGER audit_link_stays BEFORE UPDATE ON audit_link
    FOR EACH ROW EXECUTE FUNCTION audit_refuse()""",
    """CREATE TRIGGER audit_link_kept BEFORE DELETE ON audit_link
    FOR EACH ROW EXECUTE FUNCTION audit_keep_link()""",
    """CREATE TRIGGER audit_link_whole BEFORE TRUNCATE ON audit_link
    EXECUTE FUNCTION audit_refuse()""",
)
TRIGGERS = {
    "sqlite": (("audit_event_stays", "audit_event"), ("audit_event_kept", "audit_event")),
    "postgresql": (
        ("audit_event_stays", "audit_event"),
        ("audit_event_kept", "audit_event"),
        ("audit_event_whole", "audit_event"),
    ),
}


def upgrade() -> None:
    for name, type_ in COLUMNS:
        op.add_column("audit_event", sa.Column(name, type_, nullable=True))
    for name, columns, unique in INDEXES:
        op.create_index(name, "audit_event", columns, unique=unique)
    op.create_table(
        "audit_link",
        sa.Column("n", Big, autoincrement=False, nullable=False),
        sa.Column("event_id", Big, nullable=False),
        sa.Column("content", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("sound", sa.Boolean(), nullable=False),
        sa.Column("sort", sa.String(10), nullable=False),
        sa.PrimaryKeyConstraint("n", name=op.f("pk_audit_link")),
        sa.UniqueConstraint("event_id", name=op.f("uq_audit_link_event_id")),
    )
    op.create_table(
        "audit_progress",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("high", Big, nullable=False),
        sa.Column("gaps", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_progress")),
    )
    op.execute("INSERT INTO audit_progress (id, high, gaps) VALUES (1, 0, '{}')")
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRES:
        op.execute(statement)


def downgrade() -> None:
    dialect = op.get_bind().dialect.name
    for name, table in TRIGGERS[dialect]:
        op.execute(f"DROP TRIGGER {name}" + (f" ON {table}" if dialect == "postgresql" else ""))
    op.drop_table("audit_progress")
    op.drop_table("audit_link")
    if dialect == "postgresql":
        for name in ("audit_keep_link", "audit_keep", "audit_refuse"):
            op.execute(f"DROP FUNCTION {name}()")
    for name, _, _ in INDEXES:
        op.drop_index(name, table_name="audit_event")
    for name, _ in reversed(COLUMNS):
        op.drop_column("audit_event", name)
