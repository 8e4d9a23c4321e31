"""Drive the real WatermelonDB and RxDB: one Node process holds the phones of a test."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.core.identifiers import new_id
from tests.app.core.county import SyncPhone
from tests.npm import install
from tests.prove.ground import Ground
from tests.prove.server import Server

FOLDER = Path(__file__).parent
CLIENTS = ("watermelon", "rxdb")
TEXT, NUMBER, TRUTH = "string", "number", "boolean"
KINDS = {
    "household": [
        ["grid", NUMBER], ["address_text", TEXT], ["building", TEXT], ["unit_room", TEXT],
        ["door_point", TEXT], ["door_accuracy_m", NUMBER], ["door_source", TEXT],
        ["occupancy", TEXT], ["last_confirmed_at", TEXT],
    ],
    "contact": [["household", TEXT], ["name", TEXT], ["phone", TEXT], ["relation", TEXT]],
    "incident": [
        ["category", TEXT], ["text", TEXT], ["grid", NUMBER], ["address_text", TEXT],
        ["state", TEXT], ["round", NUMBER], ["seen_at", TEXT], ["priority", NUMBER],
    ],
    "task": [
        ["grid", NUMBER], ["title", TEXT], ["state", TEXT], ["round", NUMBER],
        ["report_text", TEXT], ["report_count", NUMBER], ["due_at", TEXT],
    ],
    "conflict": [
        ["kind", TEXT], ["record", TEXT], ["unit", TEXT], ["state", TEXT], ["won", TEXT],
        ["lost", TEXT], ["choice", TEXT],
    ],
}  # fmt: skip


@dataclass
class Node:
    """The process that holds the phones of one client library."""

    client: str
    process: subprocess.Popen[str]

    def ask(self, command: str, **told: Any) -> Any:
        """Give a command and return its answer."""
        self.tell(command, **told)
        answer = self.hear()
        assert "failed" not in answer, answer["stack"]
        return answer["done"]

    def tell(self, command: str, **told: Any) -> None:
        """Give a command without waiting."""
        assert self.process.stdin
        self.process.stdin.write(json.dumps({"do": command, **told}, ensure_ascii=False) + "\n")
        self.process.stdin.flush()

    def hear(self) -> Any:
        """Return the next answer; what a library says besides is skipped."""
        assert self.process.stdout
        while True:
            line = self.process.stdout.readline()
            assert line, "the Node process has ended"
            if line.startswith("{"):
                return json.loads(line)


@contextmanager
def open_node(client: str) -> Iterator[Node]:
    """Start the process of a client library, and end it."""
    install(FOLDER)
    process = subprocess.Popen(
        ["node", str(FOLDER / "clients" / "drive.js"), client],
        cwd=FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8",
    )  # fmt: skip
    try:
        yield Node(client, process)
    finally:
        assert process.stdin
        process.stdin.close()
        process.wait(20)
        assert process.stdout
        process.stdout.close()


@dataclass
class AppPhone:
    """One phone with one of the clients, enrolled for a person."""

    node: Node
    synced: SyncPhone
    name: str = field(default_factory=new_id)

    def __post_init__(self) -> None:
        self.device = self.synced.device

    def open(self, server: Server) -> None:
        """Open its database."""
        headers = self.synced.county.headers[self.synced.who]
        token = headers["Authorization"].removeprefix("Bearer ")
        self.node.ask(
            "open", phone=self.name, kinds=KINDS, device=self.device, token=token,
            server=f"http://127.0.0.1:{server.port}",
        )  # fmt: skip

    def sync(self) -> dict[str, Any]:
        """Synchronise; return receipts, pushes and rows sent."""
        answer: dict[str, Any] = self.node.ask("sync", phone=self.name)
        return answer

    def sync_losing(self, what: str) -> None:
        """Synchronise until something is lost, and the network with it.

        Args:
            what: ``push`` or ``pull`` for its reply, ``request`` for a push that never arrives.
        """
        self.node.tell("sync", phone=self.name, lose=what)
        answer = self.node.hear()
        assert answer.get("failed") == "it was lost", answer

    def sync_ordered_to_erase(self) -> None:
        """Synchronise; the server takes what there is and orders the phone to erase itself."""
        self.node.tell("sync", phone=self.name)
        answer = self.node.hear()
        assert answer.get("failed") == "device_wipe", answer

    def tries_to_push(self) -> bool:
        """Synchronise on a network that loses pushes; tell whether there was one."""
        self.node.tell("sync", phone=self.name, lose="request")
        return bool(self.node.hear().get("failed") == "it was lost")

    @contextmanager
    def before_push(self) -> Iterator[None]:
        """Synchronise, and let the test act after the pull and before the push."""
        self.node.tell("sync", phone=self.name, pause=True)
        assert self.node.hear() == {"paused": True}
        yield
        self.node.tell("resume", phone=self.name)
        answer = self.node.hear()
        assert "done" in answer, answer

    def create(self, kind: str, values: Mapping[str, Any], record: str | None = None) -> str:
        """Make a record and return its id."""
        record = record or new_id()
        self.node.ask("create", phone=self.name, kind=kind, id=record, values=dict(values))
        return record

    def change(self, kind: str, record: str, **values: Any) -> None:
        """Change fields of a record."""
        self.node.ask("change", phone=self.name, kind=kind, id=record, values=values)

    def remove(self, kind: str, record: str) -> None:
        """Delete a record."""
        self.node.ask("remove", phone=self.name, kind=kind, id=record)

    def rows(self, kind: str) -> dict[str, dict[str, Any]]:
        """Return all records of a kind as the phone holds them."""
        rows: dict[str, dict[str, Any]] = self.node.ask("rows", phone=self.name, kind=kind)
        return rows


@dataclass
class Stage:
    """A server on one engine, and phones with one client."""

    ground: Ground
    server: Server
    node: Node

    def person(self, grid: int) -> str:
        """Put a new worker into a grid and return his name."""
        name = new_id()
        self.ground.county.person(name, "gw", grid)
        return name

    def phone(self, who: str) -> AppPhone:
        """Return another phone of a person, opened."""
        phone = AppPhone(self.node, self.ground.county.another_phone(who))
        phone.open(self.server)
        return phone

    def native(self, who: str) -> SyncPhone:
        """Return a phone of a person that speaks the engine's own protocol."""
        return self.ground.county.another_phone(who)
