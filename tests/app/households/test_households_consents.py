"""What needs a consent: asked for at every write, gone everywhere when it is withdrawn."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from app.core.database import Mode
from app.core.engine import current_engine
from app.core.identifiers import new_id
from app.households.consents import question
from app.households.models import Contact
from app.households.service_models import Consent
from sync.conflicts import CONFLICT
from sync.stores.sql_upkeep import SqlUpkeep
from tests.app.core.county import County, SyncPhone, household
from tests.app.households.answers import agreed, consent, contact_fields, home_of, work_off
from tests.app.identity.town import NEXT_VILLAGE_GRID, SAME_VILLAGE_GRID, outcome

SECRET = "13812345678"


@pytest.fixture
def phone(county: County) -> SyncPhone:
    """Return the phone of the worker of the first grid."""
    return county.phone("gw")


def _new_contact(phone: SyncPhone, home: str, contact: str) -> dict[str, Any]:
    return phone.act("create", "contact", contact, schema=2, set=contact_fields(home))


def _shown(phone: SyncPhone, kind: str, record: str) -> dict[str, Any]:
    found = [one["f"] for one in phone.pull() if (one["t"], one["id"]) == (kind, record)]
    shown: dict[str, Any] = found[-1]
    return shown


def test_a_contact_without_consent_is_parked_with_words_and_let_through_once_there_is_one(
    county: County, phone: SyncPhone
) -> None:
    home, contact = home_of(phone), new_id()
    edit = phone.edit("create", "contact", contact, schema=2, set=contact_fields(home))
    [receipt] = phone.push(edit)
    assert (receipt["status"], receipt["code"]) == ("parked", "consent_missing")
    assert {one["field"] for one in receipt["errors"]} == {
        "name", "phone", "relation", "is_emergency",
    }  # fmt: skip
    words = _shown(phone, "parked", edit["id"])["words"]
    assert "同意" in words["zh"] and "consent" in words["en"] and words["mend_zh"]
    consent(phone, home, "contact", contact)
    assert phone.act("repair", "parked", edit["id"], set={})["status"] == "applied"
    assert _shown(phone, "contact", contact)["phone"] == "+86" + SECRET


def test_a_consent_of_the_same_batch_is_enough(phone: SyncPhone) -> None:
    home, contact = home_of(phone), new_id()
    receipts = phone.push(
        phone.edit("create", "consent", set=agreed(home, "contact", contact)),
        phone.edit("create", "contact", contact, schema=2, set=contact_fields(home)),
    )
    assert [one["status"] for one in receipts] == ["applied", "applied"]


def test_a_consent_is_for_one_subject_and_one_purpose(phone: SyncPhone) -> None:
    home = home_of(phone)
    consent(phone, home, "contact")
    consent(phone, home, "safety", new_id())
    receipt = phone.act("update", "household", home, base=1, set={"heating": "coal_stove"})
    assert (receipt["status"], receipt["code"]) == ("parked", "consent_missing")
    assert receipt["errors"][0]["purpose"] == ["safety"]
    consent(phone, home, "safety")
    again = phone.act("update", "household", home, base=1, set={"heating": "coal_stove"})
    assert again["status"] == "applied"


def test_a_consent_of_another_grid_speaks_for_nobody_here(county: County, phone: SyncPhone) -> None:
    home, contact = home_of(phone), new_id()
    consent(phone, home, "contact", contact)
    assert _new_contact(phone, home, contact)["status"] == "applied"
    stranger = county.phone("gw_next_village")
    theirs = new_id()
    stranger.act("create", "household", theirs, set=household(grid=NEXT_VILLAGE_GRID))
    forged = consent(stranger, theirs, "contact", contact)
    stranger.act("update", "consent", forged, base=1, set={"state": "withdrawn"})
    assert _shown(phone, "contact", contact)["phone"] == "+86" + SECRET


WRONG = (
    ({"notice_version": 99}, "notice_version", "unknown_code"),
    ({"state": "withdrawn"}, "state", "not_a_choice"),
    ({"given_at": "2090-01-01T00:00:00Z"}, "given_at", "in_the_future"),
    ({"expires_at": "2090-01-01T00:00:00Z"}, "expires_at", "consent_too_long"),
)


def test_an_answer_that_proves_nothing_is_refused(phone: SyncPhone) -> None:
    home = home_of(phone)
    for more, field, code in WRONG:
        receipt = phone.act("create", "consent", set=agreed(home, "safety", **more))
        assert [(one["field"], one["code"]) for one in receipt["errors"]] == [(field, code)]


def test_a_consent_is_never_changed_revived_or_deleted(county: County, phone: SyncPhone) -> None:
    home = home_of(phone)
    record = consent(phone, home, "safety")
    change = phone.act("update", "consent", record, base=1, set={"purpose": "health"})
    assert change["errors"] == [{"field": "purpose", "code": "read_only"}]
    assert phone.act("delete", "consent", record, base=1)["code"] == "proof_stays"
    ended = phone.act("update", "consent", record, base=1, set={"state": "withdrawn"})
    assert ended["status"] == "applied"
    back = phone.act("update", "consent", record, base=2, set={"state": "given"})
    assert back["code"] == "consent_ask_again"


# -- withdrawal -------------------------------------------------------------------------------


def _everything(county: County) -> str:
    """Return all that lies in the database, opened."""
    engine = current_engine()
    parts: list[str] = []
    with county.database.transaction(Mode.READ) as session:
        store = engine.store(session)
        for name, table in {**engine.tables, "conflict": None}.items():
            t = table.table if table else store.kinds[name].table
            found = store.records([(name, one) for one in session.scalars(sa.select(t.c.id))])
            parts += [json.dumps(dict(one.values), ensure_ascii=False) for one in found.values()]
            parts += [str(row) for row in session.execute(sa.select(t))]
        for past in SqlUpkeep(store).ledger():
            parts.append(json.dumps([past.edit.set, past.edit.was], ensure_ascii=False))
        for row in session.execute(sa.select(store.tables.ledger)):
            body = engine.seal.open(row.kind, row.edit, row.body) if row.body else ""
            parts.append(str(body))
        for row in session.execute(sa.select(store.tables.parked)):
            parts.append(engine.seal.open("parked", row.edit, row.body))
    return "\n".join(parts)


def test_a_withdrawal_empties_everything_that_stood_on_it_and_nothing_remembers(
    county: County, phone: SyncPhone
) -> None:
    home, contact = home_of(phone), new_id()
    given = consent(phone, home, "contact", contact)
    _new_contact(phone, home, contact)
    lead = county.phone("vl")
    phone.act("update", "contact", contact, base=1, set={"phone": "13900001111"}, schema=2)
    lead.act("update", "contact", contact, base=1, set={"phone": SECRET}, schema=2)
    phone.act("update", "contact", contact, base=1, set={"phone": SECRET, "name": "9" * 60},
              schema=2)  # fmt: skip
    assert any(one["t"] == CONFLICT.name for one in phone.pull())
    assert SECRET in _everything(county) and "张三丰" in _everything(county)
    receipt = phone.act("update", "consent", given, base=1, set={"state": "withdrawn"})
    assert receipt["status"] == "applied"
    shown = _shown(phone, "contact", contact)
    fields = ("name", "phone", "relation", "is_emergency")
    assert [shown[name] for name in fields] == [None] * 4
    assert set(fields) == set(shown["not_held"])
    work_off(county)
    left = _everything(county)
    assert SECRET not in left and "13900001111" not in left and "张三丰" not in left
    assert SECRET not in json.dumps(phone.pull()) and SECRET not in json.dumps(lead.pull())


def test_what_another_consent_covers_stays(county: County, phone: SyncPhone) -> None:
    home, person = home_of(phone), new_id()
    meals = consent(phone, home, "meal_help", person)
    consent(phone, home, "errands", person)
    fields = {"household": home, "display_name": "王阿婆", "services": ["errands", "meal_help"]}
    assert phone.act("create", "service_person", person, set=fields)["status"] == "applied"
    phone.act("update", "consent", meals, base=1, set={"state": "withdrawn"})
    shown = _shown(phone, "service_person", person)
    assert (shown["display_name"], shown["services"]) == ("王阿婆", ["errands"])


def test_work_of_before_the_withdrawal_that_comes_late_is_not_kept_but_the_rest_of_it_is(
    county: County, phone: SyncPhone
) -> None:
    home = home_of(phone)
    given = consent(phone, home, "safety")
    late = phone.edit("update", "household", home, base=1,
                      set={"heating": "coal_stove", "occupancy": "seasonal"})  # fmt: skip
    alone = phone.edit("update", "household", home, base=1, set={"gas_kind": "bottle"})
    county.phone("vl").act("update", "consent", given, base=1, set={"state": "withdrawn"})
    mixed, only = phone.push(late, alone)
    assert (mixed["status"], mixed["flags"]) == ("applied", ["consent_withdrawn"])
    assert mixed["errors"] == [{"field": "heating", "code": "consent_withdrawn"}]
    assert (only["status"], only["code"]) == ("noted", "consent_withdrawn")
    assert phone.push(late, alone) == [mixed, only]
    shown = _shown(phone, "household", home)
    assert (shown["heating"], shown["gas_kind"], shown["occupancy"]) == (None, None, "seasonal")
    assert "coal_stove" not in _everything(county) and "bottle" not in _everything(county)


def test_after_a_new_consent_it_may_be_held_again(phone: SyncPhone) -> None:
    home = home_of(phone)
    old = consent(phone, home, "safety")
    phone.act("update", "household", home, base=1, set={"heating": "gas"})
    phone.act("update", "consent", old, base=1, set={"state": "withdrawn"})
    consent(phone, home, "safety")
    again = phone.act("update", "household", home, base=9, set={"heating": "central"})
    assert again["status"] == "applied"
    shown = _shown(phone, "household", home)
    assert (shown["heating"], shown["not_held"]) == ("central", None)


def test_what_is_withdrawn_in_the_middle_of_a_batch_falls_at_once(phone: SyncPhone) -> None:
    home, given = home_of(phone), new_id()
    receipts = phone.push(
        phone.edit("create", "consent", given, set=agreed(home, "safety")),
        phone.edit("update", "household", home, base=1, set={"heating": "gas"}),
        phone.edit("update", "consent", given, base=1, set={"state": "withdrawn"}),
        phone.edit("update", "household", home, base=1, set={"heating": "central"}),
    )
    assert [one["status"] for one in receipts] == ["applied", "applied", "applied", "noted"]
    assert _shown(phone, "household", home)["heating"] is None


def test_a_supervisor_may_withdraw_over_the_counter(county: County, phone: SyncPhone) -> None:
    home = home_of(phone)
    given = consent(phone, home, "safety")
    phone.act("update", "household", home, base=1, set={"co_alarm": True})
    reply = county.ask("ts", "POST", f"/consents/{given}/withdraw")
    assert reply.status_code == 200 and reply.get_json()["state"] == "withdrawn"
    assert _shown(phone, "household", home)["co_alarm"] is None
    assert county.ask("ts_other_township", "POST", f"/consents/{given}/withdraw").status_code == 404
    assert outcome(county.ask("au", "POST", f"/consents/{given}/withdraw"))[0] in (403, 404)


def test_a_consent_that_has_run_out_ends_by_itself(county: County, phone: SyncPhone) -> None:
    home = home_of(phone)
    given = consent(phone, home, "safety")
    phone.act("update", "household", home, base=1, set={"heating": "coal_stove"})
    past = datetime.now(UTC) - timedelta(days=1)
    county.sql(sa.update(Consent).where(Consent.id == given).values(expires_at=past))
    work_off(county)
    assert _shown(phone, "consent", given)["state"] == "expired"
    assert _shown(phone, "household", home)["heating"] is None
    assert "coal_stove" not in _everything(county)


def test_nobody_is_moved_away_from_his_consents_by_a_plain_update(phone: SyncPhone) -> None:
    home, other, contact, person = home_of(phone), home_of(phone), new_id(), new_id()
    consent(phone, home, "contact", contact)
    consent(phone, home, "meal_help", person)
    assert _new_contact(phone, home, contact)["status"] == "applied"
    fields = {"household": home, "display_name": "王阿婆"}
    assert phone.act("create", "service_person", person, set=fields)["status"] == "applied"
    for kind, record, schema in (("contact", contact, 2), ("service_person", person, 1)):
        moved = phone.act("update", kind, record, base=1, set={"household": other}, schema=schema)
        assert moved["errors"] == [{"field": "household", "code": "read_only"}], kind
        stays = phone.act("update", kind, record, base=1, set={"household": home}, schema=schema)
        assert stays["status"] in ("applied", "noted", "merged"), stays


def test_a_withdrawal_empties_whoever_has_moved_to_another_grid(
    county: County, phone: SyncPhone
) -> None:
    """Some were moved by old apps, when an update still could; their consents stayed behind."""
    home, contact = home_of(phone), new_id()
    given = consent(phone, home, "contact", contact)
    assert _new_contact(phone, home, contact)["status"] == "applied"
    _moved_as_of_old(county, contact, SAME_VILLAGE_GRID)
    receipt = phone.act("update", "consent", given, base=1, set={"state": "withdrawn"})
    assert receipt["status"] == "applied"
    [left] = county.sql(sa.select(Contact.body).where(Contact.id == contact))
    values = json.loads(current_engine().seal.open("contact", contact, left[0]))
    assert (values["grid"], values["phone"], values["name"]) == (SAME_VILLAGE_GRID, None, None)


def _moved_as_of_old(county: County, contact: str, grid: int) -> None:
    """Write another grid into a contact, as an update with another household once did."""
    engine = current_engine()
    [row] = county.sql(sa.select(Contact.body).where(Contact.id == contact))
    body = json.dumps({**json.loads(engine.seal.open("contact", contact, row[0])), "grid": grid})
    county.sql(sa.update(Contact).where(Contact.id == contact)
               .values(grid=grid, body=engine.seal.close("contact", contact, body)))  # fmt: skip


# -- asking -----------------------------------------------------------------------------------


def test_whoever_declined_is_not_asked_for_180_days(county: County, phone: SyncPhone) -> None:
    home = home_of(phone)
    before = county.ask("gw", "GET", f"/households/{home}/questions").get_json()
    assert {(one["purpose"], one["ask"]) for one in before} == {("contact", True), ("safety", True)}
    consent(phone, home, "safety", state="declined")
    consent(phone, home, "contact")
    after = county.ask("gw", "GET", f"/households/{home}/questions").get_json()
    found = {one["purpose"]: (one["state"], one["ask"]) for one in after}
    assert found == {"contact": ("given", False), "safety": ("declined", False)}
    assert county.ask("colleague", "GET", f"/households/{home}/questions").status_code == 404


def test_he_may_be_asked_again_on_the_180th_day_and_not_before() -> None:
    said = {"subject": "s", "purpose": "safety", "state": "declined",
            "given_at": "2026-01-01T08:00:00.000Z"}  # fmt: skip
    begin = datetime(2026, 1, 1, 8, tzinfo=UTC)
    asked = [question("s", "safety", [said], begin + timedelta(days=days)).ask
             for days in (0, 179, 180)]  # fmt: skip
    assert asked == [False, False, True]


def test_the_office_asks_for_the_consent_too(county: County, phone: SyncPhone) -> None:
    home, contact = home_of(phone), new_id()
    body = {"id": contact, "household": home, "name": "张三丰", "phone": SECRET}
    assert outcome(county.ask("gw", "POST", "/contacts", body)) == (409, "consent_missing")
    county.made("gw", "/consents", agreed(home, "contact", contact))
    assert county.made("gw", "/contacts", body)["phone"] == "+86" + SECRET


# -- persons ----------------------------------------------------------------------------------


def test_a_care_note_goes_to_no_phone_and_opens_for_a_stated_reason_only(
    county: County, phone: SyncPhone
) -> None:
    home, person = home_of(phone), new_id()
    consent(phone, home, "health", person)
    consent(phone, home, "care_visit", person)
    fields = {"household": home, "display_name": "王阿婆", "services": ["care_visit"],
              "care_note": "耳背，敲门要重", "power_dependent": True}  # fmt: skip
    assert phone.act("create", "service_person", person, set=fields)["status"] == "applied"
    shown = _shown(phone, "service_person", person)
    assert (shown["care_note"], shown["power_dependent"]) == (None, True)
    assert "耳背" not in json.dumps(phone.pull(), ensure_ascii=False)
    assert "care_note" not in county.ask("gw", "GET", f"/service-persons/{person}").get_json()
    history = county.ask("gw", "GET", f"/records/service_person/{person}/history")
    assert "耳背" not in history.get_data(as_text=True)
    path = f"/service-persons/{person}/care"
    assert outcome(county.ask("gw", "GET", path)) == (403, "reason_required")
    why = {"reason": "care visit"}
    assert county.ask("gw", "POST", f"{path}/reveal", why).status_code == 201
    read = county.ask("gw", "GET", path)
    assert read.get_json()["care_note"] == "耳背，敲门要重"
    assert len(county.events("resident_sensitive.read")) == 1
    assert county.ask("colleague", "POST", f"{path}/reveal", why).status_code == 404
    assert county.ask("colleague", "GET", path).status_code == 404


def test_values_that_are_none_of_their_field_are_parked_and_harm_nobody(phone: SyncPhone) -> None:
    home, person = home_of(phone), new_id()
    consent(phone, home, "meal_help", person)
    wrong: tuple[Any, ...] = ([{"a": 1}], [[1]], [None], "meal_help", {"x": []})
    edits = [phone.edit("create", "service_person", new_id(),
                        set={"household": home, "services": one}) for one in wrong]  # fmt: skip
    edits += [phone.edit("create", "consent", set=agreed(home, "safety", **{name: [1]}))
              for name in ("subject", "state", "given_at", "notice_version")]  # fmt: skip
    assert {one["status"] for one in phone.push(*edits)} == {"parked"}
    fields = {"household": home, "display_name": "王阿婆"}
    assert phone.act("create", "service_person", person, set=fields)["status"] == "applied"


def test_a_child_needs_a_guardian_who_consents(phone: SyncPhone) -> None:
    home, person = home_of(phone), new_id()
    year = datetime.now(UTC).year - 9
    fields = {"household": home, "display_name": "小明", "birth_year": year}
    consent(phone, home, "transport", person)
    alone = phone.act("create", "service_person", person, set=fields)
    assert alone["errors"] == [{"field": "guardian_contact_id", "code": "required"}]
    guarded = {**fields, "guardian_contact_id": new_id()}
    own = phone.act("create", "service_person", person, set=guarded)
    assert own["code"] == "consent_missing"
    consent(phone, home, "transport", person, given_by="guardian")
    consent(phone, home, "guardian", person, given_by="guardian")
    assert phone.act("create", "service_person", person, set=guarded)["status"] == "applied"
