"""The commands of the phone say in plain words what is, also without a network."""

import subprocess
import sys
from pathlib import Path

import pytest

from app.phone.home import Home
from tests.app.core.county import GARBAGE, County, centre
from tests.app.identity.town import GRID
from tests.app.phone import network as faults
from tests.app.phone.conftest import Run
from tests.app.phone.network import Network

ROOT = Path(__file__).parents[3]


def last_id(listing: str) -> str:
    """Return the id of the last line of a list."""
    return listing.strip().splitlines()[-1].replace("●", " ").split()[0]


@pytest.fixture
def ready(county: County, network: Network, home: dict, run: Run) -> Run:
    """Return the commands of an enrolled phone that has a task."""
    county.task(title="看望独居老人")
    done = run("enrol", county.code_for("gw"), "--server", network.address)
    assert done.exit_code == 0, done.output
    return run


def unplug(tmp_path: Path) -> None:
    """Take the network away."""
    Home(tmp_path / "cli").keep(server="http://127.0.0.1:9")


def test_a_phone_that_is_nobodys_says_how_to_enrol(run: Run, tmp_path: Path) -> None:
    for words in (["sync"], ["status"], ["tasks"], ["accept", "x"]):
        done = run(*words)
        assert done.exit_code == 1
        assert "尚未登记" in done.output and "enrol CODE" in done.output
    assert not (tmp_path / "cli").exists()


def test_the_text_of_a_qr_code_enrols_too(county: County, network: Network, run: Run) -> None:
    done = run("enrol", f"wangge://enrol?u={network.address}&c={county.code_for('gw')}")
    assert done.exit_code == 0, done.output
    assert "已登记：gw" in done.output


@pytest.mark.parametrize("server", ["", "grid.example.cn", "ftp://grid", "http://grid:0x1"])
def test_what_is_no_address_is_not_dialled(run: Run, server: str) -> None:
    done = run("enrol", "A" * 26, "--server", server)
    assert done.exit_code == 2 and "http(s)://" in done.output


def test_a_wrong_code_is_refused_in_the_servers_words(network: Network, run: Run) -> None:
    done = run("enrol", "A" * 26, "--server", network.address)
    assert done.exit_code == 1
    assert "登记码无效" in done.output and "Ask for a new code" in done.output


def test_a_task_is_done_offline_and_sent_later(
    county: County, network: Network, ready: Run, tmp_path: Path
) -> None:
    task = last_id(ready("tasks").output)
    unplug(tmp_path)
    for words in (["accept", task], ["start", task], ["report", task, "--text", "老人一切都好"]):
        done = ready(*words)
        assert done.exit_code == 0 and "已保存在手机上" in done.output, done.output
    assert "已完成 done" in ready("tasks").output
    away = ready("sync")
    assert away.exit_code == 1 and "连不上服务器" in away.output
    assert "未发送 unsent         3" in ready("status").output
    Home(tmp_path / "cli").keep(server=network.address)
    assert "发出 sent 3" in ready("sync").output
    (row,) = county.ask("ts", "GET", "/tasks").get_json()
    assert (row["state"], row["report_text"]) == ("done", "老人一切都好")


def test_a_step_the_server_would_park_is_refused_at_once(
    county: County, network: Network, ready: Run
) -> None:
    task = last_id(ready("tasks").output)
    done = ready("report", task, "--text", "x")
    assert done.exit_code == 1 and "任务现在是：待接受" in done.output
    county.task(assignee=county.ids["second"], title="别人的任务")
    ready("sync")
    done = ready("accept", last_id(ready("tasks").output))
    assert done.exit_code == 1 and "not assigned to you" in done.output


def test_a_declined_task_carries_its_reason(county: County, ready: Run) -> None:
    assert ready("decline", last_id(ready("tasks").output), "--reason", "外出").exit_code == 0
    assert ready("sync").exit_code == 0
    (row,) = county.ask("ts", "GET", "/tasks").get_json()
    assert (row["state"], row["decline_reason"]) == ("declined", "外出")


def test_a_captured_household_shows_at_once_and_arrives_whole(county: County, ready: Run) -> None:
    lon, lat = map(str, centre(GRID))
    done = ready("add-household", "--address", "兰州路 7 号", "--building", "2", "--room", "301",
                 "--door", lon, lat, "--contact", "王安", "--number", "13912345678")  # fmt: skip
    assert done.exit_code == 0, done.output
    listed = ready("households").output
    assert "● " in listed and "兰州路 7 号 2 301" in listed
    shown = ready("show", "household", last_id(listed)).output
    assert "未同步 unsent" in shown and "door_source: gps" in shown
    ready("sync")
    assert "●" not in ready("households").output
    (contact,) = county.ask("vl", "GET", "/contacts").get_json()
    assert contact["name"] == "王*"


