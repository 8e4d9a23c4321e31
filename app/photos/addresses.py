"""Signed addresses of pictures: short-lived, for one person on one device, and still checked.

A screen that shows pictures cannot send a token with each. So whoever may see a picture gets an
address of it that names his session; whoever opens it is judged as that person, at that moment.
"""

import base64
import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta

from flask import request
from sqlalchemy.orm import Session

from app.core.actor import Actor
from app.core.cipher import derive_key
from app.core.moments import now_ms
from app.core.settings import current_settings
from app.core.web import Door, by_token
from app.identity.authentication import actor_of
from app.identity.gatehouse import current_gatehouse
from sync.errors import Problem

LIFE_MS = timedelta(minutes=5) // timedelta(milliseconds=1)
PARAMETER = "s"
_FORM = re.compile(r"(\d{13})\.([0-9a-f-]{36})\.([A-Za-z0-9_-]{43})")


def _mac(photo: str, variant: str, expires_ms: int, session_id: str) -> str:
    key = derive_key(current_settings().secret_key, "wangge photo addresses")
    text = f"{photo}/{variant}/{expires_ms}/{session_id}"
    mac = hmac.digest(key, text.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(mac).decode().rstrip("=")


def sign(actor: Actor, photo: str, variant: str) -> tuple[str, int]:
    """Return the signature of an address for one person on his device, and when it expires."""
    assert actor.session_id, "whoever asks over HTTP has a session"
    expires_ms = now_ms() + LIFE_MS
    mac = _mac(photo, variant, expires_ms, actor.session_id)
    return f"{expires_ms}.{actor.session_id}.{mac}", expires_ms


def _signed() -> str:
    """Return the session that the signature of this request names.

    Raises:
        Problem: 404 it is not ours or for another picture; 401 it has expired.
    """
    arguments = request.view_args or {}
    found = _FORM.fullmatch(request.args.get(PARAMETER, ""))
    if found is None:
        raise Problem(404, "not_found")
    expires_ms, session_id = int(found[1]), found[2]
    variant = str(arguments.get("variant", "original"))
    mac = _mac(str(arguments["record"]), variant, expires_ms, session_id)
    if not hmac.compare_digest(mac, found[3]):
        raise Problem(404, "not_found")
    if expires_ms <= now_ms():
        raise Problem(401, "address_expired")
    return session_id


def _knock() -> object:
    """Let in a signature; without any, a token does as well."""
    return _signed() if PARAMETER in request.args else Door().knock()


def _actor(session: Session) -> Actor:
    """Return the person for whom the address was made; a token beside it must be his, too.

    Raises:
        Problem: 404 the address was made for somebody else, or for another device of his.
    """
    if PARAMETER not in request.args:
        return by_token(session)
    actor = actor_of(session, _signed(), current_gatehouse().keys, datetime.now(UTC))
    if "Authorization" in request.headers:
        other = by_token(session)
        if (other.user_id, other.enrolment) != (actor.user_id, actor.enrolment):
            raise Problem(404, "not_found")
    return actor


BY_ADDRESS = Door(knock=_knock, actor=_actor)
