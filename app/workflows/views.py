"""The REST interface of the workflows: split, merge and redraw grids; move a household."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.areas.boundaries import Layer, RawFeature, check_features
from app.areas.datum import Datum
from app.areas.drawing import Origin
from app.areas.flaws import FlawedFile
from app.core.actor import current_actor
from app.core.database import Mode, current_session
from app.core.engine import current_engine
from app.core.web import Blueprint
from app.workflows import regrid, schemas
from app.workflows import transfers as moves
from app.workflows.regrid import Begun, Desk, Told
from app.workflows.schemas import ID_MAX
from app.workflows.touched import Touched, counts, touched
from sync.errors import Problem

grids = Blueprint("grids", __name__, url_prefix="/api/v1/grids", description="Redrawing grids")
transfers = Blueprint(
    "transfers", __name__, url_prefix="/api/v1/households", description="Households that move"
)

RECORDS_MAX = 5_000


@grids.route(f"/<int(max={ID_MAX}):grid>/split", methods=["POST"])
@grids.guard("org_unit.create", Mode.WRITE)
@grids.arguments(schemas.SplitIn)
@grids.response(200, schemas.RegridOut)
def split(body: dict[str, Any], grid: int) -> Any:
    """Split a grid by new borders: records go by their place, or as the list says."""
    layer, told = _layer(body), Told(**schemas.told_of(body))
    return _done([grid], body, lambda session, desk: regrid.begin_split(
        session, desk, grid, layer, _origin(body), told
    ))  # fmt: skip


@grids.route("/merge", methods=["POST"])
@grids.guard("org_unit.update", Mode.WRITE)
@grids.arguments(schemas.MergeIn)
@grids.response(200, schemas.RegridOut)
def merge(body: dict[str, Any]) -> Any:
    """Let one grid take over others; theirs end today."""
    return _done([*body["grids"], body["into"]], body, lambda session, desk: regrid.begin_merge(
        session, desk, body["grids"], body["into"], body["posts"]
    ))  # fmt: skip


@grids.route("/redraw", methods=["POST"])
@grids.guard("org_unit.update", Mode.WRITE)
@grids.arguments(schemas.Borders)
@grids.response(200, schemas.RegridOut)
def redraw(body: dict[str, Any]) -> Any:
    """Draw borders anew; records with a place go to the grid where it lies now."""
    layer = _layer(body)
    return _done([], body, lambda session, desk: regrid.begin_redraw(
        session, desk, layer, _origin(body)
    ))  # fmt: skip


@transfers.route("/<uuid:household>/transfer", methods=["POST"])
@transfers.guard("household.transfer", Mode.WRITE)
@transfers.arguments(schemas.TransferIn)
@transfers.response(200, schemas.TransferOut)
def transfer(body: dict[str, int], household: UUID) -> Any:
    """Move a household to another grid, with all that refers to it, by one edit."""
    return moves.transfer(current_session(), current_actor(), str(household), body["grid"])


def _layer(body: dict[str, Any]) -> Layer:
    features = [
        RawFeature(row, _properties(one), one.get("geometry"))
        for row, one in enumerate(body["features"], start=1)
    ]
    return check_features(features, Datum(body["datum"]))


def _properties(feature: dict[str, Any]) -> dict[str, Any]:
    properties = feature.get("properties")
    return properties if isinstance(properties, dict) else {}


def _origin(body: dict[str, Any]) -> Origin:
    return Origin(body["datum"], body["source"], body["accuracy_m"])


def _done(
    grids: list[int], body: dict[str, Any], begin: Callable[[Session, Desk], Begun]
) -> dict[str, Any]:
    """Do both steps in the one transaction of the request, or tell what they would do."""
    session = current_session()
    desk = Desk(current_engine(), current_actor(), datetime.now(UTC))
    try:
        begun = begin(session, desk)
    except FlawedFile as flawed:
        errors = [{"row": 0, "code": flawed.flaw.code, "detail": str(flawed)}]
        raise Problem(422, "flawed_borders", errors=errors) from None
    every = sorted({*grids, *begun.sources, *begun.targets})
    before = touched(session, desk.engine, every, desk.now)
    _refuse_too_many(before, begun)
    for _ in regrid.move(session, desk, begun):
        pass
    shown = shown_of(begun, before, counts(session, desk.engine, every))
    if body["dry_run"]:
        session.rollback()
    return {**shown, "dry_run": body["dry_run"]}


def _refuse_too_many(before: Touched, begun: Begun) -> None:
    total = sum(sum(before.records[grid].values()) for grid in begun.sources)
    if total > RECORDS_MAX:
        raise Problem(413, "too_many_records", most=RECORDS_MAX, records=total)


def shown_of(begun: Begun, before: Touched, after: Any) -> dict[str, Any]:
    """Return what a regridding did, as it is shown."""
    return {
        "sources": list(begun.sources), "targets": list(begun.targets),
        "before": {str(grid): dict(some) for grid, some in before.records.items()},
        "after": {str(grid): dict(some) for grid, some in after.items()},
        "phones": before.phones, "workers": before.workers,
        "posts_ended": begun.posts_ended, "posts_given": begun.posts_given,
        "uncovered_m2": begun.uncovered_m2,
    }  # fmt: skip
