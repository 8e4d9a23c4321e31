"""Hold every statement to the span: which tables, by what, and how each engine is told.

PostgreSQL keeps policies (made by the migrations) that read two settings of the transaction.
SQLite has no such thing: there, each connection shadows these tables by temporary views of the
same names, which SQLite itself finds first, so that raw statements are held too; statements that
write are sent to the tables behind them, and only the house may write.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import sqlalchemy as sa

from app.core.span import NOTHING, Span, present

APPLIED = "wangge_span"
STEPS = ("SAVEPOINT", "ROLLBACK TO", "RELEASE", "BEGIN", "PRAGMA")
"""What reads no rows; what is told within a step of a transaction is taken back with it."""


class OutOfSpan(RuntimeError):
    """Somebody's own span was about to write: writing is the house's, through the one way in."""


@dataclass(frozen=True, slots=True)
class Rule:
    """By what the rows of a table are seen; any of these is enough.

    Attributes:
        area: the column that names the area where a row lies.
        scope: the column that names a scope of the sync ("grid:10", "me:7").
        own: the columns that name whose a row is.
        photo: the column that names the photo with which a row is seen.
    """

    area: str = ""
    scope: str = ""
    own: tuple[str, ...] = ()
    photo: str = ""


SPANNED: Mapping[str, Rule] = {
    "household": Rule("grid"),
    "consent": Rule("grid"),
    "contact": Rule("grid"),
    "service_person": Rule("grid"),
    "visit": Rule("grid", own=("visited_by",)),
    "household_act": Rule("grid"),
    "task": Rule("grid", own=("assignee",)),
    "incident": Rule("grid", own=("reporter", "handler")),
    "photo": Rule("grid", own=("taken_by",)),
    "emergency_entry": Rule("grid"),
    "conflict": Rule("grid"),
    "sync_feed": Rule(scope="scope"),
    "sync_scope": Rule(scope="scope"),
    "sync_parked": Rule(scope="scope", own=("user_id",)),
    "sync_ledger": Rule(own=("user_id",)),
    "photo_file": Rule(scope="scope"),
    "photo_picture": Rule(photo="photo"),
}
_WRITES = re.compile(
    rf"\b(INSERT(?: OR \w+)? INTO|DELETE FROM|UPDATE) (\"?)({'|'.join(SPANNED)})\2(?=[\s(]|$)"
)


def watch(engine: sa.Engine, *, is_sqlite: bool) -> None:
    """Hold all statements of an engine to the span."""
    apply, within = (_tell_sqlite, _behind_views) if is_sqlite else (_tell_postgres, _as_it_is)
    # A transaction of PostgreSQL begins by seeing nothing; a table of SQLite keeps what it holds.
    untold = None if is_sqlite else NOTHING

    def before(
        connection: sa.Connection, cursor: Any, statement: str, parameters: Any, *_: Any
    ) -> tuple[str, Any]:
        if statement.startswith(STEPS):
            return statement, parameters
        span = present()
        writing, sent = within(statement)
        if writing and not span.house:
            raise OutOfSpan(statement.split("\n", maxsplit=1)[0][:80])
        if connection.info.get(APPLIED, untold) != span and _holds(connection):
            with _as_statement(connection), closing(connection.connection.cursor()) as own:
                apply(own, span)
            connection.info[APPLIED] = span
        return sent, parameters

    sa.event.listen(engine, "before_cursor_execute", before, retval=True)
    for moment in ("begin", "rollback", "commit", "rollback_savepoint"):
        sa.event.listen(engine, moment, _forget)


@contextmanager
def _as_statement(connection: sa.Connection) -> Iterator[None]:
    """Let the driver's errors look as if a statement had met them: a lost line, a full disk."""
    dialect = connection.dialect
    try:
        yield
    except dialect.loaded_dbapi.Error as error:
        lost = dialect.is_disconnect(error, connection.connection.dbapi_connection, None)
        if lost:
            connection.invalidate(error)
        raise sa.exc.DBAPIError.instance(
            None, None, error, dialect.loaded_dbapi.Error, hide_parameters=True,
            connection_invalidated=lost, dialect=dialect,
        ) from error  # fmt: skip


def _forget(connection: sa.Connection, *_: Any) -> None:
    """What a transaction was told ends with it; a lost connection has been told nothing."""
    if not connection.invalidated:
        connection.info.pop(APPLIED, None)


def _holds(connection: sa.Connection) -> bool:
    """Tell whether a transaction is there to be told anything: single looks see nothing."""
    return connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT"


