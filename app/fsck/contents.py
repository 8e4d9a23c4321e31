"""Checks of contents: sealed, readable, in their scopes, in a state that there is."""

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from app.core.records import KindTable, sync_tables
from app.fsck.place import CONFLICT, Check, Place
from sync.conflicts import CONFLICT as CONFLICTS
from sync.kinds import Kind
from sync.store import PUT

_feed, _ledger = sync_tables.feed, sync_tables.ledger
SEALED_BYTES_LEAST = 1 + 12 + 16


def _values(place: Place, kind: str) -> Iterator[tuple[str, Mapping[str, Any] | None]]:
    """Yield the values of all records of a kind; None for one that cannot be opened."""
    table = place.tables[kind]
    for name, body in place.rows(sa.select(table.c.id, table.c.body).where(
        table.c.deleted.is_(None)
    )):  # fmt: skip
        try:
            yield str(name), json.loads(place.engine.seal.open(kind, str(name), body))
        except Exception:
            # A wrong key, a changed byte, a torn text: all of them mean that nobody can read it.
            yield str(name), None


def bodies_open(place: Place) -> Iterator[str]:
    """Every record can be read with the key of this server."""
    for kind in place.tables:
        yield from (f"{kind} {name}" for name, values in _values(place, kind) if values is None)


def columns_open(place: Place) -> Iterator[str]:
    """Every sealed column can be opened at its place."""
    for kind, one in place.engine.tables.items():
        names = _sealed(one)
        if not names:
            continue
        for row in place.rows(sa.select(one.table.c.id, *(one.table.c[name] for name in names))):
            for name in names:
                if not _opens(place, one, name, row):
                    yield f"{kind}.{name} {row.id}"


def _sealed(one: KindTable) -> list[str]:
    return [name for name, declared in one.declared.items() if declared.sealed]


def _opens(place: Place, one: KindTable, name: str, row: Any) -> bool:
    text = getattr(row, name)
    if text is None:
        return True
    try:
        place.engine.cipher.open(text, f"{one.table.name}/{name}/{row.id}")
    except Exception:
        # As above: whatever the reason, it is out of reach.
        return False
    return True


def nothing_plain(place: Place) -> Iterator[str]:
    """No body of a kind that is sealed lies open: not in its table, not in the ledger."""
    open_kinds = place.engine.seal.open_kinds
    for kind, table in place.tables.items():
        if kind in open_kinds:
            continue
        for name, body in place.rows(sa.select(table.c.id, table.c.body)):
            if not is_sealed(body):
                yield f"{kind} {name}"
    asked = sa.select(_ledger.c.edit, _ledger.c.kind).where(
        _ledger.c.kind.not_in(open_kinds), _ledger.c.body.like("{%")
    )
    for edit, kind in place.rows(asked):
        yield f"edit {edit} of {kind}"


def is_sealed(text: str) -> bool:
    """Tell whether a text looks like one that was sealed."""
    try:
        return len(base64.b64decode(text, validate=True)) >= SEALED_BYTES_LEAST
    except (binascii.Error, ValueError):
        return False


def in_their_scopes(place: Place) -> Iterator[str]:
    """Each record is shown in the scopes that its values name, and in no other."""
    f = _feed.c
    shown: dict[tuple[str, str], set[str]] = {}
    for scope, kind, record in place.rows(sa.select(f.scope, f.kind, f.record).where(f.op == PUT)):
        shown.setdefault((kind, str(record)), set()).add(scope)
    for kind in place.tables:
        for name, values in _values(place, kind):
            if values is None:
                continue
            wanted = set(_kind(place, kind).scopes(values))
            if shown.get((kind, name), set()) != wanted:
                yield f"{kind} {name}"


def _kind(place: Place, kind: str) -> Kind:
    found = CONFLICTS if kind == CONFLICT else place.engine.kinds.get(kind)
    assert found is not None, "every table is one of a kind"
    return found


def states_known(place: Place) -> Iterator[str]:
    """Every record with a workflow stands in a state of its table."""
    for kind in place.engine.tables:
        workflow = _kind(place, kind).workflow
        if workflow is None:
            continue
        for name, values in _values(place, kind):
            if values is not None and values.get("state") not in workflow.ranks:
                yield f"{kind} {name}"


def conflicts_hold_both(place: Place) -> Iterator[str]:
    """Each conflict holds what won and what lost, with their authors."""
    for name, values in _values(place, CONFLICT):
        if values is None:
            continue
        sides = [values.get("won"), values.get("lost")]
        if not all(isinstance(side, dict) and "values" in side for side in sides):
            yield f"conflict {name}"


CHECKS = (
    Check("bodies_open", (19,), "记录均可用密钥读取", "every record can be read", bodies_open),
    Check("columns_open", (19,), "密封字段均可打开", "sealed fields open", columns_open),
    Check("nothing_plain", (19,), "应密封的内容无明文", "nothing sealed lies in plain",
          nothing_plain),
    Check("in_their_scopes", (9,), "记录只在所属范围内", "records are in their scopes",
          in_their_scopes),
    Check("states_known", (15,), "状态均在流程表内", "states are those of the table", states_known),
    Check("conflicts_hold_both", (7,), "冲突双方俱在", "conflicts hold both sides",
          conflicts_hold_both),
)  # fmt: skip
