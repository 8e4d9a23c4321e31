"""Tasks at the terminal phone: claimed, taken back, done in one tap, done for another."""

from datetime import UTC, datetime, timedelta

import pytest

from app.core.moments import now_ms
from app.phone import acts
from app.phone.home import Home
from app.tasks import timing
from tests.app.core.county import County
from tests.app.identity.town import GRID
from tests.app.phone.conftest import Enrolled, Run
from tests.app.phone.network import Network


@pytest.fixture
def ready(county: County, network: Network, home: dict, run: Run) -> Run:
    """Return the commands of an enrolled phone; the tests give it its tasks."""
    done = run("enrol", county.code_for("gw"), "--server", network.address)
    assert done.exit_code == 0, done.output
    return run


def _said(run: Run, *words: str, code: int = 0) -> str:
    done = run(*words)
    assert done.exit_code == code, done.output
    return done.output


def test_nothing_changed_is_one_tap_offline_and_the_household_is_confirmed_with_it(
    county: County, network: Network, home: dict, ready: Run, tmp_path
) -> None:
    task = county.task(household=home["id"])
    _said(ready, "sync")
    Home(tmp_path / "cli").keep(server="http://127.0.0.1:9")
    _said(ready, "unchanged", task["id"])
    assert "已完成 done" in _said(ready, "tasks")
    assert "未发送 unsent         1" in _said(ready, "status")
    Home(tmp_path / "cli").keep(server=network.address)
    _said(ready, "sync")
    seen = county.ask("gw", "GET", f"/households/{home['id']}").get_json()
    done = county.ask("ts", "GET", f"/tasks/{task['id']}").get_json()
    assert seen["last_confirmed_at"] == done["confirmed_at"] > home["last_confirmed_at"]
    assert seen["last_confirmed_at"] in _said(ready, "show", "household", home["id"])


def test_only_a_visit_is_done_in_one_tap(county: County, ready: Run) -> None:
    task = county.task(task_kind="inspection")
    _said(ready, "sync")
    assert "无变化" in _said(ready, "unchanged", task["id"], code=1)


def test_a_task_of_the_pool_is_claimed_and_who_was_slower_reads_who_has_it(
    county: County, network: Network, ready: Run, enrolled: Enrolled
) -> None:
    task = county.task(assignee=None)
    other = enrolled("second")
    _said(ready, "sync")
    assert "可领取 free" in _said(ready, "tasks")
    _said(ready, "claim", task["id"])
    acts.claim(other, acts.find(other, "task", task["id"]))
    other.sync()
    _said(ready, "sync")
    parked = _said(ready, "parked")
    assert "任务已由他人承办" in parked and "已由 second 承办" in parked
    assert "可领取 free" not in _said(ready, "tasks")
    assert _said(ready, "claim", task["id"], code=1)


def test_a_mistaken_report_is_taken_back(county: County, ready: Run) -> None:
    task = county.task()
    _said(ready, "sync")
    for words in (("accept",), ("start",), ("report", "--text", "错了"), ("take-back",)):
        _said(ready, words[0], task["id"], *words[1:])
    assert "进行中 started" in _said(ready, "tasks")
    _said(ready, "sync")
    shown = county.ask("ts", "GET", f"/tasks/{task['id']}").get_json()
    assert (shown["state"], shown["done_at"]) == ("started", None)
    _said(ready, "take-back", task["id"], code=1)


def test_a_cover_does_the_task_of_who_is_away(county: County, enrolled: Enrolled) -> None:
    task = county.task()
    ends = (datetime.now(UTC) + timedelta(days=7)).isoformat()
    county.ask("ts", "POST", f"/users/{county.ids['colleague']}/posts", {
        "role": "gw", "area_id": GRID, "mode": "cover", "ends": ends, "covers": county.ids["gw"],
    })  # fmt: skip
    phone = enrolled("colleague")
    for state in ("accepted", "started", "done"):
        acts.stand_in(phone, acts.find(phone, "task", task["id"]), state)
    phone.sync()
    assert not phone.parked()
    shown = county.ask("ts", "GET", f"/tasks/{task['id']}").get_json()
    assert (shown["state"], shown["done_by"]) == ("done", county.ids["colleague"])


def test_the_phone_shows_what_is_due_soon_and_why_no_photo_may_be_taken(
    county: County, ready: Run
) -> None:
    task = county.task()
    timing.remind(now_ms() + 28 * 86_400_000)
    _said(ready, "sync")
    assert "即将到期" in _said(ready, "tasks")
    assert "不得拍照" in _said(ready, "show", "task", task["id"])
