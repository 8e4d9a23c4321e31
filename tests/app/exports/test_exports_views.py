"""Exports over HTTP: who may take what out, with whose word, and that it is gone after a day."""

import csv
import io
import json
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from app.core.database import Database, Mode, table_of
from app.core.jobs import worker_of
from app.exports import reading, services
from app.exports.models import Export
from app.exports.services import KEPT_FOR, now_utc
from app.identity import actors_of, approvals
from app.identity.models import Post
from tests.app.core.county import County, centre, household, incident, place
from tests.app.identity.town import (
    COUNTY,
    GRID,
    NEXT_VILLAGE,
    OTHER_TOWNSHIP,
    TOWNSHIP,
    VILLAGE,
    outcome,
)

ADDRESS = "人民路 12 号"
REASON = "核对门牌，更新消防通道图"


@pytest.fixture
def filled(county: County) -> County:
    """Return a county with two homes with doors, an incident and a task."""
    phone = county.phone("gw")
    door = {"door_point": centre(GRID), "door_accuracy_m": 5, "door_source": "gps"}
    edits = [phone.edit("create", "household", set=household(**door)) for _ in range(2)]
    edits.append(phone.edit("create", "incident", set=incident(
        text="=危险", **place(*centre(GRID)))))  # fmt: skip
    assert {one["status"] for one in phone.push(*edits)} == {"applied"}
    county.task()
    return county


def _ask(county: County, who: str, **more: Any) -> dict[str, Any]:
    body = {"layer": "households", "format": "csv", "area": TOWNSHIP, **more}
    reply = county.ask(who, "POST", "/exports", body)
    assert reply.status_code == 202, reply.get_data(as_text=True)
    shown: dict[str, Any] = reply.get_json()
    return shown


def _work(county: County) -> None:
    worker_of(county.app).work_off()


def _fetched(county: County, who: str, export: str) -> bytes:
    reply = county.ask(who, "GET", f"/exports/{export}/file")
    assert reply.status_code == 200, reply.get_data(as_text=True)
    raw: bytes = reply.get_data()
    assert len(raw) == reply.content_length
    return raw


def _table(raw: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline="")))


def _made(county: County, who: str, **more: Any) -> bytes:
    asked = _ask(county, who, **more)
    assert asked["state"] == "queued"
    _work(county)
    return _fetched(county, who, asked["id"])


def test_an_export_without_identifiers_is_made_at_once_and_names_nobody(filled: County) -> None:
    asked = _ask(filled, "ts")
    assert asked["state"] == "queued" and asked["rows_total"] is None
    _work(filled)
    told = filled.ask("ts", "GET", f"/exports/{asked['id']}").get_json()
    assert (told["state"], told["rows_done"], told["rows_total"]) == ("ready", 2, 2)
    raw = _fetched(filled, "ts", asked["id"])
    rows = _table(raw)
    assert len(rows) == 2 and rows[0]["occupancy"] == "lived_in"
    assert rows[0]["village"] == "village 7" and rows[0]["grid_name"] == "grid 10"
    assert "address_text" not in rows[0] and ADDRESS not in raw.decode()
    exact = filled.ask("gw", "GET", "/households").get_json()[0]
    assert exact["id"] not in raw.decode(), "an id is an identifier"
    assert len(rows[0]["lon"].split(".")[1]) <= 3, "a door is shown to a hundred metres"


def test_the_watermark_says_who_took_it_out_and_why(filled: County) -> None:
    asked = _ask(filled, "ts")
    _work(filled)
    rows = _table(_fetched(filled, "ts", asked["id"]))
    assert rows[0]["watermark"].startswith(f"ts (#{filled.ids['ts']}) · 20")
    assert asked["id"] in rows[0]["watermark"] and "township 4" in rows[0]["watermark"]


def test_personal_fields_wait_for_a_second_person(filled: County) -> None:
    asked = _ask(filled, "ts", personal=True, reason=REASON)
    assert asked["state"] == "waiting"
    _work(filled)
    path = f"/exports/{asked['id']}"
    assert outcome(filled.ask("ts", "GET", f"{path}/file")) == (409, "export_not_ready")
    (waiting,) = filled.ask("ts_colleague", "GET", "/exports/to-decide").get_json()
    assert (waiting["id"], waiting["reason"]) == (asked["id"], REASON)
    assert waiting["asked_by"] == filled.ids["ts"]
    said = filled.ask("ts_colleague", "POST", f"{path}/decision", {"verdict": "approved"})
    assert said.get_json()["state"] == "queued"
    _work(filled)
    rows = _table(_fetched(filled, "ts", asked["id"]))
    assert rows[0]["address_text"] == ADDRESS and REASON in rows[0]["watermark"]
    assert [float(rows[0]["lon"]), float(rows[0]["lat"])] == centre(GRID)


