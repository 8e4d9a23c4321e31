"""Notices and emergency orders at the terminal, also without a network."""

from pathlib import Path

from app.phone.home import Home
from tests.app.campaigns.emergency import open_order
from tests.app.core.county import County
from tests.app.identity.town import COUNTY, GRID
from tests.app.notices.bulletin import publish
from tests.app.phone.conftest import Run
from tests.app.phone.network import Network


def _id(listing: str, title: str) -> str:
    [line] = [line for line in listing.splitlines() if title in line]
    return line.split()[0]


def test_notices_are_read_explained_and_acknowledged_offline(
    county: County, network: Network, run: Run, tmp_path: Path
) -> None:
    made = publish(county)
    alarm = publish(county, urgency="emergency", title="洪水预警")
    run("enrol", county.code_for("gw"), "--server", network.address)
    Home(tmp_path / "cli").keep(server="http://127.0.0.1:9")
    listing = run("notices").output
    assert listing.index("洪水预警") < listing.index("森林防火") and listing.count("新 new") == 2
    fire, flood = _id(listing, "森林防火"), _id(listing, "洪水预警")
    assert "· 不野外用火" in run("notice", fire).output
    assert run("notices").output.count("新 new") == 1
    for _ in range(2):
        assert run("explained", fire, "--times", "2").exit_code == 0
    assert "只有应急通知需要确认" in run("ack", fire).output
    assert run("ack", flood).exit_code == 0
    assert "已确认过" in run("ack", flood).output
    Home(tmp_path / "cli").keep(server=network.address)
    assert "发出 sent 3" in run("sync").output
    path = f"/notices/{made['id']}/progress?level=grid"
    [counted] = county.ask("cm_city", "GET", path).get_json()
    assert (counted["area"], counted["times"]) == (GRID, 4)
    missing = county.ask("vl", "GET", f"/notices/{alarm['id']}/receipts").get_json()
    assert "gw" not in {row["name"] for row in missing}


def test_what_an_order_asks_for_is_entered_offline(
    county: County, network: Network, run: Run, tmp_path: Path
) -> None:
    county.person("cm_second", "cm", COUNTY)
    name = open_order(county)
    run("enrol", county.code_for("gw"), "--server", network.address)
    Home(tmp_path / "cli").keep(server="http://127.0.0.1:9")
    order = _id(run("orders").output, "返乡人员登记")
    done = run("add-entry", order, "--count", "3", "--from", "420111", "--on", "2026-02-17",
               "--number", "13812345678")  # fmt: skip
    assert done.exit_code == 0, done.output
    Home(tmp_path / "cli").keep(server=network.address)
    assert "发出 sent 1" in run("sync").output
    [entry] = county.ask("gw", "GET", f"/emergency-entries?order={name}").get_json()
    assert (entry["count_arrived"], entry["from_region"]) == (3, "420111")
