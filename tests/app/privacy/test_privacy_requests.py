"""What people ask of their data is written down, answered in time by two, and then true."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from app.calendar.rules import WorkingCalendar
from app.core.audit import AuditEvent
from app.core.database import Base, Mode
from app.core.identifiers import new_id
from app.privacy import filing
from app.privacy.models import SubjectAnswer, SubjectRequest
from app.privacy.rules import due
from tests.app.core.county import County, household, incident
from tests.app.identity.town import outcome
from tests.app.photos.camera import Camera, picture
from tests.app.privacy.asking import YES, answered, asked, contact_of, family, unpacked


def test_p17_the_due_date_counts_working_days() -> None:
    holiday = {date(2026, 10, day): False for day in range(1, 9)} | {date(2026, 10, 10): True}
    friday = datetime(2026, 9, 25, 3, tzinfo=UTC)
    assert due(friday, 7, WorkingCalendar(holiday)) == datetime(2026, 10, 13, 16, tzinfo=UTC)
    assert due(friday, 1, WorkingCalendar({})) == datetime(2026, 9, 28, 16, tzinfo=UTC)


def test_p17_p18_p19_a_request_is_filed_at_the_door_has_its_day_and_is_refused_with_a_reason_only(
    county: County,
) -> None:
    phone = county.phone("gw")
    home, _ = family(phone)
    said = {"household": home, "right": "copy", "came_by": "worker", "details": "想看自己的信息"}
    receipt = phone.act("create", "subject_request", set=said)
    assert receipt["status"] == "applied"
    kin = phone.act("create", "subject_request", set={**said, "right": "next_of_kin"})
    assert [(e["field"], e["code"]) for e in kin["errors"]] == [("proof_note", "required")]
    told = phone.act("create", "subject_request", set={
        **said, "right": "next_of_kin", "proof_note": "出示户口簿与死亡证明"})  # fmt: skip
    assert told["status"] == "applied"
    shown = county.ask("vl", "GET", f"/subject-requests/{receipt['rec']}").get_json()
    assert shown["state"] == "open" and shown["target_at"] < shown["due_at"]
    assert outcome(county.ask("gw", "GET", "/subject-requests"))[0] == 403
    assert county.ask("vl", "GET", "/subject-requests?overdue=true").get_json() == []
    with county.database.transaction(Mode.WRITE) as session:
        late = sa.update(SubjectRequest).where(SubjectRequest.id == receipt["rec"])
        session.execute(late.values(due_at=datetime.now(UTC) - timedelta(days=1)))
    overdue = county.ask("ts", "GET", "/subject-requests?overdue=true").get_json()
    assert [one["id"] for one in overdue] == [receipt["rec"]]
    door = f"/subject-requests/{receipt['rec']}"
    assert county.ask("ts", "POST", f"{door}/answers", {"verdict": "refuse"}).status_code == 422
    no = {"verdict": "refuse", "reason": "申请人身份无法核实"}
    assert outcome(county.ask("vl", "POST", f"{door}/answers", no))[0] == 403
    assert county.ask("ts", "POST", f"{door}/answers", no).status_code == 202
    assert outcome(county.ask("ts", "POST", f"{door}/decision", YES)) == (403, "not_to_yourself")
    assert county.ask("ts_colleague", "POST", f"{door}/decision", YES).status_code == 200
    shown = county.ask("ts", "GET", door).get_json()
    assert (shown["state"], shown["answer"]) == ("refused", no["reason"])
    again = county.ask("ts", "POST", f"{door}/answers", {"verdict": "fulfil"})
    assert outcome(again) == (409, "request_answered")


def _scan(county: County, ids: set[str]) -> set[tuple[str, str]]:
    """Return every row of every table in which one of these ids stands, wherever."""
    found = set()
    with county.database.transaction(Mode.READ) as session:
        for table in Base.metadata.sorted_tables:
            plain = [one for one in table.columns
                     if not type(one.type).__module__.startswith("geoalchemy2")]  # fmt: skip
            for row in session.execute(sa.select(*plain)).mappings():
                if any(one in str(value) for one in ids for value in row.values()):
                    found.add((table.name, _key(table.name, row)))
    return found


def _key(table: str, row: Any) -> str:
    return "/".join(str(row[one.name]) for one in Base.metadata.tables[table].primary_key)


def test_p13_a_copy_holds_every_row_that_names_somebody_with_history_and_photos(
    county: County,
) -> None:
    phone = county.phone("gw")
    home, contact = family(phone)
    phone.act("create", "incident", set=incident(household=home))
    phone.act("update", "contact", contact, base=1, schema=2, set={"name": "改" * 60})
    task = county.task(task_kind="errand", household=home)
    camera = Camera(county)
    photo = camera.take(picture(3), task=task["id"])
    county.ask("vl", "GET", f"/households/{home}")
    request = asked(county, "copy", home)
    answered(county, request)
    door = f"/subject-requests/{request}/file"
    assert outcome(county.ask("cm", "GET", door)) == (404, "not_found")
    reply = county.ask("ts", "GET", door)
    assert reply.status_code == 200, reply.get_data(as_text=True)
    tables, files = unpacked(reply.get_data())
    assert f"photos/{photo}.jpg" in files and "tables/contact.csv" in files
    names = [row["name"] for row in tables["contact"]]
    history = str(tables["sync_ledger"])
    assert names == ["张三峰"] and "张三丰" in history and "改改" in str(tables["sync_parked"])
    of_him = ("household", "contact", "consent", "visit", "task", "photo")
    belonging = {str(row["id"]) for name in of_him for row in tables[name]}
    assert {home, contact, task["id"], photo} <= belonging
    scanned = _scan(county, belonging)
    assert {name for name, _ in scanned} >= {"sync_ledger", "sync_feed", "audit_event", "photo"}
    copied = {(name, _key(name, row)) for name, rows in tables.items() for row in rows}
    # The fetch itself, and the job that made the copy, came afterwards.
    assert {one for one in scanned - copied if one[0] != "job"} == set()
    with county.database.transaction(Mode.WRITE) as session:
        ended = datetime.now(UTC) - timedelta(minutes=1)
        session.execute(sa.update(SubjectAnswer).values(expires_at=ended))
    filing.tend("")
    assert outcome(county.ask("ts", "GET", door)) == (410, "export_expired")


def test_p14_a_correction_keeps_its_history_and_reaches_phones(county: County) -> None:
    phone = county.phone("gw")
    home, contact = family(phone)
    request = asked(county, "correct", home, contact, details="姓名应为张三风")
    phone.act("update", "contact", contact, base=2, schema=2, set={"name": "张三风"})
    answered(county, request)
    assert (
        county.ask("ts", "GET", f"/subject-requests/{request}").get_json()["state"] == "fulfilled"
    )
    history = county.ask("vl", "GET", f"/records/contact/{contact}/history").get_json()
    assert [one["fields"]["name"]["after"] for one in history] == ["张三丰", "张三峰", "张三风"]
    shown = [one["f"]["name"] for one in phone.pull() if one["id"] == contact]
    assert shown == ["张三风"]


def _seen(county: County, home: str, contact: str) -> dict[str, bool]:
    lists = {path: county.ask("vl", "GET", path).get_data(as_text=True)
             for path in ("/households", "/contacts", "/consents", "/visits")}  # fmt: skip
    search = county.ask("vl", "POST", "/households/duplicates", {"phone": "13812345678"})
    return {
        **{path: home in text for path, text in lists.items()},
        "read": county.ask("vl", "GET", f"/households/{home}").status_code == 200,
        "history": county.ask(
            "vl", "GET", f"/records/contact/{contact}/history").status_code == 200,
        "search": home in search.get_data(as_text=True),
        "another phone": any(one["id"] == home and "f" in one
                             for one in county.another_phone("gw").pull()),
    }  # fmt: skip


def test_p16_what_is_restricted_is_kept_and_shows_nowhere_until_it_is_lifted(
    county: County,
) -> None:
    phone = county.phone("gw")
    home, contact = family(phone)
    assert set(_seen(county, home, contact).values()) == {True}
    request = asked(county, "restrict", home)
    answered(county, request)
    assert _seen(county, home, contact) == dict.fromkeys(_seen(county, home, contact), False)
    left = {(one["t"], one["op"]) for one in phone.pull() if one["id"] in (home, contact)}
    assert left == {("household", "out"), ("contact", "out")}
    late = phone.act("update", "contact", contact, base=2, schema=2, set={"name": "王五"})
    assert late["code"] == "data_restricted"
    new = phone.act("create", "visit", set={"household": home, "outcome": "met"})
    assert new["code"] == "data_restricted"
    # The office reads it for a request, and for nothing else.
    copy = asked(county, "copy", home)
    answered(county, copy)
    tables, _ = unpacked(county.ask("ts", "GET", f"/subject-requests/{copy}/file").get_data())
    assert [row["name"] for row in tables["contact"]] == ["张三峰"]
    answered(county, request, "lift")
    assert set(_seen(county, home, contact).values()) == {True}
    used = phone.act("update", "contact", contact, base=2, schema=2, set={"name": "王五"})
    assert used["status"] == "merged"


def test_p16_one_contact_is_restricted_alone_and_stays_so_when_the_household_is_lifted(
    county: County,
) -> None:
    phone = county.phone("gw")
    home, contact = family(phone)
    other = contact_of(phone, home)
    own = asked(county, "restrict", home, contact)
    answered(county, own)
    assert [one["id"] for one in county.ask("vl", "GET", "/contacts").get_json()] == [other]
    whole = asked(county, "restrict", home)
    answered(county, whole)
    assert county.ask("vl", "GET", "/contacts").get_json() == []
    answered(county, whole, "lift")
    assert [one["id"] for one in county.ask("vl", "GET", "/contacts").get_json()] == [other]


def test_p15_two_persons_erase_one_and_the_proof_of_his_request_stays(county: County) -> None:
    phone = county.phone("gw")
    home, contact = family(phone)
    request = asked(county, "erase", home, contact, details="不再需要联系")
    nobody = asked(county, "erase", home, new_id())
    wrong = county.ask("ts", "POST", f"/subject-requests/{nobody}/answers", {"verdict": "fulfil"})
    assert outcome(wrong) == (422, "no_such_person")
    answered(county, request)
    assert county.ask("vl", "GET", "/contacts").get_json() == []
    shown = county.ask("ts", "GET", f"/subject-requests/{request}").get_json()
    assert (shown["state"], shown["details"]) == ("fulfilled", None)
    assert shown["answered_by"] == county.ids["ts"]
    assert shown["approved_by"] == county.ids["ts_colleague"]
    purged = [one["op"] for one in phone.pull() if one["id"] == contact]
    assert purged == ["purge"]
    late = phone.act("update", "contact", contact, base=2, schema=2, set={"name": "王五"})
    assert late["code"] == "erased"
    kept: Any = household()
    assert (
        county.ask("vl", "GET", f"/households/{home}").get_json()["address_text"]
        == (kept["address_text"])
    )
    with county.database.transaction(Mode.READ) as session:
        events = {one.event: one.details for one in session.scalars(sa.select(AuditEvent))}
    assert events["privacy.erased"]["people"] == 1
