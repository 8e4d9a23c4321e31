"""The guard of every route: who asks, may he, in which transaction; and strict bodies."""

import enum
import gzip
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, cast

import flask_smorest
from flask import Request, Response, current_app, g, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from webargs import core
from webargs.flaskparser import FlaskParser

from app.core import policy, reads, refused
from app.core.actor import Actor
from app.core.admission import TICKET, Ticket
from app.core.database import Mode, current_database
from app.core.headers import headers_for
from app.core.moments import now_ms
from app.core.span import NOTHING, span_of, spanning, use
from sync.errors import Problem
from sync.wire import BODY_BYTES_MAX, NotJson, read_json

PUBLIC = refused.PUBLIC
STEP_UP = "/api/v1/auth/step-up"
# All that is left to a phone that is to erase itself and may hand in its work before.
SYNC_ACTIONS = frozenset({"sync.push", "sync.pull"})
DRAINING_ACTIONS = frozenset({"sync.push"})
# For how long a proof of who somebody is lets him do what is hard to take back.
PROVEN_FOR_MS = 5 * 60_000
INFLATED_BYTES_MAX = 8 * 1024 * 1024
INFLATE_RATIO_MAX = 100
GZIP_FROM_BYTES = 1_000
GZIP_LEVEL = 1
CHUNK_BYTES = 64 * 1024

HIDDEN = "…"
_NAME = re.compile(r"[a-z0-9_]{1,60}")

View = Callable[..., ResponseReturnValue]
Authenticate = Callable[[Session, str], Actor]


def read_body() -> bytes:
    """Return the body, inflated if it was packed, never more than the limits allow.

    Raises:
        Problem: 413, 415 or 400, before more than the limit was read.
    """
    if (request.content_length or 0) > BODY_BYTES_MAX:
        raise Problem(413, "too_large", most_bytes=BODY_BYTES_MAX)
    raw = request.get_data(cache=True)
    encoding = request.headers.get("Content-Encoding", "identity").lower()
    if encoding == "identity":
        return raw
    if encoding != "gzip":
        raise Problem(415, "unsupported_media_type", encodings=["gzip", "identity"])
    return inflated(raw)


def inflated(raw: bytes) -> bytes:
    """Return the content of a gzip body, never more than the limits allow.

    Raises:
        Problem: 400 or 413.
    """
    most = min(INFLATED_BYTES_MAX, max(CHUNK_BYTES, len(raw) * INFLATE_RATIO_MAX))
    inflater = zlib.decompressobj(wbits=31)
    try:
        data = inflater.decompress(raw, most)
    except zlib.error:
        raise Problem(400, "bad_gzip") from None
    # Much may come of the last byte: all was read, and not all of it has come out.
    if inflater.unconsumed_tail or (len(data) >= most and not inflater.eof):
        raise Problem(413, "too_large", most_bytes=INFLATED_BYTES_MAX)
    if not inflater.eof or inflater.unused_data:
        raise Problem(400, "bad_gzip")
    return data


def read_json_body() -> Any:
    """Return the JSON of the body, strictly read.

    Raises:
        Problem: 415 for another content type, 400 for what is not strict JSON.
    """
    if request.mimetype != "application/json":
        raise Problem(415, "unsupported_media_type", types=["application/json"])
    try:
        return read_json(read_body())
    except NotJson as fault:
        raise Problem(400, fault.code) from None


class StrictParser(FlaskParser):
    """Read bodies with the strict decoder; unknown arguments are errors."""

    DEFAULT_UNKNOWN_BY_LOCATION = {
        **FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION, "json": "raise", "query": "raise",
    }  # fmt: skip

    def load_json(self, req: Request, schema: Any) -> Any:
        """Return the body as JSON; an empty one counts as missing."""
        if not req.get_data(cache=True) and not req.content_type:
            return core.missing
        return read_json_body()

    def load_querystring(self, req: Request, schema: Any) -> Any:
        """Return the query; a NUL, which PostgreSQL cannot hold, is refused as in bodies."""
        if any("\x00" in text for pair in req.args.items(multi=True) for text in pair):
            raise Problem(400, "nul_character")
        return super().load_querystring(req, schema)

    def handle_error(
        self,
        error: Any,
        req: Request,
        schema: Any,
        *,
        error_status_code: int | None,
        error_headers: Any,
    ) -> Any:
        """Turn marshmallow's messages into field errors with pointers."""
        raise Problem(422, "invalid_fields", errors=_field_errors(error.messages))


