"""Give a role that stands beside the line, or any other, with a second person's approval."""

from datetime import datetime

from marshmallow import Schema, fields, validate
from sqlalchemy.orm import Session

from app.core import audit
from app.core.actor import ROLES, Actor
from app.core.deeds import Asked, Deed, Details
from app.core.policy import Answer
from app.identity import appointments, policies
from app.identity.appointments import NewPost
from app.identity.people import subject_of
from app.identity.rules import RANK, may_hand_out, ms_of
from app.identity.schemas import ID_MAX
from sync.errors import Problem

GRANT = "user.grant_role"
_RIGHTS = (Answer.SECOND_PERSON, Answer.YES)


class GrantIn(Schema):
    """Which role, and where."""

    role = fields.String(required=True, validate=validate.OneOf(ROLES))
    area_id = fields.Integer(required=True, strict=True, validate=validate.Range(1, ID_MAX))


def _post_of(details: Details) -> NewPost:
    return NewPost(str(details["role"]), int(details["area_id"]))


def place(session: Session, actor: Actor, subject: str, details: Details, now: datetime) -> int:
    """Return the area in which a role is to be given to a person, the number in ``subject``.

    Raises:
        Problem: 404, 403 ``not_to_yourself`` or ``above_your_level``, 409, 422.
    """
    user_id = _user(subject)
    if user_id == actor.user_id:
        raise Problem(403, "not_to_yourself")
    policies.demand_sight(actor, subject_of(session, user_id, ms_of(now)), ms_of(now), "user.read")
    _demand_level(session, actor, _post_of(details), now)
    return int(details["area_id"])


def _user(subject: str) -> int:
    if not subject.isdecimal() or len(subject) > 18:
        raise Problem(404, "not_found")
    return int(subject)


def _demand_level(session: Session, actor: Actor, new: NewPost, now: datetime) -> None:
    """Refuse a role above the actor's own, out of his reach, or not served there."""
    path = appointments.checked_place(session, new, now)
    decided = policies.answer_at(actor, GRANT, path, ms_of(now))
    if decided not in _RIGHTS:
        raise Problem(404 if decided is Answer.ABSENT else 403, decided.value, action=GRANT)
    held = [post.role for post in actor.posts_at(ms_of(now)) if path.startswith(post.path)]
    if new.role in RANK and not may_hand_out(held, new.role):
        raise Problem(403, "above_your_level")


def settle(
    session: Session, asked: Asked, decider: Actor, now: datetime, *, approved: bool
) -> None:
    """Give the role, if both persons may still give it, and neither gives it to himself."""
    if not approved:
        return
    user_id, new = _user(asked.subject), _post_of(asked.details)
    if user_id in (decider.user_id, asked.asked_by.user_id):
        raise Problem(403, "not_to_yourself")
    for person in (asked.asked_by, decider):
        _demand_level(session, person, new, now)
    made = appointments.write_post(session, user_id, new, made_by=asked.asked_by.user_id, now=now)
    audit.record(
        session, "role.granted", user_id=asked.asked_by.user_id, subject=f"user:{user_id}",
        role=new.role, area=new.area_id, post=made, approved_by=decider.user_id,
        approval=asked.id,
    )  # fmt: skip


DEED = Deed(GRANT, settle, place, GrantIn)
