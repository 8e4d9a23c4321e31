"""The form of a task: set when it is made, filled in on the phone, complete when it is done."""

import json
from typing import Any

import pytest
import sqlalchemy as sa

from app.core.database import Mode
from app.core.identifiers import new_id
from app.tasks.models import Task
from tests.app.core.county import County, SyncPhone, centre, incident, place
from tests.app.forms.samples import CHECKLIST, VISIT, definition, question, spoiled
from tests.app.identity.town import GRID, SAME_VILLAGE_GRID, outcome

GOOD = {"outcome": "met", "people": 3, "children": 1}
KEPT = {**GOOD, "adults": 2, "large": False}
ITEMS = {"exits": "not_ok", "exits_note": "堆放杂物", "lights": "ok"}


def publish(county: County, source: Any) -> None:
    """Publish a form."""
    line = county.made("cm", "/forms", {"definition": source})
    done = county.ask("cm", "POST", f"/forms/{line['key']}/{line['version']}/publish")
    assert done.status_code == 200, done.get_data(as_text=True)


@pytest.fixture
def forms(county: County) -> County:
    """Return a county in which visits and inspections have forms."""
    publish(county, {**VISIT, "key": "visit"})
    publish(county, {**CHECKLIST, "key": "inspection"})
    return county


def begun(county: County, **more: Any) -> tuple[SyncPhone, str]:
    """Return the worker's phone and his task, accepted and started."""
    phone, task = county.phone("gw"), county.task(**more)["id"]
    for base, state in ((1, "accepted"), (2, "started")):
        step = phone.act("event", "task", task, base=base, set={"state": state, "round": 0})
        assert step["status"] == "applied", step
    return phone, task


def done(phone: SyncPhone, task: str, **more: Any) -> dict[str, Any]:
    values = {"state": "done", "round": 0, **more}
    return phone.act("event", "task", task, base=3, schema=3, set=values)


def read(county: County, task: str, who: str = "ts") -> dict[str, Any]:
    shown: dict[str, Any] = county.ask(who, "GET", f"/tasks/{task}").get_json()
    return shown


def errors(receipt: dict[str, Any]) -> set[tuple[str, str]]:
    assert receipt["status"] == "parked", receipt
    return {(one["field"], one["code"]) for one in receipt["errors"]}


def test_a_new_task_takes_the_newest_form_of_its_kind_and_keeps_it(forms: County) -> None:
    first = forms.task()
    assert (first["form"], first["form_version"]) == ("visit", 1)
    publish(forms, spoiled({**VISIT, "key": "visit"}, 2, most=60))
    assert forms.task()["form_version"] == 2
    assert read(forms, first["id"])["form_version"] == 1
    plain = forms.task(task_kind="publicity")
    assert (plain["form"], plain["form_version"]) == (None, None)


def test_the_office_may_name_another_form_or_none(forms: County) -> None:
    named = forms.task(form="inspection", form_version=1)
    assert (named["form"], named["form_version"]) == ("inspection", 1)
    assert forms.task(form=None, form_version=None)["form"] is None
    body = {"grid": GRID, "task_kind": "visit", "title": "x", "form": "visit"}
    for version in (9, 1):
        if version == 1:
            forms.ask("cm", "POST", "/forms/visit/1/retire")
        refused = forms.ask("ts", "POST", "/tasks", {**body, "form_version": version})
        assert outcome(refused) == (422, "invalid_fields")
        assert refused.get_json()["errors"][0]["code"] == "unknown_form"


def test_the_form_of_a_task_does_not_change(forms: County) -> None:
    task = forms.task()
    change = {"form": "inspection", "form_version": 1}
    refused = forms.ask("ts", "PATCH", f"/tasks/{task['id']}", change,
                        headers={"If-Match": '"v1"'})  # fmt: skip
    assert refused.get_json()["errors"][0]["code"] == "form_is_set"


def test_a_worker_fills_in_the_form_and_is_done(forms: County) -> None:
    phone, task = begun(forms)
    receipt = done(phone, task, answers={**GOOD, "adults": 99, "help": ["care"]})
    assert receipt["status"] == "applied"
    assert read(forms, task)["answers"] == KEPT
    [row] = [one for one in phone.pull() if one["id"] == task]
    assert row["f"]["answers"] == KEPT


def test_a_task_is_not_done_with_answers_missing_or_wrong(forms: County) -> None:
    phone, task = begun(forms)
    assert errors(done(phone, task)) == {("answers/outcome", "required")}
    wrong = {"outcome": "met", "people": "many"}
    assert errors(done(phone, task, answers=wrong)) == {("answers/people", "not_a_whole_number")}
    assert read(forms, task)["state"] == "started"
    assert done(phone, task, answers=GOOD)["status"] == "applied"


def test_answers_may_be_kept_before_they_are_complete(forms: County) -> None:
    phone, task = begun(forms)
    kept = phone.act("update", "task", task, base=3, schema=3, set={"answers": {"people": 3}})
    assert kept["status"] == "applied" and read(forms, task)["answers"] == {"large": False}
    half = phone.act("update", "task", task, base=4, schema=3,
                     set={"answers": {"outcome": "met"}})  # fmt: skip
    assert half["status"] == "applied"
    assert errors(done(phone, task)) == {("answers/people", "required")}
    wrong = phone.act("update", "task", task, base=5, schema=3, set={"answers": {"colour": "red"}})
    assert errors(wrong) == {("answers/colour", "unknown_question")}


