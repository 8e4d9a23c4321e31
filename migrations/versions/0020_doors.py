"""Row-level security: rows are seen within the span of a transaction (ADR 33).

Revision: 0020
Follows: 0019
"""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

AREAS = "grid <@ (SELECT wangge_areas())"
SCOPE = (
    "CASE WHEN scope IS NULL THEN false"
    " WHEN scope LIKE 'me:%' THEN substr(scope, 4)::bigint = (SELECT wangge_user())"
    " WHEN scope LIKE 'grid:%' OR scope LIKE 'desk:%'"
    " THEN substr(scope, 6)::bigint <@ (SELECT wangge_areas()) ELSE true END"
)


def _own(column: str) -> str:
    return f"{column} = (SELECT wangge_user())"


SEEN = {
    "household": AREAS,
    "consent": AREAS,
    "contact": AREAS,
    "service_person": AREAS,
    "visit": f"{AREAS} OR {_own('visited_by')}",
    "household_act": AREAS,
    "task": f"{AREAS} OR {_own('assignee')}",
    "incident": f"{AREAS} OR {_own('reporter')} OR {_own('handler')}",
    "photo": f"{AREAS} OR {_own('taken_by')}",
    "emergency_entry": AREAS,
    "conflict": AREAS,
    "sync_feed": SCOPE,
    "sync_scope": SCOPE,
    "sync_parked": f"{SCOPE} OR {_own('user_id')}",
    "sync_ledger": _own("user_id"),
    "photo_file": SCOPE,
    "photo_picture": "EXISTS (SELECT 1 FROM photo p WHERE p.id = photo_picture.photo)",
}
FUNCTIONS = {
    "wangge_areas() RETURNS int8multirange":
        "coalesce(nullif(current_setting('wangge.areas', true), ''), '{}')::int8multirange",
    "wangge_user() RETURNS bigint":
        "coalesce(nullif(current_setting('wangge.user', true), ''), '0')::bigint",
    # pg_dump knows no search_path: what stands in a function is named with its schema.
    "wangge_house() RETURNS boolean": "lower_inf(public.wangge_areas())",
}  # fmt: skip


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        return  # there, each connection makes its views (app/core/spanned.py)
    for head, body in FUNCTIONS.items():
        op.execute(f"CREATE FUNCTION {head} LANGUAGE sql STABLE PARALLEL SAFE AS $$SELECT {body}$$")
    for table, seen in SEEN.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY span_read ON {table} FOR SELECT USING ({seen})"
        )
        op.execute(f"CREATE POLICY span_house ON {table} USING ((SELECT wangge_house()))")


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        return
    for table in SEEN:
        op.execute(f"DROP POLICY span_house ON {table}")
        op.execute(f"DROP POLICY span_read ON {table}")
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    for head in reversed(FUNCTIONS):
        op.execute(f"DROP FUNCTION {head.split(' ')[0]}")