def test_the_house_door_of_two_persons_decides_about_exports_too(filled: County) -> None:
    asked = [_ask(filled, "ts", personal=True, reason=REASON)["id"] for _ in range(2)]
    waiting = filled.ask("ts_colleague", "GET", "/approvals").get_json()
    assert [row["subject"] for row in waiting] == [f"export:{name}" for name in asked]
    first, second = (f"/approvals/export.create/{row['id']}" for row in waiting)
    assert filled.ask("ts_colleague", "POST", f"{first}/approve").status_code == 200
    assert filled.ask("ts", "DELETE", second).get_json()["state"] == "withdrawn"
    states = [filled.ask("ts", "GET", f"/exports/{name}").get_json()["state"] for name in asked]
    assert states == ["queued", "refused"]


def test_nobody_approves_his_own(filled: County) -> None:
    asked = _ask(filled, "ts", personal=True, reason=REASON)
    assert filled.ask("ts", "GET", "/exports/to-decide").get_json() == []
    reply = filled.ask("ts", "POST", f"/exports/{asked['id']}/decision", {"verdict": "approved"})
    assert outcome(reply) == (403, "not_to_yourself")


def test_only_somebody_with_the_same_right_there_approves(filled: County) -> None:
    asked = _ask(filled, "ts", personal=True, reason=REASON)
    for who in ("vl", "ts_other_township", "gw", "cm", "au"):
        reply = filled.ask(who, "POST", f"/exports/{asked['id']}/decision", {"verdict": "approved"})
        assert outcome(reply)[0] in (403, 404), who
    assert filled.ask("ts", "GET", f"/exports/{asked['id']}").get_json()["state"] == "waiting"


def test_a_refusal_is_final_and_a_word_is_given_once(filled: County) -> None:
    path = f"/exports/{_ask(filled, 'ts', personal=True, reason=REASON)['id']}"
    refused = filled.ask("ts_colleague", "POST", f"{path}/decision", {"verdict": "refused"})
    assert refused.get_json()["state"] == "refused"
    again = filled.ask("ts_colleague", "POST", f"{path}/decision", {"verdict": "approved"})
    assert outcome(again) == (409, "already_decided")
    _work(filled)
    assert outcome(filled.ask("ts", "GET", f"{path}/file")) == (409, "export_not_ready")


def test_a_question_nobody_answered_lapses(filled: County) -> None:
    asked = _ask(filled, "ts", personal=True, reason=REASON)
    past = now_utc() - approvals.LIFE
    filled.sql(sa.update(table_of(approvals.Approval)).values(asked_at=past))
    assert filled.ask("ts_colleague", "GET", "/exports/to-decide").get_json() == []
    path = f"/exports/{asked['id']}/decision"
    reply = filled.ask("ts_colleague", "POST", path, {"verdict": "approved"})
    assert outcome(reply) == (409, "approval_expired")


def test_one_person_has_three_exports_under_way_and_no_more(filled: County) -> None:
    for more in ({}, {}, {"personal": True, "reason": REASON}):
        _ask(filled, "ts", **more)
    body = {"layer": "households", "format": "csv", "area": TOWNSHIP}
    fourth = filled.ask("ts", "POST", "/exports", body)
    assert outcome(fourth) == (409, "too_many_exports")
    assert fourth.get_json()["title_zh"] and fourth.get_json()["most"] == 3
    _ask(filled, "ts_colleague")
    _work(filled)
    _ask(filled, "ts")
    _ask(filled, "ts")
    assert outcome(filled.ask("ts", "POST", "/exports", body)) == (409, "too_many_exports")
    past = now_utc() - approvals.LIFE
    table = table_of(Export)
    filled.sql(sa.update(table).where(table.c.state == "waiting").values(asked_at=past))
    _ask(filled, "ts")


