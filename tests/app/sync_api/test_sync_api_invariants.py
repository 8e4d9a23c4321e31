"""Invariants of the protocol that need the house around the engine: rights, posts, HTTP."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from app.core.database import Mode
from app.core.identifiers import new_id
from app.core.records import sync_tables
from app.identity.models import Post
from app.sync_api.services import Phone
from sync.digest import as_hex, scope_digest
from tests.app.core.county import County, SyncPhone, household
from tests.app.identity.town import GRID, NEXT_VILLAGE_GRID, SAME_VILLAGE_GRID, now_ms

WRITES = ("INSERT", "UPDATE", "WITH")
SYNCED = ("sync_scope", "sync_feed", "sync_ledger", "sync_parked", "household")


def _rows(county: County) -> str:
    """Return everything that pushes write, as text."""
    tables = county.database.metadata.tables
    with county.database.transaction(Mode.READ) as session:
        return repr({name: sorted(map(repr, session.execute(sa.select(tables[name]))))
                     for name in SYNCED})  # fmt: skip


def _serve_elsewhere(county: County, who: str, grid: int) -> None:
    """End all posts of somebody a moment ago, and give him another grid."""
    then = datetime.now(UTC) - timedelta(seconds=1)
    county.sql(sa.update(Post).where(Post.user_id == county.ids[who]).values(ends=then))
    with county.database.transaction(Mode.WRITE) as session:
        session.add(Post(user_id=county.ids[who], role="gw", area_id=grid, starts=then))


def _held(items: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    held: dict[str, dict[str, int]] = {}
    for item in items:
        if item["op"] == "put":
            held.setdefault(item["s"], {})[f"{item['t']}:{item['id']}"] = item["rv"]
    return held


def test_invariant_02_no_role_is_sent_a_row_outside_its_grants(county: County) -> None:
    homes = {}
    for who, grid in (("gw", GRID), ("colleague", SAME_VILLAGE_GRID),
                      ("gw_next_village", NEXT_VILLAGE_GRID)):  # fmt: skip
        homes[grid] = new_id()
        county.phone(who).act("create", "household", homes[grid], set=household(grid=grid))
    for who, grids in (("gw", {GRID}), ("vl", {GRID, SAME_VILLAGE_GRID}),
                       ("gw_other_township", set()),
                       ("ts", {GRID, SAME_VILLAGE_GRID, NEXT_VILLAGE_GRID})):  # fmt: skip
        reply = county.phone(who).send("pull", {"cursor": None}).get_data(as_text=True)
        assert {grid for grid, home in homes.items() if home in reply} == grids, who
    _serve_elsewhere(county, "gw", NEXT_VILLAGE_GRID)
    items = county.phone("gw").pull()
    assert set(_held(items)) == {f"grid:{NEXT_VILLAGE_GRID}"}


def test_invariant_03_an_edit_sent_again_over_http_is_answered_to_the_byte(county: County) -> None:
    phone = county.phone("gw")
    edits = [phone.edit("create", "household", set=household()),
             phone.edit("create", "household", set=household(occupancy="haunted"))]  # fmt: skip
    replies = [phone.send("push", {"edits": edits}).get_json() for _ in range(3)]
    told = [json.dumps(reply["results"], ensure_ascii=False) for reply in replies]
    assert told[0] == told[1] == told[2]
    held = _held(phone.pull())[f"grid:{GRID}"]
    assert sorted(key.split(":")[0] for key in held) == ["household", "parked"]


def test_invariant_08_the_post_at_the_time_of_the_act_decides(county: County) -> None:
    phone, made_ms = county.phone("gw"), now_ms()
    at = {"claimed": made_ms, "anchor": phone.anchor, "elapsed_ms": 0}
    before = phone.edit("create", "household", set=household(), at=at)
    _serve_elsewhere(county, "gw", SAME_VILLAGE_GRID)
    county.sql(sa.update(Post).where(Post.user_id == county.ids["gw"], Post.ends.is_not(None))
               .values(ends=datetime.fromtimestamp(made_ms / 1000 + 0.4, UTC)))  # fmt: skip
    while now_ms() < made_ms + 1000:
        continue
    late = {"claimed": now_ms(), "anchor": phone.anchor, "elapsed_ms": now_ms() - made_ms}
    after = phone.edit("create", "household", set=household(), at=late)
    first, second = phone.push(before, after)
    assert (first["status"], first.get("flags")) == ("applied", ["late_scope"])
    assert (second["status"], second["code"]) == ("parked", "out_of_scope")
    assert not [item for item in phone.pull() if item["s"] == f"grid:{GRID}"]


def test_invariant_09_the_digest_sent_is_that_of_what_was_sent(county: County) -> None:
    phone = county.phone("gw")
    homes = [new_id() for _ in range(6)]
    for home in homes:
        phone.act("create", "household", home, set=household())
    phone.act("update", "household", homes[1], base=1, set={"occupancy": "empty"})
    page = phone.send("pull", {"cursor": None}).get_json()
    held = _held(page["items"])[f"grid:{GRID}"]
    rows = [(*key.split(":"), rv) for key, rv in held.items()]
    digest = as_hex(scope_digest((kind, rec, rv) for kind, rec, rv in rows))
    assert page["digest"][f"grid:{GRID}"] == digest and len(held) == 6


def test_invariant_12_what_the_database_itself_refuses_stops_no_other_edit(
    county: County, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone, bad = county.phone("gw"), new_id()
    right = Phone.apply

    def refusing(self: Phone, session: Any, drafts: Any) -> Any:
        if any(draft.edit.rec == bad and not draft.code for draft in drafts):
            raise sa.exc.DataError("INSERT", {}, Exception("the database refuses"))
        return right(self, session, drafts)

    monkeypatch.setattr(Phone, "apply", refusing)
    results = phone.push(
        phone.edit("create", "household", set=household()),
        phone.edit("create", "household", bad, set=household()),
        phone.edit("create", "household", set=household()),
    )
    assert [one["status"] for one in results] == ["applied", "parked", "applied"]
    assert results[1]["code"] == "database_refused"


@contextmanager
def _breaking_at(county: County, stop: int) -> Iterator[list[str]]:
    """Let the statement number ``stop`` that writes synced rows fail; list those that came."""
    written: list[str] = []

    def hear(*told: Any) -> None:
        text = str(told[2])
        if text.lstrip().startswith(WRITES) and any(name in text for name in SYNCED):
            written.append(text)
            if len(written) == stop:
                raise RuntimeError("the server breaks here")

    sa.event.listen(county.database.engine, "before_cursor_execute", hear)
    try:
        yield written
    finally:
        sa.event.remove(county.database.engine, "before_cursor_execute", hear)


def test_invariant_13_a_request_that_breaks_at_any_write_leaves_nothing(
    county: County, app: Flask
) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    phone = county.phone("gw")
    edits = [phone.edit("create", "household", set=household()),
             phone.edit("create", "household", set=household(occupancy="haunted"))]  # fmt: skip
    before, broken = _rows(county), 0
    for stop in range(1, 30):
        with _breaking_at(county, stop) as written:
            reply = phone.send("push", {"edits": edits})
        if len(written) < stop:
            break
        broken += 1
        assert reply.status_code == 503 and reply.headers["Retry-After"]
        assert _rows(county) == before
    assert broken >= 3
    assert [one["status"] for one in phone.push(*edits)] == ["applied", "parked"]


def test_invariant_20_a_change_of_post_writes_nothing_that_is_synced(county: County) -> None:
    phone: SyncPhone = county.phone("gw")
    for _ in range(3):
        phone.act("create", "household", set=household())
    cursor = phone.send("pull", {"cursor": None}).get_json()["to"]
    before = _rows(county)
    counters = county.sql(sa.select(sa.func.count()).select_from(sync_tables.feed))
    _serve_elsewhere(county, "gw", SAME_VILLAGE_GRID)
    page = phone.send("pull", {"cursor": cursor}).get_json()
    assert page["drop"] == [f"grid:{GRID}"] and _rows(county) == before
    assert county.sql(sa.select(sa.func.count()).select_from(sync_tables.feed)) == counters
