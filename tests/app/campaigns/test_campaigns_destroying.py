"""The destruction of a campaign: nothing of it anywhere, a certificate, and numbers that stay."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app.campaigns import certifying, destroying
from app.campaigns.destroying import Destroying, destroy
from app.campaigns.models import CampaignPart, CampaignTally, DestructionCertificate
from app.core import jobs
from app.core.database import Mode
from app.core.jobs import JobRow
from app.core.records import sync_tables
from app.forms.bringing import bring_seed
from app.phone import bulletin, lane
from app.phone.client import Phone
from app.phone.home import Home
from app.phone.story import ALL_WELL
from app.photos.lane import EXTENSION
from app.photos.tending import UNUSED_MS, tend
from app.photos.uploads import Lane
from app.tasks.models import TaskBatch
from tests.app.campaigns.emergency import (
    REGION,
    TRACES,
    enter,
    entry,
    open_order,
    planted_in_files,
    planted_in_tables,
)
from tests.app.core.county import County, SyncPhone
from tests.app.identity.town import GRID, SAME_VILLAGE_GRID, answer
from tests.app.phone.network import Network
from tests.app.photos.camera import picture

REPORT = "东头王家三口自武汉返乡"
NEEDLES = (*TRACES, REPORT)
TASK = {"task_kind": "returnee_registration", "title": "登记"}
NOTICE = {"title": "返乡登记", "text": "逐户登记"}


def _campaign(emergency: County, entries: int = 6) -> tuple[str, SyncPhone]:
    """Let an order run: entries, a report on its task, a tap, an ack, a parked entry, a change."""
    name = open_order(emergency, task=TASK, notice=NOTICE)
    phone, other = emergency.phone("gw"), emergency.phone("colleague")
    items = {item["t"]: item["id"] for item in phone.pull()}
    made = [enter(phone, name) for _ in range(entries)]
    assert {one["status"] for one in made} == {"applied"}
    phone.act("update", "emergency_entry", made[0]["rec"], base=1, set={"from_region": "420111"})
    enter(other, name, grid=SAME_VILLAGE_GRID, count_arrived=1)
    assert phone.act("update", "task", items["task"], base=1,
                     set={"report_text": REPORT})["status"] == "applied"  # fmt: skip
    phone.act("create", "notice_ack", set={"notice": items["notice"], "version": 1})
    bad = phone.act("create", "emergency_entry", set=entry(name, resident=REPORT))
    assert bad["status"] == "parked"
    return name, phone


def test_afterwards_no_table_no_file_and_no_phone_holds_what_was_planted(
    emergency: County, tmp_path: Path
) -> None:
    name, phone = _campaign(emergency)
    page = phone.send("pull", {"cursor": None}).get_json()
    assert planted_in_tables(emergency, REPORT), "it was there, or the search finds nothing"
    destroy(name)
    assert planted_in_tables(emergency, *NEEDLES) == []
    # A task's report is not sealed: PostgreSQL overwrites it when it needs the space.
    needles = NEEDLES if emergency.database.is_sqlite else TRACES
    assert planted_in_files(emergency, tmp_path, *needles) == []
    after = phone.send("pull", {"cursor": page["to"]}).get_json()
    held = {item["id"]: item for item in page["items"]}
    purged = {item["id"] for item in after["items"] if item["op"] == "purge"}
    gone = {"emergency_entry", "emergency_order", "task", "notice", "notice_ack", "parked"}
    assert {one for one, item in held.items() if item["t"] in gone} <= purged
    assert not any(needle in json.dumps(after, ensure_ascii=False) for needle in NEEDLES)
    path = f"/orders/{name}/certificate"
    phones = emergency.ask("ts", "GET", path).get_json()["phones"]
    assert (phones["confirmed"], sorted(phones["open"])) == (
        0, sorted(one.device for one in emergency.phones.values()),
    )  # fmt: skip
    phone.send("pull", {"cursor": after["to"]})
    phones = emergency.ask("ts", "GET", path).get_json()["phones"]
    assert phones == {"confirmed": 1, "open": [emergency.phone("colleague").device]}


def test_the_certificate_keeps_numbers_that_point_at_nobody(emergency: County) -> None:
    name, _ = _campaign(emergency)
    destroy(name)
    reply = emergency.ask("ts", "GET", f"/orders/{name}/certificate")
    assert reply.status_code == 200
    shown = reply.get_json()
    assert shown["basis"] and shown["done_at"] and len(shown["sha256"]) == 64
    assert shown["counts"]["destroyed"]["emergency_entry"] == 7
    assert shown["counts"]["destroyed"]["task"] is None, "three tasks are fewer than five"
    assert shown["counts"]["people"] == 19
    assert [(one["entries"], one["people"]) for one in shown["counts"]["areas"]] == [(7, 19)]
    assert emergency.ask("cm_other_county", "GET", f"/orders/{name}/certificate").status_code == 404
    with emergency.database.transaction(Mode.READ) as session:
        kept = session.get(DestructionCertificate, name)
        assert kept is not None and certifying.digest_of(kept) == kept.sha256
        kept.purpose = "x"
        assert certifying.digest_of(kept) != kept.sha256
        session.expunge(kept)
    assert emergency.sql(sa.select(CampaignTally)) == emergency.sql(sa.select(CampaignPart)) == []


SAID = "东头塌方，请绕行"


def test_photo_bytes_and_answers_to_forms_go_too_also_from_phones(
    emergency: County, tmp_path: Path, network: Network
) -> None:
    with emergency.database.transaction(Mode.WRITE) as session:
        bring_seed(session, datetime.now(UTC))
    name = open_order(emergency, task={"task_kind": "emergency_check", "title": "排查"},
                      form="inspection")  # fmt: skip
    folder = tmp_path / "phone"
    phone = Phone(Home(folder))
    phone.enrol(emergency.code_for("gw"), network.address)
    phone.sync()
    [task] = [row for row in phone.replica.rows("task").values()
              if row.values["assignee"] == emergency.ids["gw"]]  # fmt: skip
    phone.edit("update", "task", task.rec, {"report_text": SAID})
    bulletin.enter(phone, phone.replica.rows("emergency_order")[name], GRID, {
        "count_arrived": 3, "answers": {**dict.fromkeys(ALL_WELL, "ok"), "roads": "not_ok",
                                        "roads_note": SAID, "handled": "told"},
    })  # fmt: skip
    for number, sent in enumerate((True, False)):
        source = tmp_path / f"{number}.jpg"
        source.write_bytes(picture(number))
        lane.take(phone, source, task=task.rec)
        phone.sync()
        if sent:
            lane.send_all(phone)
    assert [row.values["errors"] for row in phone.parked()] == []
    photos = emergency.app.extensions["wangge_settings"].data_dir / "photos"
    assert _bytes_in(photos) and lane.waiting(phone) and _holds(folder, SAID)
    destroy(name)
    _tend_later(emergency)
    assert planted_in_tables(emergency, SAID) == []
    assert _bytes_in(photos) == []
    phone.sync()
    lane.send_all(phone)
    phone.connection.close()
    assert lane.waiting(phone) == [] and not _holds(folder, SAID)
    counts = emergency.ask("ts", "GET", f"/orders/{name}/certificate").get_json()["counts"]
    assert set(counts["destroyed"]) >= {"emergency_entry", "task", "photo"}
    assert emergency.sql(sa.select(TaskBatch)) == []


def _bytes_in(folder: Path) -> list[Path]:
    return [one for one in folder.rglob("*") if one.is_file() and one.stat().st_size]


def _holds(folder: Path, text: str) -> bool:
    escaped = json.dumps(text).strip('"')
    return any(word.encode() in path.read_bytes() for word in (text, escaped)
               for path in folder.rglob("*") if path.is_file())  # fmt: skip


def _tend_later(county: County) -> None:
    """Let the lane's own job look round twice: what nobody needs is marked, and goes later."""
    lane_here: Lane = county.app.extensions[EXTENSION]
    now = jobs.now_ms()
    tend(lane_here, now)
    tend(lane_here, now + UNUSED_MS + 1)


