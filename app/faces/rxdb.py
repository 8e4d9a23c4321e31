"""The face for RxDB: one kind at a time, documents down, rows with their assumed state up.

RxDB keeps what it has not pushed when a pull brings something else, so nothing need be held back.
Whatever the engine makes of a row, if the record does not say what the row says, the record is
returned as the conflict, and the phone shows it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from app.core.database import Mode
from app.core.moments import now_ms
from app.faces.cursors import Key, Numbers, Standing
from app.faces.shapes import fresh, hidden_of, whole_units, written
from app.faces.showing import Shown, Window, write_down
from app.faces.taking import CREATE, DELETE, FacePhone, Fate, change, op_of
from sync.edits import Draft
from sync.errors import Problem
from sync.kinds import Kind
from sync.wire import EDITS_MAX

Document = Mapping[str, Any]
ASSUMED, NEW = "assumedMasterState", "newDocumentState"


def _face(kind: Kind) -> str:
    return f"rxdb/{kind.name}"


def pull(phone: FacePhone, kind: Kind, number: int | None, limit: int) -> dict[str, Any]:
    """Return documents after a checkpoint, at least ``limit`` of them unless they are the last."""
    began_ms = now_ms()
    with phone.database.transaction(Mode.READ) as session:
        place = Numbers(session, phone.device, _face(kind)).find(number)
        window = Window(session, phone)
        shown = window.read(place.cursor if place else None, kinds=(kind.name,), enough=limit)
        removed = _removed(window, kind, shown, number, place)
    write_down(phone, "sync.pull", shown.put)
    documents = [_document(record, *found) for (_, record), found in shown.put.items()]
    documents += [{"id": record, "_deleted": True} for _, record in sorted(removed)]
    if documents:
        here = place or Standing(number or 0)
        moved = replace(here.moved(shown.cursor, began_ms, held=0), seen_ms=here.handed_ms)
        with phone.database.transaction(Mode.WRITE) as session:
            phone.engine.store(session).device(phone.device)
            number = Numbers(session, phone.device, _face(kind)).issue(moved)
    return {"documents": documents, "checkpoint": {"number": number or 0}}


def _removed(
    window: Window, kind: Kind, shown: Shown, number: int | None, place: Standing | None
) -> set[Key]:
    if number is None:
        return set()
    since_ms = place.handed_ms if place else 0
    if place is None:
        shown.dropped, since_ms = _once_served(window.phone)
    return window.removals(shown, kinds=(kind.name,), since_ms=since_ms)


def _once_served(phone: Any) -> tuple[list[str], int]:
    """Return the grids of which the phone may still hold records, and until when it got any."""
    now = now_ms()
    over = [post for post in phone.actor.posts if post.level == "grid" and not post.holds_at(now)]
    serving = {post.area_id for post in phone.actor.posts_at(now)}
    left = [post for post in over if post.area_id not in serving]
    scopes = sorted({f"grid:{post.area_id}" for post in left})
    return scopes, max((post.ends_ms or now for post in left), default=0)


def _document(record: str, rv: int, values: Mapping[str, Any]) -> dict[str, Any]:
    return {**values, "id": record, "rv": rv, "_deleted": False}


def push(phone: FacePhone, kind: Kind, rows: Any) -> dict[str, Any]:
    """Take rows; return the records that do not say what their rows say, as the client wants.

    Raises:
        Problem: the body has not the shape that the client sends.
    """
    pairs = list(_pairs(rows))
    hidden = hidden_of(phone.engine, phone.engine.sight(phone.actor, now_ms()), kind)
    drafts = [_draft(phone, kind, assumed, new, hidden) for assumed, new in pairs]
    fates = phone.take(drafts)
    receipts = [fate.receipt for fate in fates if fate.receipt]
    # A phone that is to erase itself may send, and reads no record by sending.
    conflicts = [] if phone.actor.draining else _conflicts(phone, pairs, drafts, fates)
    return {"conflicts": conflicts, "receipts": receipts}


def _conflicts(
    phone: FacePhone,
    pairs: Sequence[tuple[Document | None, Document]],
    drafts: Sequence[Draft],
    fates: Sequence[Fate],
) -> list[dict[str, Any]]:
    """Return the records that do not say what the phone's rows say."""
    keys = [(draft.edit.kind, draft.edit.rec) for draft in drafts]
    with phone.database.transaction(Mode.READ) as session:
        masters = Window(session, phone).records(keys)
    differing = [
        (new, key)
        for (_, new), key, fate in zip(pairs, keys, fates, strict=True)
        if fate.refused or not _says_the_same(new, masters.get(key))
    ]
    told = {key: masters[key] for _, key in differing if key in masters}
    write_down(phone, "sync.pull", told)
    return [_master(new, masters.get(key)) for new, key in differing]


def _pairs(rows: Any) -> Iterator[tuple[Document | None, Document]]:
    if not isinstance(rows, list):
        raise Problem(400, "malformed_request", pointer="")
    if len(rows) > EDITS_MAX:
        raise Problem(413, "too_large", most=EDITS_MAX, sent=len(rows))
    for index, row in enumerate(rows):
        new = row.get(NEW) if isinstance(row, dict) else None
        assumed = row.get(ASSUMED) if isinstance(row, dict) else None
        if not isinstance(new, dict) or not isinstance(assumed, dict | None):
            raise Problem(400, "malformed_request", pointer=f"/{index}")
        yield assumed, new


def _draft(
    phone: FacePhone, kind: Kind, assumed: Document | None, new: Document, hidden: frozenset[str]
) -> Draft:
    """Return the edit between what the phone took for the record and what it wants it to be."""
    device, record = phone.device, new.get("id")
    if new.get("_deleted") is True:
        base = assumed.get("rv") if assumed else None
        return change(device, DELETE, kind.name, record, {}, base)
    if assumed is None or assumed.get("_deleted") is True:
        return change(device, CREATE, kind.name, record, fresh(kind, new), 0)
    before, after = written(assumed), written(new)
    changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    values = whole_units(kind, sorted(changed), after, hidden)
    return change(device, op_of(kind.name), kind.name, record, values, assumed.get("rv"))


def _master(new: Document, found: tuple[int, Mapping[str, Any]] | None) -> dict[str, Any]:
    """Return the record as it stands for this phone; one that is not there is a deleted one."""
    if found is None:
        return {**new, "_deleted": True}
    return _document(str(new["id"]), *found)


def _says_the_same(new: Document, found: tuple[int, Mapping[str, Any]] | None) -> bool:
    if found is None or new.get("_deleted") is True:
        return found is None and new.get("_deleted") is True
    return all(found[1].get(name) == value for name, value in written(new).items())
