"""Measure what one phone costs the server: push 20 edits and pull 50 records, everything on.

    python -m bench.phone [--engine sqlite|postgresql|both] [--rounds 10] [--phones 20]

It starts the real server on the demo township, once on each engine, with a phone and a
colleague in each of some grids. Every round the colleagues push 30 edits each (not measured);
then each phone sends one exchange with 20 edits and pulls its own 20 records and the
colleague's 30. Counted is the processor time of the server and of the database, as the kernel
gives it, so that a busy machine disturbs it less than a clock would.
"""

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from app.core.identifiers import new_id
from app.demo.staff import LOGINS, PASSWORD
from app.phone.client import Phone
from app.phone.home import Home
from app.phone.line import Line
from app.phone.office import Office

EDITS, OTHERS, GOAL_MS = 20, 30, 3.0
READY_S = 60
FLASK = [sys.executable, "-m", "flask"]


@dataclass
class Sender:
    """A phone reduced to its requests, so that the bench measures the server."""

    line: Line
    token: str
    grid: int
    device: str = ""
    anchor: str = ""
    anchored_ms: int = 0
    cursor: str | None = None
    n: int = 0
    made: list[str] = field(default_factory=list)

    def start(self) -> None:
        """Take a device id and a first copy."""
        reply = self._ask("/sync/devices", {"app": "bench", "schema": 1})
        self.device, self.anchor = reply["device"], reply["anchor"]
        self.anchored_ms = time.time_ns() // 1_000_000
        while not self.exchange([])["complete"]:
            continue

    def exchange(self, edits: list[dict[str, Any]]) -> dict[str, Any]:
        """Send one exchange and return the page; every edit must have been taken."""
        body = {"device": self.device, "schema": 1, "cursor": self.cursor, "edits": edits}
        reply = self._ask("/sync/exchange", body)
        fates = {result["status"] for result in reply["push"]["results"]}
        assert fates <= {"applied", "merged", "conflict"}, reply["push"]["results"]
        self.cursor = reply["pull"]["to"]
        page: dict[str, Any] = reply["pull"]
        return page

    def edits(self, count: int) -> list[dict[str, Any]]:
        """Make edits of a day: half new households, half changes of known ones."""
        return [self._new() if i % 2 == 0 or not self.made else self._change(i)
                for i in range(count)]  # fmt: skip

    def _new(self) -> dict[str, Any]:
        record = new_id()
        self.made.append(record)
        return self._edit("create", record, {
            "grid": self.grid, "address_text": "中山路 12 号 3 单元 502", "building": "12",
            "unit_room": "3-502", "occupancy": "lived_in", "residents_count": 3, "count_0_5": 0,
            "count_6_13": 1, "count_14_17": 0, "count_18_59": 2, "count_60_79": 0,
            "count_80_up": 0,
        })  # fmt: skip

    def _change(self, i: int) -> dict[str, Any]:
        record = self.made[-1 - i % len(self.made)]
        return self._edit("update", record, {"occupancy": ("seasonal", "lived_in")[self.n % 2]})

    def _edit(self, op: str, record: str, values: dict[str, Any]) -> dict[str, Any]:
        self.n += 1
        now = time.time_ns() // 1_000_000
        at = {"claimed": now, "anchor": self.anchor, "elapsed_ms": now - self.anchored_ms}
        base = 0 if op == "create" else 1
        return {"n": self.n, "id": new_id(), "op": op, "kind": "household", "rec": record,
                "base": base, "set": values, "schema": 1, "at": at}  # fmt: skip

    def _ask(self, path: str, body: dict[str, Any]) -> Any:
        return self.line.call("POST", path, body, token=self.token).body