def test_whoever_cannot_fill_in_the_form_says_why(forms: County) -> None:
    phone, task = begun(forms)
    receipt = done(phone, task, no_answers_reason="住户谢绝填写")
    assert receipt["status"] == "applied"
    assert read(forms, task)["no_answers_reason"] == "住户谢绝填写"


@pytest.mark.parametrize("schema", [1, 2])
def test_an_older_app_that_knows_no_forms_is_done_with_a_note_of_it(
    forms: County, schema: int
) -> None:
    phone, task = begun(forms)
    step = {"state": "done", "round": 0, "report_text": "一切都好"}
    receipt = phone.act("event", "task", task, base=3, schema=schema, set=step)
    assert receipt["status"] == "applied"
    assert "旧版应用" in read(forms, task)["no_answers_reason"]


def test_where_there_is_no_form_there_are_no_answers(forms: County) -> None:
    phone, task = begun(forms, task_kind="publicity")
    assert errors(done(phone, task, answers=GOOD)) == {("answers", "unknown_form")}
    old = phone.act("event", "task", task, base=3, schema=2, set={"state": "done", "round": 0})
    assert old["status"] == "applied" and read(forms, task)["no_answers_reason"] is None


def test_answers_to_a_retired_version_are_accepted_for_ever(forms: County) -> None:
    phone, task = begun(forms)
    publish(forms, definition(
        question("people", "integer", required=True), key="visit",
        translate=[{"drop": {"name": name}} for name in ("outcome", "children", "help", "remark")],
    ))  # fmt: skip
    forms.ask("cm", "POST", "/forms/visit/1/retire")
    assert done(phone, task, answers=GOOD)["status"] == "applied"


def test_two_phones_that_answer_apart_leave_the_choice_to_people(forms: County) -> None:
    phone, task = begun(forms)
    other = forms.another_phone("gw")
    first = phone.act("update", "task", task, base=3, schema=3, set={"answers": GOOD})
    second = other.act("update", "task", task, base=3, schema=3,
                       set={"answers": {**GOOD, "people": 4}})  # fmt: skip
    assert first["status"] == "applied" and second["conflicts"]
    [conflict] = [one for one in phone.pull() if one["t"] == "conflict"]
    sides = [conflict["f"][side]["values"]["answers"] for side in ("won", "lost")]
    assert {one["people"] for one in sides} == {3, 4} and conflict["f"]["state"] == "open"


def test_what_is_not_in_order_is_raised_as_an_incident_in_the_same_push(forms: County) -> None:
    phone, task = begun(forms, task_kind="inspection")
    raised = new_id()
    report = phone.edit("create", "incident", raised, set=incident(text="出口：堆放杂物"))
    finished = phone.edit("event", "task", task, base=3, schema=3, set={
        "state": "done", "round": 0, "answers": ITEMS, "raised_incident": raised})  # fmt: skip
    assert [one["status"] for one in phone.push(report, finished)] == ["applied", "applied"]
    assert forms.ask("ts", "GET", f"/tasks/{task}").get_json()["raised_incident"] == raised
    forms.person("second", "gw", GRID)
    told = [one["f"] for one in forms.phone("second").pull() if one["id"] == task]
    assert told[-1]["raised_incident"] is None, "it would name who reported the incident"


def test_an_incident_of_another_grid_is_none_of_the_task(forms: County) -> None:
    other = forms.made("colleague", "/incidents", {
        "category": "0401", "text": "x", **place(*centre(SAME_VILLAGE_GRID))})  # fmt: skip
    phone, task = begun(forms, task_kind="inspection")
    receipt = done(phone, task, answers=ITEMS, raised_incident=other["id"])
    assert receipt["status"] == "parked"


def test_over_http_a_worker_is_done_in_the_same_way(forms: County) -> None:
    task = forms.task()["id"]
    for state in ("accepted", "started"):
        forms.ask("gw", "POST", f"/tasks/{task}/moves", {"state": state})
    refused = forms.ask("gw", "POST", f"/tasks/{task}/moves", {"state": "done"})
    assert outcome(refused) == (422, "invalid_fields")
    body = {"state": "done", "answers": GOOD}
    moved = forms.ask("gw", "POST", f"/tasks/{task}/moves", body)
    assert moved.status_code == 200 and moved.get_json()["answers"] == KEPT


def test_answers_lie_sealed_and_are_hidden_from_those_who_only_count(forms: County) -> None:
    phone, task = begun(forms, task_kind="inspection")
    done(phone, task, answers=ITEMS)
    assert read(forms, task, "cm")["answers"] is None
    assert read(forms, task, "ts")["answers"]["exits_note"] == "堆放杂物"
    table = Task.__table__
    [row] = forms.sql(sa.select(table.c.body, table.c.answers).where(table.c.id == task))
    assert "杂物" not in row.body and "杂物" not in row.answers and "exits" not in row.body


def test_a_task_that_was_written_before_it_was_sealed_is_read_and_sealed_again(
    forms: County,
) -> None:
    task, table = forms.task(), Task.__table__
    plain = {name: value for name, value in task.items() if name not in ("id", "rv")}
    with forms.database.transaction(Mode.WRITE) as session:
        text = json.dumps(plain)
        session.execute(sa.update(table).where(table.c.id == task["id"]).values(body=text))
    assert read(forms, task["id"]) == task
    phone = forms.phone("gw")
    step = {"state": "accepted", "round": 0}
    assert phone.act("event", "task", task["id"], base=1, set=step)["status"] == "applied"
    [row] = forms.sql(sa.select(table.c.body).where(table.c.id == task["id"]))
    assert not row.body.startswith("{")
