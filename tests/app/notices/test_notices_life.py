"""The life of a notice: versions, its dates, its withdrawal, and what comes back of it."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from app.core import engine
from app.core.database import Mode
from app.core.identifiers import new_id
from app.core.jobs import worker_of
from app.identity.models import Post
from app.notices import services
from app.notices.models import NoticeAck, NoticeExplained
from tests.app.core.county import County, SyncPhone
from tests.app.identity.town import GRID, SAME_VILLAGE_GRID, TOWNSHIP, VILLAGE, answer
from tests.app.notices.bulletin import after, publish, shown


def _etag(rv: int) -> dict[str, str]:
    return {"If-Match": f'"v{rv}"'}


def _new(phone: SyncPhone, cursor: str | None) -> tuple[str, list[dict[str, object]]]:
    page = phone.send("pull", {"cursor": cursor}).get_json()
    return page["to"], page["items"]


def test_a_changed_text_is_a_new_version_and_another_end_is_not(county: County) -> None:
    made, phone = publish(county), county.phone("gw")
    cursor, _ = _new(phone, None)
    path = f"/notices/{made['id']}"
    later = county.ask("cm_city", "PATCH", path, {"valid_until": after(days=9)}, headers=_etag(1))
    assert (later.status_code, later.get_json()["version"]) == (200, 1)
    text = county.ask("cm_city", "PATCH", path, {"text": "不要上坟烧纸"}, headers=_etag(2))
    assert (text.status_code, text.get_json()["version"]) == (200, 2)
    _, [item] = _new(phone, cursor)
    assert (item["op"], item["f"]["version"], item["f"]["text"]) == ("put", 2, "不要上坟烧纸")


def test_only_its_author_changes_a_notice_and_only_what_he_has_seen(county: County) -> None:
    made = publish(county, "ts", areas=[TOWNSHIP])
    path, body = f"/notices/{made['id']}", {"text": "改"}
    other = county.ask("ts_colleague", "PATCH", path, body, headers=_etag(1))
    assert answer(other) == (403, "not_allowed")
    assert answer(county.ask("ts", "PATCH", path, body)) == (428, "precondition_required")
    phone = county.phone("ts")
    assert phone.act("update", "notice", made["id"], base=1, set=body)["status"] == "applied"
    stale = phone.act("update", "notice", made["id"], base=1, set={"text": "旧"})
    assert (stale["status"], stale["code"]) == ("parked", "changed_since")
    assert answer(county.ask("ts", "PATCH", path, body, headers=_etag(1)))[0] == 412


def test_a_withdrawn_notice_leaves_every_phone_its_title_and_the_reason(county: County) -> None:
    made, phone = publish(county, "ts", areas=[TOWNSHIP]), county.phone("gw")
    cursor, _ = _new(phone, None)
    path = f"/notices/{made['id']}/withdrawal"
    assert answer(county.ask("vl", "POST", path, {"reason": "不属实"})) == (404, "not_found")
    assert answer(county.ask("gw", "POST", path, {"reason": "不属实"})) == (403, "not_allowed")
    assert county.ask("ts_colleague", "POST", path, {"reason": "内容有误"}).status_code == 200
    _, [item] = _new(phone, cursor)
    fields = item["f"]
    assert (fields["state"], fields["withdraw_reason"]) == ("withdrawn", "内容有误")
    assert (fields["text"], fields["talking_points"]) == (None, None)
    again = county.ask("ts", "POST", path, {"reason": "再次"})
    assert answer(again) == (409, "transition_not_allowed")


def _at(monkeypatch: pytest.MonkeyPatch, days: float) -> None:
    """Let the server's clock stand some days ahead for the job and the engine."""
    moment = datetime.now(UTC) + timedelta(days=days)
    monkeypatch.setattr(services, "now_ms", lambda: round(moment.timestamp() * 1000))
    monkeypatch.setattr(engine, "now_ms", lambda: round(moment.timestamp() * 1000))


