"""A phone on a bad line sends its body for minutes: nobody else may wait for it meanwhile."""

import io
from typing import Any

from flask import Flask
from marshmallow import Schema, fields

from app.core.database import Database, Mode
from app.core.web import PUBLIC, Blueprint

BODY = b'{"text": "late"}'


class Note(Schema):
    """Something with a body."""

    text = fields.String(required=True)


class Trickle(io.BytesIO):
    """A body that looks, whenever it is read, how many connections are in use."""

    def __init__(self, body: bytes, database: Database) -> None:
        super().__init__(body)
        self.database = database
        self.in_use: list[int] = []

    def _look(self) -> None:
        self.in_use.append(self.database.engine.pool.checkedout())  # type: ignore[attr-defined]

    def read(self, size: int | None = -1) -> bytes:
        self._look()
        return super().read(size)

    def readinto(self, buffer: Any) -> int:
        self._look()
        return super().readinto(buffer)


def _door() -> Blueprint:
    door = Blueprint("slow", __name__)

    @door.route("/slow", methods=["POST"])
    @door.guard(PUBLIC, Mode.WRITE)
    @door.arguments(Note)
    @door.response(204)
    def take(body: dict[str, str]) -> None:
        assert body == {"text": "late"}

    return door


def test_no_transaction_is_open_while_a_body_arrives(app: Flask, database: Database) -> None:
    app.register_blueprint(_door())
    body = Trickle(BODY, database)
    answer = app.test_client().post(
        "/slow", input_stream=body, content_type="application/json",
        headers={"Content-Length": str(len(BODY))},
    )  # fmt: skip
    assert answer.status_code == 204
    assert body.in_use, "the body was never read"
    assert set(body.in_use) == {0}
