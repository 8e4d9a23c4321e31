"""Prove that a phone which exists twice, or comes from an old backup, costs nobody any work.

Phones with one device id, one key and one folder each go their own way: copied while in use, put
back from an old backup, copied and both used. They meet at the real server, in any order. Each
ends under a device id of its own, and every edit of every copy is there once.

    python -m tests.prove.clone --engine sqlite --rounds 5 --seed 1 [--sabotage same_name]
"""

import random
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from app.phone.client import Phone
from app.phone.home import Home
from sync import replica, replica_tables
from tests.prove.crew import Member, crew_of, settle, violations
from tests.prove.ground import Ground, open_ground, run_as_command
from tests.prove.server import Server

CREW = 2
EDITS_MAX = 6
SAME_NAME, NEW_IDS = "same_name", "new_ids"
SABOTAGES = (SAME_NAME, NEW_IDS)


def prove(engine: str, rounds: int, seed: int, sabotage: str | None = None) -> dict[str, Any]:
    """Copy phones and put old backups on them, and tell what was lost or doubled."""
    began, chance = time.monotonic(), random.Random(seed)
    with _planted(sabotage), open_ground(engine) as ground:
        server = Server(ground.environment)
        server.start()
        try:
            members = crew_of(ground, server, seed, size=CREW)
            found: list[str] = []
            for number in range(rounds):
                found += _double(ground, members, chance, number)
                if found:
                    break
        finally:
            server.kill()
        edits = sum(len(one.made) for one in members)
        return {"prover": "clone", "phones": len(members), "edits": edits,
                "took_s": round(time.monotonic() - began, 1), "violations": found}  # fmt: skip


@contextmanager
def _planted(sabotage: str | None) -> Iterator[None]:
    is_me, renumber = replica.Replica._is_me, replica_tables.Memory.renumber
    problem = replica.Replica.problem
    if sabotage == SAME_NAME:

        def goes_on(self: Any, request: Any, told: Any) -> None:
            if told.get("code") == replica.FORKED:
                self.memory.keep(expected=told["expected"], next_n=told["expected"])
            else:
                problem(self, request, told)

        replica.Replica.problem = goes_on  # type: ignore[method-assign]
        replica.Replica._is_me = lambda *_: True  # type: ignore[method-assign]
    if sabotage == NEW_IDS:

        def anew(self: Any) -> int:
            next_n = renumber(self)
            for seq, name in self.ask("SELECT seq, id FROM replica_log"):
                other = name[:-4] + f"{(int(name[-4:], 16) + 1) % 65536:04x}"
                self.ask("UPDATE replica_log SET id = ? WHERE seq = ?", other, seq)
            return int(next_n)

        replica_tables.Memory.renumber = anew  # type: ignore[method-assign]
    try:
        yield
    finally:
        replica.Replica._is_me = is_me  # type: ignore[method-assign]
        replica.Replica.problem = problem  # type: ignore[method-assign]
        replica_tables.Memory.renumber = renumber  # type: ignore[method-assign]


def _double(ground: Ground, members: list[Member], chance: random.Random, number: int) -> list[str]:
    """Let one phone become two, each with work of its own, and bring all together."""
    original = chance.choice(members[:CREW])
    for one in members:
        one.work(chance.randint(1, EDITS_MAX))
        if chance.random() < 0.5:
            one.sync()
    twin = _copy(original, number)
    original.work(chance.randint(1, EDITS_MAX))
    twin.work(chance.randint(0, EDITS_MAX))
    for one in chance.sample([original, twin], 2):
        if chance.random() < 0.7:
            one.sync()
        one.work(chance.randint(0, EDITS_MAX))
    members.append(twin)
    settle(members)
    settle(members)
    names = [one.phone.replica.device for one in members]
    doubled = len(names) - len(set(names))
    found = violations(ground.database, members)
    return found + ([f"{doubled} device ids are in use twice"] if doubled else [])


def _copy(original: Member, number: int) -> Member:
    """Return the same phone in another folder, with what its owner remembers of it."""
    folder = original.phone.home.folder
    other = folder.with_name(f"{folder.name} copy {number}")
    original.phone.connection.commit()
    shutil.copytree(folder, other)
    return replace(
        original, name=f"{original.name}, copy {number}", phone=Phone(Home(other)),
        random=random.Random(f"copy {number}"), made=dict(original.made),
        created=set(original.created), faults=[],
    )  # fmt: skip


if __name__ == "__main__":
    run_as_command(prove, list(SABOTAGES), more={"rounds": 5})
