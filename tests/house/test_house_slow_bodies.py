"""A phone on a bad line sends its body for minutes: nobody else may wait for it meanwhile."""

from flask import Flask
from marshmallow import Schema, fields

from app.core.database import Database, Mode
from app.core.web import PUBLIC, Blueprint
from tests.app.core.trickle import Trickle

BODY = b'{"text": "late"}'


class Note(Schema):
    """Something with a body."""

    text = fields.String(required=True)


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
