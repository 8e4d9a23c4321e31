"""Count wrong passwords and codes for all processes, and shut a door for a while.

After five wrong attempts within fifteen minutes a door is shut for fifteen minutes. It is shut
for an account *at a network*, never for the account alone: nobody can lock somebody out from
afar. A network as a whole may fail more often, since a carrier puts thousands behind one address,
and what one account's shut door has turned away does not count against its neighbours. A computer
from which the account has signed in before is counted by itself, and no stranger's failures touch
it.

An attempt is counted, in a transaction of its own, before it is judged: a crowd of attempts at
one moment, in whatever process, would all find the door open otherwise.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import audit
from app.core.database import Database, Mode, insert_into, table_of
from app.identity.credentials import Keys, read_known
from app.identity.limiter import home_of
from app.identity.models import Attempt
from sync.errors import Problem

WRONG_MAX, WRONG_OF_NETWORK_MAX = 5, 100
WITHIN = SHUT_FOR = timedelta(minutes=15)
KEPT_FOR = timedelta(hours=1)
KEY_CHARACTERS = 32
_attempts = table_of(Attempt)


@dataclass(frozen=True, slots=True)
class Knock:
    """Who knocks at which door.

    Attributes:
        door: its name ("login", "code", …).
        keys: what is counted, the narrowest first, each with how many wrong ones it bears.
    """

    door: str
    keys: Sequence[tuple[str, int]]


def at_login(keys: Keys, account: str, address: str, known: str | None) -> Knock:
    """Return a knock at the door of passwords.

    Args:
        known: what the computer has shown of itself.
    """
    computer = read_known(known, account, keys)
    if computer is not None:
        return _knock(keys, "login", [(f"known {computer}", WRONG_MAX)])
    home = home_of(address)
    return _knock(keys, "login", [(f"{home} {account}", WRONG_MAX), (home, WRONG_OF_NETWORK_MAX)])


def at_code(keys: Keys, user_id: int, account: str, known: str | None) -> Knock:
    """Return a knock at the door of second factors, behind that of passwords.

    Whoever comes here knows the password; so here the account itself is counted.
    """
    computer = read_known(known, account, keys)
    who = f"user {user_id}" if computer is None else f"known {computer}"
    return _knock(keys, "code", [(who, WRONG_MAX)])


def at_session(keys: Keys, session_id: str) -> Knock:
    """Return a knock by somebody signed in, who shows again who he is."""
    return _knock(keys, "proof", [(session_id, WRONG_MAX)])


def _knock(keys: Keys, door: str, counted: Sequence[tuple[str, int]]) -> Knock:
    return Knock(door, [(_hidden(keys, f"{door}: {name}"), most) for name, most in counted])


def _hidden(keys: Keys, name: str) -> str:
    return hmac.digest(keys.attempt, name.encode(), hashlib.sha256).hex()[:KEY_CHARACTERS]


def enter(database: Database, knock: Knock, now: datetime) -> None:
    """Let an attempt pass, and count it as wrong until it has proved to be right.

    Raises:
        Problem: 429 with the seconds to wait.
    """
    with database.transaction(Mode.WRITE) as session:
        session.execute(sa.delete(_attempts).where(_attempts.c.since < now - KEPT_FOR))
        shut_until = _counted(session, knock, now)
    if shut_until is not None:
        wait_s = int((shut_until - now).total_seconds()) + 1
        raise Problem(429, "too_many_requests", retry_after_s=max(1, wait_s))


def _counted(session: Session, knock: Knock, now: datetime) -> datetime | None:
    """Count an attempt; return until when it is turned away, None when it may pass."""
    for place, (key, most) in enumerate(knock.keys):
        row = session.execute(_one_more(session, key, most, now)).one()
        if row.failures == most:
            audit.record(session, "auth.door_shut", user_id=None, subject=f"door:{knock.door}",
                         key=key)  # fmt: skip
        if row.failures > most:
            _take_back(session, [key for key, _ in knock.keys[:place]])
            return row.until if row.until is not None else now + SHUT_FOR
    return None


def _one_more(session: Session, key: str, most: int, now: datetime) -> sa.Executable:
    """Count one more, or begin anew when what was counted is long past."""
    c = _attempts.c
    over = sa.case((c.until.is_not(None), c.until <= now), else_=c.since <= now - WITHIN)
    too_many = sa.and_(c.until.is_(None), c.failures + 1 >= most)
    later = sa.literal(now + SHUT_FOR, c.until.type)
    shut = sa.case((over, sa.null()), (too_many, later), else_=c.until)
    first = insert_into(session, _attempts).values(key=key, failures=1, since=now, until=None)
    return first.on_conflict_do_update(
        index_elements=[c.key],
        set_={
            "failures": sa.case((over, 1), else_=c.failures + 1),
            "since": sa.case((over, sa.literal(now, c.since.type)), else_=c.since),
            "until": shut,
        },
    ).returning(c.failures, c.until)


def passed(session: Session, knock: Knock) -> None:
    """Forget the wrong attempts of whoever was right; of his network, only this one."""
    (narrowest, _), *wider = knock.keys
    session.execute(sa.delete(_attempts).where(_attempts.c.key == narrowest))
    _take_back(session, [key for key, _ in wider])


def undecided(database: Database, knock: Knock) -> None:
    """Take back an attempt that was neither right nor wrong."""
    with database.transaction(Mode.WRITE) as session:
        _take_back(session, [key for key, _ in knock.keys])


def _take_back(session: Session, keys: Sequence[str]) -> None:
    """Count one attempt less; if it had shut the door, the door is open again."""
    for_each = sa.update(_attempts).where(_attempts.c.key.in_(keys), _attempts.c.failures > 0)
    if keys:
        session.execute(for_each.values(failures=_attempts.c.failures - 1, until=None))
