"""Write the audit log as lines that a stand-alone verifier can check."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.audit.models import AuditLink
from app.audit.sealing import Sealer
from app.core.audit import AuditEvent, moment_text, shape_of
from app.core.audit_verifier import CLOSING, FORMAT, GENESIS, START, Finding, Verifier, dump
from app.core.database import Mode, table_of

PAGE_ROWS = 1_000
_events, _links = table_of(AuditEvent), table_of(AuditLink)
_PAGE = (
    sa.select(_links, *(column.label(f"e_{column.name}") for column in _events.c))
    .outerjoin_from(_links, _events, _events.c.id == _links.c.event_id)
    .order_by(_links.c.n)
    .limit(PAGE_ROWS)
)


def lines(sealer: Sealer) -> Iterator[str]:
    """Seal all that is committed, then yield the log: header, anchors, rows, signed closing."""
    sealer.seal(firm=True, sweep=True)
    # What was signed up to this moment was committed before it: the snapshot shows it.
    at = sealer.clock()
    anchors = [one for one in sealer.outside.kept() if one["at"] <= moment_text(at)]
    with sealer.database.transaction(Mode.READ) as session:
        yield from _lines(session, sealer, anchors, at)


def _lines(session: Session, sealer: Sealer, anchors: list[Any], at: datetime) -> Iterator[str]:
    first = session.scalar(sa.select(sa.func.min(_links.c.n))) or 1
    starts = {one["n"]: one["hash"] for one in anchors if one["kind"] == START}
    before = starts.get(first - 1, GENESIS)
    yield _line({"header": {"format": FORMAT, "first": first, "before": before}})
    for anchor in anchors:
        yield _line({"anchor": anchor})
    n, hash_ = first - 1, before
    for shape in _rows(session):
        n, hash_ = shape["n"], shape["hash"]
        yield _line(shape)
    closing = sealer.outside.sign(CLOSING, n, hash_, at, first=first, before=before,
                                  anchors=len(anchors))  # fmt: skip
    yield _line({"closing": closing})


def _rows(session: Session) -> Iterator[dict[str, Any]]:
    last = 0
    while page := session.execute(_PAGE.where(_links.c.n > last)).all():
        for row in page:
            yield _shape(row._mapping)
        last = page[-1].n


def _shape(row: Any) -> dict[str, Any]:
    event = {name[2:]: value for name, value in row.items() if name.startswith("e_")}
    return {
        "n": row["n"], "content": row["content"], "hash": row["hash"], "sound": row["sound"],
        "sort": row["sort"], "row": shape_of(event) if event["id"] is not None else None,
    }  # fmt: skip


def _line(shape: Any) -> str:
    return dump(shape).decode()


def verify(
    sealer: Sealer, *, known: Iterable[int] = (), keys: Iterable[bytes] = ()
) -> tuple[Verifier, list[Finding]]:
    """Verify the log of the running server against the anchors beside it.

    Args:
        known: rows to which the database was set back, as is known.
        keys: public keys of before, whose anchors count too.
    """
    present = bytes.fromhex(sealer.pen.public_key)
    verifier = Verifier([present, *keys], frozenset(known))
    log = lines(sealer)
    return verifier, verifier.verify(log, _outside(sealer))


def _outside(sealer: Sealer) -> list[str]:
    """Return the anchors beside the database and those of the second place."""
    found = sealer.outside.lines()
    copy = sealer.outside.copy
    if copy is not None and copy.exists():
        found += copy.read_text(encoding="utf-8").splitlines()
    return found
