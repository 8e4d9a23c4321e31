"""A worker claims, handles and answers incidents on his phone, with or without a network."""

from pathlib import Path
from typing import Any

import pytest

from app.phone.home import Home
from tests.app.core.county import County
from tests.app.incidents import cases
from tests.app.incidents.cases import TO_ANSWERED, TO_DISPATCHED, move, seen, walked
from tests.app.phone.conftest import Run
from tests.app.phone.network import Network

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def ready(county: County, network: Network, run: Run) -> Run:
    """Return the commands of the second worker's phone, with a case that waits for his grid."""
    county.person("second", "gw", cases.GRID)
    done = run("enrol", county.code_for("second"), "--server", network.address)
    assert done.exit_code == 0, done.output
    return run


def _offline(run: Run, tmp_path: Path, network: Network, *commands: tuple[str, ...]) -> Any:
    """Run commands without a network, then sync; return what the sync says."""
    Home(tmp_path / "cli").keep(server=NOWHERE)
    for words in commands:
        done = run(*words)
        assert done.exit_code == 0, done.output
    Home(tmp_path / "cli").keep(server=network.address)
    return run("sync", "--data-only")


def _way(rec: str) -> tuple[tuple[str, ...], ...]:
    return (("incident", rec, "claim"), ("incident", rec, "start"),
            ("incident", rec, "answer", "--text", "已清运"))  # fmt: skip


def test_a_case_is_handled_without_a_network(
    county: County, ready: Run, tmp_path: Path, network: Network
) -> None:
    case = walked(county, TO_DISPATCHED)
    ready("sync")
    assert "已派遣" in ready("incidents").output
    said = _offline(ready, tmp_path, network, *_way(case["id"][-8:]))
    assert "被搁置" not in said.output, said.output
    after = seen(county, case["id"])
    assert (after["state"], after["result_text"]) == ("answered", "已清运")
    assert after["handler"] == county.ids["second"]


def test_who_comes_too_late_reads_by_whom_and_that_his_report_was_kept(
    county: County, ready: Run, tmp_path: Path, network: Network
) -> None:
    case = walked(
        county, (*TO_DISPATCHED, ("second", "claimed", {}), ("second", "in_progress", {}))
    )
    ready("sync")
    move(county, "ts", case["id"], "cancelled", reason="重复")
    said = _offline(ready, tmp_path, network,
                    ("incident", case["id"], "answer", "--text", "已清运"))  # fmt: skip
    assert "已由 ts 于" in said.output and "已作废" in said.output, said.output
    assert "您的内容已附上" in said.output and "your report was added" in said.output
    assert seen(county, case["id"])["state"] == "cancelled"


def test_more_time_is_asked_for_and_a_step_that_is_not_there_is_not_sent(
    county: County, ready: Run
) -> None:
    case = walked(county, (*TO_DISPATCHED, ("second", "claimed", {})))
    ready("sync")
    asked = ready("ask", case["id"], "extension", "--text", "雨天", "--until", "2031-05-01")
    assert asked.exit_code == 0, asked.output
    wrong = ready("incident", case["id"], "check")
    assert wrong.exit_code == 1
    ready("sync")
    assert seen(county, case["id"])["extension"] == "asked"


def test_a_colleague_of_the_grid_checks_on_site(county: County, ready: Run) -> None:
    steps = tuple((("gw" if who == "second" else who), *rest) for who, *rest in TO_ANSWERED)
    case = walked(county, steps)  # type: ignore[arg-type]
    ready("sync")
    ready("incident", case["id"], "check")
    ready("sync")
    assert seen(county, case["id"])["state"] == "checked"
