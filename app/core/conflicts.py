"""Where conflicts lie, and who may settle them."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core.database import BigInt
from app.core.records import Record
from sync.edits import Record as SyncRecord
from sync.stores.tables import uuid


class ConflictRow(Record):
    """One conflict; its values are sealed in the body, these columns are for finding it."""

    __tablename__ = "conflict"
    kind = "conflict"

    record_kind: Mapped[str] = mapped_column(sa.String(40))
    record: Mapped[str] = mapped_column(uuid(), index=True)
    unit: Mapped[str] = mapped_column(sa.String(60))
    state: Mapped[str] = mapped_column(sa.String(12))
    grid: Mapped[int | None] = mapped_column(BigInt)

    __table_args__ = (sa.Index("ix_conflict_grid_state", "grid", "state"),)


class ConflictTable:
    """The store's view of conflicts."""

    table: sa.Table = ConflictRow.__table__  # type: ignore[assignment]

    def row(self, record: SyncRecord) -> dict[str, Any]:
        """Return the columns by which a conflict is found."""
        values = record.values
        return {
            "record_kind": values["kind"], "record": values["record"], "unit": values["unit"],
            "state": values["state"], "grid": grid_of_scopes(values["scopes"]),
        }  # fmt: skip


def mask_conflict(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a conflict without the two values: who may not see personal fields sees that it is."""
    sides = (side for side in ("won", "lost", "before") if values.get(side))
    bare = {side: {**values[side], "values": {}} for side in sides}
    return {**values, **bare}


def grid_of_scopes(scopes: Sequence[str] | None) -> int | None:
    """Return the grid among scopes, if there is one."""
    for scope in scopes or ():
        if scope.startswith("grid:"):
            return int(scope.removeprefix("grid:"))
    return None
