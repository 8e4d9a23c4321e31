"""What the world may send: broken, huge and twisted bodies, fields, queries, paths and headers."""

import base64
import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Flask

ZEROS_10_MB = b"0" * 10_000_000
MEGABYTES_3 = b'{"text":"' + b"a" * 3_000_000 + b'"}'


@dataclass(frozen=True, slots=True)
class RawBody:
    """One body as bytes, with its headers."""

    name: str
    data: bytes
    content_type: str = "application/json"
    encoding: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers that go with it."""
        more = {"Content-Encoding": self.encoding} if self.encoding else {}
        return {"Content-Type": self.content_type, **more}


RAW_BODIES = (
    RawBody("990 deep", b"[" * 990 + b"]" * 990),
    RawBody("990 deep objects", b'{"a":' * 990 + b"1" + b"}" * 990),
    RawBody("100,000 deep", b"[" * 100_000),
    RawBody("33 deep", b'{"a":' * 33 + b"1" + b"}" * 33),
    RawBody("5,000 digits", b'{"grid":' + b"9" * 5000 + b"}"),
    RawBody("huge exponent", b'{"grid":1e9999}'),
    RawBody("long fraction", b'{"grid":0.' + b"1" * 5000 + b"}"),
    RawBody("not a number", b'{"grid":NaN}'),
    RawBody("infinity", b'{"grid":-Infinity}'),
    RawBody("NUL", b'{"text":"a\\u0000b"}'),
    RawBody("bare NUL", b'{"text":"a\x00b"}'),
    RawBody("NUL in a key", b'{"te\\u0000xt":1}'),
    RawBody("half a surrogate", b'{"text":"\\ud800"}'),
    RawBody("half a surrogate in a key", b'{"\\udfff":"a"}'),
    RawBody("key twice", b'{"grid":1,"grid":2}'),
    RawBody("key twice below", b'{"edits":[{"n":1,"n":2}]}'),
    RawBody("bad UTF-8", b'{"text":"\xff\xfe"}'),
    RawBody("UTF-16", '{"text":"a"}'.encode("utf-16")),
    RawBody("byte order mark", b'\xef\xbb\xbf{"text":"a"}'),
    RawBody("empty", b""),
    RawBody("white space", b"   \n"),
    RawBody("cut off", b'{"text":"a'),
    RawBody("two values", b"{}{}"),
    RawBody("null", b"null"),
    RawBody("a list", b"[]"),
    RawBody("a list of objects", b"[{},{}]"),
    RawBody("a number", b"7"),
    RawBody("a text", b'"text"'),
    RawBody("true", b"true"),
    RawBody("one key of 70,000 characters", b'{"' + b"k" * 70_000 + b'":1}'),
    RawBody("5,000 keys", json.dumps({f"k{n}": n for n in range(5000)}).encode()),
    RawBody("a text of 70,000 characters", b'{"text":"' + b"a" * 70_000 + b'"}'),
    RawBody("3 MB", MEGABYTES_3),
    RawBody("10 MB", ZEROS_10_MB),
    RawBody("gzip bomb", gzip.compress(ZEROS_10_MB * 10), encoding="gzip"),
    RawBody("gzip bomb in a gzip bomb", gzip.compress(gzip.compress(ZEROS_10_MB)), encoding="gzip"),
    RawBody("not gzip", b"{}", encoding="gzip"),
    RawBody("half a gzip", gzip.compress(b'{"text":"a"}')[:-6], encoding="gzip"),
    RawBody("gzip with a tail", gzip.compress(b"{}") + b"tail", encoding="gzip"),
    RawBody("unknown encoding", b"{}", encoding="zstd"),
    RawBody("two encodings", b"{}", encoding="gzip, gzip"),
    RawBody("form", b"a=1", "application/x-www-form-urlencoded"),
    RawBody("multipart", b"--x\r\n\r\n--x--", "multipart/form-data; boundary=x"),
    RawBody("multipart without boundary", b"x", "multipart/form-data"),
    RawBody("plain text", b"{}", "text/plain"),
    RawBody("no content type", b"{}", ""),
    RawBody("twisted content type", b"{", "application/json; charset=\xff"),
    RawBody("xml", b"<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>", "application/xml"),
)
VALUES: tuple[Any, ...] = (
    None, True, -1, 2**53 + 1, 2**63, 1.5, 1e308, "", "\u202e\ufeff", "x" * 60_000,
    "'; DROP TABLE task; --", [], [None], {"a": {"b": [1]}},
)  # fmt: skip
FIELD_VALUES: tuple[Any, ...] = (
    None, True, 2**63, "", "\u202e", "x" * 60_000, [None], {"a": {"b": [1]}},
)  # fmt: skip
QUERY_VALUES = (
    "", "0", "-1", "NaN", "1e5", "9" * 30, "%00", "%FF%FE", "%ED%A0%80", "a" * 5000, "[]", "{}",
    "'%20OR%20'1'='1", "..%2F..%2Fetc", "٣", "true", "null",
)  # fmt: skip
PATHS = (
    "/tasks/%00", "/tasks/7", "/tasks/" + "a" * 9000, "/tasks/%FF%FE", "/tasks/..%2F..%2Fusers",
    "/tasks/00000000-0000-0000-0000-00000000000g", "/users/-1", "/users/1e3", "/users/" + "9" * 40,
    "/users/0", "/areas/" + "9" * 40, "/areas/-1", "/posts/" + "9" * 20,
    "/households/{}", "/incidents/%E4%B8%AD", "/conflicts/x/resolution", "/parked-edits/x/repair",
    "/devices/x", "/sync", "/sync/", "/nothing", "/%00", "/%2e%2e/%2e%2e",
)  # fmt: skip
HEADERS: tuple[dict[str, str], ...] = tuple(
    {name: value}
    for name, values in {
        "If-Match": ("v1", '"v1', '"v' + "9" * 400 + '"', '"v-1"', "*", "\xff\xfe", "", '"v１"'),
        "If-None-Match": ('"' + "x" * 9000, "W/", "\xff", '"v1' * 50),
        "Idempotency-Key": ("", " ", "x" * 65, "\xff\xfe", "a b", "x\x7f", "é"),
        "Accept": ("\xff", "text/html", "x" * 5000),
        "Accept-Encoding": ("\xff", "gzip;q=a", "x" * 5000),
        "Range": ("bytes=9-1", "x"),
        "X-Forwarded-For": ("'; --", "x" * 5000),
    }.items()
    for value in values
)
TOKENS = (
    "Bearer", "Bearer ", "Basic eDp5", "Bearer x", "Bearer \xff\xfe", "Bearer a.b.c",
    "Bearer " + "A" * 9000, "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.", "bearer  a b",
    "Digest username=x", "Bearer ..", "Bearer eyJhbGciOiJIUzI1NiJ9.bnVsbA.x",
)  # fmt: skip


def cursors() -> list[str]:
    """Return page cursors that were never given out."""
    shapes: list[Any] = [
        None, 7, "x", [], [None], [{}], [[]], [1, 2], [True], [1.5], ["x"], ["a\u0000b"],
        ["\ud800"], [2**80], ["00000000-0000-0000-0000-00000000000g"], [""], ["x" * 300], {"0": 1},
    ]  # fmt: skip
    texts = [json.dumps(shape).encode() for shape in shapes]
    texts += [b"\xff\xfe", b"[" * 300, b"[" + b"9" * 300 + b"]", b"[NaN]", b"", b"["]
    encoded = [base64.urlsafe_b64encode(text).decode().rstrip("=") for text in texts]
    return [*encoded, "!", "=", "====", "A", "漢", "%00", "a" * 5000]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the API, as its own document describes it."""

    method: str
    rule: str
    fields: Mapping[str, Any]
    takes_body: bool
    queries: tuple[str, ...]


def operations(app: Flask) -> Iterator[Operation]:
    """List every operation under /api, found from the routes; the document adds what it knows."""
    document = app.test_client().get("/api/v1/openapi.json").get_json()
    schemas = document["components"]["schemas"]
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith("/api/"):
            continue
        path = "/".join(_parameter(part) for part in rule.rule.split("/"))
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            told = document["paths"].get(path, {}).get(method.lower(), {})
            body = told.get("requestBody", {}).get("content", {}).get("application/json", {})
            name = body.get("schema", {}).get("$ref", "").rpartition("/")[2]
            queries = [one["name"] for one in told.get("parameters", []) if one["in"] == "query"]
            yield Operation(method, rule.rule, schemas.get(name, {}).get("properties", {}),
                            bool(body), tuple(queries))  # fmt: skip


def _parameter(part: str) -> str:
    """Write a variable part of a route as the document does."""
    return "{" + part[1:-1].rpartition(":")[2] + "}" if part.startswith("<") else part
