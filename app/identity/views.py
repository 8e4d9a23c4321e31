"""The REST interface of identity: sign-in and tokens, people and posts, phones."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from flask import request

from app.core.actor import current_actor
from app.core.database import Mode, current_database, current_session
from app.core.pagination import PageQuery, page
from app.core.problems import problem
from app.core.settings import current_settings
from app.core.web import PROVEN_FOR_MS, PUBLIC, Blueprint, Need
from app.identity import (
    appointments,
    leaving,
    people,
    phones,
    policies,
    rules,
    schemas,
    sessions,
    signing_in,
)
from app.identity.appointments import NewPost, NewUser
from app.identity.gatehouse import current_gatehouse
from app.identity.people import UserWish
from app.identity.phones import Phone
from app.identity.sessions import Ended, Proof
from app.identity.signing_in import SignIn

auth = Blueprint("auth", __name__, url_prefix="/api/v1/auth", description="Signing in")
users = Blueprint("users", __name__, url_prefix="/api/v1/users", description="People")
posts = Blueprint("posts", __name__, url_prefix="/api/v1/posts", description="Who serves where")
wiping = Blueprint("wiping", __name__, url_prefix="/api/v1/sync/wiped", description="Erased phones")
devices = Blueprint("devices", __name__, url_prefix="/api/v1/devices", description="Phones")

# A number beyond the database's is nobody's; the route answers 404 by itself.
USER = "/<int(max=4611686018427387904):user_id>"
POST = "/<int(max=4611686018427387904):post_id>"


def _now() -> datetime:
    return datetime.now(UTC)


def _address() -> str:
    return request.remote_addr or ""


@auth.route("/sign-in", methods=["POST"])
@auth.arguments(schemas.SignInIn)
@auth.response(200, schemas.TokensOut)
@auth.guard(PUBLIC, mode=None)
def sign_in(body: SignIn) -> Any:
    """Sign in to the office: login, password, and a code of the second factor."""
    return signing_in.sign_in(
        current_database(), current_gatehouse(), body, address=_address(), now=_now()
    )


@auth.route("/refresh", methods=["POST"])
@auth.arguments(schemas.RefreshIn)
@auth.response(200, schemas.TokensOut)
@auth.guard(PUBLIC, Mode.MERGE)
def refresh(body: dict[str, Any]) -> Any:
    """Change a refresh token for new tokens; each is good for one time."""
    complete = body["proof"] is not None and body["at"] is not None
    outcome = sessions.refresh(
        current_session(), current_gatehouse(), text=body["refresh_token"],
        proof=Proof(body["proof"], body["at"]) if complete else None,
        address=_address(), now=_now(),
    )  # fmt: skip
    # Answered, not raised: the end of the session, or the alarm, must be committed.
    return problem(401, outcome.code) if isinstance(outcome, Ended) else outcome


@auth.route("/sign-out", methods=["POST"])
@auth.arguments(schemas.SignOutIn)
@auth.response(204)
@auth.guard(PUBLIC, Mode.MERGE)
def sign_out(body: dict[str, str]) -> Any:
    """End the session of a refresh token; a second time changes nothing."""
    text = body["refresh_token"]
    sessions.sign_out(current_session(), current_gatehouse(), text=text, now=_now())


@auth.route("/enrol", methods=["POST"])
@auth.arguments(schemas.EnrolIn)
@auth.response(201, schemas.TokensOut)
@auth.guard(PUBLIC, Mode.MERGE)
def enrol(body: tuple[str, Phone]) -> Any:
    """Make this phone the phone of whom the code was issued for."""
    code, phone = body
    return phones.enrol(
        current_session(), current_gatehouse(), code=code, phone=phone, address=_address(),
        now=_now(),
    )  # fmt: skip


@auth.route("/me")
@auth.guard("user.read", need=Need.BEGUN)
@auth.response(200, schemas.MeOut)
def me() -> Any:
    """Say who asks, where he serves and what he may do."""
    actor, now_ms = current_actor(), rules.ms_of(_now())
    standing = [post for post in actor.posts if post.ends_ms is None or post.ends_ms > now_ms]
    return {
        "id": actor.user_id, "name": actor.name,
        "roles": sorted({post.role for post in actor.posts_at(now_ms)}),
        "posts": [_held(post) for post in standing],
        "rights": policies.rights_of(actor, now_ms),
        "session_id": actor.session_id, "enrolment_id": actor.enrolment, "owes": actor.owes,
        "proven_until": _proven_until(actor.proven_ms, now_ms),
        "max_offline_days": current_settings().max_offline_days if actor.enrolment else None,
    }  # fmt: skip


def _proven_until(proven_ms: int, now_ms: int) -> datetime | None:
    until_ms = proven_ms + PROVEN_FOR_MS
    return rules.moment_of(until_ms) if until_ms > now_ms else None


def _held(post: Any) -> dict[str, Any]:
    ends = None if post.ends_ms is None else rules.moment_of(post.ends_ms)
    return {
        "role": post.role, "area_id": post.area_id, "path": post.path, "level": post.level,
        "starts": rules.moment_of(post.starts_ms), "ends": ends,
    }  # fmt: skip


@users.route("")
@users.guard("user.list")
@users.arguments(schemas.UserQuery, location="query")
@users.response(200, schemas.UserOut(many=True))
def list_users(query: dict[str, Any]) -> Any:
    """List the people of one's area, with their posts."""
    wish = UserWish(**query)
    rows = people.list_users(current_session(), current_actor(), wish, _now())
    return page(rows, wish.limit, lambda row: (row.id,))


