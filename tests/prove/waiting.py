"""Prove that a thousand waiting phones cost nobody anything, and that all hear of a change.

The shipped server (granian) holds real connections. One other phone exchanges all the time: alone,
beside the waiting ones, and while they are woken. Then somebody writes, and each must hear.

    python -m tests.prove.waiting --engine postgresql --phones 1000 [--sabotage deaf]
"""

import asyncio
import resource
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa

from app.core.database import Mode
from app.core.engine import current_engine
from app.core.identifiers import new_id
from app.core.records import sync_tables
from app.identity import sessions
from app.identity.credentials import RefreshToken
from app.identity.models import AuthSession, Enrolment, Post, User
from app.sync_api.scopes import scopes_of
from sync.cursor import Cursor, Place
from tests.app.core.county import household
from tests.app.identity.town import GRID, SAME_VILLAGE_GRID
from tests.prove.ground import Ground, open_ground, run_as_command
from tests.prove.server import Server

SABOTAGES = {
    "deaf": "tests.prove.deaf_server:app",
    "threads": "tests.prove.threads_server:app",
}
EXCHANGES = 150
HEARD_WITHIN_S = 2.5
REVOKED_WITHIN_S = 5.0
P99_MS_MORE = 100.0
OPEN_FILES = 4096


@dataclass
class Waiter:
    """A phone that waits."""

    token: str
    session: str
    cursor: str
    answer: tuple[int, Any] = (0, None)
    heard_at: float = 0.0


def gather(ground: Ground, count: int) -> list[Waiter]:
    """Enrol phones of workers who all serve the first grid."""
    now = datetime.now(UTC)
    with ground.database.transaction(Mode.WRITE) as session:
        return [_enrol(ground, session, number, now) for number in range(count)]


def _enrol(ground: Ground, session: Any, number: int, now: datetime) -> Waiter:
    user = User(name=f"waiter {number}", login=None, password_hash=None, active=True, created=now)
    session.add(user)
    session.flush()
    session.add(Post(user_id=user.id, role="gw", area_id=GRID, starts=now - timedelta(days=9),
                     ends=None, reason="", mode="permanent"))  # fmt: skip
    enrolment = Enrolment(id=new_id(), user_id=user.id, install_id=f"install-{user.id}",
                          public_key=b"prove", model="prove", app="prove", made=now)  # fmt: skip
    session.add(enrolment)
    session.flush()
    first = RefreshToken(new_id(), 0, secrets.token_bytes(32))
    tokens = sessions.open_session(session, ground.county.house, user, first,
                                   enrolment_id=enrolment.id, now=now)  # fmt: skip
    actor = ground.county.app.extensions["wangge_authenticate"](session, tokens.access_token)
    scopes = scopes_of(session, actor, round(now.timestamp() * 1000))
    return Waiter(tokens.access_token, tokens.session_id, _cursor(session, scopes))


def _cursor(session: Any, scopes: Sequence[str]) -> str:
    """Return the cursor of a phone that has seen all there is."""
    t, epoch = sync_tables.scope, current_engine().store(session).epoch()
    found = dict(session.execute(sa.select(t.c.scope, t.c.ver).where(t.c.scope.in_(scopes))).all())
    places = {scope: Place(found.get(scope, 0), found.get(scope, 0)) for scope in scopes}
    return Cursor(epoch, places).write()


