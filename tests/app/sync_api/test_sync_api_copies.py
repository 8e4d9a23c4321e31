"""First copies over HTTP: for whom, how large, resumed or begun again; healing and receipts."""

import gzip
import json
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskCliRunner

from app.core.database import Mode
from app.core.identifiers import new_id
from app.sync_api.copying import CopyRoom
from app.sync_api.models import DigestAlarm
from sync import snapshot
from sync.digest import bucket_digests
from sync.lines import NDJSON, pages, whole_lines
from sync.snapshot import read
from tests.app.core.county import County, SyncPhone, fill, household
from tests.app.identity.town import GRID, SAME_VILLAGE_GRID, outcome
from tests.app.sync_api import full_grid

SCOPE = f"grid:{GRID}"
FIRST_SYNC_BYTES_MAX = 300_000
BUDGET = 10_240


def _copy(county: County, who: str, scope: str = SCOPE, **headers: str) -> Any:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return county.ask(county.phone(who).who, "GET", f"/sync/snapshot/{scope}", headers=sent)


def _room(county: County) -> CopyRoom:
    room: CopyRoom = county.app.extensions["wangge_copies"]
    return room


# -- for whom -------------------------------------------------------------------------------------


def test_a_worker_takes_a_copy_of_his_grid_and_goes_on_with_a_pull(county: County) -> None:
    phone = fill(county)
    reply = _copy(county, "gw")
    assert (reply.status_code, reply.content_type) == (200, "application/gzip")
    copy = read(reply.data)
    assert len(copy.items) == 6 and copy.scope == SCOPE
    phone.act("create", "household", set=household())
    page = phone.send("pull", {"cursor": copy.cursor}).get_json()
    assert [item["t"] for item in page["items"]] == ["household"]
    assert page["complete"] and page["reset"] == []


def test_a_scope_of_others_an_absent_one_and_an_empty_one_are_the_same_404(county: County) -> None:
    fill(county)
    county.phone("colleague").act("create", "household",
                                  set=household(grid=SAME_VILLAGE_GRID))  # fmt: skip
    scopes = (f"grid:{SAME_VILLAGE_GRID}", "grid:99999", "nonsense", "ref", "me:1", "area:1")
    replies = [_copy(county, "gw", scope) for scope in scopes]
    assert {reply.status_code for reply in replies} == {404}
    assert len({reply.data for reply in replies}) == 1
    assert outcome(replies[0]) == (404, "not_found")


def test_without_a_token_or_a_right_or_a_phone_there_is_no_copy(county: County) -> None:
    fill(county)
    assert county.ask(None, "GET", f"/sync/snapshot/{SCOPE}").status_code == 401
    assert outcome(county.ask("cm", "GET", f"/sync/snapshot/{SCOPE}")) == (403, "not_allowed")
    assert outcome(county.ask("ts", "GET", f"/sync/snapshot/{SCOPE}")) == (404, "unknown_device")


def test_each_role_gets_its_own_copy_and_never_anothers(county: County) -> None:
    fill(county)
    copies = {who: _copy(county, who) for who in ("gw", "ts", "vl", "gw")}
    again = {who: _copy(county, who) for who in ("ts", "gw")}
    whole, masked = (gzip.decompress(copies[who].data).decode() for who in ("gw", "ts"))
    assert "张三丰" in whole and "13812345678" in whole
    for secret in ("张三丰", "13812345678", "人民路 12 号"):
        assert secret not in masked
    assert copies["ts"].headers["ETag"] != copies["gw"].headers["ETag"]
    assert again["ts"].data == copies["ts"].data and again["gw"].data == copies["gw"].data
    stolen = _copy(county, "ts", If_Range=copies["gw"].headers["ETag"], Range="bytes=0-")
    assert (stolen.status_code, stolen.data) == (200, copies["ts"].data)


# -- size and order -------------------------------------------------------------------------------


