"""Prove that no edit, however hostile, stops or loses another, or is lost itself.

Phones push to the real server: good edits mixed with bad ones of every sort, and bodies that
nobody can read. After each: no answer 5xx but the stumbles of the database that were ordered,
all good edits applied, each bad one parked with its whole body or its bytes kept for the
support, and the numbers of the phone go on.

    python -m tests.prove.poison --engine sqlite --rounds 2000 --seed 1 [--sabotage body_lost]
"""

import http.client
import json
import random
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from app.core.database import Mode
from app.core.refusals import EDITS
from app.households.models import Household
from app.sync_api import unread
from tests.app.identity.town import GRID, TestPhone, now_ms
from tests.conftest import as_owner
from tests.prove.ground import Ground, open_ground, run_as_command
from tests.prove.poison_bugs import SABOTAGES
from tests.prove.poison_edits import APPLIED, CODES, DATABASE_POISON, Maker, Sent, unreadable
from tests.prove.server import ANSWER_WITHIN_S, Server

PHONES = 3
TOKEN_LIFE_S = 300.0
FAULTS_MAX = 5
KEPT_WHOLE = ("op", "kind", "base", "set", "was")


@dataclass
class Poisoner:
    """One phone and what it has learnt from the server."""

    ground: Ground
    server: Server
    name: str
    seed: str
    faults: list[str] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    good: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.make = Maker(self.rng)
        county = self.ground.county
        county.person(self.name, "gw", GRID)
        self.key = TestPhone(f"install-{self.name}")
        self.tokens, self.refreshed = county.enrolled(self.name, self.key), time.monotonic()
        made = county.ask(f"{self.name}_phone", "POST", "/sync/devices", {"app": "x", "schema": 1})
        self.device: str = made.get_json()["device"]

    def round(self) -> None:
        """Send one batch, or one body that nobody can read."""
        if self.rng.random() < 0.3:
            self._unreadable()
        else:
            self._batch()

    def fault(self, what: str) -> None:
        """Note what went wrong."""
        self.faults.append(f"{self.name} n={self.make.n}: {what}"[:500])

    # -- batches ----------------------------------------------------------------------------------

    def _batch(self) -> None:
        before, stumbles = self.make.n, self.make.stumbles
        sent: list[Sent] = []
        for _ in range(self.rng.randint(1, 6)):
            sent += self.make.good() if self.rng.random() < 0.4 else self.make.bad()
        path = self.rng.choice(("push", "exchange"))
        body = {"device": self.device, "cursor": None, "edits": [one.shape for one in sent]}
        raw = json.dumps(body, ensure_ascii=False).encode()
        tries = self.make.stumbles - stumbles
        reply = self._pushed(path, raw, tries)
        if reply is None:
            self.make.n = before
            return
        self._compare(sent, reply)
        again = self._pushed(path, raw, 0) if self.rng.random() < 0.2 else reply
        if again is not None and again["results"] != reply["results"]:
            self.fault("the receipts differ the second time")

    def _pushed(self, path: str, raw: bytes, stumbles: int) -> Mapping[str, Any] | None:
        """Send a batch until it is taken; only the ordered stumbles may answer 503."""
        for _ in range(stumbles + 1):
            status, reply = self._post(path, raw, {})
            self.seen[str(status)] += 1
            if status == 200:
                pushed: Mapping[str, Any] = reply.get("push", reply)
                return pushed
            if status != 503:
                break
        self.fault(f"{status} {reply} for {raw[:300].decode()}")
        return None

    def _compare(self, sent: list[Sent], reply: Mapping[str, Any]) -> None:
        results = reply["results"]
        if reply["expected"] != self.make.n + 1 or len(results) != len(sent):
            self.fault(f"expected {reply['expected']}, {len(results)} receipts of {len(sent)}")
        for one, receipt in zip(sent, results, strict=False):
            status, code = receipt["status"], receipt.get("code")
            self.seen[code or status] += 1
            if status not in one.fates or (one.code and code != one.code):
                self.fault(
                    f"{status} {code} instead of {sorted(one.fates)} {one.code}: {one.shape}"
                )
            if code and code not in EDITS:
                self.fault(f"{code} has no words")
            if one.fates == APPLIED and (one.shape["op"], one.shape["kind"]) == (
                "create", "household",
            ):  # fmt: skip
                self.good.append(one.shape["rec"])
        parked = {r["id"] for r in results if r["status"] in ("parked", "held")}
        self._look([one.shape for one in sent if one.shape["id"] in parked])

    def _look(self, shapes: list[dict[str, Any]]) -> None:
        """See that what is parked lies there whole."""
        engine = self.ground.county.app.extensions["wangge_engine"]
        with self.ground.database.transaction(Mode.READ) as session:
            found = engine.store(session).parked_for([], [shape["id"] for shape in shapes])
        for shape in shapes:
            parked = found.get(shape["id"])
            kept = parked.edit.as_json() if parked else {}
            whole = kept.get("was", {}).get("raw") == shape or (
                bool(kept) and all(kept[name] == shape.get(name, kept[name]) for name in KEPT_WHOLE)
            )
            if not whole:
                self.fault(f"parked without its body: {shape} as {kept}")

    # -- bodies that nobody can read ------------------------------------------------------------

    def _unreadable(self) -> None:
        body = unreadable(self.make, self.device)
        path = self.rng.choice(("push", "exchange"))
        status, reply = self._post(path, body.raw, body.headers)
        self.seen[f"{status} {reply.get('code')}"] += 1
        if status not in body.statuses:
            self.fault(f"{status} {reply} for the body {body.raw[:200]!r}")
        elif body.kept:
            self._look_for_bytes(str(reply.get("support")), body.raw)

    def _look_for_bytes(self, number: str, raw: bytes) -> None:
        cipher = self.ground.county.app.extensions["wangge_cipher"]
        with self.ground.database.transaction(Mode.READ) as session:
            row = unread.found(session, number)
        if row is None or unread.unpacked(cipher, row) != raw:
            self.fault(f"the bytes are not there for the support: {raw[:200]!r}")

    def _post(self, path: str, raw: bytes, headers: Mapping[str, str]) -> tuple[int, Any]:
        if time.monotonic() - self.refreshed > TOKEN_LIFE_S:
            county, token = self.ground.county, self.tokens["refresh_token"]
            self.tokens = county.refresh(self.key, token, at_ms=now_ms()).get_json()
            self.refreshed = time.monotonic()
        line = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=ANSWER_WITHIN_S)
        told = {"Content-Type": "application/json",
                "Authorization": f"Bearer {self.tokens['access_token']}"}  # fmt: skip
        try:
            line.request("POST", f"/api/v1/sync/{path}", raw, {**told, **headers})
            reply = line.getresponse()
            return reply.status, json.loads(reply.read())
        except (OSError, http.client.HTTPException, ValueError) as fault:
            return 599, {"code": f"no whole answer: {type(fault).__name__}"}
        finally:
            line.close()


