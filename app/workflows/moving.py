"""Move the records of a grid to other grids: ordinary edits of the office, batch by batch.

What follows a record goes with it by itself, so only what follows nothing in the grid is named:
kind by kind, those first that others follow.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.places import areas_at
from app.core.actor import Actor
from app.core.engine import Engine, office_device
from app.core.identifiers import new_id
from app.core.moments import now_ms
from app.core.span import as_house
from app.workflows.gate import RegridGate
from sync.edits import Draft, Edit, Record
from sync.kinds import Kind, Kinds, Rule
from sync.push import Push, push
from sync.values import Position

BATCH = 100
GRID = "grid"
Place = tuple[float, float]
Choose = Callable[[Record, int | None], int | None]
"""Given a record and the grid that holds its position, return the grid it goes to, if it goes."""


@dataclass(frozen=True, slots=True)
class Moving:
    """Records on their way out of some grids, in the name of one person.

    Attributes:
        within_m: how far outside a border a position still counts.
    """

    engine: Engine
    actor: Actor
    choose: Choose
    within_m: float = 0.0
    gate: RegridGate = field(default_factory=RegridGate)

    def run(self, session: Session, grid: int) -> Iterator[int]:
        """Move what goes, and yield after each batch how many records were looked at."""
        for kind in movable(self.engine.kinds):
            after = ""
            while ids := self._ids(session, kind, grid, after):
                self._batch(session, kind, grid, ids)
                after = ids[-1]
                yield len(ids)

    @as_house()
    def _ids(self, session: Session, kind: Kind, grid: int, after: str) -> list[str]:
        t = self.engine.tables[kind.name].table.c
        found = sa.select(t.id).where(t.grid == grid, t.deleted.is_(None))
        beyond = found.where(t.id > after) if after else found
        return list(session.scalars(beyond.order_by(t.id).limit(BATCH)))

    @as_house()
    def _batch(self, session: Session, kind: Kind, grid: int, ids: Sequence[str]) -> None:
        store = self.engine.store(session)
        found = store.records([(kind.name, one) for one in ids])
        parents = store.records(_followed(kind, found.values()))
        free = [one for one in found.values() if not _stays_with(kind, one, parents, grid)]
        targets = self._targets(session, kind, free)
        moves = [(one, to) for one, to in targets if to is not None and to != grid]
        if moves:
            self._push(session, moves)

    def _targets(
        self, session: Session, kind: Kind, records: Sequence[Record]
    ) -> list[tuple[Record, int | None]]:
        places = {one.id: place for one in records if (place := place_of(kind, one.values))}
        found = areas_at(session, list(places.values()), within_m=self.within_m) if places else []
        at = {name: one.area_id for name, one in zip(places, found, strict=True) if one}
        return [(one, self.choose(one, at.get(one.id))) for one in records]

    def _push(self, session: Session, moves: Sequence[tuple[Record, int]]) -> None:
        device = office_device(session, self.actor)
        now = now_ms()
        drafts = [
            Draft(Edit(device.last_n + step, new_id(), "update", one.kind, one.id, one.rv,
                       {GRID: target}, at={"claimed": now}))
            for step, (one, target) in enumerate(moves, start=1)
        ]  # fmt: skip
        context = Push(device.id, self.actor.user_id, now, self.engine.anchors, self.gate,
                       self.engine.kinds)  # fmt: skip
        reply = push(self.engine.store(session), drafts, context)
        stuck = [one for one in reply.results if one["status"] not in ("applied", "merged")]
        assert not stuck, f"a move of the office is never refused: {stuck}"


def movable(kinds: Kinds) -> list[Kind]:
    """Return the kinds that lie in grids and are moved by themselves, the followed ones first."""
    own = [one for one in kinds.kinds
           if GRID in one.by_name and one.by_name[GRID].rule is not Rule.SERVER]  # fmt: skip
    return sorted(own, key=lambda one: (_depth(kinds, one), one.name))


def _depth(kinds: Kinds, kind: Kind) -> int:
    above = [kinds.by_name[str(one.refers)] for one in kind.following]
    return 1 + max((_depth(kinds, one) for one in above if one is not kind), default=0)


def _followed(kind: Kind, records: Any) -> set[tuple[str, str]]:
    return {
        (str(one.refers), str(record.values[one.name]))
        for one in kind.following for record in records if record.values.get(one.name)
    }  # fmt: skip


def _stays_with(
    kind: Kind, record: Record, parents: Mapping[tuple[str, str], Record], grid: int
) -> bool:
    """Tell whether what a record follows lies in the grid still: then it goes when that goes."""
    named = (parents.get((str(one.refers), str(record.values.get(one.name))))
             for one in kind.following)  # fmt: skip
    return any(one and not one.deleted and one.values.get(GRID) == grid for one in named)


def place_of(kind: Kind, values: Mapping[str, Any]) -> Place | None:
    """Return the position of a record, if it has one."""
    for one in kind.fields:
        if isinstance(one.type, Position) and values.get(one.name):
            lon, lat = values[one.name]
            return lon, lat
    return None
