"""Head and wait over HTTP: what is news, who may ask, and what ends a wait."""

import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from flask.testing import FlaskCliRunner

from app.core.database import Mode
from app.core.door import Door
from app.identity.models import AuthSession, Post, User
from app.sync_api.waiting_room import WaitingRoom
from tests.app.core.asgi import Line
from tests.app.core.county import County, SyncPhone, household
from tests.app.identity.town import GRID, SAME_VILLAGE_GRID, outcome
from tests.app.sync_api.patience import SOON_S, until

SCOPE = f"grid:{GRID}"


@pytest.fixture
def room(county: County) -> WaitingRoom:
    room: WaitingRoom = county.app.extensions["wangge_waiting_room"]
    return room


@pytest.fixture
def line(county: County) -> Iterator[Line]:
    """Return a line to the county through the door, as the server that ships has it."""
    with Line.open(Door(county.app, threads=8)) as line:
        yield line


def _whole(phone: SyncPhone) -> str:
    page = phone.send("pull", {"cursor": None}).get_json()
    assert page["complete"]
    cursor: str = page["to"]
    return cursor


def _wait(line: Line, county: County, phone: SyncPhone, cursor: str, timeout: int = 20) -> Any:
    path = f"/api/v1/sync/wait?timeout={timeout}&cursor={quote(cursor)}"
    return line.ask("GET", path, headers=county.headers[phone.who])


# -- head -----------------------------------------------------------------------------------------


def test_head_tells_the_scopes_that_have_changed_and_204_when_none(county: County) -> None:
    phone = county.phone("gw")
    first = phone.send("head", {"cursor": None})
    assert SCOPE in first.get_json()["changed"]
    cursor = _whole(phone)
    assert phone.send("head", {"cursor": cursor}).status_code == 204
    phone.act("create", "household", set=household())
    assert phone.send("head", {"cursor": cursor}).get_json() == {"changed": [SCOPE]}
    assert phone.send("head", {"cursor": _whole(phone)}).status_code == 204


def test_head_and_wait_tell_nothing_of_other_scopes(county: County) -> None:
    phone, colleague = county.phone("gw"), county.phone("colleague")
    cursor = _whole(phone)
    colleague.act("create", "household", set=household(grid=SAME_VILLAGE_GRID))
    assert phone.send("head", {"cursor": cursor}).status_code == 204
    foreign = phone.send("head", {"cursor": _whole(colleague)}).get_json()["changed"]
    assert SCOPE in foreign


@pytest.mark.parametrize("path", ["head", "wait"])
def test_head_and_wait_are_for_those_who_may_pull(county: County, path: str) -> None:
    body = {"cursor": None}
    assert county.ask(None, "POST", f"/sync/{path}", body).status_code == 401
    assert outcome(county.ask("cm", "POST", f"/sync/{path}", body)) == (403, "not_allowed")
    county.phone("gw")
    assert county.ask("gw_phone", "POST", f"/sync/{path}", {"cursor": 7}).status_code in (400, 422)
    for cursor in ("rubbish", "", "é漢字", "=" * 40):
        reply = county.ask("gw_phone", "POST", f"/sync/{path}", {"cursor": cursor})
        assert SCOPE in reply.get_json()["changed"]


@pytest.mark.parametrize("query", ["timeout=51", "timeout=-1", "timeout=x", "device=1"])
def test_a_wait_that_makes_no_sense_is_refused(county: County, query: str) -> None:
    county.phone("gw")
    assert county.ask("gw_phone", "GET", f"/sync/wait?{query}").status_code == 422


# -- waiting at the door --------------------------------------------------------------------------


def test_a_waiting_phone_hears_of_a_change(county: County, line: Line, room: WaitingRoom) -> None:
    county.person("second", "gw", GRID)
    phone, other = county.phone("gw"), county.phone("second")
    cursor = _whole(phone)
    waiting = _wait(line, county, phone, cursor)
    until(lambda: len(room) == 1)
    assert not waiting.done()
    other.act("create", "household", set=household())
    status, headers, body = waiting.result(SOON_S)
    assert (status, json.loads(body)) == (200, {"changed": [SCOPE]})
    assert headers["content-type"] == "application/json" and "retry-after" not in headers
    assert headers["cache-control"] == "no-store"
    until(lambda: len(room) == 0)


def test_a_change_between_the_pull_and_the_wait_is_answered_at_once(
    county: County, line: Line
) -> None:
    phone = county.phone("gw")
    cursor = _whole(phone)
    phone.act("create", "household", set=household())
    assert _wait(line, county, phone, cursor).result(SOON_S)[0] == 200


