"""Forms over HTTP: the office writes and publishes, everybody reads what is published."""

from typing import Any

import sqlalchemy as sa

from app.core.audit import AuditEvent
from app.core.database import Mode
from app.forms.lookup import forms_of
from tests.app.core.county import County
from tests.app.forms.samples import CHECKLIST, VISIT, definition, question, spoiled
from tests.app.identity.town import outcome

ROLES = ("gw", "vl", "ts", "cm", "au", "da")


def draft(county: County, source: Any, who: str = "cm") -> Any:
    return county.ask(who, "POST", "/forms", {"definition": source})


def publish(county: County, source: Any) -> dict[str, Any]:
    """Write and publish a form; return its line."""
    made = draft(county, source)
    assert made.status_code == 201, made.get_data(as_text=True)
    line = made.get_json()
    done = county.ask("cm", "POST", f"/forms/{line['key']}/{line['version']}/publish")
    assert done.status_code == 200, done.get_data(as_text=True)
    shown: dict[str, Any] = done.get_json()
    return shown


def test_a_form_is_drafted_published_and_read_by_everybody(county: County) -> None:
    line = publish(county, VISIT)
    assert (line["key"], line["version"], line["state"]) == ("sample_visit", 1, "published")
    for who in ROLES:
        shown = county.ask(who, "GET", "/forms/sample_visit/1")
        assert shown.status_code == 200
        assert shown.get_json()["definition"] == VISIT
        assert shown.get_json()["schema"]["properties"]["people"]["maximum"] == 50
        assert [one["key"] for one in county.ask(who, "GET", "/forms").get_json()] == [line["key"]]


def test_only_those_who_keep_the_code_lists_write_forms(county: County) -> None:
    answers = {who: draft(county, VISIT, who).status_code for who in ROLES}
    assert answers == {"cm": 201} | dict.fromkeys(("gw", "vl", "ts", "au", "da"), 403)
    for act in ("publish", "retire"):
        for who in ("gw", "ts"):
            reply = county.ask(who, "POST", f"/forms/sample_visit/1/{act}")
            assert outcome(reply) == (403, "not_allowed")


def test_a_draft_and_no_form_look_the_same_to_those_who_may_not_write(county: County) -> None:
    draft(county, VISIT)
    assert county.same_nothing("gw", "GET", "/forms/{}/1", "sample_visit", "no_such_form")
    assert county.ask("gw", "GET", "/forms").get_json() == []
    assert county.ask("cm", "GET", "/forms/sample_visit/1").get_json()["schema"] == {}
    assert [one["state"] for one in county.ask("cm", "GET", "/forms").get_json()] == ["draft"]


def test_a_published_version_may_be_kept_for_ever(county: County) -> None:
    publish(county, VISIT)
    shown = county.ask("gw", "GET", "/forms/sample_visit/1")
    assert shown.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    again = county.ask("gw", "GET", "/forms/sample_visit/1",
                       headers={"If-None-Match": shown.headers["ETag"]})  # fmt: skip
    assert (again.status_code, again.get_data()) == (304, b"")
    draft(county, spoiled(VISIT, 2, most=60))
    assert county.ask("cm", "GET", "/forms/sample_visit/2").headers["Cache-Control"] == "no-store"


def test_what_was_published_never_changes(county: County) -> None:
    publish(county, VISIT)
    assert outcome(county.ask("cm", "POST", "/forms/sample_visit/1/publish")) == (
        409, "form_is_fixed")  # fmt: skip
    line = draft(county, spoiled(VISIT, 2, most=60)).get_json()
    assert line["version"] == 2
    assert draft(county, spoiled(VISIT, 2, most=70)).get_json()["version"] == 2
    assert county.ask("gw", "GET", "/forms/sample_visit/1").get_json()["definition"] == VISIT


def test_a_retired_version_is_still_read_and_takes_no_new_work(county: County) -> None:
    publish(county, VISIT)
    publish(county, spoiled(VISIT, 2, most=60))
    assert outcome(county.ask("cm", "POST", "/forms/sample_visit/9/retire"))[0] == 404
    for version, current in ((2, {"sample_visit": 1}), (1, {})):
        reply = county.ask("cm", "POST", f"/forms/sample_visit/{version}/retire")
        assert reply.get_json()["state"] == "retired"
        assert county.ask("gw", "GET", f"/forms/sample_visit/{version}").status_code == 200
        with county.database.transaction(Mode.READ) as session:
            found = forms_of(session, ["sample_visit"])
            assert found.current == current and found.get("sample_visit", version)
    again = county.ask("cm", "POST", "/forms/sample_visit/1/retire")
    assert outcome(again) == (409, "form_not_published")


