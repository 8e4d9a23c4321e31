"""Prove that refresh tokens lock nobody out and that thieves are found.

Phones refresh through simulated weeks. One reply in five is lost, sometimes several in a row, and
the phone sends the same token again, seconds or hours later. Thieves copy the token of a phone at
random moments and use it at random moments, most without the key of the phone, some with it.

* Nobody honest is refused, unless a thief was found in his family.
* A thief without the key gets nothing, ever. A token of now is refused and written down; an old
  one revokes the family and raises the alarm.
* A thief with the key is a second phone. He is found as soon as one of the two shows a token
  that the other has left behind by two changes, or by one that is older than a day. Two who take
  turns within a day are not told from one phone whose replies are lost; they are counted here.

    python -m tests.prove.refresh --engine sqlite --seed 1 --refreshes 10000 [--sabotage no_reuse]
"""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from app.core.audit import AuditEvent
from app.core.database import Mode
from app.identity import authentication, credentials, phones, sessions
from app.identity.credentials import RefreshToken, read_refresh
from app.identity.models import AuthSession
from app.identity.rules import REPLY_LOST_WITHIN, ms_of
from app.identity.sessions import Ended, Proof, Tokens
from sync.errors import Problem
from tests.app.identity.town import TestPhone
from tests.prove.ground import Ground, open_ground, run_as_command
from tests.simulation.sabotage import _instead

PHONES = 12
LOST, LOST_ON_THE_WAY = 0.20, 0.05
STEALS, HAS_KEY, STRIKES, IN_A_HURRY = 0.04, 0.25, 0.06, 0.4
PACE = timedelta(minutes=12)
ENROLLED_FOR = timedelta(days=80)
ADDRESS = "192.0.2.1"


@dataclass
class Holder:
    """Whoever holds a token: the phone itself, or a thief."""

    token: str
    key: TestPhone | None
    proof_ms: int = 0


@dataclass
class Family:
    """A phone with its session, and the thieves who have copied from it."""

    user: str
    phone: Holder
    session_id: str
    made: datetime
    thieves: list[Holder] = field(default_factory=list)
    is_shared: bool = False
    """A thief has the key and has used it: which of the two is the phone, nobody can tell."""


