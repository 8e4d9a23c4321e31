"""Planted breaks of the API's promises, each of which the contract run must find."""

import json
from collections.abc import Callable

from flask import Flask, Response, request

TARGET = "/api/v1/tasks"


def _untold(app: Flask) -> None:
    """Answer a list with a status that the document does not name."""
    _after(app, lambda reply: setattr(reply, "status_code", 418))


def _other_type(app: Flask) -> None:
    """Answer a list as a page for people."""
    _after(app, lambda reply: reply.headers.set("Content-Type", "text/html"))


def _other_shape(app: Flask) -> None:
    """Answer a list with ids that are numbers."""

    def twist(reply: Response) -> None:
        rows = json.loads(reply.get_data())
        reply.set_data(json.dumps([{**row, "id": 7, "rv": "x"} for row in rows]))

    _after(app, twist)


def _broken(app: Flask) -> None:
    """Break while a list is made."""

    def fail() -> None:
        if request.path == TARGET and request.method == "GET":
            raise RuntimeError("planted")

    app.before_request(fail)


def _after(app: Flask, twist: Callable[[Response], object]) -> None:
    def after(reply: Response) -> Response:
        if request.path == TARGET and request.method == "GET" and reply.status_code == 200:
            twist(reply)
        return reply

    app.after_request(after)


SABOTAGES: dict[str, Callable[[Flask], None]] = {
    "untold": _untold, "other_type": _other_type, "other_shape": _other_shape, "broken": _broken,
}  # fmt: skip
