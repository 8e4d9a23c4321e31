"""The database itself shows a transaction the rows of its span, whoever wrote the statement."""

import pytest
import sqlalchemy as sa

from app.core.database import Database, Mode
from app.core.roles import weaknesses
from app.core.span import NOTHING, Span, as_house, spanning
from app.core.spanned import SPANNED, OutOfSpan
from tests.app.core.county import County, household
from tests.app.identity.town import GRID, OTHER_TOWNSHIP_GRID

GRIDS = {"gw": GRID, "gw_other_township": OTHER_TOWNSHIP_GRID}
RAW = "SELECT grid FROM household ORDER BY grid"


@pytest.fixture
def homes(county: County) -> County:
    """Return a county with one household in each of two townships."""
    for who, grid in GRIDS.items():
        county.phone(who).act("create", "household", set=household(grid=grid))
    return county


def _rows(database: Database, span: Span, statement: str = RAW) -> list[object]:
    with spanning(span), database.transaction(Mode.READ) as session:
        return list(session.scalars(sa.text(statement)))


def test_a_raw_select_in_the_span_of_one_grid_gives_no_row_of_another(homes: County) -> None:
    for grid in GRIDS.values():
        assert _rows(homes.database, Span(areas=(grid,))) == [grid]
    assert _rows(homes.database, Span(paths=("1.2.4.",))) == [GRID]
    assert _rows(homes.database, Span(paths=("1.2.4.", "1.2.5."))) == sorted(GRIDS.values())


def test_without_a_span_nothing_is_seen_of_any_table(homes: County) -> None:
    for table in SPANNED:
        count = f'SELECT count(*) FROM "{table}"'
        kept = {"sync_scope", "sync_feed"}  # what is told to whole areas lies there too
        assert table in kept or _rows(homes.database, NOTHING, count) == [0]
    with as_house():
        assert _rows(homes.database, Span(everything=True)) == sorted(GRIDS.values())


def test_scopes_of_the_sync_lie_in_the_span(homes: County) -> None:
    scopes = "SELECT scope FROM sync_scope WHERE scope LIKE 'grid:%' ORDER BY scope"
    assert _rows(homes.database, Span(areas=(GRID,)), scopes) == [f"grid:{GRID}"]
    assert _rows(homes.database, NOTHING, scopes) == []
    mine = f"SELECT DISTINCT user_id FROM sync_ledger WHERE user_id = {homes.ids['gw']}"
    assert _rows(homes.database, Span(user=homes.ids["gw"]), mine) == [homes.ids["gw"]]
    assert _rows(homes.database, Span(user=homes.ids["colleague"]), mine) == []


def test_a_row_beyond_the_span_is_not_found_by_its_id_either(homes: County) -> None:
    far = f"(SELECT count(*) FROM household WHERE grid = {OTHER_TOWNSHIP_GRID})"
    assert _rows(homes.database, Span(areas=(GRID,)), f"SELECT {far}") == [0]


def test_a_span_ends_with_what_it_was_opened_for(homes: County) -> None:
    assert _rows(homes.database, Span(areas=(GRID,))) == [GRID]
    assert _rows(homes.database, NOTHING) == []
    with spanning(NOTHING), homes.database.transaction(Mode.WRITE) as session:
        with as_house():
            assert len(list(session.scalars(sa.text(RAW)))) == 2
        assert list(session.scalars(sa.text(RAW))) == []


def test_a_step_that_is_taken_back_leaves_the_span_as_it_is_now(homes: County) -> None:
    with spanning(Span(areas=(GRID,))), homes.database.transaction(Mode.WRITE) as session:
        assert list(session.scalars(sa.text(RAW))) == [GRID]
        with pytest.raises(ZeroDivisionError), session.begin_nested():
            with as_house():
                assert len(list(session.scalars(sa.text(RAW)))) == 2
            raise ZeroDivisionError
        assert list(session.scalars(sa.text(RAW))) == [GRID]


@pytest.mark.parametrize("statement", [
    "DELETE FROM household", "UPDATE household SET grid = 10",
    "INSERT INTO sync_scope (scope, ver, digest, live, floor) VALUES ('ref', 1, 0, 0, 0)",
])  # fmt: skip
def test_nobody_writes_in_a_span_of_his_own(homes: County, statement: str) -> None:
    with pytest.raises(OutOfSpan), spanning(Span(areas=(GRID,))):
        with homes.database.transaction(Mode.WRITE) as session:
            session.execute(sa.text(statement))
    assert len(_rows(homes.database, Span(everything=True, house=True))) == 2


def test_every_spanned_table_is_held_and_no_other(homes: County) -> None:
    if homes.database.is_sqlite:
        held = "SELECT name FROM temp.sqlite_master WHERE type = 'view'"
    else:
        held = ("SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity"
                " AND relnamespace = 'public'::regnamespace")  # fmt: skip
    assert set(_rows(homes.database, NOTHING, held)) == set(SPANNED)


@pytest.mark.parametrize("statement", [
    "ALTER TABLE household DISABLE ROW LEVEL SECURITY", "DROP POLICY span_read ON household",
    "CREATE TABLE more (id int)", "UPDATE audit_event SET event = ''", "DELETE FROM audit_event",
    "UPDATE alembic_version SET version_num = ''",
])  # fmt: skip
def test_the_role_of_the_server_changes_neither_tables_nor_the_log(
    database: Database, statement: str
) -> None:
    if database.is_sqlite:
        return
    with database.engine.connect() as connection:
        assert weaknesses(connection) == []
        with pytest.raises(sa.exc.ProgrammingError, match=r"permission denied|must be owner"):
            connection.execute(sa.text(statement))


def test_a_server_that_would_pass_by_is_told_so(database: Database) -> None:
    if database.is_sqlite:
        return
    with database.migrating() as connection:
        [told] = weaknesses(connection)
        assert "grant-runtime" in told