class World:
    """Phones and thieves at one server, in simulated time."""

    def __init__(self, ground: Ground, seed: int) -> None:
        self.ground, self.chance = ground, random.Random(seed)
        self.now = datetime.now(UTC)
        self.counts: Counter[str] = Counter()
        self.violations: list[str] = []
        people = [name for name in ground.county.ids if name.startswith(("gw", "colleague"))]
        self.families = [self.enrolled(people[n % len(people)], n) for n in range(PHONES)]

    # -- the server -----------------------------------------------------------------------------

    def enrolled(self, user: str, number: int) -> Family:
        """Enrol a phone anew."""
        county, key = self.ground.county, TestPhone(f"install-{number}-{self.now.timestamp()}")
        with self.ground.database.transaction(Mode.WRITE) as session:
            code = phones.make_code(session, county.house, user_id=county.ids[user], made_by=None,
                                    now=self.now).code  # fmt: skip
        said = phones.Phone(key.install_id, "prove", "prove", key.public_key)
        with self.ground.database.transaction(Mode.MERGE) as session:
            tokens = phones.enrol(session, county.house, code=code, phone=said, address=ADDRESS,
                                  now=self.now)  # fmt: skip
        return Family(user, Holder(tokens.refresh_token, key), tokens.session_id, self.now)

    def some_address(self) -> str:
        """Return where a thief calls from: he has many addresses, so no limiter hides him."""
        return f"10.{'.'.join(str(self.chance.randrange(256)) for _ in range(3))}"

    def asked(self, who: Holder, key: TestPhone | None, *, address: str = ADDRESS) -> Tokens | str:
        """Refresh; return the tokens or the code of the refusal."""
        who.proof_ms = max(ms_of(self.now), who.proof_ms + 1)
        proof = None
        if key is not None:
            body = key.refresh(who.token, who.proof_ms)
            proof = Proof(body["proof"], body["at"])
        house = self.ground.county.house
        try:
            with self.ground.database.transaction(Mode.MERGE) as session:
                outcome = sessions.refresh(session, house, text=who.token, proof=proof,
                                           address=address, now=self.now)  # fmt: skip
        except Problem as problem:
            if problem.code == "stale_proof":
                who.proof_ms = int(problem.extra["after"])
                return self.asked(who, key, address=address)
            return problem.code
        return outcome.code if isinstance(outcome, Ended) else outcome

    def standing(self, family: Family) -> Any:
        """Return generation, last change and end of a family, as the server knows them."""
        row = AuthSession
        query = sa.select(row.generation, row.rotated_at, row.revoked_at)
        with self.ground.database.transaction(Mode.LOOK) as session:
            return session.execute(query.where(row.id == family.session_id)).one()

    def alarms(self, event: str) -> int:
        """Count what was written down under a name."""
        query = sa.select(sa.func.count()).where(AuditEvent.event == event)
        with self.ground.database.transaction(Mode.LOOK) as session:
            return session.execute(query).scalar_one()

    # -- what happens ---------------------------------------------------------------------------

    def step(self) -> None:
        """Let some time pass, and one of the phones refresh; a thief may copy or strike."""
        self.now += PACE * self.chance.expovariate(1)
        place = self.chance.randrange(len(self.families))
        family = self.families[place]
        if self.now - family.made > ENROLLED_FOR:
            self.renew(place, "aged")
            return
        if self.chance.random() < STEALS:
            key = family.phone.key if self.chance.random() < HAS_KEY else None
            family.thieves.append(Holder(family.phone.token, key))
            self.counts["copied"] += 1
            eager = self.chance.random() < IN_A_HURRY
        else:
            eager = self.chance.random() < STRIKES * len(family.thieves)
        if eager:
            thief = self.chance.choice(family.thieves)
            (self.clone_strikes if thief.key else self.copy_strikes)(place, thief)
        else:
            self.phone_refreshes(place)

    def renew(self, place: int, why: str) -> None:
        """Give the phone's owner a new enrolment."""
        self.counts[why] += 1
        self.families[place] = self.enrolled(self.families[place].user, place)

    def phone_refreshes(self, place: int) -> None:
        """Refresh as the honest phone, again and again until a reply arrives."""
        family = self.families[place]
        while True:
            if self.chance.random() < LOST_ON_THE_WAY:
                self.counts["requests_lost"] += 1
            else:
                behind = self.left_behind(family, family.phone)
                self.counts["refreshes"] += 1
                got = self.asked(family.phone, family.phone.key)
                if isinstance(got, str):
                    self.refused(place, got, behind=behind)
                    return
                self.fault(behind, "a second phone was not found")
                if self.chance.random() >= LOST:
                    family.phone.token = got.refresh_token
                    return
                self.counts["replies_lost"] += 1
            self.now += timedelta(seconds=self.chance.choice((1, 5, 60, 3_600)))

    def refused(self, place: int, code: str, *, behind: bool) -> None:
        """Judge a refusal of the phone: only the end of a shared family is one."""
        family = self.families[place]
        found = code == "token_reused" and family.is_shared and behind
        self.fault(not found, f"an honest phone was refused: {code}")
        self.found(place)

    def copy_strikes(self, place: int, thief: Holder) -> None:
        """Use a copied token without the key."""
        family = self.families[place]
        behind = self.lag(family, thief) > 1
        other = self.chance.choice((None, TestPhone()))
        before = self.alarms("auth.token_reused"), self.alarms("auth.bad_proof")
        got = self.asked(thief, other, address=self.some_address())
        after = self.alarms("auth.token_reused"), self.alarms("auth.bad_proof")
        rises = (after[0] - before[0], after[1] - before[1])
        self.fault(not isinstance(got, str), "a thief without the key was let in")
        if behind:
            self.fault(got != "token_reused" or rises[0] != 1, "an old copy raised no alarm")
            self.found(place)
        else:
            self.counts["copies_worthless"] += 1
            self.fault(got != "bad_proof" or rises[1] != 1, "a strange proof was not written down")

    def clone_strikes(self, place: int, thief: Holder) -> None:
        """Use a copied token with the key, as a second phone."""
        family = self.families[place]
        behind = self.left_behind(family, thief)
        got = self.asked(thief, thief.key)
        if isinstance(got, str):
            self.fault(got != "token_reused" or not behind, f"a second phone was refused: {got}")
            self.found(place)
            return
        self.fault(behind, "a second phone that lagged was not found")
        self.counts["clone_refreshes"] += 1
        family.is_shared, thief.token = True, got.refresh_token

    def left_behind(self, family: Family, who: Holder) -> bool:
        """Tell whether a token was left behind by two changes, or by one of more than a day ago."""
        lag, since = self.lag(family, who), self.standing(family).rotated_at
        return lag > 1 or (lag == 1 and self.now - since > REPLY_LOST_WITHIN)

    def lag(self, family: Family, who: Holder) -> int:
        """Return by how many changes a token was left behind."""
        token = read_refresh(who.token, self.ground.county.house.keys)
        assert token is not None
        return int(self.standing(family).generation) - token.generation

    def found(self, place: int) -> None:
        """Check that a family in which a thief was found is over for all, and enrol anew."""
        family = self.families[place]
        self.counts["found"] += 1
        self.fault(self.standing(family).revoked_at is None, "the family goes on after an alarm")
        for one in (family.phone, *family.thieves):
            self.fault(self.asked(one, one.key) != "revoked", "an ended family was answered")
        with self.ground.database.transaction(Mode.READ) as session:
            keys = self.ground.county.house.keys
            try:
                authentication.actor_of(session, family.session_id, keys, self.now)
                self.fault(True, "access goes on after an alarm")
            except Problem as problem:
                self.fault(problem.code != "revoked", f"access ended as {problem.code}")
        self.renew(place, "enrolled_anew")

    def fault(self, wrong: bool, words: str) -> None:
        """Note a violation."""
        if wrong:
            self.violations.append(f"{words} (refresh {self.counts['refreshes']})")


