"""The doors of passwords and codes: shut after five wrong attempts, and for nobody else."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from app.core.database import Mode, table_of
from app.factory import create_app
from app.identity import attempts
from app.identity.attempts import WRONG_MAX, WRONG_OF_NETWORK_MAX
from app.identity.credentials import known_computer
from app.identity.models import Attempt
from sync.errors import Problem
from tests.app.identity.town import VILLAGE, Town, outcome

PASSWORD = "长城之外-seven geese"
NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
NAT = "203.0.113.9"


def at(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def knock(town: Town, account: str = "a", address: str = NAT, known: str | None = None):
    return attempts.at_login(town.house.keys, account, address, known)


def enter(town: Town, minutes: float = 0, **who: str) -> int:
    """Try once; return the seconds to wait, 0 when the attempt may be judged."""
    try:
        attempts.enter(town.database, knock(town, **who), at(minutes))
    except Problem as problem:
        assert problem.status == 429
        return int(problem.extra["retry_after_s"])
    return 0


def test_five_wrong_within_a_quarter_shut_the_door_for_a_quarter(town: Town) -> None:
    assert [enter(town, n) for n in range(WRONG_MAX)] == [0] * WRONG_MAX
    assert enter(town, 5) == 14 * 60 + 1
    assert enter(town, 18.9) == 7
    assert [enter(town, 19.1 + n) for n in range(WRONG_MAX)] == [0] * WRONG_MAX
    assert enter(town, 25) > 0


def test_wrong_ones_spread_over_more_than_a_quarter_shut_nothing(town: Town) -> None:
    assert [enter(town, 4 * n) for n in range(20)] == [0] * 20


def test_a_right_one_is_forgiven_all_before(town: Town) -> None:
    for n in range(3 * WRONG_MAX):
        assert enter(town, n / 10) == 0
        if n % WRONG_MAX == WRONG_MAX - 1:
            with town.database.transaction(Mode.WRITE) as session:
                attempts.passed(session, knock(town))


def test_an_attempt_that_was_not_judged_is_taken_back(town: Town) -> None:
    for _ in range(3 * WRONG_MAX):
        assert enter(town) == 0
        attempts.undecided(town.database, knock(town))


def test_one_account_shut_behind_a_carriers_address_shuts_none_beside_it(town: Town) -> None:
    for _ in range(3 * WRONG_OF_NETWORK_MAX):
        enter(town, account="hammered")
    assert enter(town, account="hammered") > 0
    assert enter(town, account="neighbour") == 0
    assert enter(town, account="hammered", address="198.51.100.1") == 0


def test_a_network_cannot_try_many_accounts_and_known_computers_pass_all_the_same(
    town: Town,
) -> None:
    tries = [enter(town, account=f"a{n}") for n in range(WRONG_OF_NETWORK_MAX + 1)]
    assert tries[-1] > 0 and not any(tries[:-1])
    from_before = town_known(town, "honest")
    assert enter(town, account="honest") > 0
    assert enter(town, account="honest", known=from_before) == 0
    assert enter(town, account="a1", known=from_before) > 0
    assert enter(town, account="honest", known=from_before[:-2] + "AA") > 0


def town_known(town: Town, account: str) -> str:
    return known_computer(bytes(16), account, town.house.keys)


def test_nobody_locks_out_the_computer_from_which_one_has_signed_in(town: Town) -> None:
    town.person("马兰", "vl", VILLAGE, login="ma.lan", password=PASSWORD)
    right = {"login": "ma.lan", "password": PASSWORD}
    known = town.call(None, "POST", "/auth/sign-in", right).get_json()["known"]
    for _ in range(2 * WRONG_MAX):
        town.call(None, "POST", "/auth/sign-in", {**right, "password": "guess"})
    assert outcome(town.call(None, "POST", "/auth/sign-in", right)) == (429, "too_many_requests")
    again = town.call(None, "POST", "/auth/sign-in", {**right, "known": known})
    assert again.status_code == 200
    assert again.get_json()["known"] == known
    rubbish = town.call(None, "POST", "/auth/sign-in", {**right, "known": "é"})
    assert outcome(rubbish) == (429, "too_many_requests")


def test_all_processes_count_together(town: Town) -> None:
    """A second application on the same database stands for another process."""
    town.person("马兰", "vl", VILLAGE, login="ma.lan", password=PASSWORD)
    other = create_app(town.app.extensions["wangge_settings"])
    wrong = {"login": "ma.lan", "password": "guess"}
    statuses = [client.post("/api/v1/auth/sign-in", json=wrong).status_code
                for _ in range(3)
                for client in (town.client, other.test_client())]  # fmt: skip
    other.extensions["wangge_database"].dispose()
    assert statuses == [401] * WRONG_MAX + [429]


def test_what_is_long_past_is_not_kept_and_names_nobody(town: Town) -> None:
    enter(town, account="ma.lan")
    kept = repr([tuple(row) for row in town.sql(sa.select(table_of(Attempt)))])
    assert "ma.lan" not in kept and NAT not in kept
    enter(town, 61, account="b", address="198.51.100.1")
    assert len(town.sql(sa.select(Attempt.key))) == 2


@pytest.mark.parametrize("address", ["2001:db8::1", "::1", "not an address", ""])
def test_any_address_can_be_counted(town: Town, address: str) -> None:
    assert [enter(town, address=address) for _ in range(WRONG_MAX)] == [0] * WRONG_MAX
    assert enter(town, address=address) > 0
