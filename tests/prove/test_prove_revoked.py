"""What is withdrawn at one server process is withdrawn at the next one, for who waits there too."""

import asyncio
import time
from contextlib import ExitStack
from typing import Any

import pytest
import sqlalchemy as sa

from app.identity.models import AuthSession, Post
from tests.conftest import ENGINES
from tests.prove.ground import Ground, open_ground
from tests.prove.server import Server
from tests.prove.waiting import Waiter, gather, wait

WAYS = {"session": 401, "device": 401, "user": 403, "role": 403}
WITHIN_S = 5.0


def _withdraw(ground: Ground, here: Server, way: str, waiter: Waiter) -> None:
    """Withdraw a session, a phone, a person or a role over the interface of one process."""
    query = sa.select(AuthSession.user_id, AuthSession.enrolment_id, Post.id.label("post"))
    [row] = ground.county.sql(
        query.join(Post, Post.user_id == AuthSession.user_id).where(
            AuthSession.id == waiter.session
        )
    )
    method, path = {
        "session": ("DELETE", f"/sessions/{waiter.session}"),
        "device": ("DELETE", f"/devices/{row.enrolment_id}"),
        "user": ("POST", f"/users/{row.user_id}/dismissal"),
        "role": ("DELETE", f"/posts/{row.post}"),
    }[way]
    headers = ground.county.headers["ts"]
    status, told = here.ask(method, f"/api/v1{path}", None, headers)
    assert status in (200, 204), (way, told)


async def _scene(ground: Ground, here: Server, there: Server) -> dict[str, Any]:
    """Let phones wait at one process and withdraw each at the other; return the seconds it took."""
    waiters = dict(zip(WAYS, gather(ground, len(WAYS)), strict=True))
    tasks = {way: asyncio.create_task(wait(there, one, 40)) for way, one in waiters.items()}
    await asyncio.sleep(1.0)
    assert not any(task.done() for task in tasks.values())
    found: dict[str, Any] = {}
    for way, waiter in waiters.items():
        began = time.monotonic()
        await asyncio.to_thread(_withdraw, ground, here, way, waiter)
        headers = {"Authorization": f"Bearer {waiter.token}"}
        status, _ = await asyncio.to_thread(there.ask, "GET", "/api/v1/tasks", None, headers)
        asked_s = time.monotonic() - began
        await asyncio.wait({tasks[way]}, timeout=WITHIN_S + 3)
        found[way] = (status, asked_s, time.monotonic() - began, tasks[way].done())
    for task in tasks.values():
        task.cancel()
    await asyncio.gather(*tasks.values(), return_exceptions=True)
    return found


@pytest.mark.parametrize("engine", ENGINES)
def test_withdrawals_count_in_every_process_within_five_seconds(engine: str) -> None:
    with open_ground(engine) as ground, ExitStack() as back:
        servers = [Server(ground.environment) for _ in range(2)]
        for server in servers:
            server.start()
            back.callback(server.kill)
        found = asyncio.run(_scene(ground, *servers))
    print(
        {way: (round(asked, 2), round(waited, 2)) for way, (_, asked, waited, _) in found.items()}
    )
    assert {way: one[0] for way, one in found.items()} == WAYS
    assert all(one[3] and one[2] < WITHIN_S for one in found.values()), found
