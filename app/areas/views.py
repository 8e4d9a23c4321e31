"""The REST interface of areas: list, read, and find the grid of a position."""

from typing import Any

from app.areas import services
from app.areas.schemas import ID_MAX, AreaDetailOut, AreaOut, AreaQuery, PlaceOut, PlaceQuery
from app.core.actor import current_actor
from app.core.database import current_session
from app.core.moments import now_ms
from app.core.pagination import page
from app.core.web import Blueprint

blueprint = Blueprint(
    "areas", __name__, url_prefix="/api/v1/areas", description="Divisions, grids and borders"
)


@blueprint.route("")
@blueprint.guard("org_unit.list")
@blueprint.arguments(AreaQuery, location="query")
@blueprint.response(200, AreaOut(many=True))
def list_areas(query: dict[str, Any]) -> Any:
    """List standing areas in the order of their codes."""
    wish = services.AreaWish(**query)
    rows = services.list_areas(current_session(), current_actor(), wish, now_ms())
    return page(rows, wish.limit, lambda row: (row.code,))


@blueprint.route(f"/<int(max={ID_MAX}):area_id>")
@blueprint.response(200, AreaDetailOut)
@blueprint.guard("org_unit.read")
def read_area(area_id: int) -> Any:
    """Read an area with everything it was called."""
    return services.read_area(current_session(), current_actor(), area_id, now_ms())


@blueprint.route("/locate")
@blueprint.guard("org_unit.read")
@blueprint.arguments(PlaceQuery, location="query")
@blueprint.response(200, PlaceOut)
def locate(query: dict[str, Any]) -> Any:
    """Find the grid that holds a position, or else the nearest one."""
    return services.locate(current_session(), current_actor(), now_ms=now_ms(), **query)
