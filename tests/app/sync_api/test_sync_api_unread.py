"""What nobody can read is answered 400 and kept, sealed, bounded, for the support alone."""

import gzip
import json
import logging
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from flask.testing import FlaskCliRunner
from werkzeug.test import TestResponse

from app.core.engine import current_engine
from app.core.identifiers import new_id
from app.sync_api import unread
from tests.app.core.county import County, household
from tests.app.identity.town import now_ms, outcome

SECRET = "张三丰 13812345678"
_t = sa.inspect(unread.UnreadBody).local_table


def _send(
    county: County, raw: bytes, path: str = "push", who: str | None = None, **headers: str
) -> TestResponse:
    sent = {"Content-Type": "application/json", **headers}
    return county.ask(who or county.phone("gw").who, "POST", f"/sync/{path}",
                      headers=sent, data=raw)  # fmt: skip


def _body(county: County, *edits: Any) -> bytes:
    shape = {"device": county.phone("gw").device, "edits": list(edits)}
    return json.dumps(shape, ensure_ascii=False).encode()


def _count(county: County) -> int:
    return int(county.sql(sa.select(sa.func.count()).select_from(_t))[0][0])


def _run(county: County, *words: str) -> Any:
    return FlaskCliRunner(county.app).invoke(args=["sync", "unread", *words])


UNREADABLE = {
    "not_json": b'{"edits": [' + SECRET.encode(),
    "json_too_deep": b"[" * 500 + b"]" * 500,
    "not_utf8": b'{"a": "\xff"}',
    "key_twice": b'{"a": 1, "a": 2}',
    "nul_character": b'{"a": "\\u0000"}',
    "malformed_request": b"[1, 2]",
}


@pytest.mark.parametrize("path", ["push", "exchange"])
@pytest.mark.parametrize("code", sorted(UNREADABLE))
def test_an_unreadable_body_is_kept_and_the_phone_told_the_number(
    county: County, path: str, code: str
) -> None:
    reply = _send(county, UNREADABLE[code], path)
    assert outcome(reply) == (400, code)
    [row] = county.sql(sa.select(_t))
    assert (row.id, row.code, row.times) == (reply.get_json()["support"], code, 1)
    assert unread.opened(current_engine().cipher, row) == UNREADABLE[code]


@pytest.mark.parametrize(
    "edit", [7, {}, {"n": 1}, {"n": 0, "id": new_id()}, {"n": "1", "id": new_id()},
             {"n": 1, "id": "x"}],
)  # fmt: skip
def test_an_edit_that_can_get_no_receipt_is_kept_with_its_neighbours(
    county: County, edit: Any
) -> None:
    good = {"n": 1, "id": new_id(), "op": "create", "kind": "household", "rec": new_id(),
            "set": household()}  # fmt: skip
    reply = _send(county, _body(county, good, edit))
    assert outcome(reply) == (400, "malformed_edit")
    [row] = county.sql(sa.select(_t))
    content = json.loads(unread.opened(current_engine().cipher, row))
    assert content["edits"] == [good, edit]


def test_what_came_packed_is_shown_inflated(county: County) -> None:
    raw = b"{" + SECRET.encode()
    reply = _send(county, gzip.compress(raw), **{"Content-Encoding": "gzip"})
    assert outcome(reply) == (400, "not_json")
    assert SECRET in _run(county, "show", reply.get_json()["support"][-8:]).output


def test_what_is_not_even_gzip_is_kept_as_it_came(county: County) -> None:
    reply = _send(county, SECRET.encode(), **{"Content-Encoding": "gzip"})
    assert outcome(reply) == (400, "bad_gzip")
    assert SECRET in _run(county, "show", reply.get_json()["support"]).output


def test_a_wrong_content_type_is_no_reason_to_lose_work(county: County) -> None:
    reply = _send(county, SECRET.encode(), **{"Content-Type": "text/plain"})
    assert outcome(reply) == (415, "unsupported_media_type")
    assert SECRET in _run(county, "show", reply.get_json()["support"]).output


def test_a_readable_request_is_not_kept(county: County) -> None:
    phone = county.phone("gw")
    phone.push(phone.edit("create", "castle", set={}), phone.edit("create", "household", set=[1]))
    for raw in (_body(county, *({"n": n, "id": new_id()} for n in range(1, 102))),):
        assert outcome(_send(county, raw)) == (413, "too_many_edits")
    assert outcome(_send(county, b"{", "pull")) == (400, "not_json")
    assert _count(county) == 0


def test_a_stranger_keeps_nothing_here(county: County) -> None:
    assert outcome(_send(county, b"{", who="gw")) == (400, "not_json")
    assert "support" not in _send(county, b"{", who="gw").get_json()
    reply = county.ask(None, "POST", "/sync/push", headers={"Content-Type": "application/json"},
                       data=b"{")  # fmt: skip
    assert outcome(reply) == (401, "token_missing")
    assert _count(county) == 0


