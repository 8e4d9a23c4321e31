"""What it costs to know who asks."""

import time
from datetime import UTC, datetime

from app.core.database import Mode
from app.identity.authentication import authenticate
from tests.app.identity.town import Town

ROUNDS = 300
CPU_MS_MAX = 2.0


def _token(town: Town) -> str:
    return town.headers["gw"]["Authorization"].removeprefix("Bearer ")


def test_one_statement_tells_who_asks(town: Town) -> None:
    with town.statements() as seen, town.database.transaction(Mode.READ) as session:
        authenticate(session, _token(town), town.house.keys, datetime.now(UTC))
    assert len(seen) == 1


def test_knowing_who_asks_costs_little_work(town: Town) -> None:
    """The bound is wide, since other tests share the machine; alone it is a quarter of it."""
    token = _token(town)
    with town.database.transaction(Mode.READ) as session:
        authenticate(session, token, town.house.keys, datetime.now(UTC))
        started = time.thread_time()
        for _ in range(ROUNDS):
            authenticate(session, token, town.house.keys, datetime.now(UTC))
        spent_ms = (time.thread_time() - started) * 1000 / ROUNDS
    assert spent_ms < CPU_MS_MAX
    print(f"authentication: {spent_ms:.3f} CPU-ms")
