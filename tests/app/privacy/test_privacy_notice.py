"""What everybody may read, what the office publishes and opens, and what consents stand on it."""

from typing import Any

from app.core.database import Mode
from app.core.identifiers import new_id
from app.households.purposes import PurposeRow
from tests.app.core.county import County, household
from tests.app.households.answers import agreed, consent, contact_fields, home_of
from tests.app.identity.town import COUNTY, GRID, TOWNSHIP, outcome

AGE_OF_NOTICE = {
    "zh": "本次更新：新增上门安全检查的用途说明。",
    "en": "New: what safety checks are for.",
}


def test_p04_anybody_reads_the_notice_in_both_languages_and_unchanged_it_costs_nothing(
    county: County,
) -> None:
    reply = county.ask(None, "GET", "/privacy/notice")
    shown = reply.get_json()
    assert reply.status_code == 200 and shown["version"] == 1 and shown["who"] and shown["contact"]
    assert all(shown[name]["zh"] and shown[name]["en"]
               for name in ("ways", "use", "rights", "children"))  # fmt: skip
    held = {(one["table"], one["field"]): one for one in shown["fields"]}
    assert held["contact", "phone"]["purpose"] == {"zh": "联系住户", "en": "reach the household"}
    assert held["service_person", "care_note"]["need"]["zh"]
    assert held["user", "phone"]["of"] == "worker"
    assert shown["requests"]["due_working_days"] == 15
    tag = reply.headers["ETag"]
    again = county.ask(None, "GET", "/privacy/notice", headers={"If-None-Match": tag})
    assert (again.status_code, again.get_data()) == (304, b"")


def _safe(phone: Any, home: str, value: str) -> dict[str, Any]:
    receipt: dict[str, Any] = phone.act("update", "household", home, base=1, set={"heating": value})
    return receipt


def test_p05_a_notice_that_changes_a_purpose_makes_its_older_consents_insufficient(
    county: County,
) -> None:
    phone = county.phone("gw")
    home = home_of(phone)
    consent(phone, home, "safety")
    assert _safe(phone, home, "gas")["status"] == "applied"
    body = {**AGE_OF_NOTICE, "renews": ["safety"]}
    assert outcome(county.ask("ts", "POST", "/privacy/notices", body))[0] == 403
    made = county.ask("cm", "POST", "/privacy/notices", body)
    assert (made.status_code, made.get_json()) == (201, {"version": 2})
    # Through the phone's door it waits for an answer, through the office's it is a 409.
    assert _safe(phone, home, "electric")["code"] == "consent_missing"
    path = f"/households/{home}"
    seen = county.ask("vl", "GET", path).headers["ETag"]
    change = {"heating": "electric"}
    late = county.ask("vl", "PATCH", path, change, headers={"If-Match": seen})
    assert outcome(late) == (409, "consent_missing")
    asked = county.ask("vl", "GET", f"{path}/questions").get_json()
    assert [one["ask"] for one in asked if one["purpose"] == "safety"] == [True]
    consent(phone, home, "safety", notice_version=2)
    seen = county.ask("vl", "GET", path).headers["ETag"]
    assert county.ask("vl", "PATCH", path, change, headers={"If-Match": seen}).status_code == 200
    unknown = phone.act("create", "consent", set=agreed(home, "contact", notice_version=3))
    assert unknown["errors"][0]["code"] == "unknown_code"
    # What has not changed goes on under the first notice.
    contact = new_id()
    consent(phone, home, "contact", contact)
    made_contact = phone.act("create", "contact", contact, schema=2, set=contact_fields(home))
    assert made_contact["status"] == "applied"
    told = county.ask(None, "GET", "/privacy/notice").get_json()
    assert told["version"] == 2 and len(told["versions"]) == 2


def _person(phone: Any, home: str, **more: Any) -> tuple[str, dict[str, Any]]:
    person = new_id()
    consent(phone, home, "errands", person)
    made = phone.act("create", "service_person", person, set={
        "household": home, "display_name": "李四", "services": ["errands"], **more})  # fmt: skip
    return person, made


