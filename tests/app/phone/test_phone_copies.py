"""The phone in Python takes ready-made copies over a bad line, and mends what goes wrong."""

import pytest

from app.phone.client import Phone
from app.phone.line import Away
from tests.app.core.county import County
from tests.app.identity.town import GRID
from tests.app.phone import network as faults
from tests.app.phone.conftest import Enrolled
from tests.app.phone.network import Network
from tests.app.phone.test_phone_sync import capture

SCOPE = f"grid:{GRID}"
COUNT = 130


@pytest.fixture
def full(enrolled: Enrolled, monkeypatch: pytest.MonkeyPatch) -> Phone:
    """Return a phone that has filled the grid, whose copy is offered from now on."""
    phone = enrolled()
    capture(phone, COUNT)
    phone.sync()
    monkeypatch.setattr("sync.pull.COPY_ROWS_MIN", 100)
    return phone


def _same(one: Phone, other: Phone) -> bool:
    rows = one.replica.rows("household")
    return len(rows) == COUNT and rows == other.replica.rows("household")


def test_a_large_scope_that_is_new_comes_as_a_copy(
    full: Phone, network: Network, enrolled: Enrolled
) -> None:
    phone = enrolled(synced=False)
    network.seen.clear()
    done = phone.sync(want_bytes=4_000)
    assert network.seen.count(f"/sync/snapshot/{SCOPE}") == 1
    assert network.seen.count("/sync/exchange") == 2
    assert done.received >= COUNT and _same(phone, full)
    network.seen.clear()
    phone.sync(want_bytes=4_000)
    assert network.seen == ["/sync/exchange"]


def test_a_copy_torn_again_and_again_is_resumed_until_it_is_whole(
    full: Phone, network: Network, enrolled: Enrolled
) -> None:
    phone = enrolled(synced=False)
    network.fail(f"/sync/snapshot/{SCOPE}", *[faults.TORN] * 4)
    sizes = []
    for _ in range(4):
        with pytest.raises(Away):
            phone.sync(want_bytes=4_000)
        part = phone.replica.memory.copy_part(SCOPE)
        sizes.append(len(part[1]) if part else 0)
    assert sizes == sorted(set(sizes)) and sizes[0] > 0
    phone.sync(want_bytes=4_000)
    assert _same(phone, full) and phone.replica.memory.recall("healed", 0) == 0


def test_what_arrived_of_a_torn_pull_is_kept(
    full: Phone, network: Network, enrolled: Enrolled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.pull.COPY_ROWS_MIN", 10_000)
    phone = enrolled(synced=False)
    network.fail("/sync/exchange", faults.TORN)
    with pytest.raises(Away):
        phone.sync()
    kept = len(phone.replica.memory.rows("household"))
    assert kept in (50, 100)
    assert phone.sync().received == COUNT - kept
    assert _same(phone, full)


def test_a_spoilt_row_is_mended_alone(
    county: County, full: Phone, network: Network, enrolled: Enrolled
) -> None:
    phone = enrolled()
    phone.connection.execute(
        "DELETE FROM replica_row WHERE rec = (SELECT min(rec) FROM replica_row)"
    )
    phone.replica.memory.put(SCOPE, "household", "ghost", rv=1, values={})
    network.seen.clear()
    phone.sync()
    assert network.seen == ["/sync/exchange", "/sync/verify", "/sync/verify"]
    assert _same(phone, full) and phone.replica.alarms == []
    alarms = county.app.test_cli_runner().invoke(args=["sync", "alarms"])
    assert alarms.exit_code == 1 and str(phone.replica.device) in alarms.output
    settled = county.app.test_cli_runner().invoke(args=["sync", "settle-alarms"])
    assert settled.exit_code == 0 and "1 部手机" in settled.output
    assert county.app.test_cli_runner().invoke(args=["sync", "alarms"]).exit_code == 0