def _field_errors(messages: Any, path: str = "") -> list[dict[str, str]]:
    if isinstance(messages, dict):
        return [one for name, below in messages.items()
                for one in _field_errors(below, f"{path}/{name}")]  # fmt: skip
    texts = messages if isinstance(messages, list) else [messages]
    # A name that we do not know is repeated only if it looks like one: it may be anything.
    path = "/".join(one if not one or _NAME.fullmatch(one) else HIDDEN for one in path.split("/"))
    field = path.split("/")[-1]
    return [{"field": field, "pointer": path, "code": _code_of(str(text)), "detail": str(text)}
            for text in texts]  # fmt: skip


def _code_of(text: str) -> str:
    if text.startswith("Missing data"):
        return "required"
    if text.startswith("Unknown field"):
        return "unknown_field"
    return "invalid"


def bearer() -> str:
    """Return the bearer token of the request.

    Raises:
        Problem: 401 when there is none.
    """
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token.strip():
        raise Problem(401, "token_missing")
    return token.strip()


def _may_enter(actor: Actor, action: str) -> bool:
    """Tell whether somebody may knock at all.

    A phone may sync after its holder's last post has ended: what he did before is judged by
    the rights of that time, and what he may not see any more is dropped.
    """
    if action in SYNC_ACTIONS and actor.enrolment is not None:
        return policy.might_have(actor, action, now_ms())
    return policy.might(actor, action, now_ms())


def by_token(session: Session) -> Actor:
    """Return the person behind the bearer token of the request.

    Raises:
        Problem: 401 or 403.
    """
    authenticate = cast(Authenticate, current_app.extensions["wangge_authenticate"])
    return authenticate(session, bearer())


class Need(enum.Enum):
    """How much of a proof of who he is an act asks of whoever is signed in.

    ``BEGUN``: he may still owe a second factor, or a password of his own. ``WHOLE``: he owes
    nothing. ``FRESH``: he has also proved it again within five minutes.
    """

    BEGUN = "begun"
    WHOLE = "whole"
    FRESH = "fresh"


@dataclass(frozen=True, slots=True)
class Door:
    """How a caller shows who he is.

    Attributes:
        knock: refuses whoever has nothing to show, before his body is read.
        actor: finds out who he is.
        streams: the view reads the body itself, piece by piece; else the guard takes it whole.
    """

    knock: Callable[[], object] = bearer
    actor: Callable[[Session], Actor] = by_token
    streams: bool = False


BY_TOKEN = Door()
STREAMED = Door(streams=True)


def enter(
    session: Session, action: str, door: Door = BY_TOKEN, *, need: Need = Need.WHOLE
) -> Actor:
    """Find out who asks, and refuse him if no post of his has any right to the action.

    Raises:
        Problem: 401 or 403.
    """
    actor = door.actor(session)
    if actor.draining:
        if action not in DRAINING_ACTIONS:
            raise Problem(403, "device_drain")
    elif not _may_enter(actor, action):
        raise Problem(403, "not_allowed", action=action)
    _demand_proof(actor, need)
    g.actor = actor
    _tell_township(actor)
    return actor


def _demand_proof(actor: Actor, need: Need) -> None:
    """Refuse whoever has proved less than an act asks for.

    Raises:
        Problem: 403 with what he owes, or ``step_up_needed``.
    """
    if need is Need.BEGUN:
        return
    if actor.owes is not None:
        raise Problem(403, actor.owes)
    if need is Need.FRESH:
        demand_fresh(actor)


