"""The evening of the day: every phone against the server, and the numbers against the phones."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from app.areas.models import Area
from app.core.conflicts import ConflictTable
from app.core.database import Mode
from app.core.engine import current_engine
from app.core.moments import now_ms
from app.core.records import sync_tables
from app.core.sight import Sight
from app.numbers.counting import counts_by_grid
from app.numbers.definitions import NUMBERS
from app.numbers.periods import Period, period_of
from app.phone import lane
from sync.conflicts import CONFLICT
from sync.digest import as_hex, scope_digest
from tests.prove.day_desks import SUPERVISOR
from tests.prove.day_stage import Hand, Stage
from tests.prove.day_tally import tally

LET_GO = ("already_claimed",)
"""Why an edit of the day may wait for somebody: two have wanted the same."""
Key = tuple[str, str]
Rows = dict[Key, tuple[int, dict[str, Any]]]


def violations(stage: Stage) -> list[str]:
    """Return all that is not as it should be."""
    found = list(stage.faults)
    for check in (_at_rest, _nothing_lost, _nothing_waits, _feeds_hold_records, _phones_equal,
                  _all_entered, _numbers_as_counted, _numbers_as_told):  # fmt: skip
        found += check(stage)
    return found


def states(stage: Stage) -> dict[str, dict[str, int]]:
    """Count where the day's incidents and tasks stand in the evening, as their phones show it."""
    found: dict[str, dict[str, int]] = {}
    for kind, moment in (("incident", "reported_at"), ("task", "done_at")):
        rows = {rec: values for hand in stage.hands
                for rec, (_, values) in hand.phone.replica.memory.rows(kind).items()}  # fmt: skip
        today = (one for one in rows.values() if (one.get(moment) or "") >= stage.begun)
        found[kind] = dict(sorted(Counter(one["state"] for one in today).items()))
    return found


def _at_rest(stage: Stage) -> Iterator[str]:
    """Every phone has sent all it had, and no digest was ever wrong."""
    for hand in stage.hands:
        replica = hand.phone.replica
        left = {
            "edits": len(replica.outbox()), "photos": len(lane.waiting(hand.phone)),
            "alarms": len(replica.alarms), "healed": replica.memory.recall("healed", 0),
        }  # fmt: skip
        if any(left.values()):
            yield f"{hand.key} is not at rest: {left}"


def _nothing_lost(stage: Stage) -> Iterator[str]:
    """Every edit that was ever made is in the ledger or waits for somebody."""
    with stage.database.transaction(Mode.READ) as session:
        there = set(session.scalars(sa.select(sync_tables.ledger.c.edit)))
        there |= set(session.scalars(sa.select(sync_tables.parked.c.edit)))
    for hand in stage.hands:
        lost = hand.phone.made.keys() - there
        kinds = sorted({hand.phone.made[name][1] for name in lost})
        if lost:
            yield f"{hand.key}: {len(lost)} edits lost, of {kinds}"


def _nothing_waits(stage: Stage) -> Iterator[str]:
    """Nothing is parked but what two have wanted at once."""
    t = sync_tables.parked.c
    with stage.database.transaction(Mode.READ) as session:
        rows = session.execute(
            sa.select(t.edit, t.kind, t.code, t.body).where(t.code.not_in(LET_GO))
        )
        for edit, kind, code, body in rows:
            whole = current_engine().seal.open("parked", edit, body)
            yield f"an edit of a {kind} waits: {code}: {whole}"


# -- phones -----------------------------------------------------------------------------------


def _feeds_hold_records(stage: Stage) -> Iterator[str]:
    """Whatever lies in a grid is in the feed of that grid, at its present version."""
    t = sync_tables.feed.c
    with stage.database.transaction(Mode.READ) as session:
        query = sa.select(t.scope, t.kind, t.record, t.rv).where(t.op == "put")
        feed = {tuple(row) for row in session.execute(query)}
        for kind, table in current_engine().tables.items():
            columns = table.table.c
            if "grid" not in columns or kind == "emergency_order":
                continue
            lying = sa.select(columns.id, columns.rv, columns.grid).where(
                columns.deleted.is_(None), columns.grid.is_not(None)
            )
            for record, rv, grid in session.execute(lying):
                if (f"grid:{grid}", kind, record, rv) not in feed:
                    yield f"{kind} {record} is not in the feed of its grid"


