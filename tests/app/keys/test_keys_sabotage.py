"""Planted bugs of changing keys: each must make the test fail that guards against it."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import sqlalchemy as sa

from app.core import key_table
from app.core.blobs.shelf import Shelf
from app.core.cipher import Cipher
from app.keys import destroying, looking, rotating
from app.keys.rotating import Rotation
from tests.app.keys import test_keys_destroying as destruction
from tests.app.keys import test_keys_rotation as rotation
from tests.app.keys.vault import Vault

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
Plant = Callable[[pytest.MonkeyPatch], None]
Guard = Callable[..., None]


def history_forgotten(patch: pytest.MonkeyPatch) -> None:
    """Seal everything anew but the history of the records."""
    right = rotating.registry

    def wrong(engine: Any) -> list[Any]:
        return [one for one in right(engine) if one.table.name != "sync_ledger"]

    patch.setattr(rotating, "registry", wrong)


def photos_forgotten(patch: pytest.MonkeyPatch) -> None:
    """Say of a photo that it is sealed anew, and leave its bytes."""

    def wrong(self: Shelf, key: str, _size: int) -> None:
        with self.database.transaction(rotating.Mode.WRITE) as session:
            number = self.cipher.ring.current.number
            session.execute(sa.text("UPDATE blob SET sealed_with = :number WHERE key = :key"),
                            {"number": number, "key": key})  # fmt: skip

    patch.setattr(Shelf, "seal_anew", wrong)


def written_over(patch: pytest.MonkeyPatch) -> None:
    """Write what was sealed anew over what somebody has written meanwhile."""
    right = Rotation._replace

    def wrong(self: Rotation, session: Any, one: Any, rows: Sequence[Any], values: int) -> None:
        table = one.table
        for row in rows:
            [now] = session.execute(
                sa.select(table.c[one.guard]).where(table.c[one.key] == row["of"])
            ).one()
            row["seen"] = now
        right(self, session, one, rows, values)

    patch.setattr(Rotation, "_replace", wrong)


def one_index_searched(patch: pytest.MonkeyPatch) -> None:
    """Search the index under the current key only."""
    patch.setattr(Cipher, "blinds", lambda self, text, column: [self.blind(text, column)])


def done_without_a_look(patch: pytest.MonkeyPatch) -> None:
    """Believe that all is sealed anew when the run has come to its end."""
    patch.setattr(looking, "left", lambda *_: 0)
    patch.setattr(Shelf, "sealed", lambda *_: {})


def version_raised(patch: pytest.MonkeyPatch) -> None:
    """Take sealing anew for a change."""
    right = Rotation._replace

    def wrong(self: Rotation, session: Any, one: Any, rows: Sequence[Any], values: int) -> None:
        right(self, session, one, rows, values)
        if "rv" in one.table.c and one.table.name != "sync_ledger":
            keys = [row["of"] for row in rows]
            session.execute(sa.update(one.table).where(one.table.c[one.key].in_(keys))
                            .values(rv=one.table.c.rv + 1))  # fmt: skip

    patch.setattr(Rotation, "_replace", wrong)


def destroyed_key_comes_back(patch: pytest.MonkeyPatch) -> None:
    """Believe a copy of the database that was put back, whatever the list says."""
    patch.setattr(key_table, "together", lambda rows, _listed: list(rows))


def history_of_a_destroyed_key_stays(patch: pytest.MonkeyPatch) -> None:
    """Empty nothing when a key is destroyed."""
    patch.setattr(destroying, "_empty", lambda *_: None)


def sealed_in_one_go(vault: Vault) -> None:
    """Run the guard with one algorithm."""
    rotation.test_everything_is_sealed_anew_and_nothing_else_changes(vault, "aes-256-gcm")


def looked_for_by_both(vault: Vault) -> None:
    """Find a household again while half of the index is old."""
    vault.new_key()
    assert rotation._duplicates(vault.county) == ["address", "phone"]


PLANTED: list[tuple[Plant, Guard]] = [
    (history_forgotten, sealed_in_one_go),
    (photos_forgotten,
     rotation.test_each_thing_on_the_shelf_begins_with_the_key_that_the_books_name),
    (written_over, rotation.test_whoever_writes_a_row_while_it_is_sealed_anew_is_not_overwritten),
    (one_index_searched, looked_for_by_both),
    (done_without_a_look,
     rotation.test_what_cannot_be_opened_is_left_and_keeps_its_key_in_use),
    (version_raised, sealed_in_one_go),
    (destroyed_key_comes_back,
     destruction.test_neither_the_key_nor_what_it_hid_stays_in_list_or_table),
    (history_of_a_destroyed_key_stays,
     destruction.test_neither_the_key_nor_what_it_hid_stays_in_list_or_table),
]  # fmt: skip


@pytest.mark.parametrize(("plant", "guard"), PLANTED, ids=[one.__name__ for one, _ in PLANTED])
def test_a_planted_bug_of_changing_keys_is_caught(
    vault: Vault, monkeypatch: pytest.MonkeyPatch, plant: Plant, guard: Guard
) -> None:
    with monkeypatch.context() as patch, pytest.raises(AssertionError):
        plant(patch)
        guard(vault)
