"""The faces over HTTP: allowed, forbidden, unknown, malformed, resent, for each door."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
import sqlalchemy as sa

from app.core.identifiers import new_id
from app.core.records import sync_tables
from app.faces.cursors import KEPT
from app.faces.models import FaceCursor
from app.faces.watermelon import HOLD_ROUNDS_MAX
from tests.app.core.county import County, SyncPhone, centre, household
from tests.app.identity.town import GRID, NEXT_VILLAGE_GRID, answer, outcome

WATERMELON = "/sync/faces/watermelon/sync"
DOORS = [
    ("GET", WATERMELON, None),
    ("POST", f"{WATERMELON}?last_pulled_at=0", {}),
    ("GET", "/sync/faces/rxdb/household/pull", None),
    ("POST", "/sync/faces/rxdb/household/push", []),
]


def _with_device(path: str, device: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}device={device}"


def _pull(phone: SyncPhone, number: int = 0, **more: Any) -> dict[str, Any]:
    query = "".join(f"&{name}={value}" for name, value in more.items())
    path = f"{WATERMELON}?device={phone.device}&last_pulled_at={number}{query}"
    reply = phone.county.ask(phone.who, "GET", path)
    assert reply.status_code == 200, reply.get_data(as_text=True)
    shown: dict[str, Any] = reply.get_json()
    return shown


def _push(phone: SyncPhone, number: int, **tables: Mapping[str, list[Any]]) -> dict[str, Any]:
    path = f"{WATERMELON}?device={phone.device}&last_pulled_at={number}"
    reply = phone.county.ask(phone.who, "POST", path, tables)
    assert reply.status_code == 200, reply.get_data(as_text=True)
    shown: dict[str, Any] = reply.get_json()
    return shown


def _rxdb(phone: SyncPhone, method: str, path: str, body: Any = None) -> dict[str, Any]:
    reply = phone.county.ask(phone.who, method, f"/sync/faces/rxdb/{path}", body)
    assert reply.status_code == 200, reply.get_data(as_text=True)
    shown: dict[str, Any] = reply.get_json()
    return shown


def _new(**more: Any) -> dict[str, Any]:
    return {"id": new_id(), "_status": "created", "_changed": "", **household(**more)}


def _changed(row: Mapping[str, Any], **values: Any) -> dict[str, Any]:
    return {**row, **values, "_status": "updated", "_changed": ",".join(values)}


def _mate(county: County) -> SyncPhone:
    """Return the phone of somebody else who serves the same grid."""
    county.person("mate", "gw", GRID)
    return county.another_phone("mate")


def _ledger(county: County, device: str) -> int:
    t = sync_tables.ledger
    count = sa.select(sa.func.count()).select_from(t).where(t.c.device == device)
    return int(county.sql(count)[0][0])


@pytest.mark.parametrize(("method", "path", "body"), DOORS)
def test_each_door_knows_who_asks(county: County, method: str, path: str, body: Any) -> None:
    phone, other = county.phone("gw"), county.phone("colleague")
    own = _with_device(path, phone.device)
    assert county.ask(phone.who, method, own, body).status_code == 200
    assert outcome(county.ask(None, method, own, body)) == (401, "token_missing")
    assert outcome(county.ask("cm", method, own, body)) == (403, "not_allowed")
    assert outcome(county.ask("gw", method, own, body)) == (404, "unknown_device")
    foreign = county.ask(phone.who, method, _with_device(path, other.device), body)
    absent = county.ask(phone.who, method, _with_device(path, new_id()), body)
    assert (foreign.status_code, foreign.get_data()) == (404, absent.get_data())


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("GET", f"{WATERMELON}", None, (422, "invalid_fields")),
        ("GET", f"{WATERMELON}?device=D&last_pulled_at=-1", None, (422, "invalid_fields")),
        ("GET", f"{WATERMELON}?device=D&last_pulled_at={2**60}", None, (422, "invalid_fields")),
        ("GET", f"{WATERMELON}?device=D&tables=secrets", None, (404, "unknown_kind")),
        ("GET", f"{WATERMELON}?device=D&migration=[", None, (400, "malformed_request")),
        ("GET", f'{WATERMELON}?device=D&migration={{"from":1}}', None, (400, "malformed_request")),
        ("POST", f"{WATERMELON}?device=D", {}, (422, "invalid_fields")),
        ("POST", f"{WATERMELON}?device=D&last_pulled_at=0", [], (400, "malformed_request")),
        ("POST", f"{WATERMELON}?device=D&last_pulled_at=0", {"household": []},
         (400, "malformed_request")),
        ("POST", f"{WATERMELON}?device=D&last_pulled_at=0", {"household": {"created": [1]}},
         (400, "malformed_request")),
        ("POST", f"{WATERMELON}?device=D&last_pulled_at=0", {"household": {"deleted": [{}]}},
         (400, "malformed_request")),
        ("GET", "/sync/faces/rxdb/secrets/pull?device=D", None, (404, "unknown_kind")),
        ("GET", "/sync/faces/rxdb/household/pull?device=D&limit=0", None, (422, "invalid_fields")),
        ("POST", "/sync/faces/rxdb/secrets/push?device=D", [], (404, "unknown_kind")),
        ("POST", "/sync/faces/rxdb/household/push?device=D", {}, (400, "malformed_request")),
        ("POST", "/sync/faces/rxdb/household/push?device=D", [{}], (400, "malformed_request")),
        ("POST", "/sync/faces/rxdb/household/push?device=D",
         [{"newDocumentState": {}, "assumedMasterState": 1}], (400, "malformed_request")),
        ("POST", "/sync/faces/rxdb/household/push?device=D",
         [{"newDocumentState": {}}] * 101, (413, "too_large")),
    ],
)  # fmt: skip
def test_what_has_another_shape_is_refused_with_a_code(
    county: County, method: str, path: str, body: Any, expected: tuple[int, str]
) -> None:
    phone = county.phone("gw")
    path = path.replace("device=D", f"device={phone.device}")
    assert answer(county.ask(phone.who, method, path, body)) == expected


def test_a_row_comes_back_as_updated_and_never_as_created(county: County) -> None:
    phone, row = county.phone("gw"), _new()
    assert _push(phone, 0, household={"created": [row]})["experimentalRejectedIds"] == {}
    table = _pull(phone)["changes"]["household"]
    assert (table["created"], table["deleted"]) == ([], [])
    assert [(one["id"], one["rv"]) for one in table["updated"]] == [(row["id"], 1)]


def test_only_the_columns_named_as_changed_are_an_edit(county: County) -> None:
    phone, native, row = county.phone("gw"), _mate(county), _new()
    _push(phone, 0, household={"created": [row]})
    native.act("update", "household", row["id"], base=1, set={"occupancy": "empty"})
    stale = _changed({**row, "rv": 1}, building="9")
    [receipt] = _push(phone, 1, household={"updated": [stale]})["receipts"]
    assert receipt["status"] == "merged"
    shown = county.ask("gw", "GET", f"/households/{row['id']}").get_json()
    assert (shown["occupancy"], shown["building"], shown["unit_room"]) == ("empty", "9", "2-501")


def test_a_row_that_does_not_say_what_changed_is_parked_whole(county: County) -> None:
    phone, row = county.phone("gw"), _new()
    _push(phone, 0, household={"created": [row]})
    bare = {name: value for name, value in row.items() if name != "_changed"}
    taken = _push(phone, 1, household={"updated": [{**bare, "building": "9", "rv": 1}]})
    assert taken["receipts"][0]["code"] == "malformed_edit"
    assert taken["experimentalRejectedIds"] == {"household": [row["id"]]}


def test_rows_sent_again_are_answered_with_the_same_receipts(county: County) -> None:
    phone, row, bad = county.phone("gw"), _new(), _new(occupancy="haunted")
    tables = {"household": {"created": [row, bad], "updated": [], "deleted": []}}
    replies = [_push(phone, 0, **tables) for _ in range(3)]
    assert replies[0] == replies[1] == replies[2]
    assert replies[0]["experimentalRejectedIds"] == {"household": [bad["id"]]}
    assert _ledger(county, phone.device) == 2


def test_documents_sent_again_are_answered_with_the_same_receipts(county: County) -> None:
    phone, new = county.phone("gw"), {"id": new_id(), "_deleted": False, **household()}
    path = f"household/push?device={phone.device}"
    created = [_rxdb(phone, "POST", path, [{"newDocumentState": new}]) for _ in range(2)]
    assert created[0] == created[1]
    changed = {"assumedMasterState": new | {"rv": 1}, "newDocumentState": {**new, "building": "9"}}
    replies = [_rxdb(phone, "POST", path, [changed]) for _ in range(3)]
    assert replies[0] == replies[1] == replies[2]
    assert _ledger(county, phone.device) == 2


def test_what_was_refused_together_with_a_fault_goes_when_the_fault_is_mended(
    county: County,
) -> None:
    phone, row = county.phone("gw"), _new()
    _push(phone, 0, household={"created": [row]})
    bad = _changed({**row, "rv": 1}, occupancy="haunted", building="9")
    mended = _changed({**row, "rv": 1}, occupancy="seasonal", building="9")
    for one, status in ((bad, "parked"), (bad, "parked"), (mended, "applied"), (mended, "applied")):
        [receipt] = _push(phone, 1, household={"updated": [one]})["receipts"]
        assert receipt["status"] == status
    shown = county.ask("gw", "GET", f"/households/{row['id']}").get_json()
    assert (shown["occupancy"], shown["building"]) == ("seasonal", "9")
    assert _ledger(county, phone.device) == 3


def test_a_phone_with_a_new_device_id_is_known_again(county: County) -> None:
    phone, row = county.phone("gw"), _new()
    _push(phone, 0, household={"created": [row]})
    made = county.ask(phone.who, "POST", "/sync/devices", {"app": "test", "schema": 1}).get_json()
    first, phone.device = phone.device, made["device"]
    taken = _push(phone, 0, household={"created": [row]})
    assert taken["receipts"][0]["status"] == "applied"
    assert (_ledger(county, first), _ledger(county, phone.device)) == (1, 0)


def test_an_id_that_is_no_uuid_is_parked_and_named(county: County) -> None:
    phone, row = county.phone("gw"), _new() | {"id": "aBcDeFgHiJkLmNoP"}
    replies = [_push(phone, 0, household={"created": [row]}) for _ in range(2)]
    assert replies[0] == replies[1]
    assert replies[0]["experimentalRejectedIds"] == {"household": ["aBcDeFgHiJkLmNoP"]}
    assert replies[0]["receipts"][0]["errors"] == [{"field": "rec", "code": "not_an_id"}]


def test_a_table_nobody_knows_is_parked_row_by_row(county: County) -> None:
    phone, row = county.phone("gw"), _new()
    taken = _push(phone, 0, building={"created": [{"id": new_id(), "floors": 6}]},
                  household={"created": [row]})  # fmt: skip
    assert [one["status"] for one in taken["receipts"]] == ["applied", "parked"]
    assert taken["receipts"][1]["code"] == "unknown_kind"


def test_more_rows_than_a_push_takes_go_in_parts(county: County) -> None:
    phone, rows = county.phone("gw"), [_new() for _ in range(230)]
    taken = _push(phone, 0, household={"created": rows})
    assert [one["n"] for one in taken["receipts"]] == list(range(1, 231))
    assert len(_pull(phone)["changes"]["household"]["updated"]) == 230


def test_children_go_after_their_parents_whatever_the_order(county: County) -> None:
    phone, home = county.phone("gw"), _new()
    contact = {"id": new_id(), "_changed": "", "household": home["id"], "name": "张三"}
    taken = _push(phone, 0, contact={"created": [contact]}, household={"created": [home]})
    assert [one["status"] for one in taken["receipts"]] == ["applied", "applied"]


def test_a_position_is_text_in_a_flat_row_and_goes_back_as_one(county: County) -> None:
    phone = county.phone("gw")
    door = {"door_point": json.dumps(centre(GRID)), "door_accuracy_m": 8, "door_source": "gps"}
    row = _new(**door)
    _push(phone, 0, household={"created": [row]})
    [shown] = _pull(phone)["changes"]["household"]["updated"]
    assert json.loads(shown["door_point"]) == centre(GRID)
    moved = _changed(shown, door_point=json.dumps([104.1051, 36.5051]))
    [receipt] = _push(phone, 1, household={"updated": [moved]})["receipts"]
    assert receipt["status"] == "applied"
    broken = _changed(shown, door_point="somewhere")
    [receipt] = _push(phone, 1, household={"updated": [broken]})["receipts"]
    assert receipt["errors"][0] == {"field": "door_point", "code": "not_a_position"}


def test_a_conflict_is_settled_by_its_choice(county: County) -> None:
    phone, other, row = county.phone("gw"), _mate(county), _new()
    _push(phone, 0, household={"created": [row]})
    other.act("update", "household", row["id"], base=1, set={"occupancy": "empty"})
    _push(phone, 1, household={"updated": [_changed({**row, "rv": 1}, occupancy="seasonal")]})
    [conflict] = _pull(phone)["changes"]["conflict"]["updated"]
    assert json.loads(conflict["lost"])["values"] == {"occupancy": "empty"}
    for _ in range(2):
        taken = _push(phone, 1, conflict={"updated": [_changed(conflict, choice="swap")]})
        assert taken["receipts"][0]["status"] == "applied"
    shown = county.ask("gw", "GET", f"/households/{row['id']}").get_json()
    assert shown["occupancy"] == "empty"


def test_removals_wait_for_unsent_work_but_not_for_ever(county: County) -> None:
    phone, home = county.phone("gw"), _new()
    contact = {"id": new_id(), "_changed": "", "household": home["id"], "name": "张三"}
    _push(phone, 0, household={"created": [home]}, contact={"created": [contact]})
    number = _pull(phone)["timestamp"]
    _mate(county).act("delete", "contact", contact["id"], base=1)
    rounds = 0
    while not (answered := _pull(phone, number, unsent="true"))["changes"]["contact"]["deleted"]:
        assert rounds <= HOLD_ROUNDS_MAX
        number, rounds = answered["timestamp"], rounds + 1
    assert rounds == HOLD_ROUNDS_MAX
    assert _pull(phone, answered["timestamp"], unsent="true")["changes"]["contact"]["deleted"] == []


@pytest.mark.parametrize(("said", "rounds"), [({"unsent": "false"}, 0), ({}, 1)])
def test_removals_go_at_once_when_nothing_is_unsent_else_after_a_round(
    county: County, said: dict[str, str], rounds: int
) -> None:
    phone, home = county.phone("gw"), _new()
    contact = {"id": new_id(), "_changed": "", "household": home["id"], "name": "张三"}
    _push(phone, 0, household={"created": [home]}, contact={"created": [contact]})
    number = _pull(phone)["timestamp"]
    _mate(county).act("delete", "contact", contact["id"], base=1)
    for _ in range(rounds):
        held = _pull(phone, number, **said)
        assert held["changes"]["contact"]["deleted"] == []
        number = held["timestamp"]
    assert _pull(phone, number, **said)["changes"]["contact"]["deleted"] == [contact["id"]]


def test_what_was_erased_waits_for_nobody(county: County) -> None:
    phone, row = county.phone("gw"), _new()
    _push(phone, 0, household={"created": [row]})
    number = _pull(phone)["timestamp"]
    feed, scope = sync_tables.feed, sync_tables.scope
    ver = county.sql(sa.select(scope.c.ver).where(scope.c.scope == f"grid:{GRID}"))[0][0] + 1
    county.sql(sa.update(scope).where(scope.c.scope == f"grid:{GRID}").values(ver=ver))
    county.sql(sa.update(feed).where(feed.c.record == row["id"]).values(ver=ver, op="purge"))
    for _ in range(2):
        answered = _pull(phone, number, unsent="true")
        assert answered["changes"]["household"]["deleted"] == [row["id"]]
        number = answered["timestamp"]


def test_an_unknown_number_brings_a_whole_new_copy(county: County) -> None:
    phone, row = county.phone("gw"), _new()
    _push(phone, 0, household={"created": [row]})
    fresh = _pull(phone, 7_000, unsent="false")
    assert fresh["experimentalStrategy"] == "replacement" and fresh["timestamp"] == 7_001
    assert [one["id"] for one in fresh["changes"]["household"]["updated"]] == [row["id"]]
    held = _pull(phone, 9_000, unsent="true")
    assert "experimentalStrategy" not in held
    later = _pull(phone, held["timestamp"])
    assert "experimentalStrategy" not in later or later["timestamp"] > held["timestamp"]


def test_a_new_epoch_brings_a_whole_new_copy(county: County) -> None:
    phone, row = county.phone("gw"), _new()
    _push(phone, 0, household={"created": [row]})
    number = _pull(phone)["timestamp"]
    assert county.app.test_cli_runner().invoke(args=["sync", "new-epoch"]).exit_code == 0
    fresh = _pull(phone, number, unsent="false")
    assert fresh["experimentalStrategy"] == "replacement"
    assert [one["id"] for one in fresh["changes"]["household"]["updated"]] == [row["id"]]


def test_old_numbers_are_forgotten_and_the_last_ones_stand(county: County) -> None:
    phone, numbers = county.phone("gw"), [0]
    for _ in range(KEPT + 3):
        _push(phone, numbers[-1], household={"created": [_new()]})
        numbers.append(_pull(phone, numbers[-1])["timestamp"])
    rows = county.sql(sa.select(FaceCursor.number).where(FaceCursor.device == phone.device))
    assert sorted(row[0] for row in rows) == numbers[-KEPT:]
    assert len(_pull(phone, numbers[-2])["changes"]["household"]["updated"]) == 1


def test_a_migrated_table_is_sent_whole(county: County) -> None:
    phone, row = county.phone("gw"), _new()
    _push(phone, 0, household={"created": [row]})
    number = _pull(phone, tables="task")["timestamp"]
    migration = json.dumps({"from": 1, "tables": ["household"], "columns": []})
    shown = _pull(phone, number, tables="task,household", migration=migration)
    assert [one["id"] for one in shown["changes"]["household"]["updated"]] == [row["id"]]
    assert set(shown["changes"]) == {"task", "household"}


def test_a_record_that_moved_within_what_a_phone_sees_stays_on_it(county: County) -> None:
    lead = county.another_phone("vl")
    row = _new()
    _push(county.phone("gw"), 0, household={"created": [row]})
    number = _pull(lead, unsent="false")["timestamp"]
    lead.act("update", "household", row["id"], base=1, set={"grid": 11})
    table = _pull(lead, number, unsent="false")["changes"]["household"]
    assert (table["deleted"], [one["grid"] for one in table["updated"]]) == ([], [11])


def test_what_lies_elsewhere_looks_absent(county: County) -> None:
    foreign = county.made("gw_next_village", "/households", household(grid=NEXT_VILLAGE_GRID))
    phone = county.phone("gw")
    for part in ("updated", "deleted"):
        answers = []
        for record in (foreign["id"], new_id()):
            row: Any = record if part == "deleted" else _changed({"id": record}, building="9")
            text = json.dumps(_push(phone, 0, household={part: [row]}))
            answers.append(text.replace(record, "R"))
        bare = [json.loads(one) for one in answers]
        for one in bare:
            for receipt in one["receipts"]:
                del receipt["n"], receipt["id"]
        assert bare[0] == bare[1]


def test_a_batch_of_rows_costs_a_constant_number_of_statements(county: County) -> None:
    phone = county.phone("gw")
    costs = []
    for count in (2, 40):
        rows = [_new() for _ in range(count)]
        with county.statements() as seen:
            _push(phone, 0, household={"created": rows})
            _push(phone, 0, household={"updated": [_changed(one, building="9") for one in rows]})
            _pull(phone)
        costs.append(len(seen))
    assert costs[0] == costs[1]
