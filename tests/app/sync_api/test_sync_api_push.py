"""Pushing over HTTP: receipts, repetition, rights at the time of the act, and secrecy."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from app.core.database import Mode
from app.core.identifiers import new_id
from app.core.records import sync_tables
from app.identity.models import Post
from tests.app.core.county import County, centre, household, incident, place
from tests.app.identity.town import (
    GRID,
    NEXT_VILLAGE_GRID,
    SAME_VILLAGE_GRID,
    now_ms,
    outcome,
)


def test_a_phone_gets_a_device_and_its_scopes(county: County) -> None:
    phone = county.phone("gw")
    reply = county.ask(phone.who, "POST", "/sync/devices", {"app": "test", "schema": 1})
    assert reply.status_code == 201
    shown = reply.get_json()
    assert shown["device"] != phone.device and shown["anchor"] and shown["now"]
    above = [f"area:{area}" for area in (1, 2, 4, 7)]
    mine = [f"{area}:gw" for area in above]
    assert shown["scopes"] == [f"me:{county.ids['gw']}", "ref", *above, *mine, f"grid:{GRID}"]


def test_only_an_enrolled_phone_may_sync(county: County) -> None:
    body = {"app": "test", "schema": 1}
    assert outcome(county.ask("gw", "POST", "/sync/devices", body)) == (403, "not_allowed")
    assert outcome(county.ask("cm", "POST", "/sync/devices", body)) == (403, "not_allowed")
    assert outcome(county.ask(None, "POST", "/sync/devices", body)) == (401, "token_missing")
    for path in ("push", "pull", "exchange"):
        body = {"device": county.phone("gw").device, "edits": []}
        assert outcome(county.ask(None, "POST", f"/sync/{path}", body)) == (401, "token_missing")
        assert outcome(county.ask("gw", "POST", f"/sync/{path}", body)) == (404, "unknown_device")


def test_a_device_of_another_phone_looks_absent(county: County) -> None:
    mine, other = county.phone("gw"), county.phone("colleague")
    for path in ("push", "pull", "exchange"):
        foreign = county.ask(mine.who, "POST", f"/sync/{path}", {"device": other.device})
        absent = county.ask(mine.who, "POST", f"/sync/{path}", {"device": new_id()})
        assert (foreign.status_code, foreign.get_data()) == (404, absent.get_data())


def test_a_batch_is_taken_edit_by_edit_and_a_bad_one_blocks_nobody(county: County) -> None:
    phone, home = county.phone("gw"), new_id()
    results = phone.push(
        phone.edit("create", "household", home, set=household()),
        phone.edit("create", "incident", set=incident(category="9999")),
        phone.edit("create", "contact", set={"household": home, "name": "张三"}),
        phone.edit("create", "building", set={"floors": 6}),
        phone.edit("create", "household", set=household(grid=NEXT_VILLAGE_GRID)),
        phone.edit("create", "household", set=household(occupancy="haunted", residents_count=-1)),
        phone.edit("update", "household", home, base=1, set={"occupancy": "empty"}),
    )
    assert [one["status"] for one in results] == [
        "applied", "parked", "applied", "parked", "parked", "parked", "applied",
    ]  # fmt: skip
    assert [one.get("code") for one in results] == [
        None, "invalid_fields", None, "unknown_kind", "out_of_scope", "invalid_fields", None,
    ]  # fmt: skip
    assert results[1]["errors"] == [{"field": "category", "code": "unknown_code"}]
    assert [(e["field"], e["code"]) for e in results[5]["errors"]] == [
        ("occupancy", "not_a_choice"), ("residents_count", "out_of_range"),
    ]  # fmt: skip
    assert [one["n"] for one in results] == list(range(1, 8))


def test_a_push_sent_again_is_answered_with_the_same_receipts(county: County) -> None:
    phone = county.phone("gw")
    edits = [
        phone.edit("create", "household", set=household()),
        phone.edit("create", "incident", set=incident(category="9999")),
        phone.edit("update", "household", new_id(), base=1, set={"occupancy": "empty"}),
    ]
    replies = [phone.send("push", {"edits": edits}).get_data(as_text=True) for _ in range(3)]
    bare = [text[: text.index(',"now":')] for text in replies]
    assert bare[0] == bare[1] == bare[2]
    assert county.sql(sa.select(sa.func.count()).select_from(sync_tables.ledger)) == [(3,)]


def test_an_id_or_a_number_used_twice_is_found_out(county: County) -> None:
    phone = county.phone("gw")
    first = phone.edit("create", "household", set=household())
    phone.push(first)
    other_body = {**first, "set": household(building="9")}
    assert outcome(phone.send("push", {"edits": [other_body]})) == (409, "edit_id_reused")
    other_id = {**first, "id": new_id()}
    reply = phone.send("push", {"edits": [other_id]})
    assert outcome(reply) == (409, "device_forked")
    reply = phone.send("push", {"edits": [{**other_id, "n": 9}]})
    assert outcome(reply) == (409, "gap")
    assert reply.get_json()["expected"] == 2


def test_a_forked_phone_sends_its_edits_under_a_new_device(county: County) -> None:
    phone = county.phone("gw")
    edit = phone.edit("create", "household", set=household())
    [first] = phone.push(edit)
    made = county.ask(phone.who, "POST", "/sync/devices", {"app": "test", "schema": 1}).get_json()
    phone.device = made["device"]
    [again] = phone.push(edit)
    assert again == {**first, "status": "duplicate"}
    assert len(county.ask("gw", "GET", "/households").get_json()) == 1


def test_a_hundred_edits_are_taken_and_no_more(county: County) -> None:
    phone = county.phone("gw")
    edits = [phone.edit("create", "household", set=household()) for _ in range(101)]
    reply = phone.send("push", {"edits": edits})
    assert outcome(reply) == (413, "too_many_edits")
    assert (reply.get_json()["most"], reply.get_json()["sent"]) == (100, 101)
    assert {one["status"] for one in phone.push(*edits[:100])} == {"applied"}


def test_a_workers_value_of_an_office_field_becomes_a_proposal(county: County) -> None:
    phone, task = county.phone("gw"), county.task(due_at="2031-01-01T00:00:00Z")
    later = {"due_at": "2032-01-01T00:00:00Z"}
    receipt = phone.act("update", "task", task["id"], base=1, set=later)
    assert receipt["status"] == "noted"
    [conflict] = county.ask("ts", "GET", "/conflicts").get_json()
    assert receipt["conflicts"] == [conflict["id"]]
    assert (conflict["rule"], conflict["state"], conflict["unit"]) == ("proposal", "open", "due_at")
    assert conflict["lost"]["values"] == {"due_at": "2032-01-01T00:00:00.000Z"}
    assert county.ask("gw", "GET", f"/tasks/{task['id']}").get_json()["due_at"].startswith("2031")


def test_a_household_moved_by_a_worker_becomes_a_proposal(county: County) -> None:
    phone, home = county.phone("gw"), new_id()
    phone.act("create", "household", home, set=household())
    receipt = phone.act("update", "household", home, base=1, set={"grid": SAME_VILLAGE_GRID})
    assert receipt["status"] == "noted"
    assert county.ask("gw", "GET", f"/households/{home}").get_json()["grid"] == GRID


def _end_posts(county: County, who: str, *, before: timedelta) -> None:
    ends = datetime.now(UTC) - before
    county.sql(sa.update(Post).where(Post.user_id == county.ids[who]).values(ends=ends))
    other = Post(user_id=county.ids[who], role="gw", area_id=SAME_VILLAGE_GRID, starts=ends,
                 ends=None, reason="", mode="permanent")  # fmt: skip
    with county.database.transaction(Mode.WRITE) as session:
        session.add(other)


def test_who_was_in_charge_when_he_acted_is_believed_later(county: County) -> None:
    phone = county.phone("gw")
    anchor_ms = now_ms()
    _end_posts(county, "gw", before=timedelta(seconds=-1))
    anchored = {"claimed": anchor_ms, "anchor": phone.anchor, "elapsed_ms": 0}
    edit = phone.edit("create", "household", set=household(), at=anchored)
    while now_ms() < anchor_ms + 1500:
        continue
    [receipt] = phone.push(edit)
    assert (receipt["status"], receipt["flags"]) == ("applied", ["late_scope"])


def test_a_claim_without_the_servers_clock_is_not_believed(county: County) -> None:
    phone = county.phone("gw")
    _end_posts(county, "gw", before=timedelta(days=1))
    claimed = now_ms() - 2 * 86_400_000
    receipt = phone.act("create", "household", set=household(), at={"claimed": claimed})
    assert (receipt["status"], receipt["code"]) == ("parked", "out_of_scope")
    assert phone.act("create", "household", set=household(grid=SAME_VILLAGE_GRID))["status"] == (
        "applied"
    )


def test_what_lies_elsewhere_looks_absent(county: County) -> None:
    foreign = county.made("gw_next_village", "/households", household(grid=NEXT_VILLAGE_GRID))
    phone = county.phone("gw")
    change = {"base": 1, "set": {"occupancy": "empty"}}
    for op in ("update", "delete"):
        two = phone.push(
            phone.edit(op, "household", foreign["id"], **change),
            phone.edit(op, "household", new_id(), **change),
        )
        bare = [{k: v for k, v in one.items() if k not in ("n", "id", "rec")} for one in two]
        assert bare[0] == bare[1] == {
                "status": "parked", "code": "unknown_record", "rv": 0,
            }  # fmt: skip
    contacts = phone.push(
        phone.edit("create", "contact", set={"household": foreign["id"], "name": "张三"}),
        phone.edit("create", "contact", set={"household": new_id(), "name": "张三"}),
    )
    assert [one["code"] for one in contacts] == ["out_of_scope", "out_of_scope"]


def test_an_incident_outside_all_grids_says_so(county: County) -> None:
    body = {"category": "0401", "text": "x", "state": "reported", "round": 0, **place(116.4, 39.9)}
    receipt = county.phone("gw").act("create", "incident", set=body)
    assert (receipt["status"], receipt["code"]) == ("parked", "invalid_fields")
    assert receipt["errors"] == [{"field": "point", "code": "outside_all_grids", "within_m": 200.0}]


def test_a_workers_step_is_taken_and_the_offices_is_not(county: County) -> None:
    phone, task = county.phone("gw"), county.task()
    steps = phone.push(
        phone.edit("event", "task", task["id"], base=1, set={"state": "accepted", "round": 0}),
        phone.edit("event", "task", task["id"], base=1, set={"state": "verified", "round": 0}),
        phone.edit("event", "task", task["id"], base=1, set={"state": "done", "round": 0}),
    )
    assert [(one["status"], one.get("code")) for one in steps] == [
        ("applied", None), ("parked", "not_allowed"), ("parked", "transition_not_allowed"),
    ]  # fmt: skip


SECRETS = ("张三丰", "13812345678", "李四光", "13987654321", "王五", "13711112222")


def test_contacts_lie_nowhere_in_plain_text(county: County, tmp_path: Path) -> None:
    phone, home, contact = county.phone("gw"), new_id(), new_id()
    person = {"name": SECRETS[0], "phone": SECRETS[1]}
    phone.push(
        phone.edit("create", "household", home, set=household()),
        phone.edit("create", "contact", contact, set={"household": home, **person}),
        phone.edit("create", "contact", set={"household": home, "name": SECRETS[2],
                                             "phone": SECRETS[3], "relation": "cousin"}),
        phone.edit("create", "contact", set={"household": home, "nickname": SECRETS[0]}),
        phone.edit("update", "contact", contact, base=1, set={"name": SECRETS[4]}),
    )  # fmt: skip
    other = county.another_phone("gw")
    theirs = {"name": "赵六", "phone": SECRETS[5]}
    clash = other.act("update", "contact", contact, base=1, set=theirs)
    assert clash["status"] == "conflict"
    found = [secret for secret in (*SECRETS, "赵六") if lies_in_plain(county, tmp_path, secret)]
    assert found == []
    assert lies_in_plain(county, tmp_path, "人民路 12 号"), "the search itself must work"


def lies_in_plain(county: County, folder: Path, text: str) -> bool:
    """Search every table, and every byte of the files: on SQLite the database's, WAL included."""
    spellings = {text.encode(), text.encode("unicode_escape"), text.encode("utf-16-le")}
    with county.database.engine.connect() as connection:
        dump = repr([
            [tuple(row) for row in connection.execute(sa.select(table))]
            for table in county.database.metadata.sorted_tables
            if table.name not in ("area_border", "incident_category", "task_kind")
        ])  # fmt: skip
        connection.rollback()
    if text in dump:
        return True
    files = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    return any(spelling in raw for raw in files for spelling in spellings)


def test_the_server_finds_the_grid_of_what_a_phone_reports(county: County) -> None:
    body = {"category": "0401", "text": "x", "state": "reported", "round": 0,
            **place(*centre(GRID))}  # fmt: skip
    phone, rec = county.phone("gw"), new_id()
    assert phone.act("create", "incident", rec, set=body)["status"] == "applied"
    assert county.ask("gw", "GET", f"/incidents/{rec}").get_json()["grid"] == GRID
