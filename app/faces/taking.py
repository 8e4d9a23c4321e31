"""Take changes that carry no edit ids: know again what came before, and give the rest ids.

A client pushes a row until it hears that it arrived. So whatever a device says about a record is
held against what it said before: what is no news is answered with the first receipt, and the
rest becomes one edit whose id follows from the device's last word on the record and the new one.
Merging, rights and receipts are the engine's alone.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy.orm import Session

from app.faces.memory import Own, Said, bases_of, said_before
from app.sync_api.services import Phone
from sync.conflicts import CONFLICT
from sync.edits import Draft, Edit
from sync.kinds import Kind
from sync.parking import OPEN_STATES
from sync.push import PushReply
from sync.values import as_identity
from sync.wire import EDITS_MAX, FIELDS_MAX, NAME_MAX, WHOLE_MAX

UNKNOWN_BASE = -1
NAMESPACE = uuid.UUID("6f0c3f0e-2f5b-5c0e-9a57-1f2a4f0d7c11")
DELETE, CREATE, UPDATE, RESOLVE = "delete", "create", "update", "resolve"


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one change.

    Attributes:
        receipt: of its edit, new or known; None when there was nothing to do at all.
        laid_aside: it had been parked and a human has discarded it.
    """

    receipt: Mapping[str, Any] | None
    known: bool = False
    laid_aside: bool = False

    @property
    def refused(self) -> bool:
        """Tell whether it waits for a human."""
        waits = self.receipt is not None and self.receipt["status"] in OPEN_STATES
        return waits and not self.laid_aside

    @property
    def stands(self) -> bool:
        """Tell whether the record now says, in a new version, what was wanted."""
        return self.receipt is not None and self.receipt["status"] == "applied" and not self.known


def change(
    device: str, op: str, kind: str, record: Any, values: Mapping[str, Any], base: Any
) -> Draft:
    """Return a change that a client pushed, as a draft without number and id.

    Args:
        record: the id as the client made it; one that is no UUID is parked under one.
        base: the version it rests on; anything but a whole number counts as not known.
    """
    known = as_identity(record)
    name = known or str(uuid.uuid5(NAMESPACE, f"{device}/{record!r}"))
    seen = base if type(base) is int and 0 <= base <= WHOLE_MAX else UNKNOWN_BASE
    edit = Edit(0, "", op, kind[:NAME_MAX], name, seen, dict(values))
    if known is None:
        return Draft(edit, "malformed_edit", ({"field": "rec", "code": "not_an_id"},))
    if len(values) > FIELDS_MAX or not all(0 < len(one) <= NAME_MAX for one in values):
        raw = {"raw": {"id": name, **values}}
        bare = replace(edit, set={}, was=raw)
        return Draft(bare, "malformed_edit", ({"field": "set", "code": "not_an_object"},))
    return Draft(edit)


@dataclass(frozen=True)
class FacePhone(Phone):
    """A phone behind a face: its changes are numbered here, within the transaction.

    Attributes:
        seen_ms: when that was handed out on which changes rest that name no version.
    """

    kinds: Mapping[str, Kind] = field(default_factory=dict)
    seen_ms: int = 0

    def take(self, changes: Sequence[Draft]) -> list[Fate]:
        """Apply changes, in their order; what is refused is parked and blocks no other.

        Raises:
            Problem: the request cannot be taken, or a phone that is to erase itself has sent
                nothing more.
        """
        fates: list[Fate] = []
        for first in range(0, len(changes), EDITS_MAX) if changes else (0,):
            some = changes[first : first + EDITS_MAX]
            reply = self.push(some)
            self.demand_work(some, reply)
            results = reply.results
            fates += [_fate(draft, result) for draft, result in zip(some, results, strict=True)]
        return fates

    def apply(self, session: Session, drafts: Sequence[Draft]) -> PushReply:
        """Number what is new and apply it; answer what is known."""
        device = self.engine.store(session).device(self.device)
        numbered = self._numbered(session, drafts, device.last_n if device else 0)
        reply = super().apply(session, [one for one in numbered if isinstance(one, Draft)])
        new = iter(reply.results)
        results: list[Mapping[str, Any]] = [
            {"receipt": next(new)} if isinstance(one, Draft) else _known(one) for one in numbered
        ]
        return replace(reply, results=results)

    def _numbered(
        self, session: Session, drafts: Sequence[Draft], last_n: int
    ) -> list[Draft | Said | None]:
        records = sorted({draft.edit.rec for draft in drafts})
        who = Own(self.device, self.actor.enrolment)
        said = said_before(session, self.engine.seal, who, records)
        asking = sorted({one.edit.rec for one in drafts if one.edit.base == UNKNOWN_BASE})
        bases = bases_of(session, who, asking, seen_ms=self.seen_ms)
        numbered: list[Draft | Said | None] = []
        for draft in drafts:
            before = [one for one in said.get(draft.edit.rec, ()) if one.kind == draft.edit.kind]
            found = _news(draft, before, bases.get(draft.edit.rec), self.kinds)
            if isinstance(found, Draft):
                last_n += 1
                found = replace(found, edit=_with_id(found.edit, before, self.device, last_n))
            numbered.append(found)
        return numbered


