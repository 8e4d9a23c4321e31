"""From when a period counts: most often a column of the row, sometimes what happened elsewhere."""

from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa

from app.core.database import Base, table_of
from app.exports.models import EXPIRED, FAILED, REFUSED, Export
from app.households.consents import GIVEN
from app.households.models import Contact, Household
from app.households.service_models import Consent, ServicePerson
from app.tasks.models import Task

_households, _contacts, _tasks = table_of(Household), table_of(Contact), table_of(Task)
_persons, _consents = table_of(ServicePerson), table_of(Consent)
_exports = table_of(Export)


def _last_contact() -> Any:
    """Return when the household of a contact was last confirmed."""
    own = _households.c.id == _contacts.c.household
    return sa.select(_households.c.last_confirmed_at).where(own).scalar_subquery()


def _last_service() -> Any:
    """Return when somebody of the household was last served, or agreed to be.

    A service that has been agreed to and not begun is none that has ended.
    """
    done = sa.select(sa.func.max(_tasks.c.done_at)).where(
        _tasks.c.household == _persons.c.household
    )
    agreed = sa.select(sa.func.max(_consents.c.given_at)).where(
        _consents.c.subject == _persons.c.id
    )
    served, asked = done.scalar_subquery(), agreed.scalar_subquery()
    later = sa.case((served > asked, served), else_=sa.func.coalesce(asked, served))
    return sa.type_coerce(later, _tasks.c.done_at.type)


def _end() -> Any:
    """Return when a consent ended, or was declined; one that stands has not ended."""
    ended = sa.func.coalesce(_consents.c.withdrawn_at, _consents.c.expires_at, _consents.c.given_at)
    stands = _consents.c.state == GIVEN
    return sa.type_coerce(sa.case((stands, None), else_=ended), _consents.c.given_at.type)


_ELSEWHERE: Mapping[tuple[str, str], Callable[[], Any]] = {
    ("contact", "household.last_confirmed_at"): _last_contact,
    ("service_person", "last_service"): _last_service,
    ("consent", "end"): _end,
}
CONDITIONS: Mapping[str, tuple[sa.ColumnElement[bool], ...]] = {
    "export": (_exports.c.state.in_((EXPIRED, FAILED, REFUSED)),),
}
"""What must also be true of a row before it goes."""


def anchor_of(table: str, name: str) -> Any:
    """Return the moment from which a period counts, as an expression over a row."""
    if (table, name) in _ELSEWHERE:
        return _ELSEWHERE[table, name]()
    return Base.metadata.tables[table].c[name]