def test_a_contact_needs_name_and_number(ready: Run) -> None:
    done = ready("add-household", "--address", "兰州路 7 号", "--contact", "王安")
    assert done.exit_code == 2 and "--contact and --number" in done.output


def test_a_foreign_grid_is_not_offered(ready: Run) -> None:
    done = ready("add-household", "--address", "兰州路 7 号", "--grid", "99")
    assert done.exit_code == 2 and f"--grid ({GRID})" in done.output


def test_a_bad_edit_is_parked_with_its_reason_and_the_good_one_goes_through(
    county: County, ready: Run
) -> None:
    lon, lat = map(str, centre(GRID))
    place = ["--lon", lon, "--lat", lat]
    ready("report-incident", "--category", "9999", "--text", "井盖松动", *place)
    ready("report-incident", "--category", GARBAGE, "--text", "垃圾无人清运", *place)
    synced = ready("sync")
    assert synced.exit_code == 0 and "1 条被搁置" in synced.output
    listed = ready("parked").output
    assert "没有这个代码 There is no such code" in listed and "村级、乡镇" in listed
    assert "垃圾无人清运" in ready("incidents").output
    assert "井盖松动" not in ready("incidents").output
    assert "搁置 parked           1" in ready("status").output


def test_a_worker_mends_his_own_parked_edit_without_a_network_and_it_goes_through(
    county: County, ready: Run
) -> None:
    lon, lat = map(str, centre(GRID))
    ready("report-incident", "--category", "9999", "--text", "井盖松动", "--lon", lon, "--lat", lat)
    ready("sync")
    number = ready("parked").output.split()[0]
    assert ready("repair", number, f"category={GARBAGE}").exit_code == 0
    assert "没有 / none" in ready("parked").output
    assert ready("sync").exit_code == 0
    assert "井盖松动" in ready("incidents").output
    assert "搁置 parked           0" in ready("status").output


def test_a_worker_discards_his_own_parked_edit(county: County, ready: Run) -> None:
    lon, lat = map(str, centre(GRID))
    ready("report-incident", "--category", "9999", "--text", "井盖松动", "--lon", lon, "--lat", lat)
    ready("sync")
    number = ready("parked").output.split()[0]
    assert ready("discard", number).exit_code == 0
    assert ready("sync").exit_code == 0
    assert "没有 / none" in ready("parked").output
    assert county.ask("vl", "GET", "/parked-edits").get_json() == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [("category", "must be field=value"), ("=1", "must be field=value"), ("n:=no", "not JSON")],
)
def test_a_correction_must_name_its_field(
    county: County, ready: Run, wrong: str, said: str
) -> None:
    lon, lat = map(str, centre(GRID))
    ready("report-incident", "--category", "9999", "--text", "井盖松动", "--lon", lon, "--lat", lat)
    ready("sync")
    done = ready("repair", ready("parked").output.split()[0], wrong)
    assert done.exit_code == 2 and said in done.output


def test_a_conflict_shows_both_values_and_can_be_swapped(
    county: County, home: dict, ready: Run
) -> None:
    household, headers = last_id(ready("households").output), {"If-Match": '"v1"'}
    ready("set-occupancy", household, "empty")
    reply = county.ask("second", "PATCH", f"/households/{home['id']}", {"occupancy": "seasonal"},
                       headers=headers)  # fmt: skip
    assert reply.status_code == 200, reply.get_data(as_text=True)
    assert "1 个冲突" in ready("sync").output
    listed = ready("conflicts").output
    assert "空置 empty" in listed and "季节性居住 seasonal" in listed
    conflict = next(line for line in listed.splitlines() if "settled" in line).split()[0]
    stands = county.ask("gw", "GET", f"/households/{home['id']}").get_json()["occupancy"]
    assert ready("resolve", conflict, "swap").exit_code == 0
    ready("sync")
    swapped = county.ask("gw", "GET", f"/households/{home['id']}").get_json()["occupancy"]
    assert {stands, swapped} == {"empty", "seasonal"}
    assert "冲突 conflicts        0" in ready("status").output


def test_a_name_that_leads_nowhere_says_where_to_look(ready: Run) -> None:
    done = ready("show", "task", "nonsense")
    assert done.exit_code == 1 and "找不到 nonsense" in done.output
    several = ready("show", "household", "")
    assert several.exit_code == 1


