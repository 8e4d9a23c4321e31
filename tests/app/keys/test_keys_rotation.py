"""Changing keys under a running server: nothing is lost, nothing is left of the old key."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from app.core.blobs.shelf import BlobRow
from app.core.database import Mode
from app.core.identifiers import new_id
from app.core.key_table import FieldKey
from app.keys import rotating
from app.keys.registry import registry
from app.keys.rotating import Rotation
from tests.app.core.county import County, household
from tests.app.households.answers import agreed
from tests.app.identity.town import SAME_VILLAGE_GRID
from tests.app.keys.vault import CANARIES, Vault
from tests.app.photos.camera import Camera, noise, picture


def _duplicates(county: County, who: str = "ts") -> list[str]:
    """Return by what the first household is found again."""
    body = {"phone": CANARIES[7], "address_text": "人民路 12 号", "building": "3",
            "unit_room": "2-501"}  # fmt: skip
    reply = county.ask(who, "POST", "/households/duplicates", body)
    assert reply.status_code == 200
    return sorted({one["same"] for one in reply.get_json()["candidates"]})


def _work(vault: Vault, number: int) -> list[str]:
    """Let a phone of another grid take down a household and a contact, and change the first."""
    phone, home, contact = vault.county.phone("colleague"), new_id(), new_id()
    receipts = phone.push(
        phone.edit("create", "household", home, set=household(
            grid=SAME_VILLAGE_GRID, address_text=f"团结路 {number} 号")),
        phone.edit("create", "consent", set=agreed(home, "contact", contact)),
        phone.edit("create", "contact", contact, schema=2, set={
            "household": home, "name": "周" + "一二三四五六七八九十"[number % 10],
            "phone": f"138000{number:05}"}),
    )  # fmt: skip
    first = vault.phone.act("update", "household", vault.ids["home"],
                            set={"occupancy": ("empty", "lived_in")[number % 2]})  # fmt: skip
    assert {one["status"] for one in receipts} == {"applied"} and first["status"] in (
        "applied", "merged",
    )  # fmt: skip
    return [home, contact]


def _finished(rotation: Rotation) -> None:
    """Go over everything until it is done."""
    for _ in range(3):
        if rotation.sweep_until(lambda: False) and rotation.finish(10**15):
            return
    raise AssertionError(f"{rotation.left()} left")


@pytest.mark.parametrize("algorithm", ["aes-256-gcm", "sm4-gcm"])
def test_everything_is_sealed_anew_and_nothing_else_changes(vault: Vault, algorithm: str) -> None:
    taken = vault.take_photo()
    before = vault.truth()
    assert {number for _, number in vault.scan()} == {1}
    assert vault.new_key(algorithm=algorithm) == 2
    assert vault.truth() == before
    rotation = vault.rotation()
    total = rotation.begin()
    assert total == rotation.left() > 20
    _finished(rotation)
    assert {number for _, number in vault.scan()} == {2}
    assert vault.truth() == before
    [row] = vault.county.sql(sa.select(FieldKey.total, FieldKey.done, FieldKey.resealed_ms)
                             .where(FieldKey.number == 2))  # fmt: skip
    assert (row.total, row.done) == (total, total) and row.resealed_ms
    shown = vault.county.ask("ts", "GET", f"/users/{vault.ids['user']}").get_json()
    assert shown["phone"] == "+86" + CANARIES[8]
    assert _duplicates(vault.county) == ["address", "phone"]
    photo = vault.county.ask("gw", "GET", f"/photos/{taken}/original")
    assert (photo.status_code, photo.get_data()) == (200, picture(1))


def test_each_registered_column_is_filled_and_each_sealed_text_is_registered(vault: Vault) -> None:
    """A column that somebody seals and does not register is found here, by what lies in it."""
    registered = {f"{one.table.name}.{name}" for one in registry(vault.engine)
                  for name in one.columns}  # fmt: skip
    found = {name for name, _ in vault.scan()}
    assert found <= registered
    assert registered - found == {"task.answers", "emergency_entry.answers"}
    for name in ("contact.phone_blind", "household.address_blind", "user.phone_blind"):
        assert vault.counts()[name]


class Killed(BaseException):
    """The process dies."""


def _deaths(vault: Vault, rotation: Rotation, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Run the rotation again and again; each run is killed one boundary later than the last.

    There are two boundaries to each portion: before it is committed, and after.
    """
    monkeypatch.setattr(rotating, "PORTION", 1)
    monkeypatch.setattr(rotating, "BLOBS_PORTION", 1)
    for died in range(1_000):
        try:
            with _dying(vault, at_commit=died % 2 == 0) as reached:
                for portions, _ in enumerate(rotation.sweep(), start=1):
                    reached(portions)
        except Killed:
            yield died
        else:
            return


