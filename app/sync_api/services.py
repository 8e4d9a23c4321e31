"""Take what a phone sends, and answer with what it has not seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.orm import Session

from app.core import audit
from app.core.actor import Actor
from app.core.database import Database, Mode, lost_a_race
from app.core.engine import ATTEMPTS_MAX, Engine
from app.core.identifiers import new_id
from app.core.moments import now_ms
from app.core.records import sync_tables
from app.core.standby import StandbyAway
from app.identity.gatehouse import current_gatehouse
from app.identity.orders import wipe_order
from app.sync_api import handed_out
from app.sync_api.erasures import upkeep_of
from app.sync_api.scopes import lingering, scopes_of
from sync.edits import Device, Draft
from sync.errors import Problem, Stale
from sync.pull import PAGE_BYTES, Page, Pull, pull
from sync.push import PushReply

REFUSED = "database_refused"


@dataclass(frozen=True, slots=True)
class Wish:
    """How a phone wants its page.

    Attributes:
        bytes: about how many, at most.
        mark_every: after how many rows a cursor, 0 for none between them.
        brief: what left a scope by brief names.
    """

    bytes: int = PAGE_BYTES
    mark_every: int = 0
    brief: bool = False


@dataclass(frozen=True)
class Phone:
    """The server's side of one phone's request, whose actor the guard has let in."""

    database: Database
    engine: Engine
    actor: Actor
    device: str

    def push(self, drafts: Sequence[Draft]) -> PushReply:
        """Apply edits; a batch that the database itself refuses is tried again one by one.

        Raises:
            Problem: the request cannot be taken.
        """
        try:
            return self._push(drafts)
        except (exc.IntegrityError, exc.DataError):
            return self._one_by_one(drafts)

    def _push(self, drafts: Sequence[Draft]) -> PushReply:
        for _ in range(ATTEMPTS_MAX):
            try:
                with self.database.transaction(Mode.MERGE) as session:
                    return self.apply(session, drafts)
            except Stale:
                continue
            except exc.OperationalError as error:
                if not lost_a_race(error):
                    raise
        raise Problem(503, "retry")

    def apply(self, session: Session, drafts: Sequence[Draft]) -> PushReply:
        """Apply edits in the open transaction, as this phone's.

        Raises:
            Problem: 404 ``unknown_device`` when the device is not of this enrolment, and others.
        """
        enrolment = self._enrolment()
        return self.engine.push(
            session, self.actor, self.device, drafts, now_ms(), enrolment=enrolment
        )

    def _one_by_one(self, drafts: Sequence[Draft]) -> PushReply:
        """Find the edit that the database refuses and park it; the others go through."""
        results: list[Mapping[str, Any]] = []
        for draft in drafts:
            try:
                reply = self._push([draft])
            except (exc.IntegrityError, exc.DataError):
                reply = self._push([replace(draft, code=REFUSED)])
            results += reply.results
        return PushReply(reply.expected, reply.last_id, results)

    def pull(self, cursor: str | None, wish: Wish) -> Page:
        """Return the next page, from one snapshot; that it was read is written down before.

        Raises:
            Problem: 403 ``device_drain``: this phone may only send.
        """
        with self.database.transaction(Mode.READ) as session:
            page = self.page(session, cursor, wish)
            handed_out.write_down(session, self, "sync.pull", page.shown)
        self.acknowledge(page.wiped)
        return page

    def acknowledge(self, wiped: Mapping[str, int]) -> None:
        """Write down which erasures the phone says by its cursor that it has carried out."""
        if wiped:
            with self.database.transaction(Mode.WRITE) as session:
                upkeep_of(session, self.engine).wiped(self.device, wiped, now_ms())

    def pull_anywhere(self, cursor: str | None, wish: Wish) -> Page:
        """Return the next page, from the standby if that holds what the phone has seen."""
        page = self._ask_standby(cursor, wish)
        if page is None:
            return self.pull(cursor, wish)
        # A standby cannot be written to: the row stands in the database before the page leaves.
        handed_out.write_down_apart(self, "sync.pull", page.shown)
        self.acknowledge(page.wiped)
        return page

    def _ask_standby(self, cursor: str | None, wish: Wish) -> Page | None:
        """Return a page of the standby, None when the database itself must be asked.

        A standby that is behind the cursor would begin a scope anew, and one that has not heard
        of a grant would drop it: only the database itself may tell a phone so.
        """
        standby = self.database.standby
        if standby is None:
            return None
        try:
            with standby.reading() as session:
                page = self.page(session, cursor, wish)
        except (StandbyAway, Problem):
            return None
        return None if page.reset or page.drop else page

    def page(self, session: Session, cursor: str | None, wish: Wish) -> Page:
        """Return the next page, as the caller's snapshot shows it.

        Raises:
            Problem: 403 ``device_drain``: this phone may only send.
        """
        if self.actor.draining:
            raise Problem(403, "device_drain")
        device = self.own(session)
        now = now_ms()
        scopes = scopes_of(session, self.actor, now)
        request = Pull(
            scopes, cursor, device, wish.bytes, self.engine.sight(self.actor, now).body,
            wish.mark_every, brief=wish.brief, linger=partial(lingering, session, scopes),
        )  # fmt: skip
        return pull(self.engine.store(session), request)

    def demand_work(self, drafts: Sequence[Draft], reply: PushReply) -> None:
        """Order a phone that may only send, and has nothing left to send, to erase itself.

        Raises:
            Problem: 403 ``device_wipe``.
        """
        if self.actor.draining and not drafts:
            keys = current_gatehouse().keys
            raise wipe_order(keys, self._enrolment(), expected=reply.expected)

    def own(self, session: Session) -> Device:
        """Return the device, after checking that it belongs to this enrolment.

        Raises:
            Problem: 404 ``unknown_device``.
        """
        device = self.engine.store(session).standing(self.device)
        owner = (self.actor.user_id, self._enrolment())
        if device is None or (device.user, device.enrolment) != owner:
            raise Problem(404, "unknown_device")
        return device

    def _enrolment(self) -> str:
        if self.actor.enrolment is None:
            raise Problem(404, "unknown_device")
        return self.actor.enrolment


def add_device(session: Session, actor: Actor, *, app: str, schema: int) -> str:
    """Give an enrolled phone a new device id, at its first contact or after a fork.

    Raises:
        Problem: 403 when the caller is not an enrolled phone.
    """
    if actor.enrolment is None:
        raise Problem(403, "not_allowed", action="sync.push")
    device = new_id()
    audit.record(session, "device.named", user_id=actor.user_id, device=device,
                 subject=f"device:{actor.enrolment}")  # fmt: skip
    session.execute(
        sa.insert(sync_tables.device).values(
            id=device,
            user_id=actor.user_id,
            enrolment=actor.enrolment,
            last_n=0,
            last_ms=0,
            app=app,
            schema=schema,
            made_ms=now_ms(),
        )
    )
    return device


def want_bytes(body: Mapping[str, Any]) -> int:
    """Return how many bytes of records a phone wants.

    Raises:
        Problem: 400 when it says something else.
    """
    wanted = body.get("want_bytes", PAGE_BYTES)
    if type(wanted) is not int or not 0 < wanted < 2**40:
        raise Problem(400, "malformed_request", pointer="/want_bytes")
    return wanted
