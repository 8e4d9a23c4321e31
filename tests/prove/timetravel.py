"""Prove that nobody loses anything when the server goes back in time, and that nobody must act.

Phones work against the real server; it is backed up; phones go on, and what they send is
acknowledged; then the backup takes the place of the database, by hand, and the server starts.
On PostgreSQL also: a standby that has not received the last edits is promoted under the running
server. In the end every edit ever made is there once, and all phones equal the server.

    python -m tests.prove.timetravel --engine sqlite --rounds 3 --seed 1 [--sabotage blind]
"""

import random
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from app.sync_api.epochs import EXTENSION
from app.sync_api.restore_command import postgres_environment
from scripts.backup import backup
from sync import replica_tables
from tests.prove.cluster import Cluster, open_cluster, prepare_successor
from tests.prove.crew import Member, crew_of, epoch_of, parked, settle, violations
from tests.prove.ground import Ground, open_ground, run_as_command
from tests.prove.server import Server

CREW = 4
EDITS_MAX = 8
BLIND, FORGETFUL = "blind", "forgetful"
SABOTAGES = (BLIND, FORGETFUL)


def prove(engine: str, rounds: int, seed: int, sabotage: str | None = None) -> dict[str, Any]:
    """Send the server back in time as often as told, and tell what was lost or doubled."""
    began = time.monotonic()
    with planted(sabotage):
        found = restores(engine, rounds, seed, sabotage)
        if engine == "postgresql":
            after = failover(seed, sabotage)
            found["failovers"] = 1
            found["violations"] += after["violations"]
            found["edits"] += after["edits"]
    return {"prover": "timetravel", "took_s": round(time.monotonic() - began, 1), **found}


@contextmanager
def planted(sabotage: str | None) -> Iterator[None]:
    """Let phones forget acknowledged edits at once, if told to."""
    right = replica_tables.Memory.prune
    if sabotage == FORGETFUL:

        def wrong(self: Any, *, before_ms: int, last_n: int) -> None:
            right(self, before_ms=2**60, last_n=last_n)

        replica_tables.Memory.prune = wrong  # type: ignore[method-assign]
    try:
        yield
    finally:
        replica_tables.Memory.prune = right  # type: ignore[method-assign]


def _server(ground: Ground, sabotage: str | None) -> Server:
    blind = "tests.prove.blind_server:app"
    return Server(ground.environment, blind if sabotage == BLIND else "wsgi:app")


def restores(engine: str, rounds: int, seed: int, sabotage: str | None = None) -> dict[str, Any]:
    """Put backups in the place of the database."""
    chance = random.Random(seed)
    with open_ground(engine) as ground:
        server = _server(ground, sabotage)
        server.start()
        try:
            members = crew_of(ground, server, seed, size=CREW)
            found: list[str] = []
            for _ in range(rounds):
                found += _go_back(ground, server, members, chance)
                if found:
                    break
            return {"restores": rounds, "edits": sum(len(one.made) for one in members),
                    "parked": parked(ground.database), "violations": found}  # fmt: skip
        finally:
            server.kill()


def _go_back(
    ground: Ground, server: Server, members: list[Member], chance: random.Random
) -> list[str]:
    """Work, copy, work, go back to the copy, and work on."""
    _work(members, chance)
    settle(members)
    put_back = _copied(ground, server, chance)
    _work(members, chance)
    settle(members)
    members[0].phone._refresh(members[0].phone.line)
    before = epoch_of(ground.database)
    _work(members[:2], chance)
    server.kill()
    put_back()
    server.start()
    members[0].phone._refresh(members[0].phone.line)
    return _come_together(ground, members, chance, before)


def _come_together(
    ground: Ground, members: list[Member], chance: random.Random, before: str
) -> list[str]:
    """Let phones come back one after the other, with more work; the last has the oldest cursor."""
    for one in members:
        one.work(chance.randint(1, EDITS_MAX))
        one.sync()
    settle(members)
    settle(members)
    found = violations(ground.database, members)
    return found + ["the epoch is the same as before"] * (epoch_of(ground.database) == before)


def _work(members: list[Member], chance: random.Random) -> None:
    for one in members:
        one.work(chance.randint(1, EDITS_MAX))
        if chance.random() < 0.7:
            one.sync()


# -- copies, and how they are put back ------------------------------------------------------------


def _copied(ground: Ground, server: Server, chance: random.Random) -> Callable[[], None]:
    """Copy the database in one of the ways in which people do; return what puts it back."""
    county = ground.county
    if ground.database.is_sqlite and chance.random() < 0.5:
        return _stopped_copy(ground, server)
    copy = backup(county.app.extensions["wangge_settings"], datetime.now(UTC))
    county.app.extensions[EXTENSION].look()
    if ground.database.is_sqlite:
        return lambda: _put_file(ground, copy)
    return lambda: _load_dump(ground, copy)


def _stopped_copy(ground: Ground, server: Server) -> Callable[[], None]:
    server.kill()
    ground.database.dispose()
    file = Path(str(ground.database.url.database))
    copy = file.with_name("cold copy")
    shutil.copy(file, copy)
    log = file.with_name(file.name + "-wal")
    kept = log.read_bytes() if log.exists() else b""
    server.start()
    return lambda: _put_file(ground, copy, kept)


def _put_file(ground: Ground, copy: Path, log: bytes = b"") -> None:
    ground.database.dispose()
    file = Path(str(ground.database.url.database))
    file.with_name(file.name + "-shm").unlink(missing_ok=True)
    file.with_name(file.name + "-wal").write_bytes(log)
    shutil.copy(copy, file)


def _load_dump(ground: Ground, copy: Path) -> None:
    """Load a dump into a fresh database of the same name, as the manual of PostgreSQL says."""
    ground.database.dispose()
    url = ground.database.migrate_url
    admin = sa.create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE {url.database} WITH (FORCE)"))
        connection.execute(
            sa.text(f"CREATE DATABASE {url.database} ENCODING 'UTF8' TEMPLATE template0")
        )
    admin.dispose()
    words = ["pg_restore", f"--dbname={url.database}", str(copy)]
    subprocess.run(words, env=postgres_environment(url), check=True)


# -- a standby that has lost the tail -------------------------------------------------------------


def failover(seed: int, sabotage: str | None = None) -> dict[str, Any]:
    """Promote a standby in the place of its primary, under the running server."""
    chance = random.Random(seed)
    with (
        open_cluster() as primary,
        prepare_successor(primary) as standby,
        open_ground("postgresql", primary.url) as ground,
    ):
        server = _server(ground, sabotage)
        server.start()
        try:
            members = crew_of(ground, server, seed, size=CREW)
            found = _promoted(ground, primary, standby, members, chance)
            edits = sum(len(one.made) for one in members)
            return {"edits": edits, "violations": found}
        finally:
            server.kill()


def _promoted(
    ground: Ground,
    primary: Cluster,
    standby: Cluster,
    members: list[Member],
    chance: random.Random,
) -> list[str]:
    _work(members, chance)
    settle(members)
    standby.copy(primary)
    _work(members, chance)
    settle(members)
    before = epoch_of(ground.database)
    primary.stop()
    standby.start()
    standby.promote()
    ground.database.dispose()
    return _come_together(ground, members, chance, before)


if __name__ == "__main__":
    run_as_command(prove, list(SABOTAGES), more={"rounds": 3})
