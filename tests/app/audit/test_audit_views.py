"""The auditor's doors: look, check, export by two persons, and list whom a breach concerns."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from app.audit.sealing import current_sealer
from app.core.audit_verifier import Verifier
from app.core.identifiers import new_id
from tests.app.core.county import County, fill, household
from tests.app.identity.town import CITY, GRID, SAME_VILLAGE_GRID, outcome

HOUR = timedelta(hours=1)


def _span(**more: Any) -> str:
    now = datetime.now(UTC)
    wanted = {"from": (now - HOUR).isoformat(), "to": (now + HOUR).isoformat(), **more}
    return "&".join(f"{name}={value}" for name, value in wanted.items()).replace("+", "%2B")


def test_the_auditor_lists_rows_and_his_look_is_one(county: County) -> None:
    fill(county, 2)
    county.ask("gw", "GET", "/households")
    path = f"/audit/events?{_span(user=county.ids['gw'], event='household.')}"
    [row] = county.ask("au", "GET", path).get_json()
    assert (row["event"], row["details"]["reads"]) == ("household.list", {"household": {"P2": 2}})
    assert len(county.events("audit.list")) == 1
    pages = county.pages("au", "/audit/events?limit=2")
    assert len(pages) > 1
    assert all(len(page) <= 2 for page in pages)
    for who in ("gw", "ts", "cm", "da"):
        assert outcome(county.ask(who, "GET", path)) == (403, "not_allowed")


def test_auditor_and_device_admin_check_the_log(county: County) -> None:
    fill(county, 1)
    for who in ("au", "da"):
        found = county.ask(who, "POST", "/audit/verification").get_json()
        assert (found["ok"], found["findings"]) == (True, [])
        assert found["rows"] > 3
    assert outcome(county.ask("cm", "POST", "/audit/verification")) == (403, "not_allowed")


def test_the_log_leaves_the_house_by_two_persons_and_verifies(county: County) -> None:
    county.person("second", "au", CITY)
    fill(county, 1)
    wish = county.ask("au", "POST", "/audit/exports", {"reason": "年度审计 yearly audit"})
    assert wish.status_code == 202
    name = wish.get_json()["id"]
    file = f"/audit/exports/{name}/file"
    assert outcome(county.ask("au", "GET", file)) == (403, "second_person_required")
    say, yes = f"/audit/exports/{name}/verdict", {"verdict": "approved"}
    assert outcome(county.ask("au", "POST", say, yes)) == (403, "not_to_yourself")
    [waiting] = county.ask("second", "GET", "/audit/exports").get_json()
    assert waiting["id"] == name
    assert county.ask("second", "POST", say, yes).status_code == 200
    assert outcome(county.ask("second", "GET", file)) == (404, "not_found")
    reply = county.ask("au", "GET", file)
    lines = reply.get_data(as_text=True).splitlines()
    key = bytes.fromhex(current_sealer().pen.public_key)
    assert Verifier([key]).verify(lines, current_sealer().outside.lines()) == []
    rows = [json.loads(line) for line in lines if '"row"' in line]
    assert rows[-1]["row"]["event"] == "audit.exported"
    assert rows[-1]["row"]["details"]["approved_by"] == county.ids["second"]


def test_a_breach_list_says_what_a_phone_could_read_and_did_read(county: County) -> None:
    phone = fill(county, 2)
    phone.pull()
    [one, other] = county.ask("gw", "GET", "/households").get_json()
    mine = county.ask("au", "GET", f"/audit/breach?{_span(device=phone.device)}").get_json()
    assert f"grid:{GRID}" in mine["scopes"]
    assert mine["could"]["kinds"] == {"contact": 2, "household": 2}
    assert mine["did"]["kinds"] == mine["holds"]["kinds"] == {"contact": 2, "household": 2}
    assert mine["did"]["households"] == sorted([one["id"], other["id"]])
    assert "人民路" not in json.dumps(mine, ensure_ascii=False)
    assert "Kinds of information: contact, household" in mine["notice"]["en"]
    assert county.events("audit.breach")[0].AuditEvent.subject == f"user:{county.ids['gw']}"


def test_a_breach_list_knows_what_was_not_read_and_when(county: County) -> None:
    fill(county, 1)
    colleague = county.phone("colleague")
    colleague.act("create", "household", set=household(grid=SAME_VILLAGE_GRID))
    who = county.ids["colleague"]
    found = county.ask("au", "GET", f"/audit/breach?{_span(user=who)}").get_json()
    assert found["could"]["kinds"] == {"household": 1}
    assert found["did"]["kinds"] == {}
    colleague.pull()
    later = {"from": (datetime.now(UTC) + HOUR).isoformat(),
             "to": (datetime.now(UTC) + 2 * HOUR).isoformat()}  # fmt: skip
    found = county.ask("au", "GET", f"/audit/breach?{_span(user=who, **later)}").get_json()
    assert found["did"]["kinds"] == {}
    assert found["holds"]["kinds"] == {"household": 1}


def test_guardians_of_minors_are_named_apart(county: County) -> None:
    fill(county, 1)
    [home] = county.ask("gw", "GET", "/households").get_json()
    [contact] = county.ask("gw", "GET", "/contacts").get_json()
    child, year = new_id(), datetime.now(UTC).year - 9
    for purpose in ("care_visit", "guardian"):
        county.made("gw", "/consents", {
            "household": home["id"], "subject": child, "purpose": purpose, "state": "given",
            "notice_version": 1, "given_by": "guardian", "method": "on_screen",
        })  # fmt: skip
    body = {"household": home["id"], "display_name": "小明", "birth_year": year,
            "services": ["care_visit"], "guardian_contact_id": contact["id"]}  # fmt: skip
    phone = county.phone("gw")
    receipt = phone.act("create", "service_person", child, set=body)
    assert receipt["status"] == "applied", receipt
    phone.pull()
    begins, ends = datetime.now(UTC) - HOUR, datetime.now(UTC)
    words = ["audit", "breach", "--user", str(county.ids["gw"]), "--from", begins.isoformat(),
             "--to", ends.isoformat()]  # fmt: skip
    told = county.app.test_cli_runner().invoke(args=words)
    assert told.exit_code == 0, told.output
    assert f"minor {child}: 监护人 / guardian {contact['id']}" in told.output
    assert "小明" not in told.output
