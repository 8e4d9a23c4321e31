"""Every state, every step, every role, over sync and over HTTP: exactly what the table says."""

import json
from typing import Any

import sqlalchemy as sa

from app.incidents.guards import GUARDS
from app.incidents.models import Incident
from app.incidents.moves import OPEN_STATES, Move, moves, steps
from app.incidents.rules import STATES, WORKFLOW
from app.incidents.stamps import STAMPS
from tests.app.core.county import County
from tests.app.identity.town import GRID
from tests.app.incidents import walk
from tests.app.incidents.walk import BY_HTTP, BY_SYNC, Wish

NOT_HIS = {"not_allowed", "transition_not_allowed", "invalid_fields", "unknown_record",
           "out_of_scope", "not_found"}  # fmt: skip
HTTP_WALKERS = ("ts", "cm", "vl", "gw", "second")


def _bodies(county: County, wanted: list[Wish]) -> dict[str, dict[str, Any]]:
    rows = county.sql(sa.select(Incident.id, Incident.body))
    named = {wish.rec for wish in wanted}
    return {row.id: json.loads(row.body) for row in rows if row.id in named}


def test_the_table_names_only_guards_stamps_and_states_that_there_are() -> None:
    for move in moves():
        assert set(move.guards) <= GUARDS.keys() and set(move.stamps) <= STAMPS.keys(), move
        assert {move.here, move.there} - {None} <= set(STATES), move


def test_no_two_rows_lead_from_one_state_to_the_same_other() -> None:
    keys = [(one.act if one.there is None else "", one.here, one.there) for one in moves()]
    assert len(keys) == len(set(keys))


def test_every_state_can_be_reached_and_every_open_one_left() -> None:
    assert {one.there for one in moves()} - {None} == set(STATES)
    assert {one.here for one in moves() if one.there} >= set(OPEN_STATES)


def test_the_workflow_of_the_engine_is_the_table() -> None:
    assert {(one.here, one.there) for one in moves() if one.there} == WORKFLOW.moves == set(steps())


def test_over_sync_each_role_makes_exactly_the_steps_that_a_phone_may_ask_for(
    county: County,
) -> None:
    county.person("second", "gw", GRID)
    wanted = list(walk.wishes())
    target = walk.set_up(county, wanted)
    taken = set()
    for who in ("gw", "second", "vl", "ts", "colleague"):
        walk.put(county, wanted)
        phone = county.phone(who)
        receipts = walk.pushed(phone, (
            ("event", wish.rec, {"base": 1, "set": walk.sent(wish, target)}) for wish in wanted
        ))  # fmt: skip
        after = _bodies(county, wanted)
        for wish, receipt in zip(wanted, receipts, strict=True):
            expected = walk.may(who, wish, walk.values_at(county, wish), BY_SYNC)
            assert (receipt["status"] == "applied") == expected, (who, wish, receipt)
            assert expected or receipt["code"] in NOT_HIS, (who, wish, receipt)
            assert after[wish.rec]["state"] == (wish.there if expected and wish.there
                                                else wish.here), (who, wish)  # fmt: skip
            taken |= {(wish.move, who)} if expected else set()
    assert {move for move, _ in taken} == {one for one in moves() if one.offline and one.here}


def test_over_http_each_role_makes_exactly_the_steps_of_the_table(county: County) -> None:
    county.person("second", "gw", GRID)
    wanted = list(walk.wishes())
    target = walk.set_up(county, wanted)
    taken: set[Move | None] = set()
    for who in HTTP_WALKERS:
        walk.put(county, wanted)
        for wish in _asked_by(who, wanted):
            values = walk.values_at(county, wish)
            expected = walk.may(who, wish, values, BY_HTTP)
            reply = _ask(county, who, wish, target)
            assert (reply.status_code == 200) == expected, (who, wish, reply.get_json())
            if expected:
                taken.add(wish.move)
                assert reply.get_json()["state"] == (wish.there or wish.here)
            else:
                assert reply.get_json()["code"] in NOT_HIS, (who, wish, reply.get_json())
    assert taken == {one for one in moves() if one.here and "clock" not in one.who}


def _asked_by(who: str, wanted: list[Wish]) -> list[Wish]:
    """Return what somebody asks over HTTP: every row; of what no row has, each by one of them.

    Over sync everybody asks for everything; one request for each would take minutes.
    """
    turn = HTTP_WALKERS.index(who)
    return [wish for n, wish in enumerate(wanted) if wish.move or n % len(HTTP_WALKERS) == turn]


def _ask(county: County, who: str, wish: Wish, target: str) -> Any:
    said = walk.sent(wish, target)
    path = f"/incidents/{wish.rec}"
    if wish.act:
        body = {"act": said["act"], "text": said["act_text"], "until": said["act_until"]}
        return county.ask(who, "POST", f"{path}/acts", body)
    names = {"state_reason": "reason", "step_level": "level", "step_until": "until",
             "step_close": "close_kind"}  # fmt: skip
    body = {names.get(name, name): value for name, value in said.items() if name != "round"}
    return county.ask(who, "POST", f"{path}/moves", body)
