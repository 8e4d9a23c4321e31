"""At a door with the phone at the terminal: visits, questions, answers, and moving out."""

from tests.app.core.county import County
from tests.app.identity.town import GRID
from tests.app.phone.conftest import Run
from tests.app.phone.network import Network

HOME = ["add-household", "--address", "人民路 9 号", "--contact", "安宁", "--number", "13900001111"]


def _ids(listing: str) -> list[str]:
    return [line.replace("●", " ").split()[0] for line in listing.strip().splitlines()]


def test_a_worker_visits_asks_and_notes_answers_offline(
    county: County, network: Network, run: Run
) -> None:
    enrolled = run("enrol", county.code_for("gw"), "--server", network.address)
    assert enrolled.exit_code == 0, enrolled.output
    assert run(*HOME).exit_code == 0
    place = _ids(run("households").output)[0]
    assert "可以问 ask" in run("questions", place).output
    for words in (
        ["consent", place, "safety", "--declined"],
        ["consent", place, "contact"],
        ["visit", place, "met", "--note", "一切如常", "--at", "104.105", "36.505"],
    ):
        done = run(*words)
        assert done.exit_code == 0 and "已保存在手机上" in done.output, done.output
    asked = run("questions", place).output
    assert "已谢绝 declined" in asked and asked.count("不要问 do not ask") >= 2
    number = run("visit", place, "met", "--note", "电话 13800138000")
    assert number.exit_code == 1 and "电话 ***********" in number.output
    again = run(*HOME)
    assert "同一地址已有住户" in again.output
    assert "搁置 parked           0" in run("status").output
    assert run("sync").exit_code == 0
    assert "搁置 parked           0" in run("status").output
    [visit] = county.ask("gw", "GET", "/visits").get_json()
    assert (visit["outcome"], visit["grid"]) == ("met", GRID)


def test_people_move_out_and_back_by_one_command_each(
    county: County, network: Network, run: Run
) -> None:
    run("enrol", county.code_for("gw"), "--server", network.address)
    run(*HOME)
    place = _ids(run("households").output)[0]
    assert run("move-out", place).exit_code == 0
    assert run("sync").exit_code == 0
    assert "空置 empty" in run("households").output
    assert county.ask("gw", "GET", "/contacts").get_json() == []
    [full] = county.ask("gw", "GET", "/households").get_json()
    [act] = county.ask("gw", "GET", f"/households/{full['id']}/acts").get_json()
    assert run("undo-act", act["id"][-8:]).exit_code == 0
    assert run("sync").exit_code == 0
    assert "有人居住 lived in" in run("households").output
    assert len(county.ask("gw", "GET", "/contacts").get_json()) == 1
    [consent] = county.ask("gw", "GET", "/consents").get_json()
    assert run("withdraw", consent["id"][-8:]).exit_code == 0
    run("sync")
    assert county.ask("gw", "GET", "/contacts").get_json()[0]["phone"] is None