def test_a_full_grid_comes_within_the_bytes_and_exactly(county: County) -> None:
    full_grid.fill(county)
    assert full_grid.ROWS == 1119
    phone = county.another_phone("gw")
    first = phone.send("pull", {"cursor": None, "want_bytes": BUDGET}).get_json()
    assert first["copies"] == [SCOPE]
    reply = _copy(county, "gw")
    copy = read(reply.data)
    page = phone.send("pull", {"cursor": f"{first['to']}.{copy.cursor}"}).get_json()
    assert len(copy.items) == full_grid.ROWS and page["items"] == [] and page["complete"]
    rows = [(item["t"], item["id"], item["rv"]) for item in copy.items]
    assert len(set(rows)) == full_grid.ROWS
    spent = len(gzip.compress(json.dumps(first).encode())) + len(reply.data) + 2_000
    assert spent <= FIRST_SYNC_BYTES_MAX, spent


def test_ten_kilobytes_bring_all_that_is_urgent_and_a_cursor_to_go_on(county: County) -> None:
    full_grid.fill(county)
    phone = county.another_phone("gw")
    page = phone.send("pull", {"cursor": None, "want_bytes": BUDGET}).get_json()
    kinds = [(item["t"], item["f"].get("priority")) for item in page["items"]]
    assert kinds[: full_grid.URGENT] == [("incident", 1)] * full_grid.URGENT
    assert {kind for kind, _ in kinds[full_grid.URGENT :]} == {"task"}
    dense = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
    assert sum(len(dense(one).encode()) for one in page["items"]) <= BUDGET
    seen, cursor = {item["id"] for item in page["items"]}, page["to"]
    order = [item["t"] for item in page["items"]]
    while not page["complete"]:
        page = phone.send("pull", {"cursor": cursor, "want_bytes": 200_000}).get_json()
        order += [item["t"] for item in page["items"]]
        assert not seen & {item["id"] for item in page["items"]}
        seen |= {item["id"] for item in page["items"]}
        cursor = page["to"]
    assert len(seen) == full_grid.ROWS
    first_of = [order.index(kind, full_grid.URGENT) for kind in
                ("task", "incident", "household", "contact")]  # fmt: skip
    assert first_of == sorted(first_of)


