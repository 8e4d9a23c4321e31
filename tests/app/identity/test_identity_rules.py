"""The pure rules of identity, and the authorisation table as it is loaded."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from app.core import policy
from app.core.actor import ROLES, Actor, Post
from app.core.policy import Answer
from app.identity import credentials, rules
from app.identity.credentials import Keys, RefreshToken
from app.identity.limiter import FREE_PER_ACCOUNT, FREE_PER_ADDRESS, KEYS_MAX, WAIT_S_MAX, Doors
from app.identity.policies import rights_of
from sync.errors import Problem

KEYS = Keys.derive("a secret of the tests, long enough for all")
SESSION = "01890a5d-ac96-774b-bcce-b302099a8057"
CELL = re.compile(r"-|[ogvtcA][msr2]?")


def test_every_cell_of_the_table_can_be_read() -> None:
    table = policy.table()
    assert len(table) == 104
    for action, row in table.items():
        assert tuple(row) == ROLES, action
        for cell in row.values():
            assert CELL.fullmatch(cell.letter + cell.suffix), (action, cell)


def test_every_action_of_identity_stands_in_the_table() -> None:
    for action in (
        "user.list", "user.read", "user.create", "user.grant_role", "assignment.create",
        "assignment.delete", "device.list", "device.issue_code", "device.revoke", "device.wipe",
        "session.revoke",
    ):  # fmt: skip
        assert policy.knows(action)


@pytest.mark.parametrize("role", ROLES)
def test_identity_says_what_the_table_says(role: str) -> None:
    path = {"gw": "1.2.4.7.10.", "vl": "1.2.4.7.", "ts": "1.2.4.", "cm": "1.2.", "au": "1.",
            "da": "1."}[role]  # fmt: skip
    actor = Actor(1, (Post(role, 1, path, "x", 0),))
    rights = rights_of(actor, 1)
    for action, row in policy.table().items():
        cell = row[role]
        wanted = None if cell.letter == "-" else cell.letter + cell.suffix
        assert rights.get(action) == wanted, action


def test_of_two_posts_the_wider_right_is_shown() -> None:
    posts = (Post("gw", 10, "1.2.4.7.10.", "grid", 0), Post("vl", 7, "1.2.4.7.", "village", 0))
    assert rights_of(Actor(1, posts), 1)["incident.list"] == "v"


def test_a_post_gives_nothing_before_its_start_and_after_its_end() -> None:
    actor = Actor(1, (Post("vl", 7, "1.2.4.7.", "village", 100, 200),))
    for at_ms, answer in ((99, Answer.ABSENT), (100, Answer.YES), (199, Answer.YES),
                          (200, Answer.ABSENT)):  # fmt: skip
        decision = policy.decide(actor, "user.read", path="1.2.4.7.", own=False, at_ms=at_ms)
        assert decision.answer is answer


def test_nobody_hands_out_a_role_above_his_own() -> None:
    order = ["gw", "vl", "ts", "cm"]
    for high, author in enumerate(order):
        for level, role in enumerate(order):
            assert rules.may_hand_out([author], role) == (level <= high)
    for beside in ("au", "da"):
        assert not rules.may_hand_out(["cm"], beside)
        assert not any(rules.may_hand_out([beside], role) for role in ROLES)
    assert not rules.may_hand_out([], "gw")


@pytest.mark.parametrize(
    ("password", "roles", "fault"),
    [
        ("1234567", ["vl"], "password_too_short"),
        ("gänse im", ["vl"], None),
        ("网格员的长密码句", ["vl"], None),
        ("gänse im wi", ["cm"], "password_too_short"),
        ("gänse im win", ["cm"], None),
        ("x" * 129, ["vl"], "password_too_long"),
        ("Password2024!", ["vl"], "password_too_common"),
        ("12345678", ["vl"], "password_too_common"),
        ("aaaabbbb", ["vl"], "password_too_common"),
        ("wangge123456", ["cm"], "password_too_common"),
        ("ma.lan.62", ["vl"], "password_too_common"),
    ],
)
def test_passwords_are_judged_by_length_and_by_what_everybody_tries(
    password: str, roles: list[str], fault: str | None
) -> None:
    assert rules.password_fault(password, about=["ma.lan", "马兰"], roles=roles) == fault


def test_a_code_has_128_bits_and_forgives_how_it_is_typed() -> None:
    code = credentials.show_code(bytes(range(16)))
    assert len(code) == credentials.CODE_CHARACTERS
    assert re.fullmatch(r"[A-Z2-7]+", code)
    typed = code.lower().replace("o", "0").replace("i", "1").replace("b", "8")
    assert credentials.code_hash(f" {typed[:4]}-{typed[4:]} ", KEYS) == credentials.code_hash(
        code, KEYS
    )


def test_a_refresh_token_reads_as_it_was_written_and_only_with_our_key() -> None:
    token = RefreshToken(SESSION, 3, bytes(32))
    text = token.text(KEYS)
    assert credentials.read_refresh(text, KEYS) == token
    assert credentials.read_refresh(text, Keys.derive("another secret" * 4)) is None
    for place in range(0, len(text), 7):
        other = "A" if text[place] != "A" else "B"
        assert credentials.read_refresh(text[:place] + other + text[place + 1 :], KEYS) is None


def test_a_successor_is_always_the_same_and_says_nothing_of_the_next() -> None:
    token = RefreshToken(SESSION, 0, bytes(32))
    assert token.successor(KEYS) == token.successor(KEYS)
    assert token.successor(KEYS).generation == 1
    assert token.successor(KEYS).secret != token.successor(KEYS).successor(KEYS).secret
    assert token.successor(Keys.derive("another secret" * 4)).secret != token.successor(KEYS).secret


def test_each_purpose_has_a_key_of_its_own() -> None:
    assert len({KEYS.access, KEYS.code, KEYS.tag, KEYS.successor}) == 4


def test_a_post_is_counted_in_whole_milliseconds_rounded_down() -> None:
    moment = datetime(2026, 1, 31, 8, 0, 0, 1999, tzinfo=UTC)
    assert rules.moment_of(rules.ms_of(moment)) == moment - timedelta(microseconds=999)


def _refused(doors: Doors, address: str, account: str, now_s: float) -> int:
    try:
        doors.enter(address, account, now_s)
    except Problem as problem:
        assert problem.status == 429
        return int(problem.extra["retry_after_s"])
    return 0


def test_each_failure_doubles_the_pause_up_to_a_quarter_of_an_hour() -> None:
    doors, now, pauses = Doors(), 0.0, []
    for _ in range(FREE_PER_ACCOUNT):
        assert _refused(doors, "192.0.2.1", "a", now) == 0
    for _ in range(14):
        pause = _refused(doors, "192.0.2.1", "a", now)
        pauses.append(pause)
        now += pause
        assert _refused(doors, "192.0.2.1", "a", now) == 0
    assert pauses[:4] == [2, 3, 5, 9]
    assert max(pauses) == WAIT_S_MAX + 1


def test_an_hour_of_peace_is_forgiven() -> None:
    doors = Doors()
    for _ in range(FREE_PER_ACCOUNT):
        doors.enter("192.0.2.1", "a", 0)
    assert _refused(doors, "192.0.2.1", "a", 0.5) > 0
    assert _refused(doors, "192.0.2.1", "a", 3601) == 0


def test_one_address_cannot_try_many_accounts() -> None:
    doors = Doors()
    results = [_refused(doors, "192.0.2.1", f"a{n}", 0) for n in range(FREE_PER_ADDRESS + 1)]
    assert results[-1] > 0
    assert not any(results[:-1])
    assert _refused(doors, "198.51.100.7", "a1", 0) == 0


def test_a_home_network_of_ipv6_counts_as_one_address() -> None:
    doors = Doors()
    results = [_refused(doors, f"2001:db8::{n:x}", "a", 0) for n in range(FREE_PER_ACCOUNT + 1)]
    assert results[-1] > 0
    assert _refused(doors, "2001:db8:0:1::1", "a", 0) == 0


def test_the_counts_stay_bounded() -> None:
    doors = Doors()
    for number in range(KEYS_MAX):
        doors.enter(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", "a", 0)
    assert len(doors._counts) <= KEYS_MAX