def prove(engine: str, seed: int, refreshes: int, sabotage: str | None = None) -> dict[str, Any]:
    """Let phones refresh and thieves copy, and tell who was locked out and who went unnoticed."""
    with open_ground(engine) as ground:
        return prove_on(ground, seed, refreshes, sabotage)


def prove_on(
    ground: Ground, seed: int, refreshes: int, sabotage: str | None = None
) -> dict[str, Any]:
    """Do so on a county that stands already; each run brings phones of its own."""
    began = time.monotonic()
    with _planted(sabotage):
        world = World(ground, seed)
        while world.counts["refreshes"] < refreshes and not world.violations:
            world.step()
    together = sum(one.is_shared for one in world.families)
    counts = {name: number for name, number in sorted(world.counts.items()) if name != "refreshes"}
    return {
        "prover": "refresh", "refreshed": world.counts["refreshes"], **counts,
        "second_phones_not_found_yet": together, "took_s": round(time.monotonic() - began, 1),
        "violations": world.violations,
    }  # fmt: skip


@contextmanager
def _planted(sabotage: str | None) -> Iterator[None]:
    if sabotage is None:
        yield
        return
    with _instead(SABOTAGES[sabotage]()):
        yield


def _no_reuse() -> tuple[Any, str, Any]:
    """Refuse an old token, and leave the family as it is."""
    return sessions, "_end_family", lambda *told, **more: Ended()


def _no_lost_reply() -> tuple[Any, str, Any]:
    """Take a token that comes a second time for a copy, whatever the reply was."""
    return sessions, "_is_repeated", lambda row, token, now: False


def _proof_ignored() -> tuple[Any, str, Any]:
    """Believe whatever signature comes with a token."""
    return sessions, "_is_genuine", lambda key, text, proof: True


def _successor_by_chance() -> tuple[Any, str, Any]:
    """Make another successor each time."""

    def successor(self: RefreshToken, keys: Any) -> RefreshToken:
        return RefreshToken(self.session_id, self.generation + 1, random.randbytes(32))

    return credentials.RefreshToken, "successor", successor


def _forgiven_for_ever() -> tuple[Any, str, Any]:
    """Give the successor again to whoever shows any token of before."""

    def is_repeated(row: Any, token: RefreshToken, now: Any) -> bool:
        return token.generation < row.generation

    return sessions, "_is_repeated", is_repeated


def _silent() -> tuple[Any, str, Any]:
    """Refuse a token without its key, and tell nobody."""
    return sessions, "_strange", lambda *told, **more: Ended("bad_proof")


SABOTAGES: Mapping[str, Callable[[], tuple[Any, str, Any]]] = {
    "no_reuse": _no_reuse, "no_lost_reply": _no_lost_reply, "proof_ignored": _proof_ignored,
    "successor_by_chance": _successor_by_chance, "forgiven_for_ever": _forgiven_for_ever,
    "silent": _silent,
}  # fmt: skip


if __name__ == "__main__":
    run_as_command(prove, sorted(SABOTAGES), more={"refreshes": 10_000})
