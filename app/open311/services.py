"""The use cases of citizens: which services there are, one more request, and how requests stand."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.actor import house
from app.core.engine import current_engine, write_all_as_office
from app.core.identifiers import new_id
from app.core.redaction import masked
from app.households.rules import round_position
from app.incidents.models import Incident, IncidentCategory
from app.incidents.moves import OVER
from app.open311.models import CitizenRequest
from sync.edits import Edit
from sync.errors import Problem
from sync.values import Invalid, Position, Text

HAND = house("cm")
"""Nobody: the server writes for citizens, so that no record says who has reported."""
DESCRIPTION_MAX = 2_000
DAYS_MAX, ROWS_MAX = 90, 1_000
NO_PHOTO = "居民网上反映，未附照片 / reported by a citizen, without a photo"
CLOSED = (*sorted(OVER), "rejected")
NOTES = {
    "reported": "已收到 / received", "verified": "已核实 / verified", "filed": "已立案 / taken on",
    "rejected": "未受理 / not taken on", "not_filed": "未受理 / not taken on",
    "merged": "与另一事项合并办理 / dealt with together with another one",
    "cancelled": "已作废 / cancelled", "closed": "已办结 / settled",
    "followed_up": "已办结 / settled",
}  # fmt: skip
IN_HAND = "办理中 / in hand"
Shape = dict[str, Any]


def public_services(session: Session) -> Sequence[IncidentCategory]:
    """Return the categories that citizens may report: nothing personal, no emergency."""
    return session.scalars(
        sa.select(IncidentCategory)
        .where(
            IncidentCategory.level == 2,
            sa.func.coalesce(IncidentCategory.sensitivity, 0) == 0,
            sa.func.coalesce(IncidentCategory.emergency_call, "") == "",
        )
        .order_by(IncidentCategory.code)
    ).all()


def listed(session: Session) -> list[Shape]:
    """Return the services as the standard shows them."""
    groups = {row.code: row.name_zh for row in session.scalars(
        sa.select(IncidentCategory).where(IncidentCategory.level == 1))}  # fmt: skip
    return [
        {"service_code": one.code, "service_name": one.name_zh, "description": one.name_en,
         "metadata": False, "type": "realtime", "keywords": f"{one.name_zh},{one.name_en}",
         "group": groups.get(one.parent_code or "", "")}
        for one in public_services(session)
    ]  # fmt: skip


def definition(session: Session, code: str) -> Shape:
    """Return what else a service asks for: nothing.

    Raises:
        Problem: 404 when there is no such service.
    """
    if code not in {one.code for one in public_services(session)}:
        raise Problem(404, "not_found")
    return {"service_code": code, "attributes": []}


def request(session: Session, said: Mapping[str, str], now: datetime) -> str:
    """Report an incident for a citizen; return the number of his request.

    Who he is, how to reach him, and addresses of pictures are not looked at and kept nowhere.

    Raises:
        Problem: 400 with what is missing or wrong.
    """
    code = said.get("service_code", "")
    if code not in {one.code for one in public_services(session)}:
        raise _wrong("service_code", "unknown_code" if code else "required")
    values = {
        "category": code, "text": _text(said), "point": _point(said), "accuracy_m": 50,
        "point_source": "map", "state": "reported", "round": 0, "no_photo_reason": NO_PHOTO,
        "photo_count": 0,
    }  # fmt: skip
    incident, number = new_id(), new_id()
    schema = current_engine().kinds.by_name[Incident.kind].schema
    edit = Edit(0, "", "create", Incident.kind, incident, set=values, schema=schema)
    [receipt] = write_all_as_office(session, HAND, [edit])
    if receipt.get("code"):
        errors = [dict(one) for one in receipt.get("errors") or ()]
        raise Problem(400, "invalid_fields", errors=errors)
    session.add(CitizenRequest(id=number, incident=incident, service_code=code, requested_at=now))
    session.flush()
    return number


def _text(said: Mapping[str, str]) -> str:
    try:
        text = Text(DESCRIPTION_MAX, 1).check(said.get("description", "").strip())
    except Invalid as fault:
        raise _wrong("description", fault.code) from None
    return masked(str(text))


def _point(said: Mapping[str, str]) -> list[float]:
    missing = [name for name in ("lat", "long") if not said.get(name)]
    if missing:
        raise _wrong(missing[0], "required")
    try:
        place = [round(float(said[name]), 7) for name in ("long", "lat")]
        return list(Position().check(place))
    except (ValueError, Invalid):
        raise _wrong("lat", "invalid") from None


def _wrong(field: str, code: str) -> Problem:
    return Problem(400, "invalid_fields", errors=[{"field": field, "code": code}])


# -- how requests stand -----------------------------------------------------------------------


def one(session: Session, number: str) -> Shape:
    """Return one request.

    Raises:
        Problem: 404.
    """
    rows = _shown(session, [CitizenRequest.id == number])
    if not rows:
        raise Problem(404, "not_found")
    return rows[0]


def some(session: Session, query: Mapping[str, str], now: datetime) -> list[Shape]:
    """Return the requests of a query, the newest first, at most 1,000.

    Raises:
        Problem: 400 for what cannot be asked.
    """
    named = _listed(query, "service_request_id")
    if named:
        return _shown(session, [CitizenRequest.id.in_(named)])
    first, last = _span(query, now)
    wanted: list[sa.ColumnElement[bool]] = [
        CitizenRequest.requested_at >= first, CitizenRequest.requested_at <= last,
    ]  # fmt: skip
    if codes := _listed(query, "service_code"):
        wanted.append(CitizenRequest.service_code.in_(codes))
    states = set(_listed(query, "status"))
    if states - {"open", "closed"}:
        raise _wrong("status", "not_a_choice")
    if len(states) == 1:
        closed = Incident.state.in_(CLOSED)
        wanted.append(closed if states == {"closed"} else ~closed)
    return _shown(session, wanted)


def _listed(query: Mapping[str, str], name: str) -> list[str]:
    parts = [part.strip() for part in query.get(name, "").split(",") if part.strip()]
    if len(parts) > ROWS_MAX:
        raise _wrong(name, "too_many")
    return parts


def _span(query: Mapping[str, str], now: datetime) -> tuple[datetime, datetime]:
    """Return from when to when to look: 90 days at most, the latest ones if nothing is said."""
    days = timedelta(days=DAYS_MAX)
    start, end = _moment(query, "start_date"), _moment(query, "end_date")
    last = end or (min(start + days, now) if start else now)
    first = start or last - days
    if last - first > days:
        raise _wrong("start_date", "too_long_ago")
    return first, last


def _moment(query: Mapping[str, str], name: str) -> datetime | None:
    text = query.get(name)
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text.replace(" ", "+"))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _wrong(name, "invalid") from None


def _shown(session: Session, wanted: Sequence[sa.ColumnElement[bool]]) -> list[Shape]:
    """Return requests without anything that could lead to a person: no words, a rough place."""
    rows = session.execute(
        sa.select(CitizenRequest, Incident.state, Incident.state_at, Incident.due_at,
                  IncidentCategory.name_zh, Incident.id)
        .join(Incident, Incident.id == CitizenRequest.incident)
        .join(IncidentCategory, IncidentCategory.code == CitizenRequest.service_code)
        .where(Incident.deleted.is_(None), *wanted)
        .order_by(CitizenRequest.requested_at.desc(), CitizenRequest.id)
        .limit(ROWS_MAX)
    ).all()  # fmt: skip
    places = _places(session, [row[-1] for row in rows])
    return [_shape(*row[:5], places[row[-1]]) for row in rows]


def _places(session: Session, incidents: Sequence[str]) -> Mapping[str, list[float]]:
    """Return where incidents are, to about a hundred metres."""
    seal = current_engine().seal
    rows = session.execute(sa.select(Incident.id, Incident.body).where(Incident.id.in_(incidents)))
    bodies = {name: json.loads(seal.open(Incident.kind, name, body)) for name, body in rows}
    return {name: round_position(body["point"]) for name, body in bodies.items()}


def _shape(
    row: CitizenRequest, state: Any, moved: Any, due: Any, name: str, place: list[float]
) -> Shape:
    return {
        "service_request_id": row.id, "status": "closed" if state in CLOSED else "open",
        "status_notes": NOTES.get(state, IN_HAND), "service_name": name,
        "service_code": row.service_code, "description": None, "agency_responsible": None,
        "service_notice": None, "requested_datetime": _text_of(row.requested_at),
        "updated_datetime": _text_of(moved or row.requested_at),
        "expected_datetime": _text_of(due), "address": None, "address_id": None, "zipcode": None,
        "lat": place[1], "long": place[0], "media_url": None,
    }  # fmt: skip


def _text_of(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None
