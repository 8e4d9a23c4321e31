"""A destroyed key: what it sealed is told to be gone, and everything else goes on."""

import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app.core.key_table import FieldKey, list_of, read_list
from app.core.keyring import FIRST, KeyRing, Roots
from app.core.settings import Settings
from app.keys import checking
from app.keys.checking import MissingKey, check
from app.sync_api.epochs import place_of
from tests.app.campaigns.emergency import planted_in_files
from tests.app.core.county import household
from tests.app.households.answers import home_of
from tests.app.identity.town import outcome
from tests.app.keys.vault import CANARIES, Vault
from tests.app.sync_api.test_sync_api_push import lies_in_plain


def _sealed_with_two(vault: Vault) -> None:
    """Let the second key hold everything, and a third one seal."""
    vault.new_key()
    rotation = vault.rotation()
    assert rotation.sweep_until(lambda: False)
    assert vault.run("retire", "1").exit_code == 0
    assert vault.new_key() == 3


def _place(vault: Vault) -> Path:
    return list_of(place_of(vault.county.app.extensions["wangge_settings"]))


def test_destroying_a_key_makes_its_texts_unreadable_and_the_rest_works(vault: Vault) -> None:
    county, ids, taken = vault.county, vault.ids, vault.take_photo()
    _sealed_with_two(vault)
    fresh = home_of(vault.phone)
    done = vault.run("destroy", "2", "--yes")
    assert done.exit_code == 0, done.output
    [event] = county.events("key.destroyed")
    told = event[0].details
    assert told["counts"]["contact.body"] == 1 and told["counts"]["blob"] >= 1
    assert told["sha256"] in done.output and told["known_by"]
    # In words, for whoever might have read it; nobody else learns that it ever was.
    gone = county.ask("vl", "GET", f"/service-persons/{ids['person']}")
    assert outcome(gone) == (410, "key_destroyed")
    assert outcome(county.ask("gw", "GET", f"/tasks/{ids['task']}")) == (410, "key_destroyed")
    assert county.ask("gw_other_township", "GET", f"/tasks/{ids['task']}").status_code == 404
    # Lists keep its place, empty; what is not sealed and what another key has sealed is whole.
    listed = {one["id"]: one for one in county.ask("ts", "GET", "/tasks").get_json()}
    assert listed[ids["task"]]["title"] is None
    assert county.ask("gw", "GET", f"/households/{fresh}").get_json()["building"] == "3"
    made = county.task(title="之后的任务")
    assert county.ask("gw", "GET", f"/tasks/{made['id']}").get_json()["title"] == "之后的任务"
    assert county.ask("ts", "GET", f"/users/{ids['user']}").get_json()["phone"] is None
    photo = county.ask("gw", "GET", f"/photos/{taken}/original")
    assert outcome(photo) == (410, "key_destroyed")
    for path in ("/conflicts", "/parking", "/exports"):
        assert county.ask("ts", "GET", path).status_code in (200, 404), path


def test_phones_go_on_and_an_edit_of_what_is_gone_is_answered_for_good(vault: Vault) -> None:
    _sealed_with_two(vault)
    assert vault.run("destroy", "2", "--yes").exit_code == 0
    items = {item["id"]: item for item in vault.phone.pull()}
    assert items[vault.ids["contact"]]["f"] == {}
    told = {item["t"]: item["f"] for item in items.values() if item["t"] in ("conflict", "parked")}
    assert told == {"conflict": {"state": "resolved"}, "parked": {"state": "discarded"}}
    receipts = vault.phone.push(
        vault.phone.edit("update", "contact", vault.ids["contact"], base=1, schema=2,
                         set={"relation": "self"}),
        vault.phone.edit("create", "household", set=household()),
        vault.phone.edit("event", "task", vault.ids["task"], base=1,
                         set={"state": "accepted", "round": 0}),
    )  # fmt: skip
    assert [(one["status"], one.get("code")) for one in receipts] == [
        ("noted", "erased"), ("applied", None), ("noted", "erased"),
    ], receipts  # fmt: skip
    history = vault.county.ask("ts", "GET", f"/tasks/{vault.ids['task']}/history")
    assert history.status_code in (200, 404)


def test_the_ring_refuses_what_would_destroy_nothing_or_too_much(vault: Vault) -> None:
    current = vault.run("destroy", "1", "--yes")
    assert current.exit_code != 0 and "FIELD_KEY" in current.output
    vault.new_key()
    first = vault.run("destroy", "1", "--yes")
    assert first.exit_code != 0 and "FIELD_KEY_CURRENT" in first.output
    assert vault.run("destroy", "9", "--yes").exit_code != 0
    assert vault.run("destroy", "2", "--yes").exit_code != 0
    assert vault.run("destroy", "2").exit_code != 0
    assert vault.county.events("key.destroyed") == []


def test_neither_the_key_nor_what_it_hid_stays_in_list_or_table(vault: Vault) -> None:
    _sealed_with_two(vault)
    [before] = [one for one in read_list(_place(vault)) if one.number == 2]
    assert vault.run("destroy", "2", "--yes").exit_code == 0
    rows = vault.county.sql(sa.select(FieldKey.wrapped).where(FieldKey.number == 2))
    assert rows == [(None,)] and before.wrapped
    [after] = [one for one in read_list(_place(vault)) if one.number == 2]
    assert after.wrapped is None
    # A copy of the database that is put back does not bring it back.
    vault.county.sql(sa.update(FieldKey.__table__).where(FieldKey.__table__.c.number == 2)
                     .values(state="old", wrapped=before.wrapped))  # fmt: skip
    vault.ring.look()
    gone = vault.county.ask("gw", "GET", f"/tasks/{vault.ids['task']}")
    assert outcome(gone) == (410, "key_destroyed")
    assert ("sync_ledger.body", 2) not in vault.scan()