@contextmanager
def served(url: str, folder: Path) -> Iterator[tuple[str, int]]:
    """Run the real server on a fresh demo township; give its address and process."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        port = door.getsockname()[1]
    environment = {**os.environ, "DATABASE_URL": url, "DATA_DIR": str(folder), "FLASK_APP": "wsgi"}
    for command in (["db", "upgrade"], ["demo", "township"]):
        subprocess.run([*FLASK, *command], env=environment, check=True, capture_output=True)
    server = subprocess.Popen(
        [str(Path(sys.executable).with_name("granian")), "--interface", "wsgi", "--port", str(port),
         "--no-ws", "--workers", "1", "--blocking-threads", "16", "--log-level", "error",
         "wsgi:app"], env=environment,
    )  # fmt: skip
    try:
        _wait_for(port)
        yield f"http://127.0.0.1:{port}", server.pid
    finally:
        server.terminate()
        server.wait(30)


def _wait_for(port: int) -> None:
    end = time.monotonic() + READY_S
    while time.monotonic() < end:
        with socket.socket() as door:
            if door.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit("the server did not start")


def senders(server: str, folder: Path, pairs: int) -> list[tuple[Sender, Sender]]:
    """Enrol a phone and a colleague in each of some grids of the township."""
    line = Line(server)
    office = Office.sign_in(line, LOGINS["ts"], PASSWORD)
    serving: dict[int, list[dict[str, Any]]] = {}
    for user in office.every("/users?role=gw&limit=200"):
        serving.setdefault(user["posts"][0]["area_id"], []).append(user)
    chosen = [(grid, users) for grid, users in serving.items() if len(users) >= 2][:pairs]
    found = []
    for grid, users in chosen:
        pair = [_sender(office, folder, grid, user) for user in users[:2]]
        found.append((pair[0], pair[1]))
    return found


def _sender(office: Office, folder: Path, grid: int, user: dict[str, Any]) -> Sender:
    home = Home(folder / f"phone-{user['id']}")
    phone = Phone(home)
    phone.enrol(office.code_for(user), office.line.server)
    phone.close()
    sender = Sender(office.line, home.papers["access_token"], grid)
    sender.start()
    return sender


def cpu_ms(processes: Callable[[], list[int]]) -> float:
    """Return the processor time that some processes have used so far."""
    total = 0
    for pid in processes():
        for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            total += int(task.read_text().split()[0])
    return total / 1_000_000


def children_of(*parents: int) -> list[int]:
    """Return processes and everything below them."""
    found, parent_of = list(parents), {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent_of[int(stat.parent.name)] = int(stat.read_text().rsplit(")", 1)[1].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    for pid in found:
        found += [child for child, parent in parent_of.items() if parent == pid]
    return found


def measure(server: str, pids: tuple[int, ...], folder: Path, args: argparse.Namespace) -> Any:
    """Run the rounds and return the cost of one phone, the best and the middle round."""
    pairs = senders(server, folder, args.phones)
    rounds = []
    for _ in range(args.rounds + 1):
        for _, colleague in pairs:
            colleague.exchange(colleague.edits(OTHERS))
        prepared = [(phone, phone.edits(EDITS)) for phone, _ in pairs]
        before = cpu_ms(lambda: children_of(*pids))
        pulled = [len(phone.exchange(edits)["items"]) for phone, edits in prepared]
        rounds.append((cpu_ms(lambda: children_of(*pids)) - before) / len(pairs))
    rounds = sorted(rounds[1:])
    return {"cpu_ms": round(rounds[len(rounds) // 2], 2), "best": round(rounds[0], 2),
            "worst": round(rounds[-1], 2), "pulled": pulled[0], "phones": len(pairs)}  # fmt: skip


def run(engine: str, args: argparse.Namespace) -> Any:
    """Measure on one engine."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if engine == "sqlite":
            with served(f"sqlite:///{folder}/bench.db", folder) as (server, pid):
                return measure(server, (pid,), folder, args)
        with _postgres() as (url, postmaster), served(url, folder) as (server, pid):
            return measure(server, (pid, postmaster), folder, args)


@contextmanager
def _postgres() -> Iterator[tuple[str, int]]:
    base = os.environ.get("TEST_POSTGRES_URL")
    if not base:
        raise SystemExit("TEST_POSTGRES_URL is not set: use `make bench`")
    admin = sa.create_engine(
        sa.make_url(base).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    name = f"wangge_bench_{os.getpid()}"
    with admin.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0"))
        backend = connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
    url = admin.url.set(database=name)
    inside = sa.create_engine(url)
    with inside.begin() as connection:
        connection.execute(sa.text("CREATE EXTENSION postgis"))
    inside.dispose()
    postmaster = int(Path(f"/proc/{backend}/stat").read_text().rsplit(")", 1)[1].split()[1])
    try:
        yield url.render_as_string(hide_password=False), postmaster
    finally:
        with admin.connect() as connection:
            connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
        admin.dispose()


def main() -> None:
    """Measure and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--engine", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--phones", type=int, default=20)
    args = parser.parse_args()
    engines = ("sqlite", "postgresql") if args.engine == "both" else (args.engine,)
    for engine in engines:
        found = run(engine, args)
        verdict = "reached" if found["cpu_ms"] <= GOAL_MS else "not reached"
        print(
            f"{engine:<11} push {EDITS} + pull {found['pulled']}: {found['cpu_ms']} CPU-ms a phone "
            f"(best round {found['best']}, worst {found['worst']}, {found['phones']} phones); "
            f"goal {GOAL_MS}: {verdict}"
        )


if __name__ == "__main__":
    main()
