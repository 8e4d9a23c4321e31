"""Ready-made copies for phones, and the healing of copies that have gone wrong."""

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import sqlalchemy as sa
from flask import current_app
from sqlalchemy.orm import Session

from app.core.actor import Actor
from app.core.database import Database, Mode
from app.core.engine import Engine
from app.core.gate import DESK
from app.core.moments import now_ms
from app.core.sight import Sight
from app.sync_api import handed_out, kinds
from app.sync_api.cupboard import Cupboard, Kept
from app.sync_api.models import DigestAlarm, upsert
from app.sync_api.scopes import scopes_of
from app.sync_api.services import Phone
from sync import snapshot
from sync.errors import Problem
from sync.snapshot import Snapshot
from sync.store import ScopeState, Store
from sync.verify import Finding, Question, verify

log = logging.getLogger("wangge")
_WITH_PARKED = ("grid:", f"{DESK}:")


@dataclass(frozen=True)
class Taker:
    """Whoever takes a ready-made copy; such a request names no device, only its phone."""

    database: Database
    engine: Engine
    actor: Actor
    device: str = ""


@dataclass(frozen=True)
class CopyRoom:
    """Where copies are made, kept and handed out."""

    database: Database
    engine: Engine
    cupboard: Cupboard

    def copy_of(self, actor: Actor, scope: str, tag: str | None) -> Snapshot:
        """Return a copy of a scope as an actor may see it: that of a tag if it can still be had.

        Raises:
            Problem: 404 when the scope is not his, or there is nothing in it.
        """
        with self.database.transaction(Mode.READ) as session:
            sight = self._granted(session, actor, scope)
            found = self._kept(self.engine.store(session), scope, self._name(scope, sight), tag)
        return found or self._made(scope, sight)

    def hand_out(self, actor: Actor, copy: Snapshot) -> None:
        """Write down that a copy is handed out, before it is."""
        with self.database.transaction(Mode.WRITE) as session:
            shown = handed_out.of_scope(session, copy.scope, copy.ver)
            handed_out.write_down(session, Taker(self.database, self.engine, actor),
                                  "sync.snapshot", shown)  # fmt: skip

    def _granted(self, session: Session, actor: Actor, scope: str) -> Sight:
        now = now_ms()
        if scope not in scopes_of(session, actor, now):
            raise Problem(404, "not_found")
        return self.engine.sight(actor, now)

    def _kept(self, store: Store, scope: str, sight: str, tag: str | None) -> Snapshot | None:
        """Return a copy from the cupboard, if one is worth giving."""
        state = store.scopes([scope]).get(scope)
        if state is None:
            raise Problem(404, "not_found")
        epoch = store.epoch()
        wanted = [one for one in self.cupboard.find(epoch, scope, sight)
                  if _is_wanted(one, state, tag)]  # fmt: skip
        for kept in sorted(wanted, key=lambda one: one.tag != tag):
            if not store.purged(scope, kept.ver):
                return self.cupboard.open(kept, epoch, scope)
            # The erasure was ordered on another machine: here, too, the copy must go.
            kept.path.unlink(missing_ok=True)
        return None

    def _made(self, scope: str, sight: Sight) -> Snapshot:
        """Make a copy anew, unless somebody else just has."""
        name = self._name(scope, sight)
        with self.cupboard.making(scope, name):
            with self.database.transaction(Mode.READ) as session:
                store = self.engine.store(session)
                copy = self._kept(store, scope, name, None)
                if copy:
                    return copy
                copy = snapshot.make(store, scope, sight.body)
            assert copy is not None, "a scope that has a state can be copied"
            self.cupboard.put(copy, name)
            self._mind_purges(copy)
            return copy

    def _mind_purges(self, copy: Snapshot) -> None:
        """Throw a copy away again if something in it was erased while it was made."""
        with self.database.transaction(Mode.READ) as session:
            purged = self.engine.store(session).purged(copy.scope, copy.ver)
        if purged:
            self.cupboard.forget(copy.scope)

    def forget(self, scopes: Iterable[str]) -> None:
        """Throw away what lies ready of scopes, after something in them was erased by law."""
        for scope in scopes:
            self.cupboard.forget(scope)

    def _name(self, scope: str, sight: Sight) -> str:
        """Name what a sight shows of a scope, as the declarations of this release have it.

        Where parked edits lie, whoever sees more of his own than of others' has a copy of his own.
        """
        veils = sorted((kind, veil.fields) for kind, veil in sight.veils.items())
        alone = scope.startswith(_WITH_PARKED) and (veils or not sight.parked)
        shown = f"{sorted(sight.whole)}/{sorted(sight.masked)}/{veils}"
        return f"{self._release}/{shown}/{sight.parked}/{sight.user if alone else 0}"

    @cached_property
    def _release(self) -> str:
        text = kinds.as_text(kinds.describe(self.engine))
        return hashlib.sha256(text.encode()).hexdigest()


def _is_wanted(kept: Kept, state: ScopeState, tag: str | None) -> bool:
    """Tell whether a copy may be handed out; who resumes one may have an older one."""
    if tag == kept.tag:
        return state.floor <= kept.ver <= state.ver
    return snapshot.still_good(kept.ver, state)


def current_copies() -> CopyRoom:
    """Return the copies of the running application."""
    room: CopyRoom = current_app.extensions["wangge_copies"]
    return room


def check(phone: Phone, question: Question) -> Finding:
    """Find what differs in a phone's copy; a difference is an alarm, which is counted.

    Raises:
        Problem: 404 for an unknown device or scope, 409 when the scope has moved on.
    """
    with phone.database.transaction(Mode.READ) as session:
        phone.own(session)
        now = now_ms()
        if question.scope not in scopes_of(session, phone.actor, now):
            raise Problem(404, "not_found")
        project = phone.engine.sight(phone.actor, now).body
        finding = verify(phone.engine.store(session), question, project)
        handed_out.write_down(session, phone, "sync.verify", finding.shown)
    if finding.buckets:
        _alarm(phone, question, finding)
    return finding


def _alarm(phone: Phone, question: Question, finding: Finding) -> None:
    """Count that a digest was wrong, which must never be; without any content."""
    log.warning(
        "digest wrong: device %s, scope %s, version %s, %s of 64 buckets",
        phone.device, question.scope, finding.ver, len(finding.buckets),
    )  # fmt: skip
    row = {
        "device": phone.device,
        "alarms": 1,
        "buckets": len(finding.buckets),
        "last_ms": now_ms(),
    }
    with phone.database.transaction(Mode.WRITE) as session:
        session.execute(upsert(session, row))


def receipts(phone: Phone, after_n: int, limit: int) -> tuple[list[object], int]:
    """Return receipts of a phone's own device from the ledger, and the number expected next.

    Raises:
        Problem: 404 ``unknown_device``.
    """
    with phone.database.transaction(Mode.READ) as session:
        device = phone.own(session)
        store = phone.engine.store(session)
        return list(store.receipts(device.id, after_n=after_n, limit=limit)), device.last_n + 1


def alarms(session: Session) -> list[tuple[str, int, int, int]]:
    """Return the devices whose digest was ever wrong, the latest first."""
    t = DigestAlarm
    columns = (t.device, t.alarms, t.buckets, t.last_ms)
    rows = session.execute(sa.select(*columns).order_by(t.last_ms.desc()).limit(1000))
    return [(row[0], row[1], row[2], row[3]) for row in rows]


def settle_alarms(session: Session) -> int:
    """Forget the alarms that there are; return how many devices they were of."""
    return len(session.execute(sa.delete(DigestAlarm).returning(DigestAlarm.device)).all())