@contextmanager
def _dying(vault: Vault, *, at_commit: bool) -> Iterator[Callable[[int], None]]:
    """Die when the second portion is committed, or right after it."""
    engine, done, wrote = vault.county.database.engine, [0], [False]

    def execute(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        wrote[0] = wrote[0] or statement.startswith("UPDATE")

    def commit(_connection: Any) -> None:
        if at_commit and done[0] == 1 and wrote[0]:
            raise Killed
        wrote[0] = False

    def reached(portions: int) -> None:
        done[0] = portions
        if not at_commit and portions == 2:
            raise Killed

    listening = {"before_cursor_execute": execute, "commit": commit}
    for event, listener in listening.items():
        sa.event.listen(engine, event, listener)
    try:
        yield reached
    finally:
        for event, listener in listening.items():
            sa.event.remove(engine, event, listener)


def test_a_rotation_killed_at_every_boundary_goes_on_while_phones_push_and_pull(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    county, made, _ = vault.county, [], vault.take_photo()
    vault.new_key()
    rotation = vault.rotation()
    rotation.begin()
    left = [rotation.left()]
    for died in _deaths(vault, rotation, monkeypatch):
        if died % 6 == 0:
            made += _work(vault, died)
            assert vault.phone.pull()
            assert _duplicates(county) == ["address", "phone"]
        left.append(rotation.left())
    assert len(left) > 10 and left == sorted(left, reverse=True), left
    _finished(rotation)
    assert {number for _, number in vault.scan()} == {2}
    assert {key for column in vault.counts().values() for key in column} == {2}
    assert _duplicates(county) == ["address", "phone"]
    pulled = {item["id"]: item for item in county.phone("colleague").pull() if "f" in item}
    assert len(made) >= 4 and all(record in pulled for record in made)
    assert {one[0] for one in county.sql(sa.select(BlobRow.sealed_with))} == {2}
    assert vault.run("retire", "1").exit_code == 0


def test_each_thing_on_the_shelf_begins_with_the_key_that_the_books_name(vault: Vault) -> None:
    vault.take_photo()
    vault.new_key()
    _finished(vault.rotation())
    shelf = vault.rotation().lane.shelf
    rows = vault.county.sql(sa.select(BlobRow.key, BlobRow.sealed_with))
    assert len(rows) >= 3
    assert {(row.sealed_with, shelf.key_of(row.key)) for row in rows} == {(2, 2)}
    assert list(shelf.faults()) == [] and list(shelf.orphans()) == []


def test_whoever_writes_a_row_while_it_is_sealed_anew_is_not_overwritten(vault: Vault) -> None:
    vault.new_key()
    rotation, contact = vault.rotation(), vault.ids["contact"]
    one = next(one for one in rotation.sealed if one.table.name == "contact")
    with vault.county.database.transaction(Mode.READ) as session:
        rows = session.execute(rotation._next(one, None)).all()
    renewed = [rotation._renewed(one, row) for row in rows]
    receipt = vault.phone.act("update", "contact", contact, base=99, schema=2,
                              set={"relation": "child"})  # fmt: skip
    assert receipt["status"] in ("applied", "merged"), receipt
    with vault.county.database.transaction(Mode.WRITE) as session:
        rotation._replace(session, one, [row for row in renewed if row], 1)
    items = {item["id"]: item for item in vault.phone.pull()}
    assert items[contact]["f"]["relation"] == "child"


def test_a_text_that_lay_open_before_its_kind_was_sealed_is_sealed_too(vault: Vault) -> None:
    table = vault.engine.tables["task"].table
    vault.county.sql(sa.update(table).values(body='{"title": "看望老人", "grid": 10}'))
    assert vault.counts()["task.body"] == {0: len(vault.county.sql(sa.select(table.c.id)))}
    vault.new_key()
    _finished(vault.rotation())
    assert set(vault.counts()["task.body"]) == {2}


def test_what_cannot_be_opened_is_left_and_keeps_its_key_in_use(vault: Vault) -> None:
    table = vault.engine.tables["contact"].table
    vault.county.sql(sa.update(table).where(table.c.id == vault.ids["contact"])
                     .values(body=table.c.name))  # fmt: skip
    vault.new_key()
    rotation = vault.rotation()
    assert rotation.sweep_until(lambda: False)
    assert not rotation.finish(10**15)
    refused = vault.run("retire", "1")
    assert refused.exit_code != 0 and "contact.body: 1" in refused.output


def test_a_portion_costs_the_same_statements_however_many_rows_it_has(vault: Vault) -> None:
    vault.new_key()
    rotation = vault.rotation()
    one = next(one for one in rotation.sealed if one.table.name == "sync_ledger")
    with vault.county.statements() as seen:
        assert rotation._portion(one, None) is not None
    assert len(seen) == 4  # read, lock, write, count


def test_old_copies_of_scopes_go_and_uploads_under_way_hold_their_key(vault: Vault) -> None:
    camera, raw = Camera(vault.county), noise()
    photo = camera.register(raw)
    camera.open(photo, len(raw))
    camera.add(photo, 0, raw[:5000])
    cupboard = vault.rotation().cupboard
    shelf = cupboard.shelf("grid:10")
    shelf.mkdir(parents=True)
    (shelf / "x.copy").write_bytes(b"\x01 sealed long ago")
    vault.new_key()
    camera.add(photo, 5000, raw[5000:7000])
    _finished(vault.rotation())
    assert not (shelf / "x.copy").exists()
    assert dict(vault.rotation().lane.incoming.keys()) == {1: 1, 2: 1}
    refused = vault.run("retire", "1")
    assert refused.exit_code != 0 and "uploads: 1" in refused.output
    assert camera.add(photo, 7000, raw[7000:]).status_code == 204
    camera.work()
    assert camera.shown(photo)["state"] == "ready"
    assert vault.run("retire", "1").exit_code == 0


def test_the_commands_change_keys_and_say_how_far_it_is(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotating, "SETTLE_MS", 0)
    assert "aes-256-gcm  current" in vault.run("status").output
    done = vault.run("rotate")
    assert done.exit_code == 0, done.output
    assert "完成" in done.output and "key 2" in done.output
    shown = vault.run("status").output
    assert "2  aes-256-gcm  current" in shown and "contact.phone: key 2: 1" in shown
    assert "key 1" not in shown.replace("key 1\n", "")
    assert vault.run("retire", "2").exit_code != 0
    assert vault.run("retire", "1").exit_code == 0
    assert vault.run("retire", "77").exit_code != 0
    again = vault.run("rotate", "--algorithm", "sm4-gcm")
    assert again.exit_code == 0 and "key 3" in again.output
    assert {number for _, number in vault.scan()} == {3}
