"""Every limit of the server: at it a request passes, one above it is refused with its code."""

import gzip
import http.client
import random
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.core.admitted import HEADER_BYTES_MAX
from app.core.web import INFLATE_RATIO_MAX, INFLATED_BYTES_MAX, inflated
from app.photos.rules import SIZE_BYTES_MAX
from sync.errors import Problem
from sync.wire import BODY_BYTES_MAX, DEPTH_MAX, EDITS_MAX, STRING_MAX, NotJson, read_json
from tests import outside
from tests.app.core.county import County
from tests.app.photos.camera import Camera, facts, picture
from tests.conftest import SECRETS
from tests.prove.server import Server

KIB, MIB = 1024, 1024 * 1024
Body = Callable[[int], bytes]


def test_the_limits_are_those_that_were_decided() -> None:
    assert HEADER_BYTES_MAX == 16 * KIB
    assert (BODY_BYTES_MAX, DEPTH_MAX, STRING_MAX) == (2 * MIB, 32, 64 * KIB)
    # A request of a phone is smaller than the thousand of the floor: a page is redone quickly.
    assert EDITS_MAX == 100 <= 1_000
    assert SIZE_BYTES_MAX == 20 * MIB
    assert (INFLATE_RATIO_MAX, INFLATED_BYTES_MAX) == (100, 8 * MIB)


READ: dict[str, tuple[Body, int, str]] = {
    "depth of lists": (lambda n: b"[" * n + b"]" * n, DEPTH_MAX, "json_too_deep"),
    "depth of objects": (lambda n: b'{"a":' * n + b"1" + b"}" * n, DEPTH_MAX, "json_too_deep"),
    "a text": (lambda n: b'"' + b"a" * n + b'"', STRING_MAX, "text_too_long"),
    "a text of Chinese": (lambda n: b'"' + "网".encode() * n + b'"', STRING_MAX, "text_too_long"),
    "a key": (lambda n: b'{"' + b"k" * n + b'":1}', STRING_MAX, "text_too_long"),
    "digits": (lambda n: b"1" * n, 19, "number_too_long"),
}


@pytest.mark.parametrize("name", sorted(READ))
def test_json_is_read_up_to_its_limit(name: str) -> None:
    body, most, code = READ[name]
    read_json(body(most))
    with pytest.raises(NotJson) as fault:
        read_json(body(most + 1))
    assert fault.value.code == code


def _packed(size: int, *, chance: int) -> bytes:
    """Return a packed body of a size, of which the first bytes are of chance."""
    return gzip.compress(random.Random(1).randbytes(chance) + bytes(size - chance), mtime=0)


def _fits(size: int, chance: int) -> bool:
    return size <= len(_packed(size, chance=chance)) * INFLATE_RATIO_MAX


def test_a_packed_body_is_inflated_up_to_a_hundred_times_its_size() -> None:
    few, many = 150_000, 400_000
    while many - few > 1:
        half = (few + many) // 2
        few, many = (half, many) if _fits(half, 2_000) else (few, half)
    assert len(inflated(_packed(few, chance=2_000))) == few
    with pytest.raises(Problem) as fault:
        inflated(_packed(many + 3 * INFLATE_RATIO_MAX, chance=2_000))
    assert (fault.value.status, fault.value.code) == (413, "too_large")


def test_a_packed_body_is_inflated_up_to_eight_mebibytes() -> None:
    assert len(inflated(_packed(INFLATED_BYTES_MAX, chance=100_000))) == INFLATED_BYTES_MAX
    with pytest.raises(Problem) as fault:
        inflated(_packed(INFLATED_BYTES_MAX + 1, chance=100_000))
    assert fault.value.status == 413


def _edits(county: County, count: int) -> tuple[int, str]:
    phone = county.phone("gw")
    made = [phone.edit("create", "household", set={}) for _ in range(count)]
    reply = phone.send("push", {"edits": made})
    phone.n -= count if reply.status_code != 200 else 0
    return reply.status_code, reply.get_json().get("code", "")


def test_a_request_takes_so_many_edits_and_not_one_more(county: County) -> None:
    assert _edits(county, EDITS_MAX + 1) == (413, "too_many_edits")
    assert _edits(county, EDITS_MAX) == (200, "")


def test_a_body_is_read_up_to_two_mebibytes(county: County) -> None:
    def send(size: int) -> tuple[int, str]:
        body = b'{"edits": []' + b" " * (size - 13) + b"}"
        reply = county.ask("gw_phone", "POST", "/sync/push", data=body,
                           headers={"Content-Type": "application/json"})  # fmt: skip
        return reply.status_code, reply.get_json()["code"]

    county.phone("gw")
    assert send(BODY_BYTES_MAX) == (400, "malformed_request")
    assert send(BODY_BYTES_MAX + 1) == (413, "too_large")


def test_a_photo_may_have_twenty_mebibytes(county: County) -> None:
    camera = Camera(county)
    camera.incident()
    told = {**facts(picture()), "incident": camera.subject}
    good = camera.phone.act("create", "photo", set={**told, "size_bytes": SIZE_BYTES_MAX})
    assert good["status"] == "applied"
    assert camera.open(good["rec"], SIZE_BYTES_MAX).status_code == 201
    assert camera.open(good["rec"], SIZE_BYTES_MAX + 1).status_code == 413
    bad = camera.phone.act("create", "photo", set={**told, "size_bytes": SIZE_BYTES_MAX + 1})
    assert (bad["status"], bad["code"]) == ("parked", "invalid_fields")


def test_a_head_may_have_sixteen_kibibytes(client: FlaskClient) -> None:
    few = client.get("/livez", headers={"X-Long": "x" * (HEADER_BYTES_MAX - 400)})
    many = client.get("/livez", headers={"X-Long": "x" * HEADER_BYTES_MAX})
    long = client.get(f"/livez?{'x' * HEADER_BYTES_MAX}")
    assert [reply.status_code for reply in (few, many, long)] == [200, 431, 431]
    assert many.get_json()["code"] == "too_large" and "Retry-After" not in many.headers


@pytest.fixture
def server(app: Flask, database_url: str, tmp_path: Path) -> Iterator[Server]:
    """Return the real server on an empty database."""
    server = Server({**SECRETS, "DATABASE_URL": database_url, "DATA_DIR": str(tmp_path)})
    server.start()
    yield server
    server.stop()


def test_the_real_server_keeps_the_limits_of_heads_and_bodies(server: Server) -> None:
    def ask(body: bytes, **headers: str) -> int:
        line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        told = {"Content-Type": "application/json", **headers}
        line.request("POST", "/api/v1/auth/sign-out", body, told)
        status = line.getresponse().status
        line.close()
        return status

    assert ask(b"{}", Accept="x" * 15_000) == 422
    assert ask(b"{}", Accept="x" * HEADER_BYTES_MAX) == 431
    assert ask(b"{}" + b" " * (BODY_BYTES_MAX - 2)) == 422
    assert ask(b"{}" + b" " * (BODY_BYTES_MAX - 1)) == 413
    assert (
        ask(_packed(INFLATED_BYTES_MAX + 1, chance=100_000), **{"Content-Encoding": "gzip"}) == 413
    )


def test_a_connection_beyond_this_machine_is_refused_and_found() -> None:
    with outside.refused() as tried:
        for host in ("192.0.2.1", "maps.example.com"):
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((host, 443), timeout=1)
    assert len(tried) == 2