async def wait(server: Server, waiter: Waiter, wait_s: int) -> None:
    """Wait on a connection of its own, and note when the answer came."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    path = f"/api/v1/sync/wait?timeout={wait_s}&cursor={quote(waiter.cursor)}"
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {waiter.token}\r\n"
                 "Connection: close\r\n\r\n".encode())  # fmt: skip
    try:
        raw = await reader.read()
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
    waiter.heard_at = time.monotonic()
    head, _, body = raw.partition(b"\r\n\r\n")
    waiter.answer = (int(head.split(b" ", 2)[1]) if head else 0, body)


@dataclass
class Busy:
    """The other phone, which works."""

    server: Server
    phone: Any
    headers: dict[str, str]

    def exchange(self) -> float:
        """Send one edit and pull; return the milliseconds this took."""
        edit = self.phone.edit("create", "household", set=household(grid=SAME_VILLAGE_GRID))
        body = {"device": self.phone.device, "cursor": None, "want_bytes": 2000, "edits": [edit]}
        began = time.perf_counter()
        status, reply = self.server.ask("POST", "/api/v1/sync/exchange", body, self.headers)
        took = (time.perf_counter() - began) * 1000
        assert status == 200 and reply["push"]["results"][0]["status"] == "applied", reply
        return took

    async def times(self, count: int) -> list[float]:
        """Return the times of some exchanges, one after the other, sorted."""
        return sorted([await asyncio.to_thread(self.exchange) for _ in range(count)])


def _percentiles(times: Sequence[float]) -> tuple[float, float]:
    return round(times[len(times) // 2], 1), round(times[int(len(times) * 0.99) - 1], 1)


async def _scene(ground: Ground, server: Server, phones: int, wait_s: int) -> dict[str, Any]:
    waiters = await asyncio.to_thread(gather, ground, phones + 1)
    revoked, waiters = waiters[0], waiters[1:]
    county = ground.county
    colleague, writer = county.phone("colleague"), county.phone("gw")
    busy = Busy(server, colleague, dict(county.headers[colleague.who]))
    await busy.times(10)
    alone = _percentiles(await busy.times(EXCHANGES))
    began = time.monotonic()
    tasks = [asyncio.create_task(wait(server, one, wait_s)) for one in (revoked, *waiters)]
    await asyncio.sleep(max(3.0, phones / 150))
    beside = _percentiles(await busy.times(EXCHANGES))
    early = sum(task.done() for task in tasks)
    revoked_s = await _revoke(ground, revoked, tasks[0])
    body = {"device": writer.device, "edits": [writer.edit("create", "household", set=household())]}
    status, _ = await asyncio.to_thread(
        server.ask, "POST", "/api/v1/sync/push", body, dict(county.headers[writer.who])
    )
    assert status == 200
    changed_at = time.monotonic()
    waking = _percentiles(await busy.times(20))
    await asyncio.wait(tasks, timeout=max(1.0, wait_s + 5 - (time.monotonic() - began)))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    heard = sorted(
        one.heard_at - changed_at for one in waiters if b"changed" in (one.answer[1] or b"")
    )
    middle_and_last = [round(heard[len(heard) // 2], 2), round(heard[-1], 2)] if heard else None
    return {
        "alone_ms": alone, "beside_ms": beside, "waking_ms": waking, "early": early,
        "heard": len(heard), "heard_s": middle_and_last,
        "revoked_s": round(revoked_s, 2), "revoked_status": revoked.answer[0],
        "rss_mb": _rss_mb(server),
    }  # fmt: skip


async def _revoke(ground: Ground, waiter: Waiter, task: "asyncio.Task[None]") -> float:
    """Withdraw the access of a waiting phone; return after how many seconds its wait ended."""

    def withdraw() -> None:
        with ground.database.transaction(Mode.WRITE) as session:
            session.execute(
                sa.update(AuthSession)
                .where(AuthSession.id == waiter.session)
                .values(revoked_at=datetime.now(UTC))
            )

    await asyncio.to_thread(withdraw)
    began = time.monotonic()
    await asyncio.wait({task}, timeout=REVOKED_WITHIN_S + 3)
    return time.monotonic() - began


def _rss_mb(server: Server) -> int:
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in server.pids())
    return round(pages * resource.getpagesize() / 2**20)


def _violations(found: dict[str, Any], phones: int) -> list[str]:
    faults = {
        "not all heard of the change": found["heard"] < phones,
        "heard too late": not found["heard_s"] or found["heard_s"][1] > HEARD_WITHIN_S,
        "answered before anything had changed": found["early"] > 0,
        "others were hurt": found["beside_ms"][1] > found["alone_ms"][1] + P99_MS_MORE,
        "a withdrawn phone went on waiting": found["revoked_s"] > REVOKED_WITHIN_S
        or found["revoked_status"] != 401,
    }
    return [fault for fault, true in faults.items() if true]


def prove(
    engine: str,
    phones: int = 1000,
    seed: int = 1,
    sabotage: str | None = None,
    wait_s: int = 50,
) -> dict[str, Any]:
    """Let phones wait, and tell what went wrong."""
    began = time.monotonic()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(OPEN_FILES, hard), hard))
    with open_ground(engine) as ground:
        application = SABOTAGES.get(sabotage or "", "asgi:app")
        server = Server(ground.environment, application, interface="asgi")
        server.start()
        try:
            found = asyncio.run(_scene(ground, server, phones, wait_s))
        except (OSError, AssertionError) as fault:
            return {"violations": [f"the server did not answer: {fault!r}"[:300]]}
        finally:
            server.kill()
    seconds = round(time.monotonic() - began, 1)
    return {**found, "seconds": seconds, "violations": _violations(found, phones)}


if __name__ == "__main__":
    run_as_command(prove, list(SABOTAGES), more={"phones": 1000, "wait_s": 50})