def demand_fresh(actor: Actor) -> None:
    """Ask for a fresh proof of who acts, where only the service can tell that one is needed.

    Raises:
        Problem: 403 ``step_up_needed``, with the call that gives the proof.
    """
    if now_ms() - actor.proven_ms >= PROVEN_FOR_MS:
        wanted = ["proof", "at"] if actor.enrolment else ["password", "code"]
        raise Problem(403, "step_up_needed", call=STEP_UP, fields=wanted)


def _tell_township(actor: Actor) -> None:
    """Let the door before us know whose request this is, so that it can be fair to the next."""
    ticket: Ticket | None = request.environ.get(TICKET)
    if ticket is not None and actor.posts:
        ticket.belongs_to(policy.anchor(actor.posts[-1], "t"))


class Blueprint(flask_smorest.Blueprint):
    """A blueprint whose routes are all guarded; a house test finds the one that is not."""

    ARGUMENTS_PARSER = StrictParser()

    def guard(
        self,
        action: str,
        mode: Mode | None = Mode.READ,
        *,
        door: Door = BY_TOKEN,
        need: Need = Need.WHOLE,
    ) -> Callable[[View], View]:
        """Guard a view: authenticate, open its transaction, commit before the answer leaves.

            What personal data it shows is written down in the same transaction; what is
            refused, in one of its own.

        Args:
            action: an action of the authorisation table, or ``PUBLIC``.
            mode: the transaction; None when the view opens its own after the caller is known
                (the sync endpoints).
            door: how the caller shows who he is.
            need: how well and how lately he must have proved it.
        """

        def decorate(view: View) -> View:
            @wraps(view)
            def guarded(*args: Any, **kwargs: Any) -> ResponseReturnValue:
                if action != PUBLIC:
                    door.knock()
                # A slow phone must hold neither a connection nor the write lock meanwhile.
                if not door.streams:
                    request.get_data(cache=True)
                try:
                    return _served(view, action, mode, door, need, args, kwargs)
                except Problem as fault:
                    refused.write_down(action, fault)
                    raise

            guarded.action = action  # type: ignore[attr-defined]
            _document(guarded, action, need)
            return guarded

        return decorate


def _served(
    view: View,
    action: str,
    mode: Mode | None,
    door: Door,
    need: Need,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> ResponseReturnValue:
    """Run a view in its transaction; what it has shown of persons is written down in there."""
    with spanning(NOTHING):
        with current_database().transaction(mode or Mode.LOOK) as session:
            g.session = session
            if action != PUBLIC:
                use(span_of(enter(session, action, door, need=need), now_ms()))
            if mode is not None:
                answer = view(*args, **kwargs)
                reads.write_down(session, action, _asker())
                return answer
        return view(*args, **kwargs)


def _asker() -> int | None:
    actor: Actor | None = g.get("actor")
    return actor.user_id if actor else None


def _document(view: Any, action: str, need: Need) -> None:
    """Write the guard into the API document."""
    doc = dict(getattr(view, "_apidoc", {}))
    manual = dict(doc.get("manual_doc", {}))
    manual["x-action"] = action
    if action == PUBLIC:
        manual["security"] = []
    elif need is not Need.WHOLE:
        manual["x-proof"] = need.value
    doc["manual_doc"] = manual
    view._apidoc = doc


def finish(response: Response) -> Response:
    """Put the headers of the house on a reply, and pack it if that pays."""
    settings = current_app.extensions["wangge_settings"]
    for name, value in headers_for(settings.public_url).items():
        response.headers.setdefault(name, value)
    if (
        response.direct_passthrough
        or response.content_length is None
        or response.content_length < GZIP_FROM_BYTES
        or "gzip" not in request.accept_encodings
        or "Content-Encoding" in response.headers
    ):
        return response
    response.set_data(gzip.compress(response.get_data(), GZIP_LEVEL))
    response.headers["Content-Encoding"] = "gzip"
    response.vary.add("Accept-Encoding")
    return response