def _dying(count: Callable[..., None], *, at: int) -> Callable[..., None]:
    """Return a step that dies at one of its runs, before what it did is committed."""
    runs = iter(range(1, 1_000))

    def step(*args: Any) -> None:
        count(*args)
        if next(runs) == at:
            raise KeyboardInterrupt

    return step


def test_a_destruction_killed_in_the_middle_goes_on_and_counts_nothing_twice(
    emergency: County, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, _ = _campaign(emergency)
    monkeypatch.setattr(destroying, "BATCH", 2)
    count = Destroying._count
    for died_at in (1, 2, 3):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(Destroying, "_count", _dying(count, at=died_at))
            destroy(name)
        assert emergency.sql(sa.select(DestructionCertificate.done_at)) == [(None,)]
    destroy(name)
    destroy(name)
    [row] = emergency.sql(sa.select(DestructionCertificate.counts))
    assert row[0]["destroyed"]["emergency_entry"] == 7
    assert planted_in_tables(emergency, *NEEDLES) == []


def test_an_old_phone_that_brings_an_entry_afterwards_is_refused_and_nothing_is_kept(
    emergency: County,
) -> None:
    name, phone = _campaign(emergency)
    old = emergency.another_phone("gw")
    destroy(name)
    receipt = enter(old, name)
    assert (receipt["status"], receipt["code"]) == ("noted", "erased")
    again = phone.act("create", "emergency_entry", set=entry(name, from_region=REGION))
    assert (again["status"], again["code"]) == ("noted", "erased")
    assert planted_in_tables(emergency, *NEEDLES) == []
    parked = emergency.sql(sa.select(sync_tables.parked.c.code))
    assert {row[0] for row in parked} <= {"erased"}


PLANTED: dict[str, tuple[Any, str, Any]] = {
    "what refers to the campaign is left": (destroying, "dependants", lambda _kinds: set()),
    "its tasks are left": (Destroying, "_erase_parts", lambda _self, _session: False),
    "the order is left": (Destroying, "_erase_order", lambda _self, _session: None),
}


@pytest.mark.parametrize("bug", PLANTED)
def test_a_destruction_that_forgets_something_is_noticed(
    emergency: County, monkeypatch: pytest.MonkeyPatch, bug: str
) -> None:
    name, phone = _campaign(emergency, 1)
    monkeypatch.setattr(*PLANTED[bug])
    destroy(name)
    left = {item["t"] for item in phone.pull() if item["op"] == "put"}
    late = phone.act("create", "emergency_entry", set=entry(name, from_region=REGION))
    assert left or late["code"] != "erased" or planted_in_tables(emergency, *NEEDLES)


def test_the_day_of_destruction_calls_the_job(
    emergency: County, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, _ = _campaign(emergency, 1)
    destroying.look("")
    named = sa.select(JobRow.subject).where(JobRow.name == destroying.DESTROY)
    assert emergency.sql(named) == []
    later = jobs.now_ms() + 21 * 86_400_000
    monkeypatch.setattr(destroying, "now_ms", lambda: later)
    destroying.look("")
    assert [row[0] for row in emergency.sql(named)] == [name]
    worker = jobs.worker_of(emergency.app)
    worker.clock = lambda: later
    assert worker.work_off() >= 1
    assert emergency.sql(sa.select(DestructionCertificate.sha256))[0][0]
    assert answer(emergency.ask("cm", "GET", f"/orders/{name}")) == (404, "not_found")
