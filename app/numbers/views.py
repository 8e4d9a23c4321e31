"""Numbers of work, by area and period; persons are never counted."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from flask import url_for

from app.core.actor import current_actor
from app.core.database import Mode, current_session
from app.core.pagination import PageQuery, page
from app.core.web import Blueprint
from app.numbers import burden, marks, phones, schemas, services, stock
from app.numbers.definitions import NUMBERS
from app.numbers.services import Line, Shown, Table, Wish
from sync.errors import Problem

blueprint = Blueprint(
    "numbers", __name__, url_prefix="/api/v1/numbers", description="Numbers of work, by area"
)
health = Blueprint(
    "health_of_phones", __name__, url_prefix="/api/v1/sync/health", description="Phones' own word"
)


@blueprint.route("")
@blueprint.guard("stats.read")
@blueprint.arguments(schemas.TableQuery, location="query")
@blueprint.response(200, schemas.TableOut)
def read_numbers(query: dict[str, Any]) -> Any:
    """Read numbers of an area and of its children for a day, week, month or quarter."""
    codes = (query["number"],) if query["number"] else ()
    wish = Wish(query["area"], query["period"], query["day"], codes)
    table = services.table(current_session(), current_actor(), wish, datetime.now(UTC))
    return replace(table, numbers=[_with_links(line, table) for line in table.numbers])


def _with_links(line: Line, table: Table) -> Any:
    cells = [_linked(cell, line.number.code, table) for cell in (line.total, *line.areas)]
    return {"number": line.number, "total": cells[0], "areas": cells[1:]}


def _linked(cell: Shown, code: str, table: Table) -> Any:
    rows = None
    if cell.rows:
        period = table.period
        rows = url_for("numbers.read_rows", code=code, area=cell.area.id, period=period.kind,
                       day=period.first.isoformat())  # fmt: skip
    return replace(cell, rows=rows)


@blueprint.route("/definitions")
@blueprint.guard("stats.read")
@blueprint.response(200, schemas.DefinitionOut(many=True))
def list_definitions() -> Any:
    """List what each number counts, of what, and why."""
    return list(NUMBERS)


@blueprint.route("/stock")
@blueprint.guard("stats.read")
@blueprint.arguments(schemas.StockQuery, location="query")
@blueprint.response(200, schemas.TableOut)
def read_stock(query: dict[str, Any]) -> Any:
    """Read how much was open in an area and its children at a past moment."""
    codes = (query["number"],) if query["number"] else ()
    wish = Wish(query["area"], "day", None, codes)
    now = datetime.now(UTC)
    table = stock.table(current_session(), current_actor(), wish, query["at"], now)
    return replace(table, numbers=[_with_past(line, query["at"]) for line in table.numbers])


def _with_past(line: Line, at: datetime) -> Any:
    cells = [
        replace(cell, rows=url_for("numbers.read_stock_rows", area=cell.area.id,
                                   at=at.isoformat(), number=line.number.code)
                if cell.rows else None)
        for cell in (line.total, *line.areas)
    ]  # fmt: skip
    return {"number": line.number, "total": cells[0], "areas": cells[1:]}


@blueprint.route("/stock/rows")
@blueprint.guard("stats.read")
@blueprint.arguments(schemas.StockRowsQuery, location="query")
@blueprint.response(200, schemas.RowsOut)
def read_stock_rows(query: dict[str, Any]) -> Any:
    """List what was open at a past moment, for those who may see such records."""
    wish = Wish(query["area"], "day", None, (query["number"],))
    kind, found = stock.rows(
        current_session(), current_actor(), wish, query["at"], datetime.now(UTC),
        limit=query["limit"], cursor=query["cursor"],
    )  # fmt: skip
    kept, headers = page(found, query["limit"], lambda row: (row["id"],))
    return {"kind": kind, "rows": kept}, 200, headers


@blueprint.route("/<code>/rows")
@blueprint.guard("stats.read")
@blueprint.arguments(schemas.RowsQuery, location="query")
@blueprint.response(200, schemas.RowsOut)
def read_rows(query: dict[str, Any], code: str) -> Any:
    """List the records behind a number, for those who may see such records."""
    number = services.number_of(code)
    wish = Wish(query["area"], query["period"], query["day"], (code,))
    if query["of"] != "all" and number.met is None:
        raise Problem(422, "invalid_fields", errors=[{"field": "of", "code": "unknown_code"}])
    found = services.rows(
        current_session(), current_actor(), wish, datetime.now(UTC),
        of=query["of"], limit=query["limit"], cursor=query["cursor"],
    )  # fmt: skip
    kept, headers = page(found, query["limit"], lambda row: (row["id"],))
    return {"kind": number.model.kind, "rows": kept}, 200, headers


@blueprint.route("/burden")
@blueprint.guard("stats.read")
@blueprint.arguments(schemas.AreaDayQuery, location="query")
@blueprint.response(200, schemas.BurdenOut)
def read_burden(query: dict[str, Any]) -> Any:
    """Read how many fields and minutes the tasks due in a month ask of an area."""
    wish = Wish(query["area"], "month", query["day"])
    return burden.burden(current_session(), current_actor(), wish, datetime.now(UTC))


@blueprint.route("/marks")
@blueprint.guard("stats.read")
@blueprint.arguments(schemas.AreaDayQuery, location="query")
@blueprint.response(200, schemas.MarkOut(many=True))
def list_marks(query: dict[str, Any]) -> Any:
    """List the work of a day that was closed in a burst or at once, for review."""
    wish = Wish(query["area"], "day", query["day"])
    return marks.marks(current_session(), current_actor(), wish, datetime.now(UTC))


@blueprint.route("/phones")
@blueprint.guard("device.list")
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, schemas.HealthOut(many=True))
def list_phones(query: dict[str, Any]) -> Any:
    """List how the phones of your area sync, by area and name of the device."""
    now = datetime.now(UTC)
    rows = phones.list_health(current_session(), current_actor(), **query, now=now)
    return page(rows, query["limit"], lambda one: (one.path, one.model, one.id))


@health.route("", methods=["POST"])
@health.guard("sync.push", Mode.WRITE)
@health.arguments(schemas.HealthIn)
@health.response(204)
def tell_health(body: dict[str, Any]) -> Any:
    """Say after a sync what this phone could not send; only the last word is kept."""
    phones.tell(current_session(), current_actor(), body)
