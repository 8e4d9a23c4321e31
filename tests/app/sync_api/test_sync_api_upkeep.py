"""The operator's commands: compaction, erasure by law, restore from a backup."""

import re
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import Result
from flask.testing import FlaskCliRunner

from app.core.database import Mode
from app.core.engine import current_engine
from app.core.identifiers import new_id
from app.core.records import sync_tables
from app.households.models import Contact, Household
from app.sync_api import erasures
from app.sync_api.epochs import EXTENSION
from app.sync_api.upkeep_commands import carry_out, compact_step, keeping_of
from scripts.backup import backup
from sync.compaction import STEPS, Keeping
from sync.digest import as_hex, scope_digest
from sync.parking import DAY_MS
from sync.pull import PAGE_BYTES_MAX
from tests.app.core.county import County, SyncPhone, centre, household
from tests.app.identity.town import GRID, now_ms

CANARY = "金丝雀人家"
REASON = "本人申请 / on request"


def run(county: County, *words: str) -> Result:
    """Run a command of the house."""
    return FlaskCliRunner(county.app).invoke(args=["sync", *words])


def _home(phone: SyncPhone) -> tuple[str, str]:
    """Register a household and a contact whose values can be looked for."""
    home, contact = new_id(), new_id()
    door = {"door_point": centre(GRID), "door_accuracy_m": 8, "door_source": "gps"}
    results = phone.push(
        phone.edit("create", "household", home, set=household(address_text=CANARY, **door)),
        phone.edit("create", "contact", contact, set={"household": home, "name": CANARY}),
        phone.edit("update", "household", home, base=1, set={"occupancy": "empty"}),
        phone.edit("create", "contact", set={"household": home, "name": CANARY, "phone": "1"}),
    )
    assert [one["status"] for one in results] == ["applied", "applied", "applied", "parked"]
    return home, contact


def _traces(county: County) -> list[str]:
    """Return where the word stands: in the rows of all tables, sealed ones opened."""
    found = []
    for table in county.database.metadata.sorted_tables:
        for row in county.sql(sa.select(table)):
            texts = [str(value) for value in row] + _opened(table.name, row._mapping)
            found += [table.name] if any(CANARY in text for text in texts) else []
    return sorted(set(found))


def _opened(table: str, row: Any) -> list[str]:
    seal = current_engine().seal
    kinds = {"household": "household", "contact": "contact", "conflict": "conflict",
             "sync_parked": "parked"}  # fmt: skip
    name = row.get("edit") or row.get("id")
    kind = row["kind"] if table == "sync_ledger" else kinds.get(table)
    return [seal.open(kind, name, row["body"])] if kind and row["body"] else []


def test_an_erased_household_is_in_no_table_and_no_file(county: County) -> None:
    phone = county.phone("gw")
    home, contact = _home(phone)
    assert _traces(county) == ["contact", "household", "sync_ledger", "sync_parked"]
    result = run(county, "erase", "household", home, "--reason", REASON, "--with", "contact",
                 "--yes")  # fmt: skip
    assert result.exit_code == 0, result.output
    assert contact in result.output
    assert _traces(county) == []
    assert not _on_disk(county)
    bare = county.sql(sa.select(Household.__table__).where(Household.id == home))[0]._mapping
    kept = {name for name, value in bare.items() if value is not None}
    assert kept == {"id", "rv", "deleted", "marks", "body"}
    assert county.ask("ts", "GET", f"/households/{home}").status_code == 404
    assert len(county.events("sync.erased")) == 3


def _on_disk(county: County) -> bool:
    """Tell whether the word stands anywhere in the files of an embedded database."""
    if not county.database.is_sqlite:
        return False
    path = Path(str(county.database.url.database))
    files = [path, path.with_name(path.name + "-wal"), erasures.list_of(path)]
    return any(CANARY.encode() in file.read_bytes() for file in files if file.exists())


def test_the_search_of_the_file_finds_what_is_there(county: County) -> None:
    if county.database.is_sqlite:
        _home(county.phone("gw"))
        assert _on_disk(county)


def test_late_edits_are_answered_and_phones_confirm(county: County) -> None:
    phone, other = county.phone("gw"), county.another_phone("gw")
    home, _ = _home(phone)
    other.pull()
    run(county, "erase", "household", home, "--reason", REASON, "--with", "contact", "--yes")
    late = phone.act("update", "household", home, base=2, set={"address_text": CANARY})
    assert (late["status"], late["code"]) == ("noted", "erased")
    beside = phone.act("create", "contact", set={"household": home, "name": CANARY})
    assert beside["code"] == "erased"
    assert _traces(county) == []
    page = other.send("pull", {"cursor": None}).get_json()
    purged = {item["id"] for item in page["items"] if item["op"] == "purge"}
    assert home in purged and all("f" not in i for i in page["items"] if i["id"] in purged)
    assert _phones_listed(county, home) == (set(), {phone.device, other.device})
    other.send("pull", {"cursor": page["to"]})
    assert _phones_listed(county, home) == ({other.device}, {phone.device})


def _phones_listed(county: County, record: str) -> tuple[set[str], set[str]]:
    """Return the phones that the list says have erased a record, and those that have not."""
    county.phone("gw_next_village")
    listed = run(county, "erasures").output
    entry = listed[listed.index(record) :].split(REASON)[1]
    done, waiting = entry.split("phones that have not yet")
    return set(re.findall(r"    ([0-9a-f-]{36})", done)), set(
        re.findall(r"    ([0-9a-f-]{36})", waiting)
    )