def _phones_equal(stage: Stage) -> Iterator[str]:
    """Every phone holds just what its scopes hold, by digest and value by value."""
    engine = current_engine()
    with stage.database.transaction(Mode.READ) as session:
        t = sync_tables.scope.c
        digests = {row.scope: row.digest for row in session.execute(sa.select(t.scope, t.digest))}
        users = [stage.cast.users[hand.key] for hand in stage.hands]
        actors = engine.actors(session, users)
        held = {key for hand in stage.hands for key in _rows(hand)}
        bodies = _bodies(session, held)
    for hand, user in zip(stage.hands, users, strict=True):
        memory = hand.phone.replica.memory
        for scope in memory.recall("scopes", []):
            own = as_hex(scope_digest(memory.shown(scope)))
            if own != as_hex(digests.get(scope, 0)):
                yield f"{hand.key} differs from the server in {scope}"
        yield from _values_apart(hand, bodies, engine.sight(actors[user], now_ms()))


def _rows(hand: Hand) -> Rows:
    kinds = [*current_engine().tables, CONFLICT.name]
    return {(kind, rec): row for kind in kinds
            for rec, row in hand.phone.replica.memory.rows(kind).items()}  # fmt: skip


def _bodies(session: Any, held: set[Key]) -> dict[Key, tuple[int, str]]:
    """Return version and body of the records that phones hold, as the server keeps them."""
    engine, found = current_engine(), {}
    tables = {**{name: one.table for name, one in engine.tables.items()},
              CONFLICT.name: ConflictTable().table}  # fmt: skip
    for kind, table in tables.items():
        wanted = {rec for name, rec in held if name == kind}
        if not wanted:
            continue
        query = sa.select(table.c.id, table.c.rv, table.c.body).where(table.c.deleted.is_(None))
        for rec, rv, body in session.execute(query):
            if rec in wanted:
                found[kind, rec] = (rv, engine.seal.open(kind, rec, body))
    return found


def _values_apart(hand: Hand, bodies: Mapping[Key, tuple[int, str]], sight: Sight) -> Iterator[str]:
    for key, (rv, values) in _rows(hand).items():
        there = bodies.get(key)
        if there is None:
            yield f"{hand.key} holds {key}, which is not there"
        elif (rv, values) != (there[0], json.loads(sight.body(key[0], there[1]))):
            yield f"{hand.key} holds {key} otherwise than the server"


# -- numbers ----------------------------------------------------------------------------------


def _all_entered(stage: Stage) -> Iterator[str]:
    """All arrivals have been entered that workers have written down."""
    table = current_engine().tables["emergency_entry"].table
    with stage.database.transaction(Mode.READ) as session:
        there = session.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
    entered = sum(hand.entered for hand in stage.hands)
    if there != entered or not entered:
        yield f"{entered} entries were made, {there} are there"


def _numbers_as_counted(stage: Stage) -> Iterator[str]:
    """In each grid with phones the server counts what can be counted on a phone of it."""
    now = datetime.now(UTC)
    period = period_of("day", stage.day, now)
    counted = _counted(stage, period)
    for grid in stage.grids:
        phone = stage.of_grid(grid)[0].phone
        kinds = ("household", "task", "incident")
        rows = {kind: [values for _, values in phone.replica.memory.rows(kind).values()]
                for kind in kinds}  # fmt: skip
        own = tally(rows, period)
        theirs = counted[stage.cast.areas[grid.code]]
        for code, cell in own.items():
            if theirs[code] != cell:
                yield f"{grid.code} {code}: {theirs[code]} counted, {cell} on its phones"


def _counted(stage: Stage, period: Period) -> dict[int, dict[str, tuple[int, ...]]]:
    """Return the cells of all grids of the township, nothing hidden."""
    with stage.database.transaction(Mode.READ) as session:
        path = session.scalar(sa.select(Area.path).where(Area.id == stage.township))
        assert path is not None
        rows = counts_by_grid(session, path, NUMBERS, period)
    return {int(row.path.rstrip(".").rpartition(".")[2]): _cells(row.parts) for row in rows}


def _cells(parts: Sequence[int]) -> dict[str, tuple[int, ...]]:
    values = iter(parts)
    return {one.code: tuple(next(values) for _ in range(1 if one.met is None else 2))
            for one in NUMBERS}  # fmt: skip


def _numbers_as_told(stage: Stage) -> Iterator[str]:
    """The table that the township is shown adds up to the counts of its grids."""
    desk = stage.desk(SUPERVISOR)
    shown = desk.ask("GET", f"/numbers?area={stage.township}&period=day&day={stage.day}")
    counted = _counted(stage, period_of("day", stage.day, datetime.now(UTC)))
    for line in shown["numbers"]:
        cells = [cells[line["code"]] for cells in counted.values()]
        sums = [sum(parts) for parts in zip(*cells, strict=True)]
        total = line["total"]
        if not total["hidden"] and total["numerator"] != sums[0]:
            yield f"{line['code']}: {total['numerator']} shown, {sums[0]} counted"
