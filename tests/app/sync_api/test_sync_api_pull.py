"""Pulling over HTTP: pages, scopes that come and go, and what each role is sent."""

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from flask.testing import FlaskCliRunner

from app.core.database import Mode
from app.core.identifiers import new_id
from app.identity.models import Post
from tests.app.core.county import GAS_LEAK, County, fill, household, incident
from tests.app.identity.town import GRID, SAME_VILLAGE_GRID, outcome


def test_the_most_urgent_comes_first(county: County) -> None:
    fill(county, 1)
    phone = county.phone("gw")
    phone.act("create", "incident", set=incident())
    county.task()
    phone.act("create", "incident", set=incident(category=GAS_LEAK))
    kinds = [(item["t"], item["f"].get("priority")) for item in phone.pull()]
    assert kinds == [("incident", 1), ("task", None), ("incident", 3), ("household", None),
                     ("contact", None)]  # fmt: skip


def test_small_pages_end_where_one_big_page_ends(county: County) -> None:
    fill(county, 10)
    phone = county.another_phone("gw")
    whole = phone.send("pull", {"cursor": None}).get_json()
    assert whole["complete"] and len(whole["items"]) == 20
    seen: list[str] = []
    cursor, pages = None, 0
    while True:
        page = phone.send("pull", {"cursor": cursor, "want_bytes": 1}).get_json()
        assert page["from"] == cursor and len(page["items"]) <= 1
        seen += [item["id"] for item in page["items"]]
        cursor, pages = page["to"], pages + 1
        if page["complete"]:
            break
    assert len(seen) == len(set(seen)) == 20
    assert set(seen) == {item["id"] for item in whole["items"]}
    assert page["digest"] == whole["digest"] and page["digest"][f"grid:{GRID}"]


def test_an_exchange_pushes_and_pulls_in_one_round_trip(county: County) -> None:
    phone = county.phone("gw")
    edit = phone.edit("create", "household", set=household())
    reply = phone.send("exchange", {"cursor": None, "edits": [edit], "want_bytes": 65536})
    assert reply.status_code == 200
    push, pull = reply.get_json()["push"], reply.get_json()["pull"]
    assert (push["expected"], push["last_id"], push["results"][0]["status"]) == (
        2, edit["id"], "applied",
    )  # fmt: skip
    assert (pull["last_n"], pull["last_id"]) == (1, edit["id"])
    assert [item["id"] for item in pull["items"]] == [edit["rec"]]


def test_a_second_phone_of_the_grid_sees_what_the_first_did(county: County) -> None:
    county.person("second", "gw", GRID)
    first, second = county.phone("gw"), county.phone("second")
    rec = new_id()
    first.act("create", "household", rec, set=household(occupancy="empty"))
    [item] = second.pull()
    assert (item["id"], item["f"]["occupancy"], item["s"]) == (rec, "empty", f"grid:{GRID}")
    assert county.phone("colleague").pull() == []


def test_a_supervisors_phone_gets_masked_bodies(county: County) -> None:
    fill(county, 1)
    pulled = {who: county.phone(who).pull() for who in ("gw", "vl", "ts")}
    texts = {who: {item["t"]: item["f"] for item in items} for who, items in pulled.items()}
    assert texts["gw"]["contact"]["name"] == "张三丰"
    assert texts["gw"]["household"]["address_text"] == "人民路 12 号"
    for who in ("vl", "ts"):
        contact, home = texts[who]["contact"], texts[who]["household"]
        assert (contact["name"], contact["phone"]) == ("张*", "138****5678")
        assert (home["address_text"], home["unit_room"]) == ("***", None)


def test_conflicts_over_personal_fields_are_masked_too(county: County) -> None:
    rec, home = new_id(), new_id()
    one, two = county.phone("gw"), county.another_phone("gw")
    one.push(
        one.edit("create", "household", home, set=household()),
        one.edit("create", "contact", rec, set={"household": home, "name": "张三丰"}),
        one.edit("update", "contact", rec, base=1, set={"name": "李四光"}),
    )
    assert two.act("update", "contact", rec, base=1, set={"name": "王五"})["status"] == "conflict"
    whole = [item for item in one.pull() if item["t"] == "conflict"]
    masked = [item for item in county.phone("ts").pull() if item["t"] == "conflict"]
    assert len(whole) == len(masked) == 1
    assert {whole[0]["f"][side]["values"]["name"] for side in ("won", "lost")} == {"李四光", "王五"}
    assert "李四光" not in str(masked) and "王五" not in str(masked)
    listed = county.ask("ts", "GET", "/conflicts?state=settled").get_data(as_text=True)
    assert "李四光" not in listed and "王五" not in listed


def test_a_field_that_nobody_knows_is_masked(county: County) -> None:
    phone = county.phone("gw")
    phone.act("create", "household", set=household(nickname="张三丰家"))
    assert phone.pull()[0]["f"]["nickname"] == "张三丰家"
    assert county.phone("ts").pull()[0]["f"]["nickname"] is None


def _move_to(county: County, who: str, grid: int) -> None:
    now = datetime.now(UTC) - timedelta(seconds=1)
    county.sql(sa.update(Post).where(Post.user_id == county.ids[who]).values(ends=now))
    with county.database.transaction(Mode.WRITE) as session:
        session.add(Post(user_id=county.ids[who], role="gw", area_id=grid, starts=now, ends=None,
                         reason="", mode="permanent"))  # fmt: skip


def test_a_scope_that_was_left_is_dropped_and_the_new_one_comes(county: County) -> None:
    fill(county, 2)
    county.phone("colleague").act(
        "create", "household", new_id(), set=household(grid=SAME_VILLAGE_GRID)
    )
    phone = county.phone("gw")
    first = phone.send("pull", {"cursor": None}).get_json()
    _move_to(county, "gw", SAME_VILLAGE_GRID)
    page = phone.send("pull", {"cursor": first["to"]}).get_json()
    assert page["drop"] == [f"grid:{GRID}"]
    assert [item["s"] for item in page["items"]] == [f"grid:{SAME_VILLAGE_GRID}"]
    assert f"grid:{GRID}" not in page["digest"]


def test_a_cursor_that_makes_no_sense_starts_again_and_is_no_error(county: County) -> None:
    fill(county, 1)
    phone = county.phone("gw")
    good = phone.send("pull", {"cursor": None}).get_json()
    for cursor in ("", "x", "AAAA", "W10", good["to"][:-3], "=" * 40, "é漢字", "A" * 20_000,
                   "WyJlIiwgeyJncmlkOjEwIjogWzEsMSwxXX1d"):  # fmt: skip
        page = phone.send("pull", {"cursor": cursor}).get_json()
        assert len(page["items"]) == 2, cursor
        assert page["reset"] or not cursor


def test_a_new_epoch_makes_every_phone_start_again(county: County) -> None:
    fill(county, 1)
    phone = county.phone("gw")
    before = phone.send("pull", {"cursor": None}).get_json()
    result = FlaskCliRunner(county.app).invoke(args=["sync", "new-epoch"])
    assert result.exit_code == 0, result.output
    after = phone.send("pull", {"cursor": before["to"]}).get_json()
    assert f"grid:{GRID}" in after["reset"] and len(after["items"]) == 2


def test_a_withdrawn_phone_is_answered_at_once(county: County) -> None:
    phone = county.phone("gw")
    [device] = county.ask("gw", "GET", "/devices").get_json()
    assert county.ask("ts", "DELETE", f"/devices/{device['id']}").status_code == 204
    reply: Any = phone.send("pull", {"cursor": None})
    assert outcome(reply) == (401, "revoked")