def _path_bounds(paths: tuple[str, ...]) -> list[str]:
    return [text for path in paths for text in (path, path[:-1] + "/")]


# -- PostgreSQL -------------------------------------------------------------------------------


@cache
def _as_it_is(statement: str) -> tuple[bool, str]:
    return _WRITES.search(statement) is not None, statement


def _tell_postgres(cursor: Any, span: Span) -> None:
    """Set the areas as a set of ranges, and whose own rows are seen besides."""
    if span.everything:
        ranges = "{(,)}" if span.house else "{[0,)}"
    else:
        ranges = "{" + ",".join(f"[{area},{area}]" for area in span.areas) + "}"
    below = " OR ".join(["(path >= %s AND path < %s)"] * len(span.paths))
    subtrees = (
        f" + COALESCE((SELECT range_agg(int8range(id, id, '[]')) FROM area WHERE {below}), '{{}}')"
        if below and not span.everything
        else ""
    )
    bounds = _path_bounds(span.paths) if subtrees else []
    cursor.execute(
        f"SELECT set_config('wangge.areas', (%s::int8multirange{subtrees})::text, true),"
        " set_config('wangge.user', %s, true)",
        [ranges, *bounds, str(span.user)],
    )


def see_all(cursor: Any) -> None:
    """Let a connection of the owner see all rows, for as long as it lives: a migration."""
    cursor.execute("SELECT set_config('wangge.areas', '{(,)}', false)")
    cursor.connection.commit()


# -- SQLite -----------------------------------------------------------------------------------

_SETUP = (
    "CREATE TEMP TABLE span_area (area INTEGER PRIMARY KEY)",
    "CREATE TEMP TABLE span_who (user INTEGER, every INTEGER, house INTEGER)",
    "INSERT INTO temp.span_who VALUES (0, 0, 0)",
)
_USER, _EVERY, _HOUSE = (
    f"(SELECT {name} FROM temp.span_who)" for name in ("user", "every", "house")
)


def shadow(cursor: Any) -> None:
    """Make the views of a fresh SQLite connection."""
    cursor.execute("PRAGMA temp_store=MEMORY")
    for statement in _SETUP:
        cursor.execute(statement)
    for table, rule in SPANNED.items():
        cursor.execute(
            f'CREATE TEMP VIEW "{table}" AS SELECT t.rowid AS rowid, t.* FROM main."{table}" AS t'
            f" WHERE {_HOUSE} OR {_seen(rule)}"
        )


def unshadow(cursor: Any) -> None:
    """Take the views away again: migrations change the tables themselves."""
    for table in SPANNED:
        cursor.execute(f'DROP VIEW IF EXISTS temp."{table}"')


def _seen(rule: Rule) -> str:
    ways = [f"t.{column} = {_USER}" for column in rule.own]
    if rule.area:
        ways.append(_in_span(f"t.{rule.area}"))
    if rule.scope:
        scope = f"t.{rule.scope}"
        ways.append(
            f"CASE WHEN {scope} IS NULL THEN 0"
            f" WHEN {scope} LIKE 'me:%' THEN CAST(substr({scope}, 4) AS INTEGER) = {_USER}"
            f" WHEN {scope} LIKE 'grid:%' OR {scope} LIKE 'desk:%'"
            f" THEN {_in_span(f'CAST(substr({scope}, 6) AS INTEGER)')} ELSE 1 END"
        )
    if rule.photo:
        ways.append(f"EXISTS (SELECT 1 FROM temp.photo p WHERE p.id = t.{rule.photo})")
    return " OR ".join(ways)


def _in_span(area: str) -> str:
    return f"({area} IN (SELECT area FROM temp.span_area) OR ({_EVERY} AND {area} IS NOT NULL))"


@cache
def _behind_views(statement: str) -> tuple[bool, str]:
    """Send what writes to the table behind the view."""
    sent = _WRITES.sub(r"\1 main.\2\3\2", statement)
    return sent != statement, sent


def _tell_sqlite(cursor: Any, span: Span) -> None:
    cursor.execute("DELETE FROM temp.span_area")
    cursor.executemany("INSERT INTO temp.span_area VALUES (?)", [(one,) for one in span.areas])
    if span.paths and not span.everything:
        below = " OR ".join(["(path >= ? AND path < ?)"] * len(span.paths))
        cursor.execute(
            f"INSERT OR IGNORE INTO temp.span_area SELECT id FROM area WHERE {below}",
            _path_bounds(span.paths),
        )
    cursor.execute(
        "UPDATE temp.span_who SET user = ?, every = ?, house = ?",
        (span.user, span.everything, span.house),
    )
