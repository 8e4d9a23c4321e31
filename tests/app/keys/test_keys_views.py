"""Changing keys over REST takes two device administrators, and each sees how far it is."""

from typing import Any

import sqlalchemy as sa

from app.core.jobs import JobRow, worker_of
from app.core.key_table import FieldKey
from app.core.moments import now_ms
from app.keys import services
from tests.app.identity.town import CITY, PEOPLE, outcome
from tests.app.keys.vault import Vault

WISH = {"reason": "每年例行轮换", "algorithm": "sm4-gcm"}
ASK = "/keys/rotations"


def _work(vault: Vault) -> None:
    """Let the worker do what is due, also what waits for all processes to know the new key."""
    vault.county.sql(sa.update(JobRow).values(due_ms=0))
    worker_of(vault.county.app).work_off()


def _asked(vault: Vault) -> str:
    vault.county.person("da_second", "da", CITY)
    reply = vault.county.ask("da", "POST", ASK, WISH)
    assert reply.status_code == 202, reply.get_data(as_text=True)
    return str(reply.get_json()["id"])


def _current(vault: Vault) -> dict[str, Any]:
    shown = vault.county.ask("da", "GET", "/keys").get_json()
    [current] = [one for one in shown if one["state"] == "current"]
    return dict(current)


def test_only_device_administrators_change_keys_and_never_alone(vault: Vault) -> None:
    county, name = vault.county, _asked(vault)
    for who in sorted(set(PEOPLE) - {"da"}):
        for method, path in (("GET", "/keys"), ("POST", ASK), ("GET", f"{ASK}/to-decide")):
            body = WISH if method == "POST" else None
            assert outcome(county.ask(who, method, path, body)) == (403, "not_allowed"), (who, path)
    decision = f"{ASK}/{name}/decision"
    assert county.ask("da", "GET", f"{ASK}/to-decide").get_json() == []
    own = county.ask("da", "POST", decision, {"verdict": "approved"})
    assert outcome(own) == (403, "not_to_yourself")
    assert county.sql(sa.select(FieldKey.number)) == []
    [waiting] = county.ask("da_second", "GET", f"{ASK}/to-decide").get_json()
    assert (waiting["id"], waiting["reason"]) == (name, WISH["reason"])
    refused = county.ask("da_second", "POST", decision, {"verdict": "refused"})
    assert refused.get_json()["state"] == "refused"
    again = county.ask("da_second", "POST", decision, {"verdict": "approved"})
    assert outcome(again) == (409, "already_decided")
    assert county.sql(sa.select(FieldKey.number)) == []
    unknown = county.ask("da_second", "POST", f"{ASK}/{vault.ids['home']}/decision",
                         {"verdict": "approved"})  # fmt: skip
    assert unknown.status_code == 404
    for bad in ({}, {"reason": "x"}, {**WISH, "algorithm": "rot13"}):
        assert county.ask("da", "POST", ASK, bad).status_code == 422


def test_a_yes_makes_the_key_and_the_worker_seals_anew_until_all_is_done(vault: Vault) -> None:
    county, name = vault.county, _asked(vault)
    reply = county.ask("da_second", "POST", f"{ASK}/{name}/decision", {"verdict": "approved"})
    assert reply.status_code == 200, reply.get_data(as_text=True)
    current = _current(vault)
    assert (current["number"], current["algorithm"]) == (2, "sm4-gcm")
    assert current["resealed_at"] is None and "wrapped" not in current
    assert outcome(county.ask("da", "POST", ASK, WISH)) == (409, "rotation_under_way")
    vault.ring.look()
    an_hour = now_ms() + 3_600_000
    county.sql(sa.update(FieldKey).where(FieldKey.number == 2).values(made_ms=an_hour))
    _work(vault)
    assert {number for _, number in vault.scan()} == {2}
    # Not before all processes can know of it.
    current = _current(vault)
    assert current["resealed_at"] is None and current["done"] == current["total"] > 0
    [job] = county.sql(sa.select(JobRow.due_ms).where(JobRow.name == services.ROTATE))
    assert job.due_ms > now_ms()
    county.sql(sa.update(FieldKey).where(FieldKey.number == 2).values(made_ms=1))
    _work(vault)
    assert _current(vault)["resealed_at"]
    assert county.sql(sa.select(JobRow).where(JobRow.name == services.ROTATE)) == []
    assert [one[0].subject for one in county.events("key.resealed")] == ["key:2"]
    [made] = county.events("key.made")
    assert made[0].user_id == county.ids["da_second"]
    # The job may be asked for again at any time: there is nothing to do, and no second key.
    services.work("")
    assert _current(vault)["number"] == 2


def test_a_job_that_has_not_done_all_in_its_time_leaves_the_rest_to_the_next(
    vault: Vault, monkeypatch: Any
) -> None:
    vault.new_key()
    monkeypatch.setattr(services, "WORK_MS", -1)
    rotation = vault.rotation()
    left = [rotation.left()]
    while rotation.left():
        services.work("" if len(left) % 2 else services.NEXT)
        left.append(rotation.left())
        assert vault.county.sql(sa.select(JobRow.id).where(JobRow.name == services.ROTATE))
    assert len(left) > 3 and left == sorted(left, reverse=True)