def test_what_waits_for_somebody_is_chosen_and_limited_by_the_database(filled: County) -> None:
    first, _ = (_ask(filled, "ts", personal=True, reason=REASON) for _ in range(2))
    filled.person("ts_far", "ts", OTHER_TOWNSHIP)
    _ask(filled, "ts_far", area=OTHER_TOWNSHIP, personal=True, reason=REASON)
    with filled.database.transaction(Mode.READ) as session:
        found = actors_of(session, [filled.ids[who] for who in ("ts_colleague", "vl")])
        seen = {
            who: approvals.waiting_for(session, found[filled.ids[who]], services.CREATE, limit=1,
                                       now=now_utc())
            for who in ("ts_colleague", "vl")
        }  # fmt: skip
        assert [one.subject for one in seen["ts_colleague"]] == [f"export:{first['id']}"]
        assert list(seen["vl"]) == []
    with filled.statements() as said:
        assert len(filled.ask("ts_colleague", "GET", "/exports/to-decide").get_json()) == 2
    assert any("approval" in one and "LIMIT" in one for one in said)


def test_only_who_asked_fetches(filled: County) -> None:
    asked = _ask(filled, "ts")
    _work(filled)
    for who in ("ts_colleague", "cm"):
        assert outcome(filled.ask(who, "GET", f"/exports/{asked['id']}/file"))[0] == 404
        assert outcome(filled.ask(who, "GET", f"/exports/{asked['id']}"))[0] == 404
    assert outcome(filled.ask("gw", "GET", f"/exports/{asked['id']}/file")) == (403, "not_allowed")


def test_whoever_lost_the_right_meanwhile_gets_nothing(filled: County) -> None:
    before, asked = _ask(filled, "ts"), _ask(filled, "ts")
    table = table_of(Export)
    filled.sql(sa.update(table).where(table.c.id == before["id"]).values(state="ready"))
    filled.sql(sa.update(Post).where(Post.user_id == filled.ids["ts"])
               .values(area_id=OTHER_TOWNSHIP))  # fmt: skip
    _work(filled)
    told = filled.ask("ts", "GET", f"/exports/{asked['id']}").get_json()
    assert (told["state"], told["fault"]) == ("failed", "not_found")
    assert outcome(filled.ask("ts", "GET", f"/exports/{before['id']}/file"))[0] == 404


def test_after_a_day_the_bytes_are_gone_and_the_account_stays(filled: County) -> None:
    asked = _ask(filled, "ts")
    _work(filled)
    folder = filled.app.extensions["wangge_settings"].data_dir / "photos" / "exports"
    assert len(list(folder.iterdir())) == 1
    assert services.tend(now_utc()) == 0
    assert services.tend(now_utc() + KEPT_FOR) == 1
    assert not folder.exists()
    reply = filled.ask("ts", "GET", f"/exports/{asked['id']}/file")
    assert outcome(reply) == (410, "export_expired")
    assert filled.ask("ts", "GET", "/exports").get_json()[0]["state"] == "expired"


def test_expired_bytes_are_not_handed_out_even_before_they_are_removed(filled: County) -> None:
    asked = _ask(filled, "ts")
    _work(filled)
    filled.sql(sa.update(table_of(Export)).values(expires_at=now_utc() - timedelta(seconds=1)))
    reply = filled.ask("ts", "GET", f"/exports/{asked['id']}/file")
    assert outcome(reply) == (410, "export_expired")


def test_bytes_are_sealed_where_they_lie(filled: County) -> None:
    asked = _ask(filled, "ts", personal=True, reason=REASON)
    filled.ask("ts_colleague", "POST", f"/exports/{asked['id']}/decision", {"verdict": "approved"})
    _work(filled)
    folder = filled.app.extensions["wangge_settings"].data_dir
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix not in (".db", ".db-wal", ".db-shm"):
            assert "人民路".encode() not in path.read_bytes(), path


def test_every_step_is_written_down(filled: County) -> None:
    asked = _ask(filled, "ts", personal=True, reason=REASON)
    filled.ask("ts_colleague", "POST", f"/exports/{asked['id']}/decision", {"verdict": "approved"})
    _work(filled)
    _fetched(filled, "ts", asked["id"])
    (event_,) = filled.events("export.fetched")
    assert event_.AuditEvent.details["personal"] and event_.AuditEvent.details["reason"] == REASON
    (said,) = filled.events("approval.approved")
    assert said.AuditEvent.user_id == filled.ids["ts_colleague"]
    assert len(filled.events("export.asked")) == len(filled.events("approval.asked")) == 1


