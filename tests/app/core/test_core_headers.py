"""The headers of the house stand on every reply, and no reply is for another origin."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.core.headers import HEADERS
from tests.app.core.county import County

FOREIGN = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "POST"}
REPLIES = (
    ("GET", "/livez", 200), ("GET", "/readyz", 200), ("GET", "/nothing", 404), ("GET", "/", 404),
    ("GET", "/api/v1/nothing", 404), ("GET", "/api/v1/tasks", 401), ("DELETE", "/livez", 405),
    ("POST", "/api/v1/auth/sign-in", 422), ("PUT", "/api/v1/auth/sign-in", 405),
    ("OPTIONS", "/api/v1/tasks", 200), ("GET", "/api/v1/openapi.json", 200),
    ("GET", "/docs", 200), ("GET", "/docs/nothing", 404), ("GET", "/ogc", 401),
    ("GET", "/api/v1/photos/0198a1b2-0000-7000-8000-000000000001/original", 401),
)  # fmt: skip


@pytest.mark.parametrize(("method", "path", "status"), REPLIES)
def test_every_reply_has_the_headers(
    client: FlaskClient, method: str, path: str, status: int
) -> None:
    reply = client.open(path, method=method, headers=FOREIGN)
    reply.close()
    assert reply.status_code == status
    for name, value in HEADERS.items():
        shown = reply.headers.getlist(name)
        # The page of the API docs alone may run its own scripts.
        assert len(shown) == 1 and (shown == [value] or path.startswith("/docs")), (name, shown)
    assert not [name for name in dict(reply.headers) if name.startswith("Access-Control")]


def test_also_what_the_code_did_not_foresee(app: Flask) -> None:
    def fail() -> None:
        raise RuntimeError

    app.add_url_rule("/planted", view_func=fail)
    reply = app.test_client().get("/planted")
    assert reply.status_code == 503 and set(HEADERS) <= set(reply.headers.keys())


def test_also_what_is_not_sent_again(county: County) -> None:
    task = county.task()["id"]
    reply = county.ask("ts", "GET", f"/tasks/{task}", headers={"If-None-Match": '"v1"'})
    assert reply.status_code == 304 and set(HEADERS) <= set(reply.headers.keys())


def test_who_changed_a_record_is_shown_it_whatever_he_had(county: County) -> None:
    task = county.task()["id"]
    reply = county.ask("ts", "PATCH", f"/tasks/{task}", {"title": "看望"},
                       headers={"If-Match": '"v1"', "If-None-Match": '"v2"'})  # fmt: skip
    assert reply.status_code == 200 and reply.headers["ETag"] == '"v2"'