def test_only_what_can_be_erased_is_taken(county: County) -> None:
    for words in (("erase", "castle", new_id(), "--reason", "x", "--yes"),
                  ("erase", "household", "x", "--reason", "x", "--yes"),
                  ("erase", "household", new_id(), "--reason", "x" * 201, "--yes"),
                  ("erase", "household", new_id(), "--yes")):  # fmt: skip
        assert run(county, *words).exit_code != 0
    assert run(county, "erasures").output.count("\n") == 1


def test_compaction_runs_beside_the_server_and_tells_what_has_gone(county: County) -> None:
    phone = county.phone("gw")
    home, contact = _home(phone)
    phone.act("delete", "contact", contact, base=1)
    result = run(county, "compact")
    assert result.exit_code == 0, result.output
    keeping = keeping_of(county.app.extensions["wangge_settings"])
    later_ms = now_ms() + 366 * DAY_MS
    gone = {name: compact_step(name, later_ms, keeping) for name in STEPS}
    assert gone == {"scopes": 1, "ledger": 5, "conflicts": 0}
    bodies = county.sql(sa.select(sync_tables.ledger.c.body, sync_tables.ledger.c.receipt))
    assert all(body == "" and receipt for body, receipt in bodies)
    page = phone.send("pull", {"cursor": None}).get_json()
    assert {item["id"] for item in page["items"] if item["op"] == "put"} >= {home}


def test_an_idempotency_key_still_counts_after_its_year(county: County) -> None:
    key = {"Idempotency-Key": "once"}
    first = county.ask("gw", "POST", "/households", household(), headers=key)
    assert first.status_code == 201, first.get_data(as_text=True)
    keeping = keeping_of(county.app.extensions["wangge_settings"])
    compact_step("ledger", now_ms() + 366 * DAY_MS, keeping)
    again = county.ask("gw", "POST", "/households", household(), headers=key)
    assert again.get_json()["id"] == first.get_json()["id"]


@pytest.fixture
def copied(county: County) -> Path:
    """Return a backup that holds one household."""
    phone = county.phone("gw")
    _home(phone)
    made = backup(county.app.extensions["wangge_settings"], datetime.now(UTC))
    county.app.extensions[EXTENSION].look()
    return made


def test_a_restore_brings_the_backup_back_under_a_new_epoch(county: County, copied: Path) -> None:
    phone = county.phone("gw")
    cursor = phone.send("pull", {"cursor": None}).get_json()["to"]
    later = new_id()
    phone.act("create", "household", later, set=household())
    result = run(county, "restore", str(copied), "--yes")
    assert result.exit_code == 0, result.output
    with county.database.transaction(Mode.READ) as session:
        assert len(session.execute(sa.select(Household.id)).all()) == 1
        assert len(session.execute(sa.select(Contact.id)).all()) == 1
    page = phone.send("pull", {"cursor": cursor}).get_json()
    assert f"grid:{GRID}" in page["reset"] and page["last_n"] == 4
    assert list(copied.parent.glob("*.contents")) == []


def test_what_was_erased_stays_erased_after_a_restore(county: County, copied: Path) -> None:
    [(home,)] = county.sql(sa.select(Household.id))
    run(county, "erase", "household", home, "--reason", REASON, "--with", "contact", "--yes")
    assert _traces(county) == []
    result = run(county, "restore", str(copied), "--yes")
    assert result.exit_code == 0, result.output
    assert _traces(county) == []
    again = county.phone("gw").act("update", "household", home, base=1, set={"building": "9"})
    assert again["code"] == "erased"


def test_what_is_no_backup_is_not_restored(county: County, tmp_path: Path) -> None:
    _home(county.phone("gw"))
    for text in (b"", b"not a database at all, whatever the name says" * 100):
        path = tmp_path / "some.db"
        path.write_bytes(text)
        assert run(county, "restore", str(path), "--yes").exit_code == 1
    assert len(county.sql(sa.select(Household.id))) == 1


def test_pushes_beside_compaction_and_erasure_are_all_right(county: County) -> None:
    """Both take the locks in the order of pushes; nothing is refused, and digests stay right."""
    phone, reader = county.phone("gw"), county.another_phone("gw")
    homes = [new_id() for _ in range(12)]
    phone.push(*(phone.edit("create", "household", home, set=household()) for home in homes))
    faults: list[str] = []

    def push() -> None:
        for number in range(30):
            home = homes[number % len(homes)]
            edits = [
                phone.edit("update", "household", home, base=1, set={"building": CANARY}),
                phone.edit("create", "household", set=household()),
                phone.edit("delete", "household", homes[-1 - number % 3], base=99),
            ]
            reply = phone.send("push", {"edits": edits})
            faults.extend([] if reply.status_code == 200 else [reply.get_data(as_text=True)])

    pushing = threading.Thread(target=push)
    pushing.start()
    erased = homes[:3]
    for home in erased:
        carry_out("household", home, REASON, ["contact"])
        for name in STEPS:
            compact_step(name, now_ms(), Keeping(0, DAY_MS, 0))
    pushing.join()
    assert faults == []
    page = reader.send("pull", {"want_bytes": PAGE_BYTES_MAX}).get_json()
    items, digests = page["items"], page["digest"]
    shown = [(item["t"], item["id"], item["rv"]) for item in items
             if item["op"] == "put" and item["s"] == f"grid:{GRID}"]  # fmt: skip
    digest = as_hex(scope_digest(shown))
    assert digests[f"grid:{GRID}"] == digest
    purged = {item["id"] for item in items if item["op"] == "purge" and item["t"] == "household"}
    assert purged == set(erased)
    for body, rec in county.sql(sa.select(sync_tables.ledger.c.body, sync_tables.ledger.c.rec)):
        assert not (rec in erased and body and CANARY in body)
    rows = county.sql(sa.select(Household.body).where(Household.id.in_(erased)))
    assert [body for (body,) in rows] == ["{}"] * 3
