"""Write the people of the demo with their posts; one for each role signs in with a password."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.cipher import Cipher
from app.demo.day import CHINA
from app.demo.people import Account, accounts_of, name_of, phone_of
from app.demo.plan import CityPlan
from app.identity import factors
from app.identity.models import Post, User
from app.identity.passwords import Passwords
from app.identity.people import phone_place

LOGINS: Final = {
    "gw": "worker",
    "vl": "village",
    "ts": "township",
    "cm": "county",
    "au": "auditor",
    "da": "devices",
}
PASSWORD: Final = "huanghe-36-shuiche"
FACTOR: Final = "WANGGE2DEMO3HUANGHE4SHUICHE5ABCD"
"""The second factor of all of them; everybody knows it, and a demo stands nowhere else."""
ROLE_OF_LEVEL: Final = {
    "grid": "gw",
    "village": "vl",
    "township": "ts",
    "county": "cm",
    "city": "cm",
}
BESIDE_THE_LINE: Final = ("au", "da")
IN_OFFICE_SINCE: Final = datetime(2020, 7, 1, tzinfo=CHINA)
MADE_BY_DEMO: Final = "demo:"


def write_staff(
    session: Session, plan: CityPlan, areas: Mapping[str, int], cipher: Cipher, now: datetime
) -> dict[str, int]:
    """Write the people who do not stand yet, and return the ids of all, by key."""
    staff = list(_staff(plan))
    ids = _known(session)
    new = [account for account, _ in staff if account.key not in ids]
    ids |= _insert(session, new, now)
    _add_phones(session, new, ids, cipher)
    keys = {account.key for account in new}
    posts = [_post(account, role, ids, areas) for account, role in staff if account.key in keys]
    if posts:
        session.execute(sa.insert(Post), posts)
    return ids


def open_logins(
    session: Session, plan: CityPlan, ids: Mapping[str, int], cipher: Cipher, now: datetime
) -> None:
    """Let the first holder of each role sign in, unless the login belongs to somebody."""
    taken = set(session.scalars(sa.select(User.login).where(User.login.in_(LOGINS.values()))))
    passwords = Passwords()
    for role, key in _first_of_role(plan).items():
        if LOGINS[role] not in taken:
            values = {"login": LOGINS[role], "password_hash": passwords.hash(PASSWORD)}
            session.execute(sa.update(User).where(User.id == ids[key]).values(values))
            factors.set_secret(session, cipher, ids[key], FACTOR, step=0, now=now)


def _staff(plan: CityPlan) -> Iterator[tuple[Account, str]]:
    """Yield everybody with the role: those of the plan, an auditor and a device admin."""
    for account in accounts_of(plan):
        yield account, ROLE_OF_LEVEL[account.level]
    city = plan.divisions[0].code
    for role in BESIDE_THE_LINE:
        key = f"{city}{role}"
        yield Account(key, name_of(key), phone_of(key), "city", city, role), role


def _first_of_role(plan: CityPlan) -> dict[str, str]:
    """Return the key of the first person of each role; managers of counties before the city."""
    first: dict[str, str] = {}
    for account, role in _staff(plan):
        if role != "cm" or account.level == "county":
            first.setdefault(role, account.key)
    return first


def _known(session: Session) -> dict[str, int]:
    """Return the people the demo made before, by key."""
    query = sa.select(User.made_key, User.id).where(User.made_key.startswith(MADE_BY_DEMO))
    found = session.execute(query)
    return {str(row.made_key).removeprefix(MADE_BY_DEMO): row.id for row in found}


def _insert(session: Session, accounts: Sequence[Account], now: datetime) -> dict[str, int]:
    """Insert people and return their ids by key."""
    if not accounts:
        return {}
    rows = [
        {"name": one.name, "created": now, "active": True, "made_key": MADE_BY_DEMO + one.key}
        for one in accounts
    ]
    statement = sa.insert(User).returning(User.id, sort_by_parameter_order=True)
    ids = session.scalars(statement, rows)
    return {account.key: user_id for account, user_id in zip(accounts, ids, strict=True)}


def _add_phones(
    session: Session, accounts: Sequence[Account], ids: Mapping[str, int], cipher: Cipher
) -> None:
    """Seal the telephone numbers, which takes the ids that the insert has given."""
    rows = [
        {
            "id": ids[one.key],
            "phone": cipher.seal(one.phone, phone_place(ids[one.key])),
            "phone_blind": cipher.blind(one.phone, "user.phone"),
        }
        for one in accounts
    ]
    if rows:
        session.execute(sa.update(User), rows)


def _post(
    account: Account, role: str, ids: Mapping[str, int], areas: Mapping[str, int]
) -> dict[str, Any]:
    return {
        "user_id": ids[account.key],
        "role": role,
        "area_id": areas[account.area_code],
        "starts": IN_OFFICE_SINCE,
        "reason": account.duty,
        "mode": "permanent",
        "made_key": MADE_BY_DEMO + account.key,
    }
