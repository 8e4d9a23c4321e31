"""Keys over REST: ask that they be changed, approve it, and follow it."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from app.core.actor import current_actor
from app.core.database import Mode, current_session
from app.core.web import Blueprint, Need
from app.keys import schemas, services

blueprint = Blueprint(
    "keys", __name__, url_prefix="/api/v1/keys", description="Keys that seal personal fields"
)


def _now() -> datetime:
    return datetime.now(UTC)


@blueprint.route("")
@blueprint.guard("key.rotate")
@blueprint.response(200, schemas.KeyOut(many=True))
def list_keys() -> Any:
    """List the keys, and how far the sealing anew has come."""
    return [services.shown(row) for row in services.listed(current_session())]


@blueprint.route("/rotations", methods=["POST"])
@blueprint.guard("key.rotate", Mode.WRITE, need=Need.FRESH)
@blueprint.arguments(schemas.RotationIn)
@blueprint.response(202, schemas.RotationOut)
def ask(body: dict[str, str]) -> Any:
    """Ask that all keys be changed; it waits for a second person."""
    return services.ask(current_session(), current_actor(), **body, now=_now())


@blueprint.route("/rotations/to-decide")
@blueprint.guard("key.rotate")
@blueprint.response(200, schemas.RotationOut(many=True))
def list_to_decide() -> Any:
    """List the changes of keys that others have asked for and that wait for your word."""
    return services.to_decide(current_session(), current_actor(), _now())


@blueprint.route("/rotations/<uuid:rotation>/decision", methods=["POST"])
@blueprint.guard("key.rotate", Mode.WRITE, need=Need.FRESH)
@blueprint.arguments(schemas.RotationDecisionIn)
@blueprint.response(200, schemas.RotationOut)
def decide(body: dict[str, str], rotation: UUID) -> Any:
    """Approve or refuse a change of keys that somebody else has asked for."""
    return services.decide(
        current_session(), current_actor(), str(rotation), verdict=body["verdict"], now=_now()
    )