def test_a_pull_in_lines_is_the_same_pull(county: County) -> None:
    full_grid.fill(county)
    phone = county.another_phone("gw")
    whole = phone.send("pull", {"cursor": None, "want_bytes": 10**6}).get_json()
    body = {"device": phone.device, "cursor": None, "want_bytes": 10**6}
    reply = county.ask(phone.who, "POST", "/sync/pull", body, headers={"Accept": NDJSON})
    assert reply.content_type == NDJSON
    parts = list(pages(whole_lines(reply.data)))
    assert [item for part in parts for item in part["items"]] == whole["items"]
    assert len(parts) == -(-len(whole["items"]) // 50)
    assert {name: parts[-1][name] for name in ("to", "complete", "digest", "ver")} == {
        name: whole[name] for name in ("to", "complete", "digest", "ver")
    }


def test_an_exchange_in_lines_begins_with_the_receipts(county: County) -> None:
    phone = county.phone("gw")
    body = {"device": phone.device, "cursor": None,
            "edits": [phone.edit("create", "household", set=household())]}  # fmt: skip
    reply = county.ask(phone.who, "POST", "/sync/exchange", body, headers={"Accept": NDJSON})
    first, *rest = whole_lines(reply.data)
    assert json.loads(first)["push"]["results"][0]["status"] == "applied"
    [page] = pages(rest)
    assert page["complete"] and len(page["items"]) == 1 and page["last_n"] == 1


@pytest.mark.parametrize("accept", ["*/*", "application/json", "", "text/html, */*;q=0.1"])
def test_who_does_not_ask_for_lines_gets_one_object(county: County, accept: str) -> None:
    phone = fill(county, 1)
    reply = county.ask(phone.who, "POST", "/sync/pull", {"device": phone.device, "cursor": None},
                       headers={"Accept": accept})  # fmt: skip
    assert reply.content_type == "application/json" and reply.get_json()["complete"]


# -- ranges ---------------------------------------------------------------------------------------


def test_a_copy_is_resumed_at_any_byte(county: County) -> None:
    fill(county)
    whole = _copy(county, "gw")
    tag, size = whole.headers["ETag"], len(whole.data)
    for start in (1, 57, size // 2, size - 1):
        rest = _copy(county, "gw", If_Range=tag, Range=f"bytes={start}-")
        assert (rest.status_code, rest.data) == (206, whole.data[start:])
        assert rest.headers["Content-Range"] == f"bytes {start}-{size - 1}/{size}"
        assert rest.headers["ETag"] == tag
    middle = _copy(county, "gw", If_Range=tag, Range="bytes=10-19")
    assert (middle.status_code, middle.data) == (206, whole.data[10:20])


def test_a_range_of_an_older_copy_is_of_that_very_copy_or_a_new_whole_one(
    county: County, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "CHANGES_MAX", 2)
    phone = fill(county)
    old = _copy(county, "gw")
    phone.push(*(phone.edit("create", "household", set=household()) for _ in range(5)))
    new = _copy(county, "gw")
    assert new.headers["ETag"] != old.headers["ETag"] and len(read(new.data).items) == 11
    rest = _copy(county, "gw", If_Range=old.headers["ETag"], Range="bytes=100-")
    assert (rest.status_code, rest.data) == (206, old.data[100:])
    copy = read(old.data[:100] + rest.data)
    items = phone.send("pull", {"cursor": copy.cursor}).get_json()["items"]
    assert len(copy.items) + len(items) == 11
    _room(county).cupboard.forget(SCOPE)
    gone = _copy(county, "gw", If_Range=old.headers["ETag"], Range="bytes=100-")
    assert (gone.status_code, gone.data) == (200, new.data)


@pytest.mark.parametrize(
    "headers",
    [{"Range": "bytes=5-"}, {"If_Range": '"another"', "Range": "bytes=5-"},
     {"If_Range": "Wed, 21 Oct 2026 07:28:00 GMT", "Range": "bytes=5-"},
     {"If_Range": "SAME", "Range": "lines=5-"}, {"If_Range": "SAME", "Range": "bytes=1-2,5-6"},
     {"If_Range": "SAME", "Range": "bytes=x-"}, {"If_Range": 'W/"x"', "Range": "bytes=5-"},
     {"If_Range": "SAME"}],
)  # fmt: skip
def test_a_range_that_is_not_for_sure_of_this_copy_is_answered_with_the_whole(
    county: County, headers: dict[str, str]
) -> None:
    fill(county, 1)
    whole = _copy(county, "gw")
    sent = {name: whole.headers["ETag"] if value == "SAME" else value
            for name, value in headers.items()}  # fmt: skip
    reply = _copy(county, "gw", **sent)
    assert (reply.status_code, reply.data) == (200, whole.data)


def test_a_range_beyond_the_end_is_a_problem_that_tells_the_size(county: County) -> None:
    fill(county, 1)
    whole = _copy(county, "gw")
    reply = _copy(county, "gw", If_Range=whole.headers["ETag"], Range=f"bytes={len(whole.data)}-")
    assert outcome(reply) == (416, "range_not_satisfiable")
    assert reply.headers["Content-Range"] == f"bytes */{len(whole.data)}"


def test_who_has_the_copy_already_gets_no_bytes(county: County) -> None:
    fill(county, 1)
    tag = _copy(county, "gw").headers["ETag"]
    reply = _copy(county, "gw", If_None_Match=tag)
    assert (reply.status_code, reply.data, reply.headers["ETag"]) == (304, b"", tag)


def test_a_copy_is_not_packed_twice(county: County) -> None:
    fill(county, 30)
    reply = _copy(county, "gw", Accept_Encoding="gzip")
    assert "Content-Encoding" not in reply.headers and len(read(reply.data).items) == 60


# -- healing --------------------------------------------------------------------------------------


def _question(phone: SyncPhone, **more: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    page = phone.send("pull", {"cursor": None}).get_json()
    rows = [item for item in page["items"] if item["s"] == SCOPE]
    digests = bucket_digests((one["t"], one["id"], one["rv"]) for one in rows)
    return {"scope": SCOPE, "ver": page["ver"][SCOPE], "buckets": digests, **more}, rows


def _alarms(county: County) -> list[Any]:
    with county.database.transaction(Mode.READ) as session:
        return list(session.execute(sa.select(DigestAlarm.device, DigestAlarm.alarms,
                                              DigestAlarm.buckets)))  # fmt: skip


def test_a_right_copy_differs_in_no_bucket_and_raises_no_alarm(county: County) -> None:
    phone = fill(county)
    reply = phone.send("verify", _question(phone)[0])
    assert reply.status_code == 200
    assert (reply.get_json()["buckets"], reply.get_json()["items"]) == ({}, [])
    assert _alarms(county) == []


def test_the_wrong_bucket_is_told_and_counted_and_the_row_can_be_fetched(county: County) -> None:
    phone = fill(county)
    question, rows = _question(phone)
    lost = rows[2]
    question["buckets"] = bucket_digests((o["t"], o["id"], o["rv"]) for o in rows if o != lost)
    for _ in range(2):
        found = phone.send("verify", question).get_json()
        [(_, listed)] = found["buckets"].items()
        assert [lost["t"], lost["id"], lost["rv"]] in listed
    asked = {"scope": SCOPE, "ver": question["ver"], "want": [lost["id"]]}
    assert phone.send("verify", asked).get_json()["items"] == [lost]
    assert _alarms(county) == [(phone.device, 2, 2)]
    told = FlaskCliRunner(county.app).invoke(args=["sync", "alarms"])
    assert told.exit_code == 1 and phone.device in told.output


def test_without_alarms_the_command_says_so(county: County) -> None:
    told = FlaskCliRunner(county.app).invoke(args=["sync", "alarms"])
    assert told.exit_code == 0 and "0" in told.output


def test_wanted_rows_are_masked_like_all_others(county: County) -> None:
    fill(county, 1)
    lead = county.phone("ts")
    question, rows = _question(lead)
    asked = {**question, "buckets": [], "want": [one["id"] for one in rows]}
    text = lead.send("verify", asked).get_data(as_text=True)
    assert "张*" in text and "张三丰" not in text and "人民路 12 号" not in text


def test_a_scope_that_has_moved_on_is_told_apart(county: County) -> None:
    phone = fill(county, 1)
    question, _ = _question(phone)
    phone.act("create", "household", set=household())
    reply = phone.send("verify", question)
    assert outcome(reply) == (409, "scope_moved")
    assert reply.get_json()["ver"] == question["ver"] + 1


def test_verify_answers_for_foreign_and_absent_scopes_and_devices_alike(county: County) -> None:
    phone = fill(county, 1)
    county.phone("colleague").act("create", "household",
                                  set=household(grid=SAME_VILLAGE_GRID))  # fmt: skip
    question, _ = _question(phone)
    scopes = (f"grid:{SAME_VILLAGE_GRID}", "grid:99999")
    replies = [phone.send("verify", {**question, "scope": scope}) for scope in scopes]
    assert [outcome(reply) for reply in replies] == [(404, "not_found")] * 2
    assert replies[0].data == replies[1].data
    for device in (county.phone("colleague").device, new_id()):
        reply = county.ask(phone.who, "POST", "/sync/verify", {**question, "device": device})
        assert outcome(reply) == (404, "unknown_device")
    assert county.ask(None, "POST", "/sync/verify", question).status_code == 401
    assert outcome(county.ask("cm", "POST", "/sync/verify", question)) == (403, "not_allowed")
    assert outcome(phone.send("verify", {**question, "ver": "x"})) == (400, "malformed_request")


# -- receipts again -------------------------------------------------------------------------------


def test_receipts_are_read_again_page_by_page_and_only_ones_own(county: County) -> None:
    phone = fill(county, 2)
    given = [*phone.push(phone.edit("create", "incident", set={"category": "9999"}))]
    path = f"/sync/outcomes?device={phone.device}"
    first = county.ask(phone.who, "GET", f"{path}&limit=3").get_json()
    rest = county.ask(phone.who, "GET", f"{path}&after_n=3&limit=3").get_json()
    assert [one["n"] for one in first["results"] + rest["results"]] == [1, 2, 3, 4, 5]
    assert (first["more"], rest["more"], rest["expected"]) == (True, False, 6)
    assert rest["results"][-1] == given[0]
    other = county.phone("colleague")
    for device in (other.device, new_id()):
        reply = county.ask(phone.who, "GET", f"/sync/outcomes?device={device}")
        assert outcome(reply) == (404, "unknown_device")
    for wrong in ("", "device=x", f"device={phone.device}&after_n=-1",
                  f"device={phone.device}&limit=501", f"device={phone.device}&x=1"):  # fmt: skip
        assert county.ask(phone.who, "GET", f"/sync/outcomes?{wrong}").status_code == 422
    assert county.ask(None, "GET", path).status_code == 401
    assert outcome(county.ask("cm", "GET", path)) == (403, "not_allowed")