def test_the_same_bytes_again_have_the_same_number_and_are_counted(county: County) -> None:
    numbers = {_send(county, b"{again").get_json()["support"] for _ in range(5)}
    [row] = county.sql(sa.select(_t))
    assert (numbers, row.times) == ({row.id}, 5)


def test_a_flood_is_bounded_by_count_and_the_oldest_make_room(
    county: County, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unread, "PER_PHONE_MAX", 3)
    numbers = [_send(county, b"{%d" % turn).get_json()["support"] for turn in range(6)]
    assert {row.id for row in county.sql(sa.select(_t.c.id))} == set(numbers[-3:])


def test_a_flood_is_bounded_by_bytes_and_harms_no_other_phone(
    county: County, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = _send(county, b"{other", who=county.phone("colleague").who).get_json()["support"]
    monkeypatch.setattr(unread, "PER_PHONE_BYTES_MAX", 100)
    for turn in range(6):
        _send(county, b"{%d" % turn + bytes(range(32, 64)))
    rows = county.sql(sa.select(_t.c.id, _t.c.kept_bytes))
    assert other in {row.id for row in rows}
    assert sum(row.kept_bytes for row in rows if row.id != other) <= 100 and len(rows) > 1


def test_all_phones_together_are_bounded_too(
    county: County, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unread, "TOTAL_MAX", 4)
    for turn in range(3):
        for who in ("gw", "colleague", "vl"):
            _send(county, b"{%d" % turn, who=county.phone(who).who)
    assert _count(county) == 4


def test_nothing_stays_longer_than_a_month(county: County) -> None:
    number = _send(county, b"{old").get_json()["support"]
    old = now_ms() - unread.KEPT_MS - 1
    county.sql(sa.update(_t).where(_t.c.id == number).values(last_ms=old))
    done = FlaskCliRunner(county.app).invoke(args=["sync", "expire-parked"])
    assert "1 unread bodies" in done.output and _count(county) == 0


def test_an_erasure_takes_the_bodies_that_name_the_record_and_no_other(county: County) -> None:
    rec, other = new_id(), new_id()
    county.phone("gw").act("create", "household", rec, set=household())
    named = b'{"edits": [{"rec": "' + rec.encode() + b'", "set": {"name": "' + SECRET.encode()
    cut = gzip.compress(named + bytes(range(32, 127)) * 9)[:-12]
    for raw in (named, named.replace(rec.encode(), rec.upper().encode())):
        assert outcome(_send(county, raw)) == (400, "not_json")
    assert outcome(_send(county, cut, **{"Content-Encoding": "gzip"})) == (400, "bad_gzip")
    kept = _send(county, named.replace(rec.encode(), other.encode())).get_json()["support"]
    words = ["sync", "erase", "household", rec, "--reason", "x", "--yes"]
    done = FlaskCliRunner(county.app).invoke(args=words)
    assert done.exit_code == 0, done.output
    assert [row.id for row in county.sql(sa.select(_t.c.id))] == [kept]


def test_neither_database_nor_log_holds_it_in_the_open(
    county: County, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        _send(county, b"{" + SECRET.encode())
    [row] = county.sql(sa.select(_t))
    assert SECRET.encode() not in row.body and "13812345678" not in caplog.text
    with pytest.raises(InvalidTag):
        current_engine().cipher.open_bytes(row.body, "sync_unread/body/another")


def test_every_reading_is_written_down(county: County, tmp_path: Path) -> None:
    number = _send(county, b"{" + SECRET.encode()).get_json()["support"]
    target = tmp_path / "body.json"
    listed = _run(county, "list")
    assert number in listed.output and SECRET not in listed.output
    assert SECRET in _run(county, "show", number).output
    assert _run(county, "export", number, str(target)).exit_code == 0
    assert target.read_bytes() == b"{" + SECRET.encode()
    assert target.stat().st_mode & 0o077 == 0
    assert _run(county, "export", number, str(target)).exit_code == 1
    assert _run(county, "delete", number).exit_code == 0
    assert _count(county) == 0
    for event in ("listed", "read", "exported", "deleted"):
        [found] = county.events(f"unread.{event}")
        assert found.AuditEvent.subject == (None if event == "listed" else f"unread:{number}")


def test_a_number_that_fits_nothing_is_said_so(county: County) -> None:
    for words in (("show", "nothing"), ("delete", "nothing"), ("export", "no", "x")):
        done = _run(county, *words)
        assert done.exit_code == 1 and "flask sync unread list" in done.output
    assert "没有 / none" in _run(county, "list").output


def test_the_numbers_of_the_phone_go_on_afterwards(county: County) -> None:
    phone = county.phone("gw")
    _send(county, _body(county, {"n": 1}))
    [receipt] = phone.push(phone.edit("create", "household", set=household()))
    assert (receipt["n"], receipt["status"]) == (1, "applied")
