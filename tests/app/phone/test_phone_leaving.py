"""A phone whose holder leaves sends what it holds, erases itself and says so, all by itself."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from app.identity.models import Enrolment
from app.phone import acts
from app.phone.client import NotEnrolled, Phone
from app.phone.home import KEY, PAPERS, REPLICA
from app.phone.line import Away, Refused
from tests.app.core.county import County
from tests.app.identity.town import GRID
from tests.app.phone import network as faults
from tests.app.phone.conftest import Enrolled, Run
from tests.app.phone.network import Network
from tests.app.phone.test_phone_sync import capture, expired_token, on_server


def dismiss(county: County) -> None:
    """Let the worker go."""
    reply = county.ask("ts", "POST", f"/users/{county.ids['gw']}/dismissal")
    assert reply.status_code == 200, reply.get_data(as_text=True)


def device(county: County) -> dict[str, Any]:
    """Return the phone as the office's list shows it."""
    rows = county.ask("ts", "GET", "/devices?limit=200").get_json()
    [row] = [row for row in rows if row["user_id"] == county.ids["gw"]]
    shown: dict[str, Any] = row
    return shown


def is_empty(phone: Phone) -> bool:
    """Tell whether nothing of the phone is left on the disk."""
    return not any((phone.home.folder / name).exists() for name in (PAPERS, KEY, REPLICA))


def households(county: County) -> set[str]:
    """Return the households of the grid."""
    if "successor" not in county.ids:
        county.person("successor", "gw", GRID)
    rows = [row for page in county.pages("successor", "/households?limit=200") for row in page]
    return {row["id"] for row in rows}


def test_two_hundred_unsent_edits_are_handed_in_before_the_phone_is_erased(
    county: County, enrolled: Enrolled
) -> None:
    phone = enrolled()
    made = capture(phone, 230)
    dismiss(county)
    with pytest.raises(Refused, match="device_wipe"):
        phone.sync()
    assert is_empty(phone)
    shown = device(county)
    assert shown["wiped_at"] is not None and shown["wiped_unsent"] == 0
    assert households(county) == set(made)


def test_what_was_captured_after_the_dismissal_waits_for_the_supervisor(
    county: County, enrolled: Enrolled
) -> None:
    phone = enrolled()
    dismiss(county)
    county.sql(sa.text('UPDATE post SET ends = :then WHERE user_id = :user'),
               then=datetime.now(UTC) - timedelta(minutes=5), user=county.ids["gw"])  # fmt: skip
    made = capture(phone, 2)
    with pytest.raises(Refused, match="device_wipe"):
        phone.sync()
    waiting = county.ask("ts", "GET", "/parked-edits").get_json()
    assert sorted(one["edit"]["rec"] for one in waiting) == sorted(made)
    assert is_empty(phone)


@pytest.mark.parametrize("fault", [faults.LOST, faults.CUT, faults.BUSY, faults.STRANGER])
def test_a_bad_network_during_the_drain_loses_nothing(
    county: County, network: Network, enrolled: Enrolled, fault: str
) -> None:
    phone = enrolled()
    made = capture(phone, 130)
    dismiss(county)
    phone.home.keep(access_token=expired_token(county, phone))
    network.fail("/sync/exchange", "", fault)
    with pytest.raises(Away):
        phone.sync()
    assert not is_empty(phone)
    network.fail("/sync/wiped", fault)
    with pytest.raises(Refused, match="device_wipe"):
        phone.sync()
    if fault != faults.LOST:
        assert device(county)["wiped_at"] is None or fault == faults.CUT
    again = Phone(phone.home)
    with pytest.raises(NotEnrolled):
        again.sync()
    again.close()
    assert device(county)["wiped_unsent"] == 0
    assert households(county) == set(made)


def test_after_72_hours_the_phone_is_erased_and_tells_how_much_was_lost(
    county: County, enrolled: Enrolled
) -> None:
    phone = enrolled()
    capture(phone, 3)
    dismiss(county)
    county.sql(sa.update(Enrolment).where(Enrolment.drain_until.is_not(None))
               .values(drain_until=datetime.now(UTC)))  # fmt: skip
    with pytest.raises(Refused, match="device_wipe"):
        phone.sync()
    assert is_empty(phone)
    assert device(county)["wiped_unsent"] == 3 and households(county) == set()


def test_a_stolen_phone_sends_nothing_before_it_is_erased(
    county: County, enrolled: Enrolled
) -> None:
    phone = enrolled()
    capture(phone, 3)
    county.ask("ts", "POST", f"/devices/{phone.home.papers['enrolment']}/wipe")
    with pytest.raises(Refused, match="device_wipe"):
        phone.sync()
    assert is_empty(phone) and device(county)["wiped_unsent"] == 3
    assert on_server(county) == {}


def test_a_phone_that_forked_during_the_drain_still_hands_in_its_work(
    county: County, enrolled: Enrolled
) -> None:
    phone = enrolled()
    made = capture(phone, 2)
    phone.replica.memory.keep(needs_device="device_forked")
    dismiss(county)
    with pytest.raises(Refused, match="device_wipe"):
        phone.sync()
    assert households(county) == set(made)


def test_a_server_that_lost_what_it_had_gets_it_before_the_wipe(
    county: County, enrolled: Enrolled
) -> None:
    phone = enrolled()
    made = capture(phone, 2)
    phone.sync()
    for table in ("household", "sync_ledger", "sync_feed", "sync_scope"):
        county.sql(sa.text(f"DELETE FROM {table}"))
    county.sql(sa.text("UPDATE sync_device SET last_n = 0, last_id = NULL, last_ms = 0"))
    dismiss(county)
    with pytest.raises(Refused, match="device_wipe"):
        phone.sync()
    assert households(county) == set(made) and is_empty(phone)


def test_the_command_says_in_words_that_the_phone_was_erased(
    county: County, home: dict[str, object], network: Network, run: Run
) -> None:
    assert run("enrol", county.code_for("gw"), "--server", network.address).exit_code == 0
    added = run("add-household", "--address", "人民路 12 号")
    assert added.exit_code == 0, added.output
    dismiss(county)
    told = run("sync")
    assert told.exit_code != 0 and "本机内容已删除" in told.output
    assert len(households(county)) == 2 and home["id"] in households(county)
    assert run("status").exit_code != 0


def test_acts_on_a_wiped_phone_are_refused(county: County, enrolled: Enrolled) -> None:
    phone = enrolled()
    dismiss(county)
    with pytest.raises(Refused, match="device_wipe"):
        phone.sync()
    again = Phone(phone.home)
    with pytest.raises(NotEnrolled):
        acts.capture_household(again, GRID, address="人民路 1 号", occupancy="lived_in")
    again.close()