def test_what_is_wrong_is_told_by_place_in_both_languages(county: County) -> None:
    shapeless = draft(county, {"key": "x"})
    assert outcome(shapeless) == (422, "form_has_faults")
    draft(county, definition(question("a", relevant={"==": [{"var": "b"}, 1]})))
    refused = county.ask("cm", "POST", "/forms/sample/1/publish")
    assert outcome(refused) == (422, "form_has_faults")
    [error] = refused.get_json()["errors"]
    assert (error["field"], error["code"]) == ("questions/0/relevant", "unknown_name")
    assert error["words"]["zh"] == "没有这个名称：b"
    assert error["words"]["en"] == "There is no such name: b"
    assert county.ask("cm", "GET", "/forms?state=published").get_json() == []


def test_a_form_is_tried_without_keeping_anything(county: County) -> None:
    publish(county, VISIT)
    answers = {"outcome": "met", "people": 8, "help": ["care"], "children": 9}
    tried = county.ask("gw", "POST", "/forms/sample_visit/1/preview", {"answers": answers})
    shown = tried.get_json()
    assert tried.status_code == 200 and not shown["complete"]
    assert shown["values"] == {"outcome": "met", "people": 8, "children": 9, "adults": -1,
                               "large": False}  # fmt: skip
    assert "help" not in shown["relevant"]
    [error] = shown["errors"]
    assert error["words"]["zh"] == "不符合要求：不能多于人数"
    draft(county, definition(question("a", relevant={"==": [{"var": "b"}, 1]})))
    broken = county.ask("cm", "POST", "/forms/sample/1/preview", {"answers": {}})
    assert outcome(broken) == (422, "form_has_faults")


def test_a_list_pages_to_its_end(county: County) -> None:
    publish(county, VISIT)
    publish(county, spoiled(VISIT, 2, most=60))
    publish(county, CHECKLIST)
    pages = county.pages("gw", "/forms?limit=1")
    assert [(one["key"], one["version"]) for page in pages for one in page] == [
        ("sample_check", 1), ("sample_visit", 1), ("sample_visit", 2)]  # fmt: skip
    [[only]] = county.pages("gw", "/forms?key=sample_check")
    assert only["title"] == CHECKLIST["title"]


def test_malformed_requests_are_refused(county: County) -> None:
    for body in ({}, {"definition": 5}, {"definition": VISIT, "state": "published"}):
        assert outcome(county.ask("cm", "POST", "/forms", body)) == (422, "invalid_fields")
    for path in ("/forms/No-Such/1", "/forms/x/0", "/forms/x/99999999", "/forms/x/y"):
        assert county.ask("cm", "GET", path).status_code == 404
    publish(county, VISIT)
    bad = county.ask("gw", "POST", "/forms/sample_visit/1/preview", {"answers": [1]})
    assert outcome(bad) == (422, "invalid_fields")


def test_every_act_is_written_down(county: County) -> None:
    publish(county, VISIT)
    county.ask("cm", "POST", "/forms/sample_visit/1/retire")
    with county.database.transaction(Mode.READ) as session:
        rows = session.execute(
            sa.select(AuditEvent.event, AuditEvent.user_id)
            .where(AuditEvent.subject == "form:sample_visit/1").order_by(AuditEvent.id)
        ).all()  # fmt: skip
    events = ["form.drafted", "form.published", "form.retired"]
    assert [tuple(row) for row in rows] == [(event, county.ids["cm"]) for event in events]


def test_reports_read_all_versions_as_the_newest(county: County) -> None:
    publish(county, definition(question("people", "integer"), question("memo")))
    publish(county, definition(
        question("people", "integer"), question("remark"),
        question("many", "calculate", result="yes_no", calculation={">": [{"var": "people"}, 4]}),
        translate=[{"rename": {"from": "memo", "to": "remark"}}],
    ))  # fmt: skip
    with county.database.transaction(Mode.READ) as session:
        forms = forms_of(session, ["sample", "no_such_form"])
    old = forms.in_newest("sample", 1, {"people": 5, "memo": "x"})
    assert old == {"people": 5, "remark": "x", "many": True}
    assert forms.in_newest("sample", 2, {"people": 1}) == {"people": 1, "many": False}
    assert forms.get("sample", 3) is None and forms.current == {"sample": 2}