@users.route("", methods=["POST"])
@users.guard("user.create", Mode.MERGE, need=Need.FRESH)
@users.arguments(schemas.IdempotencyHeader, location="headers")
@users.arguments(schemas.UserIn)
@users.response(201, schemas.UserDetailOut)
def create_user(header: dict[str, str | None], body: NewUser) -> Any:
    """Take a person on, with a first post not above one's own level."""
    return appointments.create_user(
        current_session(), current_gatehouse(), current_actor(), body,
        key=header["idempotency_key"], now=_now(),
    )  # fmt: skip


@users.route(USER)
@users.guard("user.read")
@users.response(200, schemas.UserDetailOut)
def read_user(user_id: int) -> Any:
    """Read a person with posts and telephone number."""
    cipher = current_gatehouse().cipher
    return people.read_user(current_session(), cipher, current_actor(), user_id, _now())


@users.route(f"{USER}/posts", methods=["POST"])
@users.guard("assignment.create", Mode.WRITE, need=Need.FRESH)
@users.arguments(schemas.IdempotencyHeader, location="headers")
@users.arguments(schemas.PostIn)
@users.response(201, schemas.PostOut)
def add_post(header: dict[str, str | None], body: NewPost, user_id: int) -> Any:
    """Give a person a post, not above one's own level and never to oneself."""
    return appointments.add_post(
        current_session(), current_actor(), user_id, body,
        key=header["idempotency_key"], now=_now(),
    )  # fmt: skip


@users.route(f"{USER}/enrolment-codes", methods=["POST"])
@users.guard("device.issue_code", Mode.WRITE)
@users.response(201, schemas.CodeOut)
def issue_code(user_id: int) -> Any:
    """Issue a one-time code of 15 minutes for a person's phone; earlier ones become void."""
    return phones.issue_code(
        current_session(), current_gatehouse(), current_actor(), user_id, _now()
    )


@users.route(f"{USER}/dismissal", methods=["POST"])
@users.guard("user.dismiss", Mode.WRITE, need=Need.FRESH)
@users.response(200, schemas.DismissalOut)
def dismiss(user_id: int) -> Any:
    """Let a person go: reading ends now, phones hand in what they hold and erase themselves."""
    return leaving.dismiss(current_session(), current_actor(), user_id, _now())


@users.route(f"{USER}/sessions", methods=["DELETE"])
@users.guard("session.revoke", Mode.WRITE)
@users.response(204)
def sign_out_everywhere(user_id: int) -> Any:
    """End all sessions of a person, on phones and in the office."""
    phones.sign_out_everywhere(current_session(), current_actor(), user_id, _now())


@posts.route(POST, methods=["DELETE"])
@posts.guard("assignment.delete", Mode.WRITE)
@posts.response(204)
def end_post(post_id: int) -> Any:
    """End a post now; a second time changes nothing."""
    appointments.end_post(current_session(), current_actor(), post_id, _now())


@devices.route("")
@devices.guard("device.list")
@devices.arguments(PageQuery, location="query")
@devices.response(200, schemas.DeviceOut(many=True))
def list_devices(query: dict[str, Any]) -> Any:
    """List the phones of one's area, or one's own."""
    rows = phones.list_devices(current_session(), current_actor(), **query, now=_now())
    return page(rows, query["limit"], lambda row: (row.id,))


@devices.route("/<uuid:device_id>", methods=["DELETE"])
@devices.guard("device.revoke", Mode.WRITE)
@devices.response(204)
def revoke_device(device_id: UUID) -> Any:
    """Withdraw a phone at once; a second time changes nothing."""
    phones.revoke_device(current_session(), current_actor(), str(device_id), _now())


@devices.route("/<uuid:device_id>/wipe", methods=["POST"])
@devices.guard("device.wipe", Mode.WRITE, need=Need.FRESH)
@devices.arguments(schemas.WipeIn)
@devices.response(200, schemas.DeviceOut)
def ask_to_wipe(body: dict[str, bool], device_id: UUID) -> Any:
    """Tell a phone to erase what it holds at its next call, or once it has sent its work."""
    return phones.ask_to_wipe(
        current_session(), current_actor(), str(device_id), _now(), drain=body["drain"]
    )


@wiping.route("", methods=["POST"])
@wiping.arguments(schemas.WipedIn)
@wiping.response(204)
@wiping.guard(PUBLIC, Mode.WRITE)
def wiped(body: dict[str, Any]) -> Any:
    """Take a phone's receipt of its wipe, by the ticket of the order; no session is left to ask."""
    leaving.take_receipt(
        current_session(), current_gatehouse(), **body, address=_address(), now=_now()
    )
