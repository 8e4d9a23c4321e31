"""Each check of ``flask fsck`` finds the damage that it is for, and a sound database has none."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from app.core.conflicts import ConflictRow
from app.core.database import Mode, table_of
from app.core.engine import current_engine
from app.core.identifiers import new_id
from app.fsck import rest
from app.fsck.command import CHECKS, command, examine
from app.fsck.place import Place
from app.sync_api.unread import PER_PHONE_BYTES_MAX, UnreadBody
from tests.app.core.county import County, fill
from tests.app.core.test_core_hostile import World
from tests.app.identity.town import GRID, VILLAGE
from tests.app.photos.camera import Camera, noise

Damage = Callable[[Session], object]
FIRST = "SELECT {0} FROM {1} WHERE {2} LIMIT 1"


def _sql(*statements: str) -> Damage:
    """Return what damages by statements; ``:id`` is a new id."""

    def plant(session: Session) -> None:
        for statement in statements:
            done: Any = session.execute(
                sa.text(statement), {"id": new_id()} if ":id" in statement else {}
            )
            assert done.rowcount, f"nothing to damage by {statement}"

    return plant


def _one(table: str, change: str, where: str = "1 = 1", key: str = "edit") -> Damage:
    """Return what changes one row of a table."""
    first = FIRST.format(key, table, where)
    return _sql(f"UPDATE {table} SET {change} WHERE {key} = ({first})")


def _resealed(kind: str, change: Callable[[dict[str, Any]], Any]) -> Damage:
    """Return what changes the sealed body of one record, as a bug with the key would."""

    def plant(session: Session) -> None:
        seal, table = current_engine().seal, _table(kind)
        row = session.execute(sa.select(table.c.id, table.c.body)
                              .where(table.c.deleted.is_(None)).limit(1)).one()  # fmt: skip
        values = json.loads(seal.open(kind, str(row.id), row.body))
        change(values)
        body = seal.close(kind, str(row.id), json.dumps(values))
        session.execute(sa.update(table).where(table.c.id == row.id).values(body=body))

    return plant


def _table(kind: str) -> sa.Table:
    return table_of(ConflictRow) if kind == "conflict" else current_engine().tables[kind].table


def _unread_too_much(session: Session) -> None:
    row = {"id": new_id(), "enrolment": "x", "user_id": 1, "path": "/", "code": "not_json",
           "encoding": "", "digest": "x", "size_bytes": 1, "times": 1, "first_ms": 0, "last_ms": 0,
           "kept_bytes": PER_PHONE_BYTES_MAX + 1, "body": b"x"}  # fmt: skip
    session.execute(sa.insert(UnreadBody).values(**row))


DAMAGES: dict[str, tuple[Damage, ...]] = {
    "numbers_without_gaps": (
        _sql("DELETE FROM sync_ledger WHERE edit = (SELECT edit FROM sync_ledger WHERE n = 1 "
             "AND device IN (SELECT device FROM sync_ledger WHERE n = 2) LIMIT 1)"),
        _one("sync_device", "last_n = last_n + 1", "last_n > 0", "id"),
    ),
    "last_edit_known": (_sql("UPDATE sync_device SET last_id = :id WHERE last_n > 0"),),
    "no_receipt_empty": (_one("sync_ledger", "receipt = ''"),),
    "not_ahead_of_the_record": (_one("sync_ledger", "rv = 99", "kind = 'household' AND rv > 0"),),
    "record_still_there": (_sql("DELETE FROM household"), _sql("DELETE FROM contact")),
    "stamps_bounded": (
        _one("sync_ledger", "ms = received_ms + 60001", "n = 1"),
    ),
    "stamps_grow": (
        _one("sync_ledger", "ms = 1", "n = 2 AND device IN "
             "(SELECT id FROM sync_device WHERE enrolment IS NOT NULL)"),
    ),
    "parked_has_its_body": (
        _one("sync_parked", "body = ''"),
        _one("sync_parked", "body = 'AAAA' || body"),
    ),
    "held_waits_for_something": (
        _sql("UPDATE sync_parked SET waits_for = :id, state = 'held'"),
    ),
    "one_epoch": (_sql("DELETE FROM sync_meta WHERE name = 'epoch'"),),
    "counters_ahead": (
        _one("sync_scope", "ver = ver - 1, floor = 0", "ver > 0", "scope"),
        _sql(f"DELETE FROM sync_scope WHERE scope = 'grid:{GRID}'"),
    ),
    "versions_once": (_sql(f"UPDATE sync_feed SET ver = 1 WHERE scope = 'grid:{GRID}'"),),
    "floors_below": (_one("sync_scope", "floor = ver + 1", key="scope"),),
    "digests_agree": (
        _one("sync_scope", "digest = digest + 1", "live > 0", "scope"),
        _one("sync_scope", "live = live + 1", "live > 0", "scope"),
        _sql(f"DELETE FROM sync_feed WHERE scope = 'grid:{GRID}' AND kind = 'household'"),
    ),
    "feed_shows_records": (
        _sql("UPDATE household SET rv = rv + 1"),
        _sql("UPDATE household SET deleted = 'office'"),
        _sql("DELETE FROM incident"),
    ),
    "bodies_open": (_one("contact", "body = 'AAAA' || body", key="id"),
                    _one("household", "body = '{'", key="id")),
    "columns_open": (_one("contact", "phone = name", "name IS NOT NULL", "id"),
                     _one("contact", "name = 'AAAA' || name", "name IS NOT NULL", "id")),
    "nothing_plain": (_one("contact", "body = '{}'", key="id"),
                      _one("sync_ledger", "body = '{}'", "kind = 'contact'")),
    "in_their_scopes": (
        _sql("UPDATE sync_feed SET scope = 'grid:99' WHERE kind = 'household'"),
        _resealed("household", lambda values: values.update(grid=11)),
    ),
    "states_known": (_resealed("incident", lambda values: values.update(state="lost")),
                     _resealed("task", lambda values: values.pop("state"))),
    "conflicts_hold_both": (_resealed("conflict", lambda values: values.pop("lost")),
                            _resealed("conflict", lambda values: values.update(won=None))),
    "areas_hang_together": (
        _sql(f"UPDATE area SET path = '9.' || path WHERE id = {GRID}"),
        _sql(f"UPDATE area SET parent_id = {GRID} WHERE id = {VILLAGE}"),
        _sql(f"UPDATE area SET level = 'grid' WHERE id = {VILLAGE}"),
    ),
    "areas_end_after_they_begin": (
        _sql(f"UPDATE area SET valid_until = '2019-12-31' WHERE id = {GRID}"),
    ),
    "photos_have_their_files": (_sql("DELETE FROM photo_file"),
                                _sql("UPDATE photo_file SET size_bytes = size_bytes + 1")),
    "files_hold_their_bytes": (
        _sql(f"UPDATE photo_file SET sha256 = '{'0' * 64}'"),
        _sql("UPDATE photo_file SET id = :id"),
    ),
    "unread_bounded": (
        _unread_too_much,
    ),
    "nobody_in_by_a_withdrawn_phone": (
        _sql("UPDATE enrolment SET revoked_at = made"),
        _sql('UPDATE "user" SET dismissed_at = created'),
    ),
}  # fmt: skip


@pytest.fixture
def furnished(county: County) -> County:
    """Return a county with one record of everything, and a photo whose bytes have arrived."""
    World(county)
    fill(county, 2)
    Camera(county).take(noise((64, 64)))
    return county


def _place(session: Session, app: Flask) -> Place:
    return Place(session, current_engine(), app.extensions, photos=True)


def test_a_sound_database_has_no_faults(furnished: County) -> None:
    with furnished.database.transaction(Mode.READ) as session:
        place = _place(session, furnished.app)
        found = {one.name: examine(place, one).faults for one in CHECKS}
    assert {name: faults for name, faults in found.items() if faults} == {}


def test_every_check_finds_its_damage(furnished: County) -> None:
    missed = []
    for check in CHECKS:
        for number, plant in enumerate(DAMAGES.get(check.name, ())):
            session = Session(furnished.database.engine)
            session.info["database"] = furnished.database
            plant(session)
            if not examine(_place(session, furnished.app), check).faults:
                missed.append((check.name, number))
            session.rollback()
            session.close()
    assert missed == []


def test_every_check_has_a_damage_of_its_own() -> None:
    assert set(DAMAGES) == {one.name for one in CHECKS} - {"audit_chain_holds"}
    shown = {n for one in CHECKS for n in one.shows}
    assert shown | set(rest.UNSEEN) == set(range(1, 21))


def test_what_verifies_the_audit_log_is_asked(furnished: County) -> None:
    furnished.app.extensions[rest.AUDIT] = lambda _session: ["event 7"]
    check = next(one for one in CHECKS if one.name == "audit_chain_holds")
    with furnished.database.transaction(Mode.READ) as session:
        assert examine(_place(session, furnished.app), check).faults == ("event 7",)


def test_the_command_tells_in_words_and_in_json_and_by_its_end(furnished: County) -> None:
    runner = furnished.app.test_cli_runner()
    told = runner.invoke(command, ["--photos"])
    assert told.exit_code == 0 and "全部通过" in told.output
    furnished.sql(sa.text("UPDATE sync_scope SET digest = digest + 1 WHERE live > 0"))
    told = runner.invoke(command, [])
    assert told.exit_code == 1 and f"scope grid:{GRID}" in told.output and "(I6)" in told.output
    checks = json.loads(runner.invoke(command, ["--json"]).stdout)["checks"]
    broken = [one["check"] for one in checks if one["faults"]]
    assert broken == ["digests_agree"]


def test_the_command_changes_nothing_and_asks_a_constant_number_of_times(
    furnished: County,
) -> None:
    with furnished.statements() as first:
        furnished.app.test_cli_runner().invoke(command, [])
    furnished.phone("gw").act("create", "incident", set={"category": "9998"})
    with furnished.statements() as second:
        furnished.app.test_cli_runner().invoke(command, [])
    assert len(first) == len(second)
    assert not [one for one in first if not one.lstrip().startswith(("SELECT", "SAVEPOINT", "SET"))]
