"""The public notice; what the office publishes, opens, and gives to others."""

import json
from typing import Any

import sqlalchemy as sa
from flask import Response, request
from marshmallow import Schema, fields

from app.areas.models import Area
from app.areas.services import below_any, paths_of
from app.core import audit, policy
from app.core.actor import current_actor
from app.core.database import Mode, current_session
from app.core.deeds import RIGHTS
from app.core.identifiers import new_id
from app.core.moments import now_ms
from app.core.pagination import PageQuery, after, page
from app.core.policy import Answer
from app.core.settings import current_settings
from app.core.web import PUBLIC, Blueprint, Need
from app.households.purposes import all_notices, purposes_of
from app.privacy import publishing, schemas
from app.privacy.models import HandOver
from app.privacy.notice import document
from app.privacy.notice_schema import NoticeDocument
from app.privacy.publishing import now_utc
from sync.errors import Problem

blueprint = Blueprint(
    "privacy", __name__, url_prefix="/api/v1/privacy", description="What is held, and why"
)
GIVING = "export.create"


@blueprint.route("/notice")
@blueprint.guard(PUBLIC)
@blueprint.response(200, NoticeDocument)
def read_notice() -> Any:
    """Read who holds what, why, how long, and what one may ask; no sign-in is needed."""
    session = current_session()
    shown = document(current_settings(), purposes_of(session), all_notices(session))
    tag = shown["digest"]
    if request.if_none_match.contains_weak(tag):
        return Response(status=304, headers={"ETag": f'"{tag}"'})
    response = Response(headers={"ETag": f'"{tag}"', "Content-Language": "zh, en"})
    response.set_data(_json(shown))
    response.mimetype = "application/json"
    return response


def _json(shown: Any) -> str:
    return json.dumps(shown, ensure_ascii=False)


@blueprint.route("/notices", methods=["POST"])
@blueprint.guard("codelist.update", Mode.WRITE)
@blueprint.arguments(schemas.PublishedIn)
@blueprint.response(201, Schema.from_dict({"version": fields.Integer()}, name="NoticePublished"))
def publish_notice(body: dict[str, Any]) -> Any:
    """Publish a new notice; for the purposes it renews, older consents do not count any more."""
    return {"version": publishing.publish(current_session(), current_actor(), body, now_utc())}


@blueprint.route("/purposes")
@blueprint.guard("settings.read")
@blueprint.response(200, schemas.PurposeOut(many=True))
def list_purposes() -> Any:
    """List the purposes, which of them are open, and on which assessment."""
    return publishing.listed(current_session())


@blueprint.route("/purposes/<purpose>/opening", methods=["POST"])
@blueprint.guard("settings.update", Mode.WRITE, need=Need.FRESH)
@blueprint.arguments(schemas.OpeningIn)
@blueprint.response(202, schemas.PurposeOut(many=True))
def ask_to_open(body: dict[str, Any], purpose: str) -> Any:
    """Ask for a sensitive purpose to be opened; it waits for a second person."""
    publishing.ask_to_open(current_session(), current_actor(), purpose, body, now_utc())
    return publishing.listed(current_session())


@blueprint.route("/purposes/<purpose>/decision", methods=["POST"])
@blueprint.guard("settings.update", Mode.WRITE, need=Need.FRESH)
@blueprint.arguments(schemas.SecondWordIn)
@blueprint.response(200, schemas.PurposeOut(many=True))
def decide_opening(body: dict[str, Any], purpose: str) -> Any:
    """Decide, as another person, whether a purpose is opened."""
    publishing.decide(current_session(), current_actor(), purpose, verdict=body["verdict"],
                      now=now_utc())  # fmt: skip
    return publishing.listed(current_session())


@blueprint.route("/hand-overs", methods=["POST"])
@blueprint.guard(GIVING, Mode.WRITE, need=Need.FRESH)
@blueprint.arguments(schemas.HandOverIn)
@blueprint.response(201, schemas.HandOverOut)
def note_hand_over(body: dict[str, Any]) -> Any:
    """Write down that data were given to somebody else, by which agreement."""
    session, actor = current_session(), current_actor()
    path = paths_of(session, [body["area_id"]]).get(body["area_id"])
    answer = policy.decide(actor, GIVING, path=path, own=False, at_ms=now_ms()).answer
    if answer not in RIGHTS:
        raise Problem(404 if answer is Answer.ABSENT else 403, answer.value, action=GIVING)
    noted = HandOver(id=new_id(), made_at=now_utc(), made_by=actor.user_id, **body)
    session.add(noted)
    session.flush()
    audit.record(session, "privacy.handed_over", user_id=actor.user_id,
                 subject=f"hand_over:{noted.id}", agreement=noted.agreement,
                 people=noted.people)  # fmt: skip
    return noted


@blueprint.route("/hand-overs")
@blueprint.guard("subject_request.list")
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, schemas.HandOverOut(many=True))
def list_hand_overs(query: dict[str, Any]) -> Any:
    """List what was given to others, where you may see what people ask for."""
    reach = policy.reach(current_actor(), "subject_request.list", now_ms())
    within = sa.true() if reach.everything else HandOver.area_id.in_(
        sa.select(Area.id).where(below_any(reach.paths))
    )  # fmt: skip
    rows = current_session().scalars(
        sa.select(HandOver).where(within, after([HandOver.id], query["cursor"]))
        .order_by(HandOver.id).limit(query["limit"] + 1)
    ).all()  # fmt: skip
    return page(rows, query["limit"], lambda one: (one.id,))