def _known(said: Said | None) -> Mapping[str, Any]:
    if said is None:
        return {"receipt": None}
    return {"receipt": said.receipt, "known": True, "laid_aside": said.laid_aside}


def _fate(draft: Draft, result: Mapping[str, Any]) -> Fate:
    """Return the fate of a change; to delete what is not there for this phone comes to nothing."""
    fate = Fate(**result) if "receipt" in result else Fate(result)
    absent = fate.receipt is not None and fate.receipt.get("code") == "unknown_record"
    return Fate(None) if absent and draft.edit.op == DELETE else fate


def _news(
    draft: Draft, before: Sequence[Said], base: int | None, kinds: Mapping[str, Kind]
) -> Draft | Said | None:
    """Return what a change adds to what was said before, or else the last word on the same.

    None is left of the deletion of a record of which nobody has ever heard.
    """
    edit = draft.edit
    if edit.base == UNKNOWN_BASE:
        if edit.op == DELETE and base is None and not before:
            return None
        edit = replace(edit, base=base or 0)
    if draft.code:
        same = [one for one in before if one.op == edit.op and one.set == edit.set]
        return same[-1] if same else replace(draft, edit=edit)
    if edit.op == DELETE:
        return _deletion(edit, before)
    created = [one for one in before if one.op == CREATE]
    if edit.op == CREATE and created:
        if created[-1].refused:
            is_same = created[-1].set == edit.set
            return created[-1] if is_same else Draft(replace(edit, base=0))
        emptied = {name: None for one in before for name in one.set if name not in edit.set}
        edit = replace(edit, op=UPDATE, base=created[-1].rv, set={**edit.set, **emptied})
    if edit.op in (CREATE, RESOLVE):
        same = [one for one in before if (one.op, one.set) == (edit.op, edit.set)]
        return same[-1] if same else Draft(replace(edit, base=0) if edit.op == CREATE else edit)
    return _change(edit, before, kinds.get(edit.kind))


def _deletion(edit: Edit, before: Sequence[Said]) -> Draft | Said | None:
    if before and before[-1].op == DELETE and edit.base <= before[-1].known_until:
        return before[-1]
    return Draft(edit)


def _change(edit: Edit, before: Sequence[Said], kind: Kind | None) -> Draft | Said | None:
    """Leave out the units about which this was taken before, and nothing newer seen since.

    What was refused before was refused whole: only the same again is no news.
    """
    taken = {name: one for one in before if not one.refused for name in one.set}
    units: dict[str, list[str]] = {}
    for name in edit.set:
        units.setdefault(kind.unit_of(name) if kind else name, []).append(name)
    news = {
        name: edit.set[name]
        for names in units.values()
        if not all(_repeats(edit, name, taken.get(name)) for name in names)
        for name in names
    }
    if not news:
        return taken[list(edit.set)[-1]] if edit.set else None
    refused = [
        one for one in before
        if one.refused and one.set == news and edit.base <= one.known_until
    ]  # fmt: skip
    return refused[-1] if refused else Draft(replace(edit, set=news))


def _repeats(edit: Edit, name: str, said: Said | None) -> bool:
    """Tell whether a field says again what it said, of a version that was known then."""
    return said is not None and said.set[name] == edit.set[name] and edit.base <= said.known_until


def _with_id(edit: Edit, before: Sequence[Said], device: str, n: int) -> Edit:
    """Give an edit its number, and the id that follows from what was said before it."""
    last = before[-1].id if before else device
    name = f"{last}/{edit.kind}/{edit.rec}/{edit.digest()}"
    return replace(edit, n=n, id=str(uuid.uuid5(NAMESPACE, name)))


def op_of(kind: str) -> str:
    """Return how a client changes a record of a kind: a conflict is resolved, others updated."""
    return RESOLVE if kind == CONFLICT.name else UPDATE
