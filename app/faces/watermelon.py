"""The face for WatermelonDB: whole rows both ways, a number for a cursor, pull before push.

A pulled deletion destroys what the phone has not sent yet. So removals wait while there may be
unsent work: for one round, in which the phone pushes, or until it says that nothing is unsent.
A round that holds something back does not move the cursor: the next one sends it all again. What
has been erased by law waits for nobody.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from app.core.database import Mode
from app.core.moments import now_ms
from app.core.sight import Sight
from app.faces.cursors import Key, Numbers, Standing
from app.faces.shapes import flat, fresh, hidden_of, unflat, whole_units
from app.faces.showing import Shown, Window, write_down
from app.faces.taking import CREATE, DELETE, FacePhone, Fate, change, op_of
from sync.edits import Draft
from sync.errors import Problem
from sync.kinds import Kind

FACE = "watermelon"
HOLD_ROUNDS_MAX = 10
ROWS_MAX = 5_000
EVERYTHING = 2**31
LISTS = ("created", "updated", "deleted")


@dataclass(frozen=True, slots=True)
class Ask:
    """What a phone says when it pulls.

    Attributes:
        number: its ``lastPulledAt``; None at the first sync.
        kinds: the tables that it has.
        migrated: tables that it has since its last sync, or that have got new columns.
        unsent: whether it holds unsent work; None when it does not say.
    """

    number: int | None
    kinds: Collection[str]
    migrated: Collection[str]
    unsent: bool | None


@dataclass
class Round:
    """What one pull would send: records shown, and what must go."""

    shown: Shown
    removed: set[Key]
    replaces: bool = False

    @property
    def removes(self) -> bool:
        """Tell whether something would leave the phone."""
        return self.replaces or bool(self.removed)


def pull(phone: FacePhone, ask: Ask) -> dict[str, Any]:
    """Return what a phone has not seen, in the shape that ``synchronize()`` wants."""
    began_ms = now_ms()
    with phone.database.transaction(Mode.READ) as session:
        place = Numbers(session, phone.device, FACE).find(ask.number)
        round_ = _look(Window(session, phone), ask, place)
    phone.acknowledge(round_.shown.wiped)
    sends_all = not round_.removes or ask.unsent is False or _has_waited(place, ask)
    number = _number(phone, ask, place, round_, began_ms=began_ms, held=not sends_all)
    if not sends_all:
        round_ = replace(round_, removed=round_.shown.erased, replaces=False)
    write_down(phone, "sync.pull", round_.shown.put)
    answer = {"changes": _changes(phone, ask, round_), "timestamp": number,
              "more": not round_.shown.complete}  # fmt: skip
    return {**answer, "experimentalStrategy": "replacement"} if round_.replaces else answer


def _look(window: Window, ask: Ask, place: Standing | None) -> Round:
    cursor = place.cursor if place else None
    shown = window.read(cursor, kinds=ask.kinds, enough=1)
    round_ = Round(shown, set())
    if ask.number is not None and (shown.anew or cursor is None):
        whole = window.read(None, kinds=ask.kinds, enough=EVERYTHING)
        round_ = Round(whole, set(), replaces=whole.complete)
    elif place:
        round_.removed = window.removals(shown, kinds=ask.kinds, since_ms=place.handed_ms)
    if ask.migrated:
        anew = window.read(None, kinds=ask.migrated, enough=EVERYTHING)
        round_.shown.put = {**anew.put, **round_.shown.put}
    wanted = {key for key in place.again if key[0] in ask.kinds} if place else set()
    again = wanted - round_.shown.put.keys()
    found = window.records(again)
    round_.shown.put |= found
    round_.removed |= again - found.keys()
    return round_


def _has_waited(place: Standing | None, ask: Ask) -> bool:
    """Tell whether removals have been held back long enough for unsent work to arrive."""
    if place is None or not place.held:
        return False
    return place.pushed or ask.unsent is None or place.held >= HOLD_ROUNDS_MAX


def _number(
    phone: FacePhone,
    ask: Ask,
    place: Standing | None,
    round_: Round,
    *,
    began_ms: int,
    held: bool,
) -> int:
    """Return the number that stands for what the phone will have after this round."""
    here = place or Standing(ask.number or 0)
    cursor = here.cursor if held else round_.shown.cursor
    settled = ask.unsent is not True or here.pushed
    is_same = place is not None and not (held or here.held or here.again)
    if is_same and cursor == here.cursor:
        if settled and here.seen_ms != here.handed_ms:
            with phone.database.transaction(Mode.WRITE) as session:
                Numbers(session, phone.device, FACE).see(here)
        return here.number
    seen_ms = here.handed_ms if settled else here.seen_ms
    moved = here.moved(cursor, began_ms, held=here.held + 1 if held else 0)
    with phone.database.transaction(Mode.WRITE) as session:
        phone.engine.store(session).device(phone.device)
        numbers = Numbers(session, phone.device, FACE)
        return numbers.issue(replace(moved, seen_ms=seen_ms))


def _changes(phone: FacePhone, ask: Ask, round_: Round) -> dict[str, Any]:
    """Return the records by table; all living ones are `updated`, even those never seen before.

    As `created`, a phone's own row that it has deleted meanwhile would rise again.
    """
    tables: dict[str, Any] = {name: {one: [] for one in LISTS} for name in ask.kinds}
    for (name, record), (rv, values) in round_.shown.put.items():
        row = {**flat(phone.kinds[name], values), "id": record, "rv": rv}
        tables[name]["updated"].append(row)
    for name, record in sorted(round_.removed):
        tables[name]["deleted"].append(record)
    return tables


@dataclass(frozen=True, slots=True)
class Sent:
    """One change as a phone sent it: of which table, under which id, and the draft made of it."""

    table: str
    id: Any
    draft: Draft

    @property
    def key(self) -> Key:
        """Return the record."""
        return self.draft.edit.kind, self.draft.edit.rec


def push(phone: FacePhone, number: int, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Take the rows of a phone; what is refused is named and stays as it is on the phone.

    Raises:
        Problem: the body has not the shape that the client sends.
    """
    sent = list(_sent(phone, changes))
    if len(sent) > ROWS_MAX:
        raise Problem(413, "too_large", most=ROWS_MAX, sent=len(sent))
    with phone.database.transaction(Mode.READ) as session:
        place = Numbers(session, phone.device, FACE).find(number)
    phone = replace(phone, seen_ms=place.seen_ms if place else 0)
    fates = phone.take([one.draft for one in sent])
    again = [one.key for one, fate in zip(sent, fates, strict=True) if _shows_again(fate)]
    if place:
        with phone.database.transaction(Mode.WRITE) as session:
            numbers = Numbers(session, phone.device, FACE)
            numbers.take(numbers.find(number) or place, again)
    rejected: dict[str, list[Any]] = {}
    for one, fate in zip(sent, fates, strict=True):
        if fate.refused:
            rejected.setdefault(one.table, []).append(one.id)
    receipts = [fate.receipt for fate in fates if fate.receipt]
    return {"experimentalRejectedIds": rejected, "receipts": receipts}


