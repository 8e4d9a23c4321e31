"""Whatever happens to requests and replies, an edit is applied once and nothing is lost."""

import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.identity import credentials
from app.identity.credentials import Claims
from app.phone import acts, screens
from app.phone.client import Phone
from app.phone.home import Home, Occupied
from app.phone.line import BUSY, STRANGER, UNREACHED, Away
from app.phone.moment import now
from sync.replica import Instant
from tests.app.core.county import GARBAGE, County, centre
from tests.app.identity.town import GRID
from tests.app.phone import network as faults
from tests.app.phone.conftest import Enrolled
from tests.app.phone.network import WAIT_S, Network

ROOT = Path(__file__).parents[3]


def capture(phone: Phone, count: int = 1) -> list[str]:
    """Capture households."""
    return [
        acts.capture_household(phone, GRID, address=f"人民路 {one} 号", occupancy="lived_in")
        for one in range(count)
    ]


def on_server(county: County) -> dict[str, int]:
    """Return the versions of the households on the server, by id."""
    rows = [row for page in county.pages("gw", "/households?limit=200") for row in page]
    return {row["id"]: row["rv"] for row in rows}


def test_edits_made_offline_wait_and_go_once(
    county: County, network: Network, enrolled: Enrolled
) -> None:
    phone = enrolled()
    phone.home.keep(server="http://127.0.0.1:9")
    made = capture(phone, 3)
    with pytest.raises(Away) as raised:
        phone.sync()
    assert raised.value.reason == UNREACHED
    assert [edit["rec"] for edit in phone.replica.outbox()] == made
    assert set(phone.replica.rows("household")) == set(made)
    phone.home.keep(server=network.address)
    assert phone.sync().sent == 3
    assert phone.sync().sent == 0
    assert on_server(county) == dict.fromkeys(made, 1)


@pytest.mark.parametrize("fault", [faults.LOST, faults.CUT])
def test_an_edit_whose_reply_was_lost_is_applied_once(
    county: County, network: Network, enrolled: Enrolled, fault: str
) -> None:
    phone = enrolled()
    made = capture(phone, 40)
    network.fail("/sync/exchange", fault)
    with pytest.raises(Away):
        phone.sync()
    assert len(phone.replica.outbox()) == 40
    phone.sync()
    assert phone.replica.outbox() == []
    assert on_server(county) == dict.fromkeys(made, 1)


def test_a_busy_server_and_a_stranger_are_told_apart(network: Network, enrolled: Enrolled) -> None:
    phone = enrolled()
    for fault, reason, wait_s in ((faults.BUSY, BUSY, 7), (faults.STRANGER, STRANGER, None)):
        network.fail("/sync/exchange", fault)
        with pytest.raises(Away) as raised:
            phone.sync()
        assert (raised.value.reason, raised.value.retry_after_s) == (reason, wait_s)
    phone.sync()


def expired_token(county: County, phone: Phone) -> str:
    """Return the token that this phone had eleven minutes ago."""
    keys, past = county.house.keys, datetime.now(UTC) - timedelta(minutes=11)
    held = credentials.read_access(phone.home.papers["access_token"], keys, datetime.now(UTC))
    claims = Claims(held.user_id, held.session_id, held.enrolment_id)
    return credentials.make_access(claims, keys, past)


def test_a_token_that_expires_during_a_sync_is_refreshed(
    county: County, network: Network, enrolled: Enrolled
) -> None:
    writer, reader = enrolled(), enrolled()
    made = capture(writer, 60)
    writer.sync()
    network.expired_token = expired_token(county, reader)
    network.seen.clear()
    network.fail("/sync/exchange", "", "", faults.EXPIRED)
    before = reader.home.papers["refresh_token"]
    done = reader.sync(want_bytes=4_000)
    assert done.rounds > 3
    assert network.seen.count("/auth/refresh") == 1
    assert reader.home.papers["refresh_token"] != before
    assert set(reader.replica.rows("household")) == set(made)


def test_a_lost_answer_to_a_refresh_does_not_lock_the_phone_out(
    county: County, network: Network, enrolled: Enrolled
) -> None:
    phone = enrolled()
    phone.home.keep(access_token=expired_token(county, phone))
    made = capture(phone)
    network.fail("/auth/refresh", faults.LOST)
    with pytest.raises(Away):
        phone.sync()
    phone.sync()
    assert on_server(county) == dict.fromkeys(made, 1)


def test_a_wrong_clock_signs_again_with_the_time_of_the_server(
    county: County, enrolled: Enrolled
) -> None:
    def ahead() -> Instant:
        true = now()
        return Instant(true.wall_ms + 86_400_000, true.monotonic_ms, true.boot)

    phone = enrolled("gw", ahead)
    phone.home.keep(access_token=expired_token(county, phone))
    made = capture(phone)
    phone.sync()
    receipt = next(one.receipt for one in phone.replica.receipts())
    assert receipt is not None and receipt["flags"] == ["clock_suspect"]
    assert on_server(county) == dict.fromkeys(made, 1)


