"""Incidents in every state, and what the table says of each step somebody might ask for."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from app.core.identifiers import new_id
from app.core.moments import as_text, now_ms
from app.incidents.models import Incident
from app.incidents.moves import Move, act_names, acts, steps
from app.incidents.rules import RANK_OF_LEVEL, STATES, UNIT_STATES, held_rank
from sync.replica import EDITS_MAX
from tests.app.core.county import GARBAGE, County, SyncPhone, incident
from tests.app.identity.town import GRID

LEVEL = "township"
WALKERS = ("gw", "second", "vl", "ts", "cm", "colleague")
"""The reporter; a second worker of the grid, who handles it; the office; one of another grid."""
ROLE = {"gw": "gw", "second": "gw", "vl": "vl", "ts": "ts", "cm": "cm"}
RANK = {"gw": "grid", "second": "grid", "vl": "village", "ts": "township", "cm": "county"}
HANDLED = ("claimed", "in_progress", "hung", "answered", "checked", "rework", "closed",
           "followed_up")  # fmt: skip
BY_SYNC, BY_HTTP = "sync", "http"
DETAILS = {
    "reason": {"state_reason": "见说明"}, "tried": {"state_reason": "已联系两次"},
    "result": {"result_text": "已处理"}, "review_date": {"step_until": "2030-01-02T00:00:00Z"},
    "close_kind": {"step_close": "normal"}, "next_level": {"step_level": "county"},
    "scores": {"score_service": 5, "score_result": 4},
}  # fmt: skip


@dataclass(frozen=True)
class Wish:
    """One thing that somebody might ask of an incident in some state."""

    rec: str
    here: str
    there: str | None = None
    act: str | None = None

    @property
    def move(self) -> Move | None:
        """Return the row of the table, if it has one."""
        if self.there:
            return steps().get((self.here, self.there))
        return acts().get((str(self.act), self.here))


def wishes() -> Iterator[Wish]:
    """Yield every state with every other state, and with every act."""
    for here in STATES:
        for there in STATES:
            yield Wish(new_id(), here, there=there)
        for act in act_names():
            yield Wish(new_id(), here, act=act)


def values_at(county: County, wish: Wish) -> dict[str, Any]:
    """Return the fields of an incident that has come to a state."""
    handled = wish.here in HANDLED
    asked = "asked" if "extension" in str(wish.act) and wish.act != "ask_extension" else None
    return {
        "state": wish.here, "round": 0, "level": LEVEL, "reporter": county.ids["gw"],
        "unit": GRID if wish.here in (*UNIT_STATES, "closed", "followed_up") else None,
        "handler": county.ids["second"] if handled else None,
        "handlers": [county.ids["second"]] if handled else None, "extension": asked,
        "closed_at": as_text(now_ms()) if wish.here in ("closed", "followed_up") else None,
        "merged_into": None, "result_text": None,
    }  # fmt: skip


def set_up(county: County, wanted: list[Wish]) -> str:
    """Make an incident for each wish, and one more to merge into; return that one's id."""
    phone, target = county.phone("gw"), new_id()
    drafts = [incident(state="draft", category=GARBAGE) for _ in range(len(wanted) + 1)]
    recs = [target, *(wish.rec for wish in wanted)]
    receipts = pushed(phone, (("create", rec, {"set": draft})
                              for rec, draft in zip(recs, drafts, strict=True)))  # fmt: skip
    assert {one["status"] for one in receipts} == {"applied"}
    return target


def pushed(phone: SyncPhone, edits: Iterable[tuple[str, str, dict[str, Any]]]) -> list[Any]:
    """Push edits of incidents, as many in one request as it takes, and return their receipts."""
    made = [phone.edit(op, "incident", rec, **more) for op, rec, more in edits]
    return [receipt for chunk in batched(made, EDITS_MAX) for receipt in phone.push(*chunk)]


def batched(edits: list[Any], most: int) -> Iterator[list[Any]]:
    """Yield edits in pieces."""
    for start in range(0, len(edits), most):
        yield edits[start : start + most]


def put(county: County, wanted: list[Wish]) -> None:
    """Put every incident into its state, as if nothing had happened to it since."""
    table = Incident.__table__
    [row] = county.sql(sa.select(table).where(table.c.id == wanted[0].rec))
    body = json.loads(row.body)
    first = json.dumps({"*": next(iter(json.loads(row.marks).values()))[:4]})
    names = ("body", "rv", "state", "marks", "round", "merged_into")
    update = (
        sa.update(table)
        .where(table.c.id == sa.bindparam("wanted"))
        .values({name: sa.bindparam(f"new_{name}") for name in names})
    )
    rows = [
        {"wanted": wish.rec, "new_body": json.dumps({**body, **values_at(county, wish)}),
         "new_rv": 1, "new_state": wish.here, "new_marks": first, "new_round": 0,
         "new_merged_into": None}
        for wish in wanted
    ]  # fmt: skip
    with county.database.engine.begin() as connection:
        connection.execute(update, rows)


def details(move: Move | None, target: str) -> dict[str, Any]:
    """Return what must come with a step, so that only the table can refuse it."""
    given: dict[str, Any] = {}
    for guard in move.guards if move else ("reason", "result"):
        given |= DETAILS.get(guard, {})
    if move and "target" in move.guards:
        given["merged_into"] = target
    return given


def sent(wish: Wish, target: str) -> dict[str, Any]:
    """Return the fields of the edit that asks for it."""
    if wish.act:
        return {"act": wish.act, "act_text": "请延期", "act_until": "2030-01-02T00:00:00Z"}
    rework = wish.here is not None and wish.there in ("dispatched", "rework")
    return {"state": wish.there, "round": int(rework), **details(wish.move, target)}


def may(who: str, wish: Wish, values: dict[str, Any], way: str) -> bool:
    """Tell from the table alone whether somebody may have his wish."""
    move = wish.move
    if move is None or who not in ROLE or (way == BY_SYNC and not move.offline):
        return False
    hats = {ROLE[who], *({"worker"} if ROLE[who] == "gw" else ())}
    hats |= {"reporter"} if who == "gw" else set()
    hats |= {"handler"} if who == "second" and values["handler"] else set()
    hats |= {"unit"} if ROLE[who] == "gw" and values["unit"] else set()
    return bool(hats & set(move.who)) and _stands_high_enough(who, move, values)


def _stands_high_enough(who: str, move: Move, values: dict[str, Any]) -> bool:
    rank = RANK_OF_LEVEL[RANK[who]]
    if "at_level" in move.guards and rank < RANK_OF_LEVEL[LEVEL]:
        return False
    if "above" in move.guards and rank <= held_rank(values, "grid" if values["unit"] else None):
        return False
    return not ("not_own_answer" in move.guards and who == "second")