def _shows_again(fate: Fate) -> bool:
    """Tell whether the phone's row may differ from the record without another version of it."""
    return not (fate.refused or fate.stands)


def _sent(phone: FacePhone, changes: Mapping[str, Any]) -> Iterator[Sent]:
    """Yield the changes: new rows first, those that others name before those that name them."""
    tables = [*(name for name in phone.kinds if name in changes),
              *(name for name in changes if name not in phone.kinds)]  # fmt: skip
    for name in tables:
        _check_table(name, changes[name])
    sight = phone.engine.sight(phone.actor, now_ms())
    for part in LISTS:
        for name in tables:
            for row in changes[name].get(part, ()):
                yield _one(phone, sight, name, part, row)


def _check_table(name: str, table: Any) -> None:
    if not isinstance(table, dict):
        raise Problem(400, "malformed_request", pointer=f"/{name[:60]}")
    for part in LISTS:
        rows = table.get(part, [])
        is_listed = isinstance(rows, list) and all(
            isinstance(row, str if part == "deleted" else dict) for row in rows
        )
        if not is_listed:
            raise Problem(400, "malformed_request", pointer=f"/{name[:60]}/{part}")


def _one(phone: FacePhone, sight: Sight, table: str, part: str, row: Any) -> Sent:
    device, kind = phone.device, phone.kinds.get(table)
    if part == "deleted":
        return Sent(table, row, change(device, DELETE, table, row, {}, None))
    record = row.get("id")
    if kind is None:
        return Sent(table, record, change(device, CREATE, table, record, row, 0))
    plain = unflat(kind, row)
    if part == "created":
        return Sent(table, record, change(device, CREATE, table, record, fresh(kind, plain), 0))
    return Sent(table, record, _updated(phone, sight, kind, plain))


def _updated(phone: FacePhone, sight: Sight, kind: Kind, row: Mapping[str, Any]) -> Draft:
    """Return the edit in a changed row: only the columns that ``_changed`` names are meant."""
    record, base, names = row.get("id"), row.get("rv"), row.get("_changed")
    if not isinstance(names, str):
        draft = change(phone.device, op_of(kind.name), kind.name, record, row, base)
        return replace(draft, code="malformed_edit",
                       errors=({"field": "_changed", "code": "required"},))  # fmt: skip
    changed = [name for name in names.split(",") if name and name not in ("id", "rv")]
    values = whole_units(kind, changed, row, hidden_of(phone.engine, sight, kind))
    return change(phone.device, op_of(kind.name), kind.name, record, values, base)


def tables_of(kinds: Mapping[str, Kind], named: str | None) -> list[str]:
    """Return the tables that a phone has: those named with commas, or all.

    Raises:
        Problem: 404 when one is not known.
    """
    wanted = [name for name in (named or "").split(",") if name] or list(kinds)
    for name in wanted:
        if name not in kinds:
            raise Problem(404, "unknown_kind", kind=name[:60])
    return list(dict.fromkeys(wanted))