def test_a_phone_killed_between_request_and_reply_goes_on_where_it_was(
    county: County, network: Network, enrolled: Enrolled
) -> None:
    phone = enrolled()
    made = capture(phone, 5)
    network.fail("/sync/exchange", faults.HELD)
    words = [sys.executable, "-m", "app.phone", "sync", "--home", str(phone.home.folder)]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        assert network.held.wait(WAIT_S), "the server has answered"
        process.kill()
        process.wait(WAIT_S)
    network.let_go.set()
    assert on_server(county) == dict.fromkeys(made, 1)
    assert len(phone.replica.outbox()) == 5
    phone.sync()
    assert phone.replica.outbox() == []
    assert on_server(county) == dict.fromkeys(made, 1)
    assert {one.receipt["status"] for one in phone.replica.receipts() if one.receipt} == {"applied"}


def test_a_phone_restored_from_a_copy_gets_a_new_device_and_loses_nothing(
    county: County, enrolled: Enrolled, tmp_path: Path
) -> None:
    phone = enrolled()
    shutil.copytree(phone.home.folder, tmp_path / "copy")
    made = capture(phone, 2)
    phone.sync()
    copy = Phone(Home(tmp_path / "copy"))
    made += capture(copy, 2)
    copy.sync()
    phone.sync()
    assert copy.replica.device != phone.replica.device
    assert on_server(county) == dict.fromkeys(made, 1)
    assert set(copy.replica.rows("household")) == set(phone.replica.rows("household")) == set(made)
    copy.close()


def test_only_one_command_syncs_a_phone_at_a_time(enrolled: Enrolled) -> None:
    phone = enrolled()
    other = Phone(Home(phone.home.folder))
    with phone.home.alone():
        with pytest.raises(Occupied):
            other.sync()
    other.sync()
    other.close()


@pytest.mark.parametrize(
    ("decision", "body", "fate"),
    [("repair", {"set": {"category": GARBAGE}}, "repaired"), ("discard", None, "discarded")],
)
def test_a_phone_learns_what_became_of_a_parked_edit(
    county: County, enrolled: Enrolled, decision: str, body: object, fate: str
) -> None:
    phone = enrolled()
    lon, lat = centre(GRID)
    incident = acts.report_incident(phone, category="9999", text="井盖松动", place=(lon, lat))
    phone.sync()
    (parked,) = phone.parked()
    assert phone.replica.row("incident", incident) is None
    reply = county.ask("ts", "POST", f"/parked-edits/{parked.rec}/{decision}", body)
    assert reply.status_code == 200, reply.get_data(as_text=True)
    phone.sync()
    assert phone.parked() == []
    receipts = {one.id: one.receipt for one in phone.replica.receipts()}
    assert (receipts[parked.rec] or {})["status"] == fate
    row = phone.replica.row("incident", incident)
    if fate == "repaired":
        assert row is not None and row.values["reporter"] is None
        shown = county.ask("ts", "GET", f"/incidents/{incident}").get_json()
        assert shown["reporter"] == county.ids["gw"]
    else:
        assert row is None


def test_an_app_that_is_too_old_sends_its_work_and_says_that_it_is(
    county: County, enrolled: Enrolled, capsys: pytest.CaptureFixture[str]
) -> None:
    phone = enrolled()
    settings = county.app.extensions["wangge_settings"]
    county.app.extensions["wangge_settings"] = replace(settings, min_pull_schema=2)
    household = acts.capture_household(phone, GRID, address="人民路 12 号", occupancy="empty")
    assert phone.sync().sent == 1
    assert county.ask("gw", "GET", f"/households/{household}").status_code == 200
    assert phone.replica.outbox() == []
    row = phone.replica.row("household", household)
    assert row is not None and row.own
    screens.status(phone)
    assert "应用过旧" in capsys.readouterr().out
    county.app.extensions["wangge_settings"] = settings
    phone.sync()
    row = phone.replica.row("household", household)
    assert phone.replica.must_upgrade is None and row is not None and not row.own


def test_a_supervisors_phone_shows_what_waits_in_his_area_and_repairs_it(
    county: County, enrolled: Enrolled, capsys: pytest.CaptureFixture[str]
) -> None:
    phone, desk = enrolled(), enrolled("vl")
    lon, lat = centre(GRID)
    incident = acts.report_incident(phone, category="9999", text="井盖松动", place=(lon, lat))
    phone.sync()
    desk.sync()
    assert desk.parked() == []
    [row] = desk.replica.parked()
    screens.parked(desk, [row])
    shown = capsys.readouterr().out
    assert "没有这个代码 There is no such code" in shown and "从列表中选择" in shown
    acts.mend(desk, row, {"category": GARBAGE})
    desk.sync()
    phone.sync()
    row = phone.replica.row("incident", incident)
    assert row is not None and row.values["reporter"] is None
    assert (
        county.ask("vl", "GET", f"/incidents/{incident}").get_json()["reporter"] == county.ids["gw"]
    )