def test_a_planned_notice_comes_with_its_day_and_goes_with_its_last(
    county: County, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = publish(county, valid_from=after(days=1), valid_until=after(days=3))
    phone = county.phone("gw")
    assert made["state"] == "scheduled" and shown(phone) == {}
    assert county.ask("gw", "GET", f"/notices/{made['id']}").status_code == 404
    services.turn("")
    assert shown(phone) == {}, "nothing was due"
    _at(monkeypatch, 2)
    services.turn("")
    cursor, [item] = _new(phone, None)
    assert (item["id"], item["f"]["state"]) == (made["id"], "published")
    _at(monkeypatch, 4)
    services.turn("")
    _, [gone] = _new(phone, cursor)
    assert (gone["op"], gone["id"]) == ("out", made["id"])
    shown_again = county.ask("cm_city", "GET", f"/notices/{made['id']}").get_json()
    assert (shown_again["state"], shown_again["version"]) == ("expired", 1)


def test_taps_are_counted_by_grid_and_rolled_up_by_area(county: County) -> None:
    made, phone, other = publish(county), county.phone("gw"), county.phone("colleague")
    mine = new_id()
    phone.act("create", "notice_explained", mine,
              set={"notice": made["id"], "grid": GRID, "times": 1})  # fmt: skip
    assert phone.act("add", "notice_explained", mine, base=1, set={"times": 2})["status"] in (
        "applied", "merged",
    )  # fmt: skip
    other.act("create", "notice_explained",
              set={"notice": made["id"], "grid": SAME_VILLAGE_GRID, "times": 4})  # fmt: skip
    path = f"/notices/{made['id']}/progress"
    with county.statements() as seen:
        rows = county.ask("cm_city", "GET", f"{path}?level=village").get_json()
    assert [(row["area"], row["times"]) for row in rows] == [(VILLAGE, 7)]
    assert sum("notice_explained" in one for one in seen) == 1
    rows = county.ask("ts", "GET", f"{path}?level=grid").get_json()
    assert [(row["area"], row["times"]) for row in rows] == [(GRID, 3), (SAME_VILLAGE_GRID, 4)]
    assert county.ask("ts_other_township", "GET", f"{path}?level=grid").get_json() == []
    assert answer(county.ask("gw", "GET", path)) == (403, "not_allowed")
    columns = set(NoticeExplained.__table__.columns.keys())
    assert columns.isdisjoint({"worker", "household", "resident", "refused", "name"})


def test_nobody_counts_where_he_does_not_serve(county: County) -> None:
    made, phone = publish(county), county.phone("gw")
    tap = {"notice": made["id"], "grid": SAME_VILLAGE_GRID, "times": 1}
    receipt = phone.act("create", "notice_explained", set=tap)
    assert (receipt["status"], receipt["code"]) == ("parked", "out_of_scope")


def _second_post(county: County, who: str, grid: int) -> None:
    with county.database.transaction(Mode.WRITE) as session:
        session.add(Post(user_id=county.ids[who], role="gw", area_id=grid, reason="",
                         starts=datetime.now(UTC) - timedelta(days=1), mode="cover"))  # fmt: skip


def test_an_alarm_is_acknowledged_by_name_and_each_version_anew(county: County) -> None:
    alarm = publish(county, "ts", areas=[TOWNSHIP], urgency="emergency", roles=["gw"])
    phone = county.phone("gw")
    edit = phone.edit("create", "notice_ack", set={"notice": alarm["id"], "version": 1})
    first, again = phone.push(edit)[0], phone.push(edit)[0]
    assert first["status"] == "applied" and first == again
    [ack] = shown(phone, "notice_ack").values()
    assert (ack["worker"], bool(ack["acknowledged_at"])) == (county.ids["gw"], True)
    assert shown(county.phone("colleague"), "notice_ack") == {}
    path = f"/notices/{alarm['id']}"
    missing = county.ask("ts", "GET", f"{path}/receipts").get_json()
    assert {row["name"] for row in missing} == {"colleague", "gw_next_village"}
    assert {row["name"] for row in county.ask("vl", "GET", f"{path}/receipts").get_json()} == {
        "colleague"
    }
    county.person("both", "gw", GRID)
    _second_post(county, "both", SAME_VILLAGE_GRID)
    masked = county.ask("au", "GET", f"{path}/receipts").get_json()
    assert {row["name"] for row in masked} == {"c********", "g**************", "b***"}
    counted = county.ask("ts", "GET", f"{path}/progress?level=township").get_json()
    assert [(row["area"], row["addressees"], row["acknowledged"]) for row in counted] == [
        (TOWNSHIP, 4, 1)
    ]
    county.ask("ts", "PATCH", path, {"text": "立即撤离"}, headers=_etag(1))
    missing = county.ask("ts", "GET", f"{path}/receipts").get_json()
    assert {row["name"] for row in missing} == {"gw", "colleague", "gw_next_village", "both"}


def test_for_anything_but_an_alarm_nobody_is_listed(county: County) -> None:
    made, phone = publish(county), county.phone("gw")
    receipt = phone.act("create", "notice_ack", set={"notice": made["id"], "version": 1})
    assert (receipt["status"], receipt["errors"][0]["code"]) == ("parked", "not_an_emergency")
    assert county.sql(sa.select(NoticeAck.id)) == []
    reply = county.ask("cm_city", "GET", f"/notices/{made['id']}/receipts")
    assert answer(reply) == (409, "not_an_emergency")


def test_the_worker_of_the_server_turns_notices_by_itself(county: County) -> None:
    worker = worker_of(county.app)
    worker.prepare()
    assert "notices.turn" in worker.jobs