@pytest.mark.parametrize(
    ("fault", "words"), [(faults.BUSY, "7 秒后"), (faults.STRANGER, "不是本系统的服务器")]
)
def test_each_kind_of_absence_has_its_words(
    network: Network, ready: Run, fault: str, words: str
) -> None:
    network.fail("/sync/exchange", fault)
    done = ready("sync")
    assert done.exit_code == 1 and words in done.output


def test_the_phone_runs_without_the_servers_application(tmp_path: Path) -> None:
    environment = {"PATH": "", "DATABASE_URL": "nonsense://", "DATA_DIR": str(tmp_path / "data")}
    done = subprocess.run(
        [sys.executable, "-m", "app.phone", "status", "--home", str(tmp_path / "phone")],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert "尚未登记" in done.stderr
    assert not (tmp_path / "data").exists()


def _clash(county: County, ready: Run) -> str:
    """Let the phone and a colleague's say different things of a household; return the conflict."""
    ready("sync")
    home = last_id(ready("households").output)
    [household] = county.ask("gw", "GET", "/households").get_json()
    other = county.phone("second")
    other.act("update", "household", household["id"], base=household["rv"],
              set={"occupancy": "seasonal"})  # fmt: skip
    assert ready("set-occupancy", home, "empty").exit_code == 0
    assert "1 个冲突" in ready("sync").output
    [line] = [one for one in ready("conflicts").output.splitlines() if "household" in one]
    return line.replace("●", " ").split()[0]


def _occupancy(county: County) -> str:
    [household] = county.ask("gw", "GET", "/households").get_json()
    return str(household["occupancy"])


def test_a_conflict_is_settled_offline_and_the_choice_taken_back(
    county: County, network: Network, ready: Run, tmp_path: Path
) -> None:
    conflict = _clash(county, ready)
    before = _occupancy(county)
    assert "后写者为准 the later" in ready("conflicts").output
    unplug(tmp_path)
    assert ready("resolve", conflict, "swap").exit_code == 0
    assert "已选定 resolved · 已换 swapped" in ready("conflicts").output
    Home(tmp_path / "cli").keep(server=network.address)
    ready("sync")
    assert {before, _occupancy(county)} == {"empty", "seasonal"}
    again = ready("resolve", conflict, "keep")
    assert again.exit_code == 1 and "undo" in again.output
    assert ready("undo", conflict).exit_code == 0
    assert "已自动取舍 settled by rule" in ready("conflicts").output
    ready("sync")
    assert _occupancy(county) == before
    assert ready("undo", conflict).exit_code == 1


def test_a_choice_over_something_newer_is_told_with_its_reason(county: County, ready: Run) -> None:
    conflict = _clash(county, ready)
    [household] = county.ask("vl", "GET", "/households").get_json()
    other = county.another_phone("second")
    other.act("update", "household", household["id"], base=household["rv"],
              set={"occupancy": "business"})  # fmt: skip
    assert ready("resolve", conflict, "swap").exit_code == 0
    told = ready("sync").output
    assert "未能处理 / not settled" in told and "Something newer stands there since" in told
    assert _occupancy(county) == "business"
    assert ready("resolve", conflict, "swap").exit_code == 0
    assert "not settled" not in ready("sync").output
    assert _occupancy(county) in ("empty", "seasonal")


def test_a_count_grows_offline_beside_what_others_add(county: County, ready: Run) -> None:
    task = last_id(ready("tasks").output)
    for number in ("20", "15"):
        assert ready("count", task, number).exit_code == 0
    assert "report_count: 35" in ready("show", "task", task).output
    ready("sync")
    [row] = county.ask("ts", "GET", "/tasks").get_json()
    county.another_phone("gw").act("add", "task", row["id"], base=0, set={"report_count": 5})
    ready("count", task, "1")
    ready("sync")
    assert "report_count: 41" in ready("show", "task", task).output
    county.task(assignee=county.ids["second"], title="别人的任务")
    ready("sync")
    assert ready("count", last_id(ready("tasks").output), "1").exit_code == 1


def test_after_a_sync_the_phone_tells_those_who_run_devices_what_it_still_holds(
    county: County, ready: Run
) -> None:
    assert ready("sync").exit_code == 0
    phones = county.ask("da", "GET", "/numbers/phones").get_json()
    (mine,) = [one for one in phones if one["unsent"] is not None]
    assert (mine["unsent"], mine["photos_waiting"]) == (0, 0)
    assert mine["app"] == "wangge-phone-python 1" and mine["synced"]