def test_a_change_between_the_question_and_the_sleep_is_not_missed(
    county: County, line: Line, room: WaitingRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = county.phone("gw")
    cursor = _whole(phone)
    right = WaitingRoom.enter

    def late(self: WaitingRoom, waiting: Any) -> bool:
        phone.act("create", "household", set=household())
        return right(self, waiting)

    monkeypatch.setattr(WaitingRoom, "enter", late)
    assert _wait(line, county, phone, cursor).result(SOON_S)[0] == 200


def test_when_the_time_is_over_the_answer_is_that_nothing_is_new(
    county: County, line: Line, room: WaitingRoom
) -> None:
    phone = county.phone("gw")
    began = time.monotonic()
    status, headers, body = _wait(line, county, phone, _whole(phone), 1).result(SOON_S)
    assert (status, body) == (204, b"") and "retry-after" not in headers
    assert time.monotonic() - began >= 1.0
    assert len(room) == 0
    assert _wait(line, county, phone, _whole(phone), 0).result(SOON_S)[0] == 204


def test_who_waits_holds_no_connection_and_no_thread(
    county: County, line: Line, room: WaitingRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.sync_api.waiting_room.LOOK_EVERY_S", 30)
    phone = county.phone("gw")
    cursor = _whole(phone)
    waiting = _wait(line, county, phone, cursor)
    until(lambda: len(room) == 1)
    until(lambda: county.database.engine.pool.checkedout() == 0)  # type: ignore[attr-defined]
    threads = threading.active_count()
    more = [_wait(line, county, county.another_phone("colleague"),
                  _whole(county.another_phone("colleague"))) for _ in range(3)]  # fmt: skip
    until(lambda: len(room) == 4)
    assert threading.active_count() <= threads + 3
    assert county.database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    line.door.let_go()
    assert [one.result(SOON_S)[0] for one in (waiting, *more)] == [204] * 4


def test_a_withdrawn_session_ends_its_wait(county: County, line: Line, room: WaitingRoom) -> None:
    phone = county.phone("gw")
    waiting = _wait(line, county, phone, _whole(phone))
    until(lambda: len(room) == 1)
    county.sql(sa.update(AuthSession).values(revoked_at=datetime.now(UTC)))
    status, _, body = waiting.result(5.0)
    assert (status, json.loads(body)["code"]) == (401, "revoked")


def test_a_dismissed_user_and_another_post_end_a_wait_too(
    county: County, line: Line, room: WaitingRoom
) -> None:
    phone = county.phone("gw")
    cursor = _whole(phone)
    waiting = _wait(line, county, phone, cursor)
    until(lambda: len(room) == 1)
    with county.database.transaction(Mode.WRITE) as session:
        session.add(Post(user_id=county.ids["gw"], role="gw", area_id=SAME_VILLAGE_GRID,
                         starts=datetime.now(UTC) - timedelta(seconds=1), ends=None, reason="",
                         mode="permanent"))  # fmt: skip
    status, _, body = waiting.result(5.0)
    assert (status, json.loads(body)) == (200, {"changed": [f"grid:{SAME_VILLAGE_GRID}"]})
    waiting = _wait(line, county, phone, _whole(phone))
    until(lambda: len(room) == 1)
    county.sql(sa.update(User).where(User.id == county.ids["gw"]).values(active=False))
    assert waiting.result(5.0)[0] == 401


def test_a_new_epoch_ends_a_wait(county: County, line: Line, room: WaitingRoom) -> None:
    phone = county.phone("gw")
    waiting = _wait(line, county, phone, _whole(phone))
    until(lambda: len(room) == 1)
    assert FlaskCliRunner(county.app).invoke(args=["sync", "new-epoch"]).exit_code == 0
    status, _, body = waiting.result(SOON_S)
    assert status == 200 and SCOPE in json.loads(body)["changed"]


def test_who_has_gone_is_forgotten(county: County, line: Line, room: WaitingRoom) -> None:
    phone = county.phone("gw")
    waiting = _wait(line, county, phone, _whole(phone))
    until(lambda: len(room) == 1)
    waiting.hang_up()
    until(lambda: len(room) == 0)


def test_of_one_session_only_the_last_wait_counts(
    county: County, line: Line, room: WaitingRoom
) -> None:
    phone = county.phone("gw")
    cursor = _whole(phone)
    first = _wait(line, county, phone, cursor)
    until(lambda: len(room) == 1)
    second = _wait(line, county, phone, cursor)
    assert first.result(SOON_S)[0] == 204
    assert len(room) == 1 and not second.done()
    phone.act("create", "household", set=household())
    assert second.result(SOON_S)[0] == 200


def test_without_a_door_or_without_room_a_phone_is_told_to_ask_again(
    county: County, line: Line, room: WaitingRoom
) -> None:
    phone = county.phone("gw")
    cursor = _whole(phone)
    plain = county.ask(phone.who, "GET", f"/sync/wait?timeout=20&cursor={quote(cursor)}")
    assert (plain.status_code, plain.headers["Retry-After"]) == (204, "15")
    room.waiters_max = 0
    status, headers, _ = _wait(line, county, phone, cursor).result(SOON_S)
    assert (status, headers["retry-after"]) == (204, "15")


def test_a_cursor_too_long_for_an_address_is_posted(
    county: County, line: Line, room: WaitingRoom
) -> None:
    phone = county.phone("gw")
    body = json.dumps({"cursor": _whole(phone), "timeout": 20}).encode()
    headers = {**county.headers[phone.who], "Content-Type": "application/json"}
    waiting = line.ask("POST", "/api/v1/sync/wait", body=body, headers=headers)
    until(lambda: len(room) == 1)
    phone.act("create", "household", set=household())
    assert waiting.result(SOON_S)[0] == 200


def test_a_database_that_is_away_for_a_while_ends_no_wait(
    county: County, line: Line, room: WaitingRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = county.phone("gw")
    failed = threading.Event()
    right = WaitingRoom.look

    def fail_once(self: WaitingRoom, here: Any) -> None:
        if not failed.is_set():
            failed.set()
            raise ValueError("a bug")
        right(self, here)

    monkeypatch.setattr(WaitingRoom, "look", fail_once)
    waiting = _wait(line, county, phone, _whole(phone))
    assert failed.wait(SOON_S)
    phone.act("create", "household", set=household())
    assert waiting.result(SOON_S)[0] == 200
