"""Find households that may be taken down twice: here with what the asker may see, elsewhere blind.

Numbers and addresses are compared by their keyed hashes, so that nothing has to be opened. Of what
lies beyond the asker's reach he learns one thing only: that it is known elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.services import paths_of
from app.core import policy
from app.core.actor import Actor
from app.core.engine import current_engine
from app.core.moments import now_ms
from app.core.records import living
from app.core.span import as_house
from app.households.models import Contact, Household
from app.households.rules import plain_address
from sync.values import Invalid, Phone

SEARCH = "resident.search_blind"
SUGGESTIONS_MAX = 5
LOOKED_AT_MAX = 50
PHONE, ADDRESS = "phone", "address"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A household within reach that looks the same, and by what."""

    household: str
    grid: int
    same: str


@dataclass(frozen=True, slots=True)
class Found:
    """What looks the same.

    Attributes:
        candidates: within the asker's reach.
        elsewhere: something beyond his reach does; his supervisor can see what.
    """

    candidates: Sequence[Candidate]
    elsewhere: bool


@as_house()
def find(session: Session, actor: Actor, *, phone: str | None, address: dict[str, Any]) -> Found:
    """Look for households with the same telephone number or the same address, in two statements."""
    rows = [*_by_phone(session, phone), *_by_address(session, address)]
    paths = paths_of(session, {row.grid for row in rows})
    within = [row for row in rows if _sees(actor, paths.get(row.grid))]
    unique = list(dict.fromkeys(within))
    return Found(unique[:SUGGESTIONS_MAX], elsewhere=len(within) < len(rows))


def _sees(actor: Actor, path: str | None) -> bool:
    return policy.decide(actor, SEARCH, path=path, own=False, at_ms=now_ms()).allowed


def _by_phone(session: Session, phone: str | None) -> list[Candidate]:
    try:
        number = Phone().check(phone) if phone else None
    except Invalid:
        number = None
    if number is None:
        return []
    # a sealed column hashes under its own name
    blinds = current_engine().tables[Contact.kind].blinds("phone", number)
    rows = session.execute(
        sa.select(Contact.household, Contact.grid)
        .where(Contact.phone_blind.in_(blinds), living(Contact))
        .limit(LOOKED_AT_MAX)
    )
    return [Candidate(row[0] or "", row[1] or 0, PHONE) for row in rows]


def _by_address(session: Session, address: dict[str, Any]) -> list[Candidate]:
    plain = plain_address(address)
    if plain is None:
        return []
    blinds = current_engine().tables[Household.kind].blinds("address_blind", plain)
    rows = session.execute(
        sa.select(Household.id, Household.grid)
        .where(Household.address_blind.in_(blinds), living(Household))
        .limit(LOOKED_AT_MAX)
    )
    return [Candidate(row[0], row[1] or 0, ADDRESS) for row in rows]
