"""Collect what personal data a request shows, and write it down as one row before it is answered.

Whoever shows records notes them here; the guard writes the row in the request's transaction, so
that nothing personal leaves unless its row is committed, and a row that cannot be written fails
the request.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from app.core import audit
from app.core.database import begin_writing
from app.core.records import KindTable

MASKED = "masked"
_KEY = "audit_reads"
RECORDS_NAMED = 200
"""A page of a list is named record by record: a list of affected people needs no guess then."""
Counts = Mapping[str, Mapping[str, int]]


@dataclass
class Reads:
    """What has been shown so far, by kind and class of the fields: the records, each once."""

    shown: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    scopes: set[str] = field(default_factory=set)
    why: str = audit.OWN_WORK

    def add(self, kind: str, record: str, classes: Iterable[str]) -> None:
        """Note that fields of these classes of a record were shown."""
        for one in classes:
            self.shown.setdefault((kind, one), set()).add(record)

    @property
    def records(self) -> set[str]:
        """Return all records shown."""
        return set().union(*self.shown.values())

    @property
    def counts(self) -> Counts:
        """Return by kind and class how many records were shown."""
        counts: dict[str, dict[str, int]] = {}
        for (kind, one), records in sorted(self.shown.items()):
            counts.setdefault(kind, {})[one] = len(records)
        return counts


def reads_of(session: Session) -> Reads:
    """Return what has been shown in a session so far."""
    reads: Reads = session.info.setdefault(_KEY, Reads())
    return reads


def note(
    session: Session,
    table: KindTable | None,
    rows: Iterable[Mapping[str, Any]],
    *,
    masked: bool = False,
    why: str | None = None,
) -> None:
    """Note records that are shown, each with its ``id``, by the personal fields that they hold.

    Args:
        masked: their personal fields are masked, yet not all that they say is hidden.
        why: the reason that was stated, if one was asked for.
    """
    if table is None or not table.personal:
        return
    reads = reads_of(session)
    reads.why = why or reads.why
    for row in rows:
        classes = {one for name, one in table.personal.items() if row.get(name) is not None}
        if classes:
            reads.add(table.model.kind, row["id"], {MASKED} if masked else classes)
            if row.get("grid"):
                reads.scopes.add(f"grid:{row['grid']}")


def write_down(
    session: Session, action: str, user_id: int | None, *, device: str | None = None
) -> None:
    """Write the row of what a request has shown, if that was anything personal."""
    reads: Reads | None = session.info.pop(_KEY, None)
    if reads is None or not reads.shown:
        return
    begin_writing(session)
    records, scopes = sorted(reads.records), sorted(reads.scopes)
    more: dict[str, Any] = {"records": records} if 1 < len(records) <= RECORDS_NAMED else {}
    more |= {"grids": scopes} if len(scopes) > 1 else {}
    audit.record(
        session, action, user_id=user_id, sort=audit.READ, why=reads.why, device=device,
        subject=records[0] if len(records) == 1 else None,
        scope=single(scopes), reads=reads.counts,
        **more,
    )  # fmt: skip


def classes_of_kinds(
    tables: Mapping[str, KindTable],
    kinds: Mapping[str, int],
    *,
    whole: Iterable[str],
    masked: Iterable[str],
) -> dict[str, dict[str, int]]:
    """Return by kind and class how many records of these kinds a ready answer shows.

    Their bodies are not parsed for that: a kind counts with the classes that it may hold on phones.
    """
    found: dict[str, dict[str, int]] = {}
    for kind, count in sorted(kinds.items()):
        table = tables.get(kind)
        classes = set(table.on_phones.values()) if table else set()
        if classes and kind in whole:
            found[kind] = dict.fromkeys(sorted(classes), count)
        elif classes and kind in masked:
            found[kind] = {MASKED: count}
    return found


def single(scopes: Sequence[str]) -> str | None:
    """Return the one scope, None when there are several."""
    return scopes[0] if len(scopes) == 1 else None
