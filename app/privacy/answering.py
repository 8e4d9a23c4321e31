"""Answer what people ask of their data: one proposes, another decides, and then it is done."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.services import paths_of
from app.core import audit, policy
from app.core.actor import Actor
from app.core.deeds import RIGHTS, Asked, Deed
from app.core.engine import current_engine
from app.core.identifiers import new_id
from app.core.jobs import ask_for
from app.core.moments import as_text
from app.core.policy import Answer
from app.core.span import as_house
from app.identity import approvals
from app.identity.approvals import REFUSED, WAITING
from app.identity.rules import ms_of
from app.office.reading import read_record
from app.privacy import house, restricting
from app.privacy.models import SubjectAnswer, SubjectRequest
from app.privacy.rules import ERASE, FULFIL, LIFT, RESTRICT, WITH_A_COPY, after, may_answer
from app.privacy.subjects import kind_of_subject
from sync.errors import Problem
from sync.upkeep import Key

FULFIL_ACTION, LIST_ACTION = "subject_request.fulfil", "subject_request.list"
COPY_JOB, ERASE_JOB = "privacy.copy", "privacy.erase"
QUEUED, READY, DONE, EXPIRED = "queued", "ready", "done", "expired"
KEPT_FOR = timedelta(hours=24)


def propose(
    session: Session, actor: Actor, request: str, wish: Mapping[str, Any], now: datetime
) -> SubjectAnswer:
    """Propose an answer; nothing happens before another person has decided.

    Raises:
        Problem: 404 out of scope or absent, 403, 409 ``request_answered``, 422 ``no_such_person``.
    """
    shown = read_record(session, actor, SubjectRequest, request, LIST_ACTION)
    _demand_right(session, actor, shown["grid"], now)
    _demand_open(shown, wish["verdict"])
    if wish["verdict"] != "refuse":
        subject_of(session, shown)
    answer = SubjectAnswer(
        id=new_id(), request=request, verdict=wish["verdict"], asked_by=actor.user_id,
        asked_at=now, state=WAITING, reason=None, approval="",
    )  # fmt: skip
    if wish.get("reason"):
        answer.reason = current_engine().cipher.seal(wish["reason"], place_of_reason(answer.id))
    answer.approval = approvals.ask(
        session, actor, FULFIL_ACTION, subject=f"right:{request}", area_id=shown["grid"],
        reason=f"{wish['verdict']} {shown['right']}", now=now,
    ).id  # fmt: skip
    session.add(answer)
    session.flush()
    return answer


def _demand_right(session: Session, actor: Actor, grid: int, now: datetime) -> None:
    """Let pass whoever may answer requests there, with a second person."""
    path = paths_of(session, [grid]).get(grid)
    answer = policy.decide(actor, FULFIL_ACTION, path=path, own=False, at_ms=ms_of(now)).answer
    if answer not in RIGHTS:
        raise Problem(404 if answer is Answer.ABSENT else 403, answer.value, action=FULFIL_ACTION)


def place_of_reason(answer: str) -> str:
    """Return the place to which the reason of an answer is sealed."""
    return f"subject_answer/reason/{answer}"


def _demand_open(shown: Mapping[str, Any], verdict: str) -> None:
    if not may_answer(shown["state"], shown["right"], verdict):
        raise Problem(409, "request_answered", state=shown["state"])


@as_house()
def subject_of(session: Session, shown: Mapping[str, Any]) -> Key:
    """Return whom a request is about, of whom the table was asked when the request was shown.

    Raises:
        Problem: 422 ``no_such_person``: there is nobody of that id, or he is of another household.
    """
    engine, subject = current_engine(), shown.get("subject")
    kind = kind_of_subject(session, engine, subject) if subject else None
    if kind is None or subject is None:
        raise Problem(422, "no_such_person")
    record = engine.store(session).records([(kind, subject)])[kind, subject]
    home = record.id if kind == "household" else record.values.get("household")
    if record.deleted == "erased" or home != shown.get("household"):
        raise Problem(422, "no_such_person")
    return kind, subject


def decide(
    session: Session, actor: Actor, request: str, *, verdict: str, now: datetime
) -> SubjectAnswer:
    """Decide about the proposed answer, as another person; a yes carries it out.

    Raises:
        Problem: as ``approvals.decide``; 404 when nothing is proposed; 409 ``request_answered``.
    """
    read_record(session, actor, SubjectRequest, request, LIST_ACTION)
    answer = session.scalars(
        sa.select(SubjectAnswer)
        .where(SubjectAnswer.request == request, SubjectAnswer.state == WAITING)
        .order_by(SubjectAnswer.id.desc())
    ).first()
    if answer is None:
        raise Problem(404, "not_found")
    approvals.settle(session, actor, DEED, answer.approval, verdict=verdict, now=now)
    return answer


def settle(
    session: Session, asked: Asked, decider: Actor, now: datetime, *, approved: bool
) -> None:
    """Carry a proposed answer out, or note that it was refused or taken back.

    Raises:
        Problem: 404 out of the decider's scope, 409 ``request_answered``.
    """
    proposed = sa.select(SubjectAnswer).where(SubjectAnswer.approval == asked.id)
    answer = session.scalars(proposed).one()
    answer.decided_by, answer.state = decider.user_id, DONE if approved else REFUSED
    session.flush()
    if approved:
        shown = read_record(session, decider, SubjectRequest, answer.request, LIST_ACTION)
        _demand_open(shown, answer.verdict)
        _carry_out(session, shown, answer, now)


DEED = Deed(FULFIL_ACTION, settle)


@as_house()
def _carry_out(
    session: Session, shown: Mapping[str, Any], answer: SubjectAnswer, now: datetime
) -> None:
    engine, right = current_engine(), shown["right"]
    subject = subject_of(session, shown) if answer.verdict != "refuse" else ("", "")
    reason = None
    if answer.reason:
        reason = engine.cipher.open(answer.reason, place_of_reason(answer.id))
    noted: dict[str, Any] = {
        "state": after(answer.verdict), "answer": reason, "answered_at": as_text(ms_of(now)),
        "answered_by": answer.asked_by, "approved_by": answer.decided_by,
    }  # fmt: skip
    house.write(session, {("subject_request", shown["id"]): (shown["rv"], noted)})
    if answer.verdict == LIFT:
        restricting.lift(session, engine, subject, shown["id"])
    elif answer.verdict == FULFIL and right == RESTRICT:
        restricting.restrict(session, engine, subject, shown["id"])
    elif answer.verdict == FULFIL and right in WITH_A_COPY:
        answer.state = QUEUED
        ask_for(session, COPY_JOB, answer.id, at_ms=ms_of(now))
    elif answer.verdict == FULFIL and right == ERASE:
        ask_for(session, ERASE_JOB, answer.id, at_ms=ms_of(now))
    audit.record(
        session, f"right.{answer.verdict}", user_id=answer.decided_by,
        subject=f"right:{shown['id']}", right=right, asked_by=answer.asked_by,
    )  # fmt: skip


def latest(session: Session, requests: Sequence[str]) -> dict[str, SubjectAnswer]:
    """Return the latest answer that was proposed to each request."""
    rows = session.scalars(
        sa.select(SubjectAnswer).where(SubjectAnswer.request.in_(requests))
        .order_by(SubjectAnswer.id)
    )  # fmt: skip
    return {one.request: one for one in rows}


def to_fetch(session: Session, actor: Actor, request: str, now: datetime) -> SubjectAnswer:
    """Return the answer whose file somebody fetches who proposed or approved it; written down.

    Raises:
        Problem: 404 not his, 409 not ready, 410 after a day.
    """
    read_record(session, actor, SubjectRequest, request, LIST_ACTION)
    answer = latest(session, [request]).get(request)
    if answer is None or actor.user_id not in (answer.asked_by, answer.decided_by):
        raise Problem(404, "not_found")
    if answer.state == EXPIRED or (answer.expires_at and answer.expires_at <= now):
        raise Problem(410, "export_expired")
    if answer.state != READY or answer.size_bytes is None:
        raise Problem(409, "export_not_ready", state=answer.state)
    audit.record(session, "right.fetched", user_id=actor.user_id, subject=f"right:{request}")
    return answer
