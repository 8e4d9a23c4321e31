"""Take people on, give them posts and end posts; nobody does so for himself or above himself."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.areas.models import Area
from app.core import audit
from app.core.actor import Actor
from app.core.database import begin_writing, lock_rows
from app.identity import policies, rules
from app.identity.gatehouse import Gatehouse
from app.identity.models import COVER, PERMANENT, Post, User
from app.identity.people import (
    PostEntry,
    UserEntry,
    phone_place,
    post_entry,
    read_user,
    subject_of,
)  # fmt: skip
from app.identity.rules import ms_of
from app.identity.sessions import normal_login
from sync.errors import FieldError, Problem
from sync.values import Invalid, Phone

# Rights count at the time of the act: a post may not be written far back into the past.
BACKDATE_MAX = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class NewPost:
    """A post to be given."""

    role: str
    area_id: int
    starts: datetime | None = None
    ends: datetime | None = None
    reason: str = ""
    mode: str = PERMANENT
    covers: int | None = None


@dataclass(frozen=True, slots=True)
class NewUser:
    """A person to be taken on, with the first post."""

    name: str
    post: NewPost
    login: str | None = None
    password: str | None = None
    phone: str | None = None


def create_user(
    session: Session,
    house: Gatehouse,
    actor: Actor,
    new: NewUser,
    *,
    key: str | None,
    now: datetime,
) -> UserEntry:
    """Take a person on.

    Args:
        key: an Idempotency-Key; the same request again returns the same person.

    Raises:
        Problem: 404, 403, 409 or 422.
    """
    _demand_appointment(session, actor, "user.create", new.post, now)
    values = checked_account(house, new, [new.post.role])
    begin_writing(session)
    made_key = _made_key(actor, key)
    known = _known_user(session, made_key, values)
    if known is None:
        known = _insert_user(session, house, values, made_key, now)
        _insert_post(session, known, new.post, made_by=actor.user_id, made_key=None, now=now)
        audit.record(session, "user.created", user_id=actor.user_id, subject=f"user:{known}")
    return read_user(session, house.cipher, actor, known, now)


def write_user(session: Session, house: Gatehouse, new: NewUser, *, now: datetime) -> int:
    """Take a person on in the name of the operator, who stands outside the line of posts.

    Returns:
        The number of the person.

    Raises:
        Problem: 409 or 422.
    """
    _refuse(_appointment_faults(new.post, _area(session, new.post.area_id), now))
    values = checked_account(house, new, [new.post.role])
    user_id = _insert_user(session, house, values, None, now)
    _insert_post(session, user_id, new.post, made_by=None, made_key=None, now=now)
    audit.record(session, "user.created", user_id=None, subject=f"user:{user_id}")
    return user_id


def checked_account(house: Gatehouse, new: NewUser, roles: list[str]) -> dict[str, Any]:
    """Return the columns of a new person, with the password hashed.

    Raises:
        Problem: 422 with what is wrong.
    """
    faults: list[FieldError] = []
    login = normal_login(new.login) if new.login else None
    if (login is None) != (new.password is None):
        faults.append(FieldError("password" if login else "login", "required"))
    if new.password is not None:
        about = [login or "", new.name]
        if code := rules.password_fault(new.password, about=about, roles=roles, phone=new.phone):
            faults.append(FieldError("password", code))
    phone = _checked_phone(new.phone, faults)
    _refuse(faults)
    hashed = house.passwords.hash(new.password) if new.password else None
    return {"name": new.name, "login": login, "password_hash": hashed, "phone": phone}


def _checked_phone(phone: str | None, faults: list[FieldError]) -> str | None:
    try:
        return Phone().check(phone) if phone else None
    except Invalid as fault:
        faults.append(FieldError("phone", fault.code))
        return None


def _known_user(session: Session, made_key: str | None, values: dict[str, Any]) -> int | None:
    if made_key is None:
        return None
    user = session.scalars(sa.select(User).where(User.made_key == made_key)).first()
    if user and (user.name, user.login) != (values["name"], values["login"]):
        raise Problem(409, "key_reused")
    return user.id if user else None


def _insert_user(
    session: Session, house: Gatehouse, values: dict[str, Any], made_key: str | None, now: datetime
) -> int:
    phone = values["phone"]
    if phone:
        _refuse_taken(session, house.cipher.blind(phone, "user.phone"))
    user = User(
        name=values["name"], login=values["login"], password_hash=values["password_hash"],
        active=True, created=now, made_key=made_key,
        # Whoever has made the person knows the password.
        password_until=now + rules.FIRST_PASSWORD if values["password_hash"] else None,
    )  # fmt: skip
    try:
        with session.begin_nested():
            session.add(user)
            session.flush()
    except IntegrityError:
        raise _clash(session, values["login"], made_key) from None
    if phone:
        user.phone = house.cipher.seal(phone, phone_place(user.id))
        user.phone_blind = house.cipher.blind(phone, "user.phone")
        session.flush()
    return user.id


def _refuse_taken(session: Session, blind: str) -> None:
    """Refuse a telephone number that somebody else has: one account is one person.

    Raises:
        Problem: 409 ``phone_taken``.
    """
    same = sa.select(User.id).where(User.phone_blind == blind, User.active)
    if session.execute(same.limit(1)).first():
        raise Problem(409, "phone_taken")


def _clash(session: Session, login: str | None, made_key: str | None) -> Problem:
    """Tell a taken login from one request that came twice at once: its second asks again."""
    twice = sa.select(User.id).where(User.made_key == made_key)
    if login is None or (made_key and session.execute(twice).first()):
        return Problem(503, "retry")
    return Problem(409, "login_taken")


def add_post(
    session: Session, actor: Actor, user_id: int, new: NewPost, *, key: str | None, now: datetime
) -> PostEntry:
    """Give a person a further post.

    Raises:
        Problem: 404, 403, 409 or 422.
    """
    if actor.user_id == user_id:
        raise Problem(403, "not_to_yourself")
    subject = subject_of(session, user_id, ms_of(now))
    policies.demand_sight(actor, subject, ms_of(now), "user.read")
    _demand_appointment(session, actor, "assignment.create", new, now)
    made_key = _made_key(actor, key)
    # Two requests for one person wait for each other here.
    session.execute(lock_rows(sa.select(User.id).where(User.id == user_id)))
    known = _known_post(session, made_key, user_id, new)
    if known is not None:
        return post_entry(known)
    _refuse_double(session, user_id, new, now)
    made = _insert_post(session, user_id, new, made_by=actor.user_id, made_key=made_key, now=now)
    audit.record(
        session, "post.given", user_id=actor.user_id, subject=f"user:{user_id}",
        role=new.role, area=new.area_id, post=made.id,
    )  # fmt: skip
    return post_entry(made)


def end_post(session: Session, actor: Actor, post_id: int, now: datetime) -> None:
    """End a post now; one that has ended already stays as it is.

    Raises:
        Problem: 404 or 403.
    """
    found = session.execute(
        sa.select(Post, Area.path).join(Area, Area.id == Post.area_id).where(Post.id == post_id)
    ).first()
    path = found.path if found else None
    policies.demand_place(actor, "assignment.delete", path, ms_of(now))
    if found is None:
        raise Problem(404, "not_found")
    post = found.Post
    policies.demand_rank(actor, "assignment.delete", found.path, post.role, ms_of(now))
    if post.ends is not None and post.ends <= now:
        return
    post.ends = max(post.starts, now)
    session.flush()
    audit.record(
        session, "post.ended", user_id=actor.user_id, subject=f"user:{post.user_id}", post=post_id
    )


def _area(session: Session, area_id: int) -> Any:
    columns = sa.select(Area.path, Area.level, Area.valid_until)
    return session.execute(columns.where(Area.id == area_id)).first()


def _demand_appointment(
    session: Session, actor: Actor, action: str, new: NewPost, now: datetime
) -> None:
    """Refuse an appointment that the actor may not make, or that makes no sense."""
    area = _area(session, new.area_id)
    policies.demand_place(actor, action, area.path if area else None, ms_of(now))
    if area is None:
        raise Problem(404, "not_found")
    policies.demand_rank(actor, action, area.path, new.role, ms_of(now))
    faults = _appointment_faults(new, area, now)
    if new.covers is not None and not _may_be_covered(session, new, now):
        faults.append(FieldError("covers", "not_to_be_covered"))
    _refuse(faults)


def checked_place(session: Session, new: NewPost, now: datetime) -> str:
    """Return the path of the area of a new post, which must be of the right level and stand.

    Raises:
        Problem: 404 for no area, 422.
    """
    area = _area(session, new.area_id)
    if area is None:
        raise Problem(404, "not_found")
    _refuse(_appointment_faults(new, area, now))
    return str(area.path)


def write_post(session: Session, user_id: int, new: NewPost, *, made_by: int, now: datetime) -> int:
    """Give a post that two persons have agreed on; return its number.

    Raises:
        Problem: 409 ``post_held``.
    """
    session.execute(lock_rows(sa.select(User.id).where(User.id == user_id)))
    _refuse_double(session, user_id, new, now)
    return _insert_post(session, user_id, new, made_by=made_by, made_key=None, now=now).id


def _may_be_covered(session: Session, new: NewPost, now: datetime) -> bool:
    """Tell whether somebody holds a post of his own where another one is to stand in for him."""
    held = sa.select(Post.id).where(
        Post.user_id == new.covers, Post.role == new.role, Post.area_id == new.area_id,
        Post.mode == PERMANENT, sa.or_(Post.ends.is_(None), Post.ends > now),
    )  # fmt: skip
    return new.mode == COVER and session.execute(held).first() is not None


def _appointment_faults(new: NewPost, area: Any, now: datetime) -> list[FieldError]:
    faults = []
    if not rules.fits_level(new.role, area.level):
        faults.append(FieldError("area_id", "wrong_level", {"level": area.level}))
    if area.valid_until is not None and area.valid_until <= now.date():
        faults.append(FieldError("area_id", "area_has_ended"))
    starts = new.starts or now
    if starts < now - BACKDATE_MAX:
        faults.append(FieldError("starts", "too_far_back", {"days": BACKDATE_MAX.days}))
    if new.ends is not None and new.ends <= max(starts, now):
        faults.append(FieldError("ends", "too_early"))
    return faults


def _refuse(faults: list[FieldError]) -> None:
    if faults:
        raise Problem(422, "invalid_fields", errors=[fault.as_json() for fault in faults])


def _made_key(actor: Actor, key: str | None) -> str | None:
    return f"{actor.user_id}:{key}" if key else None


def _known_post(session: Session, made_key: str | None, user_id: int, new: NewPost) -> Post | None:
    if made_key is None:
        return None
    post = session.scalars(sa.select(Post).where(Post.made_key == made_key)).first()
    if post and (post.user_id, post.role, post.area_id) != (user_id, new.role, new.area_id):
        raise Problem(409, "key_reused")
    return post


def _refuse_double(session: Session, user_id: int, new: NewPost, now: datetime) -> None:
    """Refuse a post that is held already in some part of the same time."""
    overlap = sa.select(Post.id).where(
        Post.user_id == user_id, Post.role == new.role, Post.area_id == new.area_id,
        sa.or_(Post.ends.is_(None), Post.ends > (new.starts or now)),
        Post.starts < new.ends if new.ends else sa.true(),
    )  # fmt: skip
    if session.execute(overlap).first():
        raise Problem(409, "post_held")


def _insert_post(
    session: Session,
    user_id: int,
    new: NewPost,
    *,
    made_by: int | None,
    made_key: str | None,
    now: datetime,
) -> Post:
    # To the millisecond, as an actor's posts are counted.
    starts = rules.moment_of(ms_of(new.starts or now))
    post = Post(
        user_id=user_id, role=new.role, area_id=new.area_id, starts=starts, ends=new.ends,
        reason=new.reason, mode=new.mode, covers=new.covers, made_by=made_by, made_key=made_key,
    )  # fmt: skip
    session.add(post)
    session.flush()
    return post
