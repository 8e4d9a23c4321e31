"""The form of a task at the terminal: received once, filled in and checked without a network."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.core.database import Mode
from app.forms.bringing import bring, bring_seed
from app.phone.home import Home
from tests.app.core.county import GARBAGE, County, centre
from tests.app.forms.samples import BUILDING
from tests.app.identity.town import GRID
from tests.app.phone.conftest import Run
from tests.app.phone.network import Network
from tests.app.phone.test_phone_commands import last_id, unplug


def bring_forms(county: County) -> None:
    """Publish the forms that come with the product."""
    with county.database.transaction(Mode.WRITE) as session:
        bring_seed(session, datetime.now(UTC))


@pytest.fixture
def ready(county: County, network: Network, home: dict, run: Run) -> Run:
    """Return the commands of an enrolled phone that has an inspection to do."""
    bring_forms(county)
    county.task(title="日常巡查", task_kind="inspection")
    done = run("enrol", county.code_for("gw"), "--server", network.address)
    assert done.exit_code == 0, done.output
    return run


def test_a_form_is_filled_in_offline_and_taken_by_the_server(
    county: County, network: Network, ready: Run, tmp_path: Path
) -> None:
    task = last_id(ready("tasks").output)
    assert network.seen.count("/forms/inspection/1") == 1
    unplug(tmp_path)
    assert "日常巡查 / Routine inspection round" in ready("form", task).output
    for words in (["accept", task], ["start", task]):
        assert ready(*words).exit_code == 0
    half = ready("answer", task, "roads=ok", "lights=not_ok", "lights_note=路口灯坏",
                 "fire_lanes=ok", "wires=ok")  # fmt: skip
    assert half.exit_code == 0 and "answers/rubbish: 必填" in half.output
    early = ready("report", task, "--text", "巡查完毕")
    assert early.exit_code == 1 and "answers/handled" in early.output
    shown = ready("form", task).output
    assert (
        "lights: 路灯与公共设施 / Street lights and public facilities = not_ok（路口灯坏）" in shown
    )
    assert "faults: 不合格项数 / Items not in order = 1" in shown
    assert ready("answer", task, "rubbish=ok", "handled=reported").exit_code == 0
    lon, lat = map(str, centre(GRID))
    raised = ready("raise", task, "--category", GARBAGE, "--lon", lon, "--lat", lat)
    assert raised.exit_code == 0, raised.output
    assert ready("report", task, "--text", "巡查完毕").exit_code == 0
    Home(tmp_path / "cli").keep(server=network.address)
    assert "搁置" not in ready("sync").output
    [done] = county.ask("ts", "GET", "/tasks").get_json()
    assert (done["state"], done["answers"]["faults"]) == ("done", 1)
    reported = county.ask("ts", "GET", f"/incidents/{done['raised_incident']}").get_json()
    assert reported["text"] == "路灯与公共设施：路口灯坏"
    ready("sync")
    assert network.seen.count("/forms/inspection/1") == 1


def test_what_is_no_answer_is_said_at_once(ready: Run) -> None:
    task = last_id(ready("tasks").output)
    wrong = ready("answer", task, "roads=perhaps", "colour=red")
    assert wrong.exit_code == 1
    assert "answers/roads: 不在可选范围内" in wrong.output and "answers/colour" in wrong.output
    assert ready("answer", task, "roads").exit_code == 2


def test_a_task_without_a_form_says_so(county: County, network: Network, run: Run) -> None:
    county.task(task_kind="publicity")
    run("enrol", county.code_for("gw"), "--server", network.address)
    none = run("form", last_id(run("tasks").output))
    assert none.exit_code == 1 and "没有表单" in none.output


@pytest.fixture
def building(county: County, network: Network, home: dict, run: Run) -> Run:
    """Return the commands of a phone whose task has a form with groups and rows."""
    with county.database.transaction(Mode.WRITE) as session:
        source = {**BUILDING, "key": "inspection"}
        bring(session, source, publish=True, now=datetime.now(UTC))
    county.task(title="楼栋检查", task_kind="inspection")
    done = run("enrol", county.code_for("gw"), "--server", network.address)
    assert done.exit_code == 0, done.output
    return run


def test_groups_and_rows_are_filled_in_offline_and_taken_by_the_server(
    county: County, network: Network, building: Run, tmp_path: Path
) -> None:
    task = last_id(building("tasks").output)
    unplug(tmp_path)
    shown = building("form", task).output
    assert "消防" not in shown and "rooms/0/…" not in shown, "neither is asked yet"
    for words in (["accept", task], ["start", task]):
        assert building(*words).exit_code == 0
    said = ["storeys=2", "exits=ok", "rooms/0/use=shop", "rooms/1/use=home",
            "rooms/1/wires=not_ok", "rooms/1/wires_note=裸露"]  # fmt: skip
    half = building("answer", task, *said)
    assert half.exit_code == 0 and "answers/rooms/0/area_m2: 必填" in half.output
    shown = building("form", task).output
    assert "—— 消防 / Fire safety" in shown and "楼梯" not in shown
    assert "rooms: 房间 / Rooms = 2 项 / rows" in shown
    assert "rooms/1/wires: 电线 / Wires = not_ok（裸露）" in shown
    assert "room_count: 间数 / How many rooms = 2" in shown
    more = building("answer", task, "rooms/0/area_m2=30", "rooms/2/use=home")
    assert more.exit_code == 0, more.output
    assert building("answer", task, "rooms/2=").exit_code == 0
    lon, lat = map(str, centre(GRID))
    raised = building("raise", task, "--category", GARBAGE, "--lon", lon, "--lat", lat)
    assert raised.exit_code == 0, raised.output
    assert building("report", task, "--text", "检查完毕").exit_code == 0
    Home(tmp_path / "cli").keep(server=network.address)
    assert "搁置" not in building("sync").output
    [done] = county.ask("ts", "GET", "/tasks").get_json()
    assert done["answers"]["rooms"] == [
        {"use": "shop", "area_m2": 30, "floor_share": 15},
        {"use": "home", "wires": "not_ok", "wires_note": "裸露"}]  # fmt: skip
    reported = county.ask("ts", "GET", f"/incidents/{done['raised_incident']}").get_json()
    assert reported["text"] == "电线（第 2 项）：裸露"


def test_rows_are_added_one_after_another(building: Run) -> None:
    task = last_id(building("tasks").output)
    far = building("answer", task, "rooms/1/use=home")
    assert far.exit_code == 1 and "There is no row 1" in far.output
    none = building("answer", task, "rooms/0=")
    assert none.exit_code == 1 and "answers/rooms/0: 没有行 0" in none.output
    assert "answers/rooms/0: " in building("answer", task, "storeys=1", "rooms/0=home").output
    strange = building("answer", task, "storeys=1", "rooms/0/colour=red")
    assert strange.exit_code == 1 and "answers/rooms/0/colour" in strange.output