def test_p48_a_sensitive_purpose_starts_closed_and_is_opened_by_two_who_name_the_assessment(
    county: County,
) -> None:
    with county.database.transaction(Mode.WRITE) as session:
        session.delete(session.get_one(PurposeRow, "health"))
    phone = county.phone("gw")
    home = home_of(phone)
    person, _ = _person(phone, home)
    refused = phone.act("create", "consent", set=agreed(home, "health", person))
    assert refused["code"] == "purpose_closed"
    body = {"assessment": "PIA-2026-7", "assessed_on": "2026-03-01"}
    door = "/privacy/purposes/health"
    assert county.ask("cm", "POST", f"{door}/opening", {"assessment": "x"}).status_code == 422
    assert outcome(county.ask("ts", "POST", f"{door}/opening", body))[0] == 403
    assert county.ask("cm", "POST", f"{door}/opening", body).status_code == 202
    yes = {"verdict": "approved"}
    assert outcome(county.ask("cm", "POST", f"{door}/decision", yes)) == (403, "not_to_yourself")
    opened = county.ask("cm_city", "POST", f"{door}/decision", yes)
    assert opened.status_code == 200, opened.get_data(as_text=True)
    health = next(one for one in opened.get_json() if one["purpose"] == "health")
    assert (health["open"], health["assessment"]) == (True, "PIA-2026-7")
    assert phone.act("create", "consent", set=agreed(home, "health", person))["status"] == "applied"
    noted = phone.act("update", "service_person", person, base=1, set={"care_note": "怕狗"})
    assert noted["status"] == "applied"


def test_p41_data_given_to_others_are_written_down_with_the_agreement(county: County) -> None:
    body = {"area": TOWNSHIP, "recipient": "县民政局", "purpose": "临时救助", "people": 12,
            "kinds": ["household"], "agreement": "协议 2026-03", "basis": "单独同意"}  # fmt: skip
    without = {name: one for name, one in body.items() if name != "agreement"}
    assert county.ask("ts", "POST", "/privacy/hand-overs", without).status_code == 422
    assert outcome(county.ask("gw", "POST", "/privacy/hand-overs", body))[0] == 403
    elsewhere = county.ask("ts_other_township", "POST", "/privacy/hand-overs", body)
    assert outcome(elsewhere) == (404, "not_found")
    made = county.made("ts", "/privacy/hand-overs", body)
    [listed] = county.ask("cm", "GET", "/privacy/hand-overs").get_json()
    assert (listed["id"], listed["agreement"]) == (made["id"], body["agreement"])
    assert county.ask("ts_other_township", "GET", "/privacy/hand-overs").get_json() == []


def test_p50_a_notice_carries_no_number_of_a_person(county: County) -> None:
    body = {"areas": [COUNTY], "urgency": "normal", "title": "停水通知",
            "valid_until": "2030-01-01T00:00:00Z",
            "text": "如有疑问请拨打 13812345678"}  # fmt: skip
    refused = county.ask("cm", "POST", "/notices", body)
    assert refused.status_code == 422, refused.get_data(as_text=True)
    assert refused.get_json()["errors"][0]["code"] == "phone_found"
    identity = {**body, "text": "身份 11010519491231002X 的住户"}
    assert county.ask("cm", "POST", "/notices", identity).status_code == 422
    assert "13812345678" not in refused.get_data(as_text=True)


def test_p02_a_field_that_must_never_be_held_is_refused_and_kept_nowhere(county: County) -> None:
    refused = county.ask("gw", "POST", "/households", household(religion="某教派"))
    assert refused.status_code == 422
    phone = county.phone("gw")
    receipt = phone.act("create", "household", set=household(religion="某教派", floors=3))
    assert receipt["status"] == "applied"
    assert receipt["errors"] == [{"field": "religion", "code": "never_held"}]
    parked = phone.act("create", "household", set=household(religion="某教派", occupancy="?"))
    assert parked["status"] == "parked"
    everything = str(phone.pull())
    assert "某教派" not in everything and "floors" in everything
    history = county.ask("vl", "GET", f"/records/household/{receipt['rec']}/history")
    assert "某教派" not in history.get_data(as_text=True)
    assert GRID in {one["grid"] for one in county.ask("vl", "GET", "/households").get_json()}