def _arm(ground: Ground) -> None:
    """Teach the database to refuse by itself what the engine has let through."""
    if ground.database.is_sqlite:
        words = [
            "CREATE TRIGGER poison BEFORE INSERT ON household WHEN NEW.address_text = "
            f"'{DATABASE_POISON}' BEGIN SELECT RAISE(ABORT, 'poison'); END"
        ]
    else:
        words = [
            "ALTER TABLE household ADD CONSTRAINT poison "
            f"CHECK (address_text IS DISTINCT FROM '{DATABASE_POISON}')"
        ]
    with as_owner(ground.database) as connection:
        for word in words:
            connection.execute(sa.text(word))


def _at_the_end(ground: Ground, phones: list[Poisoner], *, whole: bool) -> list[str]:
    """Compare all good edits with what is there, and what was tried with what there is to try."""
    with ground.database.transaction(Mode.READ) as session:
        there = set(session.scalars(sa.select(Household.id)))
    lost = [rec for phone in phones for rec in phone.good if rec not in there]
    faults = [f"good edits without effect: {len(lost)}"] if lost else []
    seen = sum((phone.seen for phone in phones), Counter())
    untried = sorted(CODES - seen.keys()) if whole else []
    return faults + ([f"never met: {untried}"] if untried else [])


def prove(engine: str, rounds: int, seed: int, sabotage: str | None = None) -> dict[str, Any]:
    """Send poison, and tell what it stopped or swallowed."""
    began = time.monotonic()
    with open_ground(engine) as ground:
        _arm(ground)
        environment = {**ground.environment, "POISON_SABOTAGE": sabotage or ""}
        server = Server(environment, "tests.prove.poison_server:app")
        phones = [Poisoner(ground, server, f"worker {k}", f"{seed}/{k}") for k in range(PHONES)]
        server.start()
        done = 0
        try:
            while done < rounds and sum(len(one.faults) for one in phones) < FAULTS_MAX:
                phones[done % PHONES].round()
                done += 1
        finally:
            server.stop()
        violations = [fault for phone in phones for fault in phone.faults]
        violations += _at_the_end(ground, phones, whole=done == rounds and rounds >= 150)
    seen = sum((phone.seen for phone in phones), Counter())
    return {
        "prover": "poison", "rounds": done, "edits": sum(one.make.n for one in phones),
        "seen": dict(sorted(seen.items())), "took_s": round(time.monotonic() - began, 1),
        "violations": violations,
    }  # fmt: skip


if __name__ == "__main__":
    run_as_command(prove, list(SABOTAGES), more={"rounds": 2000})