def test_a_county_manager_who_sees_sums_of_households_takes_none_out(filled: County) -> None:
    body = {"layer": "households", "format": "csv", "area": COUNTY}
    assert outcome(filled.ask("cm", "POST", "/exports", body)) == (403, "not_allowed")
    rows = _table(_made(filled, "cm", layer="incidents", area=COUNTY))
    assert [row["category"] for row in rows] == ["0401"]


def test_an_area_out_of_scope_and_an_absent_one_are_the_same_404(filled: County) -> None:
    body = {"layer": "tasks", "format": "csv"}
    replies = [filled.ask("ts", "POST", "/exports", {**body, "area": area})
               for area in (OTHER_TOWNSHIP, 999_999)]  # fmt: skip
    assert [outcome(reply) for reply in replies] == [(404, "not_found")] * 2
    assert outcome(filled.ask("gw", "POST", "/exports", {**body, "area": GRID}))[0] == 403


NONSENSE: tuple[dict[str, Any], ...] = (
    {"layer": "contacts"}, {"format": "pdf"}, {"personal": True}, {"reason": "x"},
    {"personal": True, "layer": "grids", "reason": REASON}, {"area": "4"},
)  # fmt: skip


def test_a_wish_that_makes_no_sense_is_refused(filled: County) -> None:
    for more in NONSENSE:
        body = {"layer": "tasks", "format": "csv", "area": TOWNSHIP, **more}
        reply = filled.ask("ts", "POST", "/exports", body)
        assert outcome(reply) == (422, "invalid_fields"), more


def test_grids_are_exported_with_their_borders(filled: County) -> None:
    found = json.loads(_made(filled, "vl", layer="grids", format="geojson", area=VILLAGE))
    assert [one["properties"]["name"] for one in found["features"]] == ["grid 10", "grid 11"]
    assert found["features"][0]["geometry"]["type"] == "MultiPolygon"
    assert found["watermark"].startswith("vl (#")


def test_texts_of_incidents_leave_with_approval_only_and_never_as_formulas(filled: County) -> None:
    open_ = _made(filled, "vl", layer="incidents", area=VILLAGE)
    assert "危险" not in open_.decode()
    asked = _ask(filled, "ts", layer="incidents", area=VILLAGE, personal=True, reason=REASON)
    filled.ask("ts_colleague", "POST", f"/exports/{asked['id']}/decision", {"verdict": "approved"})
    _work(filled)
    (row,) = _table(_fetched(filled, "ts", asked["id"]))
    assert row["text"] == "'=危险" and "reporter" not in row


def test_an_area_holds_only_its_own_rows(filled: County) -> None:
    assert _table(_made(filled, "ts", area=NEXT_VILLAGE)) == []


def test_rows_are_read_page_by_page_and_none_twice(
    filled: County, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = filled.phone("gw")
    phone.push(*(phone.edit("create", "household", set=household()) for _ in range(5)))
    monkeypatch.setattr(reading, "PAGE_ROWS", 3)
    with _selects(filled.database) as seen:
        rows = _table(_made(filled, "ts"))
    assert [row["number"] for row in rows] == [str(n) for n in range(1, 8)]
    pages = [one for one in seen if "household.body" in one]
    assert len(pages) == 3 and all("LIMIT" in one for one in pages)


class _selects:
    """Write down what is sent to a database meanwhile."""

    def __init__(self, database: Database) -> None:
        self._engine, self._seen = database.engine, list[str]()

    def _note(self, _connection: object, _cursor: object, statement: str, *_: object) -> None:
        self._seen.append(statement)

    def __enter__(self) -> list[str]:
        event.listen(self._engine, "before_cursor_execute", self._note)
        return self._seen

    def __exit__(self, *_: object) -> None:
        event.remove(self._engine, "before_cursor_execute", self._note)


def test_a_job_that_died_halfway_makes_the_file_again(filled: County) -> None:
    asked = _ask(filled, "ts")
    filled.sql(sa.update(table_of(Export)).values(state="making", rows_done=1))
    _work(filled)
    assert len(_table(_fetched(filled, "ts", asked["id"]))) == 2


def test_too_many_rows_for_a_geopackage_fail_with_a_word(
    filled: County, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.exports.geopackage.ROWS_MAX", 1)
    asked = _ask(filled, "ts", format="gpkg")
    _work(filled)
    told = filled.ask("ts", "GET", f"/exports/{asked['id']}").get_json()
    assert (told["state"], told["fault"]) == ("failed", "too_many_rows")
