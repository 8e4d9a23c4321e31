"""A value put into any input is found in no log, file, row, copy or error where it may not be."""

import logging
import random
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, request

from app.core.cipher import Cipher
from app.core.identifiers import new_id
from app.core.settings import current_settings
from app.factory import FEATURES
from scripts.backup import backup
from sync.values import Choice, Named, Phone, SetOf, Text
from tests.app.core import hostile
from tests.app.core import test_core_hostile as hostile_tests
from tests.app.core.canaries import Aviary, files_below, rows_of
from tests.app.core.county import County
from tests.app.core.hostile import Operation
from tests.app.core.plain_inputs import OPEN_KINDS, PLAIN
from tests.app.core.test_core_hostile import World
from tests.conftest import SECRETS
from tests.prove.server import Server

HEADERS = ("User-Agent", "If-Match", "If-None-Match", "Accept-Language", "Cookie", "Referer",
           "X-Anything", "Range", "Upload-Metadata", "Content-Disposition")  # fmt: skip


class Listener(logging.Handler):
    """Keeps whatever any logger says, with all its values."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{self.format(record)} {vars(record)}")


@pytest.fixture
def listener() -> Iterator[Listener]:
    """Listen to all loggers at their loudest."""
    listener, root = Listener(), logging.getLogger()
    before = root.level
    root.addHandler(listener)
    root.setLevel(logging.DEBUG)
    yield listener
    root.removeHandler(listener)
    root.setLevel(before)


class Sender:
    """Puts birds into inputs, and looks at once at every error that comes back."""

    def __init__(self, world: World, aviary: Aviary) -> None:
        self.world, self.aviary = world, aviary
        self.echoed: set[str] = set()
        self.sent = 0

    def _send(self, operation: Operation, **more: Any) -> None:
        self.sent += 1
        who = hostile_tests._who(operation)
        path = more.pop("path", self.world.path(operation.rule))
        headers = {**self.world.county.headers[who], **more.pop("headers", {})}
        reply = self.world.county.client.open(
            path, method=operation.method, headers=headers, **more
        )
        if reply.status_code >= 400:
            self.echoed |= self.aviary.found(reply.get_data())
            assert reply.status_code < 500, (operation.method, operation.rule, more)

    def everywhere(self, operation: Operation, good: Mapping[str, Any]) -> None:
        """Put birds into path, query, headers and body of an operation."""
        name = f"{operation.method} {operation.rule}"
        bird = self.aviary.text
        query = {one: bird(f"{name} ?{one}") for one in [*operation.queries, "unknown"]}
        self._send(operation, query_string=query)
        self._send(operation, path=f"{operation.rule.split('<')[0]}{bird(f'{name} path')}")
        headers = {one: bird(f"{name} {one}:") for one in HEADERS}
        self._send(operation, headers=headers)
        self._send(operation, headers={"Authorization": f"Bearer {bird(f'{name} token')}"})
        if operation.takes_body:
            self._bodies(operation, good, name)

    def _bodies(self, operation: Operation, good: Mapping[str, Any], name: str) -> None:
        bird, versioned = self.aviary.text, {"If-Match": '"v1"'}
        texts = {field: bird(f"{name} {field}") for field in operation.fields}
        self._send(operation, json=texts, headers=versioned)
        self._send(operation, json={**good, bird(f"{name} key"): bird(f"{name} unknown")})
        for field, shape in operation.fields.items():
            if "string" in str(shape.get("type")) and not {"enum", "format"} & set(shape):
                key = {"Idempotency-Key": bird(f"{name} Idempotency-Key:")}
                body = {**good, field: bird(f"{name} {field}")}
                self._send(operation, json=body, headers={**versioned, **key})
        for body in (f'{{"x": "{bird(f"{name} broken")}', f'{{"edits": "{bird(f"{name} odd")}"}}'):
            self._send(operation, data=body.encode(), content_type="application/json")
        self._send(operation, data=bird(f"{name} text").encode(), content_type="text/plain")

    def edits(self) -> None:
        """Put birds into every field that phones sync, alone and in edits that cannot be read."""
        for policy in (one for feature in FEATURES for one in feature.policies):
            model = policy.model
            declared = {name: column.info["synced"].type for name, column
                        in model.__table__.columns.items() if "synced" in column.info}  # fmt: skip
            good = {"household": self.world.home, "incident": self.world.incident, "grid": 10}
            for name, type_ in declared.items():
                self._edit(model.kind, {**_known(good, declared), name: self._value(
                    model.kind, name, type_)})  # fmt: skip
            self._edit(model.kind, {"nickname": self.aviary.text(f"edit {model.kind}.unknown")})
        self._edit("unheard_of", {"name": self.aviary.text("edit of an unknown kind")})
        self._edit("contact", {"household": self.world.home, "name": self.aviary.text(
            "edit contact.name"), "phone": self.aviary.phone("edit contact.phone")})  # fmt: skip

    def _value(self, kind: str, name: str, type_: object) -> Any:
        place = f"edit {kind}.{name}"
        if isinstance(type_, Phone):
            return self.aviary.phone(place)
        if isinstance(type_, Named):
            return {"note": self.aviary.text(place)}
        if isinstance(type_, Text | Choice):
            return self.aviary.text(place)
        return [self.aviary.text(place)] if isinstance(type_, SetOf) else self.aviary.text(place)

    def _edit(self, kind: str, fields: dict[str, Any]) -> None:
        phone = self.world.phone
        for op in ("create", "update"):
            reply = phone.send("push", {"edits": [phone.edit(op, kind, new_id(), set=fields)]})
            assert reply.status_code == 200, reply.get_data()
            self.echoed |= self.aviary.found(reply.get_data())


def _known(good: Mapping[str, Any], declared: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in good.items() if name in declared}


def _all_sent(county: County) -> Sender:
    world = World(county)
    sender = Sender(world, Aviary(random.Random(1)))
    goods = hostile_tests._bodies(world)
    for operation in hostile.operations(county.app):
        if "dismissal" not in operation.rule and "sessions" not in operation.rule:
            sender.everywhere(operation, hostile_tests._good_body(goods, operation))
    sender.edits()
    return sender


def _not_allowed(places: set[str]) -> set[str]:
    return {place for place in places if not any(re.fullmatch(one, place) for one in PLAIN)}


def _lying_about(sender: Sender, county: County, folder: Path) -> dict[str, set[str]]:
    """Return, by row, file and copy, the inputs whose birds lie there in plain and may not."""
    if county.database.is_sqlite:
        backup(current_settings(), datetime.now(UTC))
    heaps = [*rows_of(county.database), *files_below(folder)]
    found = {name: _not_allowed(sender.aviary.found(content)) for name, content in heaps}
    return {name: places for name, places in found.items() if places}


def test_what_is_put_into_any_input_lies_nowhere_in_plain(
    county: County, tmp_path: Path, listener: Listener
) -> None:
    sender = _all_sent(county)
    assert sender.sent > 900
    assert sender.echoed == set(), "an error repeats what was sent"
    said = "\n".join(listener.lines).encode()
    assert sender.aviary.found(said) == set(), "a log line holds what was sent"
    assert _lying_about(sender, county, tmp_path) == {}


def test_the_kinds_that_may_lie_in_plain_are_those_without_a_sealed_field(app: Flask) -> None:
    assert app.extensions["wangge_engine"].seal.open_kinds <= set(OPEN_KINDS)


def test_the_running_server_prints_nothing_of_what_was_sent(
    county: County, database_url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    world, aviary = World(county), Aviary(random.Random(2))
    told = {**SECRETS, "DATABASE_URL": database_url, "DATA_DIR": str(tmp_path)}
    server = Server({**told, "PROFILE": "production"})
    server.start()
    try:
        for number, path in enumerate(("sync/push", "tasks", "auth/sign-in", "nothing")):
            headers = {name: aviary.text(name) for name in ("User-Agent", "X-Anything", "Cookie")}
            who = county.headers["gw_phone" if "sync" in path else "ts"] if number % 2 else {}
            query = f"/api/v1/{path}?q={aviary.text('query')}"
            server.ask("POST", query, {"name": aviary.text("body")}, {**headers, **who})
            server.ask("GET", f"/api/v1/{aviary.text('path')}", None, headers)
        device = {"device": world.phone.device, "edits": aviary.text("edits")}
        server.ask("POST", "/api/v1/sync/push", device, county.headers["gw_phone"])
    finally:
        server.stop()
    said = "".join(capfd.readouterr())
    assert aviary.found(said.encode()) == set()


def test_a_log_line_and_a_column_that_hold_what_was_sent_are_found(
    county: County, tmp_path: Path, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    def chat() -> None:
        logging.getLogger("wangge").warning("asked for %s", request.query_string)

    county.app.before_request_funcs.setdefault(None, []).append(chat)
    sender = Sender(World(county), Aviary(random.Random(3)))
    monkeypatch.setattr(Cipher, "seal", lambda _self, text, _place: text)
    sender._edit("contact", {"household": sender.world.home, "phone": sender.aviary.phone("p"),
                             "name": sender.aviary.text("edit contact.name")})  # fmt: skip
    sender._send(Operation("GET", "/api/v1/tasks", {}, takes_body=False, queries=()),
                 query_string={"q": sender.aviary.text("query")})  # fmt: skip
    assert sender.aviary.found("\n".join(listener.lines).encode()) == {"query"}
    lying = _lying_about(sender, county, tmp_path)
    assert "edit contact.name" in lying["contact"] | lying["sync_ledger"]
