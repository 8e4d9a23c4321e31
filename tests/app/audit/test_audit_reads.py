"""Every reading of personal data leaves one row: which records, of what class, by whom, why."""

from typing import Any

import pytest
import sqlalchemy as sa

from app.core import audit
from app.core.audit import AuditEvent
from app.core.identifiers import new_id
from app.core.web import PUBLIC
from tests.app.core.county import County, fill, incident
from tests.app.identity.town import GRID


def _row(county: County, event: str) -> AuditEvent:
    found: AuditEvent = county.events(event)[-1].AuditEvent
    return found


def test_a_list_leaves_one_row_with_kinds_classes_and_counts(county: County) -> None:
    fill(county, 3)
    homes = county.ask("gw", "GET", "/households?limit=2").get_json()
    row = _row(county, "household.list")
    assert (row.sort, row.reason, row.result, row.scope) == (
        "read", "own_work", "done", f"grid:{GRID}",
    )  # fmt: skip
    assert row.details["reads"] == {"household": {"P2": 2}}
    assert row.details["records"] == sorted(home["id"] for home in homes)
    assert len(county.events("household.list")) == 1
    county.ask("ts", "GET", "/contacts")
    assert _row(county, "resident.list").details["reads"] == {"contact": {"masked": 3}}


def test_a_list_that_shows_nobody_leaves_no_row(county: County) -> None:
    assert county.ask("gw", "GET", "/households").get_json() == []
    assert county.ask("gw", "GET", "/task-kinds").status_code == 200
    assert county.events("household.list") == []


def test_one_record_leaves_one_row_that_names_it(county: County) -> None:
    fill(county, 1)
    [home] = county.ask("gw", "GET", "/households").get_json()
    county.ask("gw", "GET", f"/households/{home['id']}")
    row = _row(county, "household.read")
    assert (row.subject, row.scope, row.user_id) == (home["id"], f"grid:{GRID}", county.ids["gw"])
    body = {"occupancy": "empty"}
    reply = county.ask("gw", "PATCH", f"/households/{home['id']}", body,
                       headers={"If-Match": f'"v{home["rv"]}"'})  # fmt: skip
    assert reply.status_code == 200
    assert _row(county, "household.update").details["reads"] == {"household": {"P2": 1}}


def test_a_pull_leaves_one_row_that_names_scopes_and_versions_and_only_if_persons_were_in_it(
    county: County,
) -> None:
    phone = fill(county, 2)
    first = phone.send("pull", {"cursor": None}).get_json()
    row = _row(county, "sync.pull")
    assert row.details["reads"] == {"contact": {"P2": 2}, "household": {"P2": 2}}
    assert row.details["scopes"] == {f"grid:{GRID}": [1, 4, 4]}
    assert (row.device, row.reason, row.scope) == (phone.device, "own_work", f"grid:{GRID}")
    phone.send("pull", {"cursor": first["to"]})
    assert len(county.events("sync.pull")) == 1


def test_a_ready_made_copy_and_a_healed_record_leave_rows(county: County) -> None:
    phone = fill(county, 1)
    copy = county.ask(phone.who, "GET", f"/sync/snapshot/grid:{GRID}")
    assert copy.status_code == 200
    row = _row(county, "sync.snapshot")
    assert row.details["reads"] == {"contact": {"P2": 1}, "household": {"P2": 1}}
    tag = {"If-None-Match": copy.headers["ETag"]}
    again = county.ask(phone.who, "GET", f"/sync/snapshot/grid:{GRID}", headers=tag)
    assert again.status_code == 304
    assert len(county.events("sync.snapshot")) == 1
    [home] = county.ask("gw", "GET", "/households").get_json()
    ver = phone.send("pull", {"cursor": None}).get_json()["ver"][f"grid:{GRID}"]
    question = {"scope": f"grid:{GRID}", "ver": ver, "want": [home["id"]]}
    assert phone.send("verify", question).status_code == 200
    assert _row(county, "sync.verify").details["reads"] == {"household": {"P2": 1}}


def _statements(county: County, call: Any) -> int:
    with county.statements() as seen:
        call()
    return len(seen)


def test_the_row_costs_a_pull_one_statement_and_a_push_none(
    county: County, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = fill(county, 1)
    send = {"cursor": None}
    phone.send("pull", send)
    with_row = _statements(county, lambda: phone.send("pull", send))
    edit = phone.edit("create", "household", set={
        "grid": GRID, "address_text": "人民路 14 号", "occupancy": "lived_in"})  # fmt: skip
    with county.statements() as said:
        phone.push(edit)
    assert not [one for one in said if "audit_event" in one]
    monkeypatch.setattr("app.sync_api.handed_out.write_down", lambda *_: None)
    assert with_row == _statements(county, lambda: phone.send("pull", send)) + 1


CANARIES = ("人民路", "张三丰", "13812345678", "垃圾无人清运")


def test_no_door_shows_a_personal_value_without_a_row(county: County) -> None:
    """Ask every address that answers GET, for every record there is, as three roles."""
    phone, task, report = fill(county, 1), county.task(), new_id()
    phone.act("create", "incident", report, set=incident())
    [home] = county.ask("gw", "GET", "/households").get_json()
    [contact] = county.ask("gw", "GET", "/contacts").get_json()
    phone.act("update", "incident", report, set={"text": "垃圾无人清运，急"})
    phone.act("update", "household", home["id"], set={"grid": 999})
    ids = [home["id"], contact["id"], task["id"], report, phone.device]
    silent, shown = [], 0
    for path in _paths(county, ids):
        for who in ("gw", "vl", "ts"):
            before = _reads(county)
            text = county.ask(who, "GET", path).get_data(as_text=True)
            if any(canary in text for canary in CANARIES):
                shown += 1
                if _reads(county) != before + 1:
                    silent.append((who, path))
    assert silent == []
    assert shown > 12


def _paths(county: County, ids: list[str]) -> list[str]:
    paths = []
    for rule in county.app.url_map.iter_rules():
        view = county.app.view_functions[rule.endpoint]
        if "GET" not in (rule.methods or ()) or getattr(view, "action", PUBLIC) == PUBLIC:
            continue
        text = rule.rule.removeprefix("/api/v1")
        if not rule.arguments:
            paths.append(text)
        elif len(rule.arguments) == 1:
            head, tail = text.split("<")[0], text.split(">")[1]
            paths += [f"{head}{one}{tail}" for one in ids]
    return [path for path in paths if "/wait" not in path]


def _reads(county: County) -> int:
    rows = county.sql(sa.select(sa.func.count()).where(AuditEvent.sort == audit.READ))
    return int(rows[0][0])
