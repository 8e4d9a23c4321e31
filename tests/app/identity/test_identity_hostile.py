"""Whatever is sent to the doors of identity, the answer is a problem of the caller's, not ours."""

from tests.app.identity.town import GRID, TestPhone, Town, outcome

ROUTES = [
    ("POST", "/auth/sign-in"),
    ("POST", "/auth/refresh"),
    ("POST", "/auth/sign-out"),
    ("POST", "/auth/enrol"),
    ("POST", "/users"),
    ("POST", "/users/1/posts"),
]
DEEP = b"[" * 990 + b"]" * 990
BODIES = [
    b"",
    b"{",
    b"null",
    b"5",
    b"[]",
    DEEP,
    b'{"login":' + b"9" * 5000 + b"}",
    b'{"login":"a\\u0000b","password":"x"}',
    b'{"login":"\\ud800","password":"x"}',
    b'{"login":"a","login":"b","password":"x"}',
    b'{"refresh_token":{"a":[1]},"proof":1e400,"at":"x"}',
    b'{"refresh_token":"a","proof":"b","at":1e30}',
    b'{"name":"\xff\xfe"}',
    b'{"role":"gw","area_id":1.5}',
    b'{"code":"' + b"A" * 100_000 + b'"}',
]
TOKENS = ["\x00", "ÿþ", "a" * 10_000, "a.b", "..", "null", "e30.e30.", "\t", "é.é.é"]


def test_hostile_bodies_are_refused_with_a_code(town: Town) -> None:
    headers = {**town.headers["ts"], "Content-Type": "application/json"}
    for method, path in ROUTES:
        for body in BODIES:
            reply = town.client.open(f"/api/v1{path}", method=method, data=body, headers=headers)
            assert 400 <= reply.status_code < 500, (path, body[:60])
            assert reply.get_json()["code"], (path, body[:60])


def test_the_caller_is_known_before_the_body_is_judged(town: Town) -> None:
    for path in ("/users", "/users/1/posts"):
        assert outcome(town.call(None, "POST", path, {"no": 1})) == (401, "token_missing")
        assert outcome(town.call("gw", "POST", path, {"no": 1})) == (403, "not_allowed")


def test_another_content_type_is_refused(town: Town) -> None:
    reply = town.client.post("/api/v1/auth/sign-in", data="login=a", content_type="text/plain")
    assert reply.status_code == 415


def test_hostile_tokens_are_no_tokens(town: Town) -> None:
    for token in TOKENS:
        headers = {"Authorization": f"Bearer {token}"}
        assert town.client.get("/api/v1/auth/me", headers=headers).status_code == 401, token[:20]


def test_values_at_the_limits_are_taken_or_refused_but_never_break(
    town: Town, phone: TestPhone
) -> None:
    post = {"role": "gw", "area_id": GRID}
    for name in ("埫" * 100, "𠮷野家", "a'; DROP TABLE post; --", "张"):
        reply = town.call("ts", "POST", "/users", {"name": name, "post": post})
        assert reply.status_code == 201, name
        assert reply.get_json()["name"] == name
    body = phone.enrolment(town.code_for("gw"))
    for code in ("\u0130" * 64, "ß" * 40, "0" * 64, "=" * 10):
        reply = town.call(None, "POST", "/auth/enrol", {**body, "code": code})
        assert reply.status_code in (401, 429)
