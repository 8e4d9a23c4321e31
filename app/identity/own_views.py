"""The REST interface of one's own access: second factor, password, fresh proofs, sessions."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from app.core.actor import current_actor
from app.core.database import Mode, current_database, current_session
from app.core.moments import now_ms
from app.core.pagination import PageQuery, page
from app.core.web import PROVEN_FOR_MS, Blueprint, Need
from app.identity import (
    attempts,
    factors,
    new_passwords,
    own_schemas,
    proving,
    rules,
    session_lists,
)
from app.identity.gatehouse import current_gatehouse
from app.identity.sessions import Proof
from app.identity.views import USER, _now, auth, users
from sync.errors import Problem

session_views = Blueprint(
    "sessions", __name__, url_prefix="/api/v1/sessions", description="Who is signed in where"
)


def _session_id() -> str:
    name = current_actor().session_id
    assert name is not None, "whoever asks over HTTP has a session"
    return name


@auth.route("/second-factor", methods=["POST"])
@auth.guard("user.read", Mode.WRITE, need=Need.BEGUN)
@auth.response(201, own_schemas.FactorOut)
def propose_factor() -> Any:
    """Make a new second factor for yourself; it counts when a code of it has come."""
    actor = current_actor()
    if actor.enrolment is not None:
        raise Problem(409, "wrong_proof_here", fields=["proof", "at"])
    if actor.owes == rules.OWES_PASSWORD:
        raise Problem(403, actor.owes)
    return factors.propose(
        current_session(), current_gatehouse().cipher, actor.user_id,
        is_fresh=now_ms() - actor.proven_ms < PROVEN_FOR_MS,
    )  # fmt: skip


@auth.route("/second-factor/confirm", methods=["POST"])
@auth.guard("user.read", mode=None, need=Need.BEGUN)
@auth.arguments(own_schemas.CodeIn)
@auth.response(200, own_schemas.RecoveryOut)
def confirm_factor(body: dict[str, str]) -> Any:
    """Show a code of the new second factor; get codes for the day on which you lose it."""
    database, house, now = current_database(), current_gatehouse(), _now()
    knock = attempts.at_session(house.keys, _session_id())
    attempts.enter(database, knock, now)
    with database.transaction(Mode.WRITE) as session:
        codes = factors.confirm(
            session, house, user_id=current_actor().user_id, session_id=_session_id(),
            code=body["code"], now=now,
        )  # fmt: skip
        attempts.passed(session, knock)
    return {"codes": codes}


@auth.route("/recovery-codes", methods=["POST"])
@auth.guard("user.read", Mode.WRITE, need=Need.FRESH)
@auth.response(201, own_schemas.RecoveryOut)
def renew_recovery_codes() -> Any:
    """Get new codes for recovery; the former ones are void."""
    session, actor = current_session(), current_actor()
    if not factors.has_factor(session, actor.user_id):
        raise Problem(409, "no_factor_waits")
    return {"codes": factors.new_recovery_codes(session, current_gatehouse().keys, actor.user_id)}


@auth.route("/password", methods=["POST"])
@auth.guard("user.read", mode=None, need=Need.BEGUN)
@auth.arguments(own_schemas.PasswordIn)
@auth.response(204)
def change_password(body: dict[str, str]) -> Any:
    """Change your password; your other office sessions end."""
    new_passwords.change(
        current_database(), current_gatehouse(), current_actor(), **body, now=_now()
    )


@auth.route("/step-up", methods=["POST"])
@auth.guard("user.read", mode=None)
@auth.arguments(own_schemas.StepUpIn)
@auth.response(200, own_schemas.ProvenOut)
def step_up(body: dict[str, Any]) -> Any:
    """Prove again who you are; it counts for five minutes on this session."""
    database, house, actor, now = current_database(), current_gatehouse(), current_actor(), _now()
    if body.keys() == {"password", "code"}:
        proving.step_up_office(database, house, actor, **body, now=now)
    elif body.keys() == {"proof", "at"}:
        proof = Proof(body["proof"], body["at"])
        proving.step_up_phone(database, house, actor, proof, now=now)
    else:
        wanted = ["proof", "at"] if actor.enrolment else ["password", "code"]
        missing = [name for name in wanted if name not in body]
        raise Problem(422, "invalid_fields", errors=[
            {"field": name, "pointer": f"/json/{name}", "code": "required"}
            for name in missing or sorted(body.keys() - set(wanted))
        ])  # fmt: skip
    return {"proven_until": now + timedelta(milliseconds=PROVEN_FOR_MS)}


@auth.route("/sessions")
@auth.guard("user.read")
@auth.arguments(PageQuery, location="query")
@auth.response(200, own_schemas.SessionOut(many=True))
def list_own_sessions(query: dict[str, Any]) -> Any:
    """List where you are signed in."""
    rows = session_lists.own(current_session(), current_actor(), **query, now=_now())
    return page(rows, query["limit"], lambda row: (row.id,))


@auth.route("/sessions/<uuid:name>", methods=["DELETE"])
@auth.guard("user.read", Mode.WRITE)
@auth.response(204)
def end_own_session(name: UUID) -> Any:
    """End one of your own sessions at once; a second time changes nothing."""
    session_lists.end_own(current_session(), current_actor(), str(name), _now())


@session_views.route("")
@session_views.guard("session.list")
@session_views.arguments(own_schemas.SessionQuery, location="query")
@session_views.response(200, own_schemas.SessionOut(many=True))
def list_sessions(query: dict[str, Any]) -> Any:
    """List who is signed in where; names are masked for those who look after devices."""
    rows = session_lists.listed(current_session(), current_actor(), **query, now=_now())
    return page(rows, query["limit"], lambda row: (row.id,))


@session_views.route("/<uuid:name>", methods=["DELETE"])
@session_views.guard("session.revoke", Mode.WRITE)
@session_views.response(204)
def end_session(name: UUID) -> Any:
    """End one session at once; a second time changes nothing."""
    session_lists.end(current_session(), current_actor(), str(name), _now())


@users.route(f"{USER}/password-reset", methods=["POST"])
@users.guard("user.reset_password", Mode.MERGE, need=Need.FRESH)
@users.arguments(own_schemas.ReasonIn)
@users.response(201, own_schemas.TemporaryOut)
def reset_password(body: dict[str, str], user_id: int) -> Any:
    """Give somebody below you a first password, with which he can only choose his own."""
    return new_passwords.reset(
        current_session(), current_gatehouse(), current_actor(), user_id, body["reason"], _now()
    )


@users.route(f"{USER}/second-factor-reset", methods=["POST"])
@users.guard("user.reset_password", Mode.WRITE, need=Need.FRESH)
@users.arguments(own_schemas.ReasonIn)
@users.response(204)
def reset_factor(body: dict[str, str], user_id: int) -> Any:
    """Take away the second factor of somebody below you, who has lost it."""
    new_passwords.reset_factor(current_session(), current_actor(), user_id, body["reason"], _now())