def test_a_key_that_only_the_list_knows_is_written_down_again(vault: Vault) -> None:
    """A copy of the database from before a rotation was put back; photos know the key."""
    table = FieldKey.__table__
    vault.new_key()
    sealed = vault.engine.cipher.seal("x", "photo")
    vault.county.sql(sa.delete(table))
    vault.ring.look()
    assert vault.ring.current.number == FIRST
    assert vault.engine.cipher.open(sealed, "photo") == "x"
    assert vault.new_key() == 3
    rows = vault.county.sql(sa.select(FieldKey.number, FieldKey.state).order_by(FieldKey.number))
    assert [tuple(row) for row in rows] == [(1, "old"), (2, "old"), (3, "current")]
    assert vault.run("destroy", "2", "--yes").exit_code == 0
    assert vault.run("retire", "2").exit_code != 0


def test_with_another_root_key_the_first_can_be_destroyed_too(vault: Vault) -> None:
    county, ring = vault.county, vault.ring
    vault.new_key()
    ring.roots = Roots({FIRST: ring.roots.secrets[FIRST], 2: "another root key of the tests, no 2"},
                       2)  # fmt: skip
    assert "1" in vault.run("rewrap").output
    assert [one.root for one in read_list(_place(vault))] == [2]
    assert vault.run("destroy", "1", "--yes").exit_code == 0
    assert outcome(county.ask("gw", "GET", f"/tasks/{vault.ids['task']}")) == (410, "key_destroyed")
    assert "FIELD_KEY" in vault.run("status").output
    # Without FIELD_KEY in the environment, the ring is whole.
    ring.roots = Roots({2: "another root key of the tests, no 2"}, 2)
    check(county.app)
    assert county.task(title="新")["title"] == "新"


# -- before a server starts -----------------------------------------------------------------------


def _with_roots(vault: Vault, secrets: dict[int, str], current: int = 1) -> None:
    """Start anew with other keys in the environment."""
    ring = vault.ring
    vault.ring.__init__(Roots(secrets, current), ring._source)  # type: ignore[misc]


def test_a_server_starts_with_its_keys_and_with_no_others(vault: Vault) -> None:
    secrets = vault.ring.roots.secrets
    check(vault.county.app)
    check(vault.county.app)
    assert vault.county.sql(sa.select(FieldKey.number, FieldKey.state)) == [(1, "current")]
    _with_roots(vault, {1: "quite another field key, of another town"})
    with pytest.raises(MissingKey, match="FIELD_KEY"):
        check(vault.county.app)
    _with_roots(vault, {2: "quite another root key, number two, new"}, 2)
    with pytest.raises(MissingKey, match="FIELD_KEY"):
        check(vault.county.app)
    _with_roots(vault, dict(secrets))
    check(vault.county.app)


def test_before_the_first_key_is_written_down_it_is_tried(vault: Vault) -> None:
    assert vault.county.sql(sa.select(FieldKey.number)) == []
    _with_roots(vault, {1: "quite another field key, of another town"})
    with pytest.raises(MissingKey, match="is not the key that sealed"):
        check(vault.county.app)
    assert vault.county.sql(sa.select(FieldKey.number)) == []


def test_a_wrapped_key_whose_root_is_missing_is_named(vault: Vault) -> None:
    secret = vault.ring.roots.secrets[1]
    _with_roots(vault, {1: secret, 7: "quite another root key, number seven"}, 7)
    vault.new_key()
    _with_roots(vault, {1: secret})
    with pytest.raises(MissingKey, match="FIELD_KEYS: 7"):
        check(vault.county.app)


def test_a_new_server_without_field_key_makes_its_first_data_key(vault: Vault) -> None:
    assert checking.WHERE and isinstance(vault.ring, KeyRing)
    for table in reversed(vault.county.database.metadata.sorted_tables):
        if table.name in ("field_key",):
            vault.county.sql(sa.delete(table))
    _with_roots(vault, {5: "quite another root key, number five"}, 5)
    check(vault.county.app)
    assert vault.ring.current.number == 2


def test_nothing_readable_lies_in_any_file_or_table(vault: Vault, tmp_path: Path) -> None:
    """Before, while and after keys are changed, also in the WAL, beside it, and on the shelf."""
    settings: Settings = vault.county.app.extensions["wangge_settings"]

    def readable() -> list[str]:
        in_tables = [one for one in CANARIES if lies_in_plain(vault.county, tmp_path, one)]
        return [*in_tables, *planted_in_files(vault.county, tmp_path, *CANARIES)]

    assert readable() == [] and settings.data_dir == tmp_path
    vault.new_key(algorithm="sm4-gcm")
    rotation = vault.rotation()
    rotation.sweep_until(iter([False, False, True]).__next__)
    assert readable() == []
    rotation.sweep_until(lambda: False)
    assert readable() == []
    assert vault.run("destroy", "2", "--yes").exit_code != 0
    details: list[Any] = [one[0].details for one in vault.county.events("key.made")]
    assert not any(canary in json.dumps(details, ensure_ascii=False) for canary in CANARIES)
    assert lies_in_plain(vault.county, tmp_path, "人民路 12 号"), "the search itself must work"
