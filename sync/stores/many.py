"""Many values as one parameter: the text of a statement stays the same whatever it asks for.

Neither SQLAlchemy nor the engine has to build, parse or plan it anew for another number of
values; PostgreSQL keeps it prepared. Its driver would turn a list into an array value by value
in Python, which costs more than the statement: so a list goes as one text.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.visitors import InternalTraversal

from sync.encoding import dump

ROWS = "rows"


class ListOf(sa.types.TypeDecorator[Sequence[Any]]):
    """A list of values in one text: an array of PostgreSQL, or JSON on SQLite."""

    impl = sa.Text
    cache_ok = True

    def __init__(self, item: Any) -> None:
        super().__init__()
        self.item = item

    def process_bind_param(self, value: Sequence[Any] | None, dialect: sa.Dialect) -> Any:
        """Write the list the way the engine takes it."""
        if value is None:
            return None
        if dialect.name != "sqlite":
            return "{" + ",".join(map(_quoted, value)) + "}"
        write = self.item.dialect_impl(dialect).bind_processor(dialect)
        return dump([write(one) for one in value] if write else list(value))


def _quoted(value: Any) -> str:
    """Write one value inside the text of an array."""
    if not isinstance(value, str):
        return str(value)
    text = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


class among(sa.ColumnElement[bool]):
    """True where a column holds one of the values of a parameter: ``among(column, "ids")``."""

    inherit_cache = True
    _traverse_internals = [
        ("column", InternalTraversal.dp_clauseelement),
        ("values", InternalTraversal.dp_clauseelement),
    ]
    type = sa.Boolean()

    def __init__(self, column: Any, name: str) -> None:
        self.column = column
        self.values = sa.bindparam(name, type_=ListOf(column.type))

    def self_group(self, against: Any = None) -> "among":
        """Stay as it is: wrapped in "= 1", no index would be used."""
        return self


@compiles(among, "sqlite")
def _among_sqlite(element: among, compiler: Any, **kw: Any) -> str:
    column, values = _words(element, compiler, kw)
    return f"{column} IN (SELECT value FROM json_each({values}))"


@compiles(among, "postgresql")
def _among_postgres(element: among, compiler: Any, **kw: Any) -> str:
    column, values = _words(element, compiler, kw)
    array = compiler.dialect.type_compiler_instance.process(postgresql.ARRAY(element.column.type))
    # Read once, by a query of its own: a text beside the column is read anew for every row that
    # is looked at, which for thousands of values took minutes.
    return f"{column} = ANY ((SELECT CAST({values} AS {array}))::{array})"


def _words(element: among, compiler: Any, kw: dict[str, Any]) -> tuple[str, str]:
    bare = {**kw, "within_columns_clause": False, "add_to_result_map": None}
    return compiler.process(element.column, **bare), compiler.process(element.values, **bare)


def recordset(columns: Sequence[sa.Column[Any]], name: str = ROWS) -> sa.TableValuedAlias:
    """Return the rows of one JSON parameter as a table of these columns (PostgreSQL)."""
    given = sa.cast(sa.bindparam(name, type_=sa.Text()), postgresql.JSON)
    named = [sa.column(one.name, one.type) for one in columns]
    return sa.func.json_to_recordset(given).table_valued(*named).render_derived(with_types=True)


def as_rows(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Turn rows into the parameter that ``recordset`` reads."""
    return {ROWS: dump(rows)}
