"""A wrong row on a phone is found by its bucket and mended alone; a whole new copy comes last."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.digest import BUCKETS, as_hex, bucket_digests, bucket_of, scope_digest
from sync.errors import Problem
from sync.healing import TRIES_MAX
from sync.verify import WANT_MAX, Question, differing, read_question, verify
from tests.sync.house import Stand, name_of
from tests.sync.server import Server, as_is
from tests.sync.worker import Worker

GRID, OTHER = "grid:7", "grid:8"
KINDS = ("plot", "person", "job")
ROWS = st.lists(
    st.tuples(st.sampled_from(KINDS), st.integers(0, 60).map(name_of), st.integers(1, 4)),
    max_size=40, unique_by=lambda row: row[:2],
)  # fmt: skip


@pytest.fixture
def ann(server: Server) -> Iterator[Worker]:
    worker = Worker(server, "ann", 1, (GRID,))
    for number in range(80):
        worker.edit("create", "plot", name_of(number), grid=7, name=f"n{number}")
    worker.sync()
    yield worker
    worker.connection.close()


def _spoil(worker: Worker, how: str, number: int = 3) -> None:
    rec = name_of(number)
    statements = {
        "missing": "DELETE FROM replica_member WHERE rec = ?",
        "row gone": "DELETE FROM replica_row WHERE rec = ?",
        "old": "UPDATE replica_row SET rv = 0, body = '{}' WHERE rec = ?",
        "ahead": "UPDATE replica_row SET rv = 9, body = '{}' WHERE rec = ?",
    }
    if how == "too much":
        worker.phone.memory.put(GRID, "plot", name_of("ghost"), rv=1, values={"name": "ghost"})
    else:
        worker.connection.execute(statements[how], (rec,))


def _names(worker: Worker) -> dict[str, Any]:
    return {rec: row.values.get("name") for rec, row in worker.phone.rows("plot").items()}


@pytest.mark.parametrize("how", ["missing", "row gone", "old", "ahead", "too much"])
def test_one_wrong_row_is_mended_without_a_new_copy(ann: Worker, how: str) -> None:
    right, cursor = _names(ann), ann.phone.cursor
    _spoil(ann, how)
    request, reply = ann.send()
    ann.take(request, reply)
    assert ann.heal() <= 2
    assert _names(ann) == right
    assert ann.phone.cursor is not None and ann.phone.cursor == reply["pull"]["to"] == cursor
    assert ann.send()[1]["pull"]["items"] == []
    assert ann.phone.alarms == [] and ann.phone.healing.wanted() is None


def test_only_the_wrong_bucket_is_listed_and_only_the_wrong_row_sent(ann: Worker) -> None:
    _spoil(ann, "old")
    ann.take(*ann.send())
    question = ann.phone.healing.wanted()
    assert question is not None and len(question["buckets"]) == BUCKETS
    found = ann.server.verify(question, scopes=(GRID,))
    [(number, rows)] = found["buckets"].items()
    assert int(number) == bucket_of("plot", name_of(3)) and len(rows) < 10
    ann.phone.healing.receive(question, found)
    wanted = ann.phone.healing.wanted()
    assert wanted is not None and wanted["want"] == [name_of(3)]
    assert [one["id"] for one in ann.server.verify(wanted, scopes=(GRID,))["items"]] == [name_of(3)]


def test_many_wrong_rows_are_mended_too(ann: Worker) -> None:
    right = _names(ann)
    ann.connection.execute("DELETE FROM replica_row WHERE rec > '8'")
    _spoil(ann, "too much")
    ann.sync()
    assert _names(ann) == right


def test_more_is_missing_than_one_question_may_ask(
    ann: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.healing.WANT_MAX", 30)
    right = _names(ann)
    ann.connection.execute("DELETE FROM replica_row")
    ann.take(*ann.send())
    assert ann.heal() == 4
    assert _names(ann) == right


def test_a_scope_that_moves_on_is_pulled_first_and_mended_then(ann: Worker) -> None:
    bob = Worker(ann.server, "bob", 2, (GRID,))
    bob.sync()
    _spoil(ann, "old")
    ann.take(*ann.send())
    bob.edit("update", "plot", name_of(9), name="bob's")
    bob.sync()
    question = ann.phone.healing.wanted()
    assert question is not None
    with pytest.raises(Problem) as raised:
        ann.server.verify(question, scopes=(GRID,))
    assert (raised.value.status, raised.value.code) == (409, "scope_moved")
    ann.phone.healing.refuse(question)
    ann.sync()
    assert _names(ann) == _names(bob) and _names(ann)[name_of(9)] == "bob's"
    bob.connection.close()


def test_an_answer_that_comes_after_another_page_changes_nothing(ann: Worker) -> None:
    bob = Worker(ann.server, "bob", 2, (GRID,))
    bob.sync()
    _spoil(ann, "old")
    ann.take(*ann.send())
    question = ann.phone.healing.wanted()
    assert question is not None
    answer = ann.server.verify(question, scopes=(GRID,))
    bob.edit("create", "plot", name_of("new"), grid=7, name="new")
    bob.sync()
    ann.take(*ann.send())
    ann.phone.healing.receive(question, answer)
    assert name_of("new") in _names(ann)
    ann.sync()
    assert _names(ann) == _names(bob)
    bob.connection.close()


def test_own_edits_survive_the_mending(ann: Worker) -> None:
    _spoil(ann, "missing")
    ann.edit("update", "plot", name_of(3), name="mine")
    ann.sync()
    assert _names(ann)[name_of(3)] == "mine"


def test_an_app_that_never_asks_gets_a_whole_new_copy_in_the_end(ann: Worker) -> None:
    right = _names(ann)
    _spoil(ann, "row gone")
    again = []
    for _ in range(TRIES_MAX + 2):
        ann.take(*ann.send())
        again.append(bool(ann.phone.memory.recall("healing")))
    assert again == [False] * TRIES_MAX + [True, False]
    assert _names(ann) == right and ann.phone.alarms == []


def test_a_digest_that_cannot_become_right_ends_in_an_alarm(ann: Worker) -> None:
    def lie(reply: dict[str, Any]) -> dict[str, Any]:
        reply["pull"]["digest"][GRID] = "0123456789abcdef"
        return reply

    for _ in range(3):
        request, reply = ann.send()
        ann.take(request, lie(reply))
        ann.heal()
    assert ann.phone.alarms == [GRID]
    assert len(_names(ann)) == 80


def test_a_server_that_names_no_versions_gets_a_whole_reset(ann: Worker) -> None:
    _spoil(ann, "row gone")
    request, reply = ann.send()
    del reply["pull"]["ver"]
    ann.take(request, reply)
    assert ann.phone.memory.recall("healing")
    ann.sync()
    assert len(_names(ann)) == 80


def test_a_scope_lost_before_a_whole_new_copy_is_dropped_with_its_first_page(ann: Worker) -> None:
    _spoil(ann, "row gone")
    request, reply = ann.send()
    del reply["pull"]["ver"]
    ann.take(request, reply)
    ann.scopes = (OTHER,)
    page = ann.send(want_bytes=300)
    assert page[1]["pull"]["drop"] == [GRID] and page[1]["pull"]["reset"] == [OTHER]
    ann.take(*page)
    assert _names(ann) == {}


@given(ROWS, ROWS)
def test_the_buckets_that_differ_hold_all_that_differs(mine: list[Any], theirs: list[Any]) -> None:
    wrong = differing(bucket_digests(mine), theirs)
    apart = set(mine) ^ set(theirs)
    assert set(wrong) == {bucket_of(kind, rec) for kind, rec, _ in apart}
    for number, rows in wrong.items():
        assert sorted(rows) == sorted(r for r in theirs if bucket_of(r[0], r[1]) == number)


def test_another_kind_under_the_same_id_in_the_same_bucket_is_noticed() -> None:
    names = map(name_of, range(10_000))
    rec = next(one for one in names if bucket_of("plot", one) == bucket_of("job", one))
    assert differing(bucket_digests([("plot", rec, 1)]), [("job", rec, 1)])


@given(ROWS)
def test_the_buckets_together_make_the_digest_of_the_scope(rows: list[Any]) -> None:
    total = 0
    for digest in bucket_digests(rows):
        total ^= int(digest, 16)
    assert f"{total:016x}" == as_hex(scope_digest(rows))


def test_the_same_id_under_another_kind_lies_in_another_bucket() -> None:
    numbers = {bucket_of(kind, name_of(1)) for kind in ("plot", "person", "job", "conflict")}
    assert len(numbers) > 1 and all(0 <= number < BUCKETS for number in numbers)
    assert bucket_of("household", "01890a5d-ac96-774b-bcce-b302099a8057") == 7


@pytest.mark.parametrize(
    ("change", "pointer"),
    [({"scope": 7}, "/scope"), ({"ver": "1"}, "/ver"), ({"ver": True}, "/ver"),
     ({"ver": -1}, "/ver"), ({"buckets": ["0" * 16] * 63}, "/buckets"),
     ({"buckets": ["0"] * 64}, "/buckets"), ({"buckets": {}}, "/buckets"),
     ({"buckets": [], "want": []}, "/want"), ({"want": ["x"]}, "/want"),
     ({"want": [name_of(1)] * (WANT_MAX + 1)}, "/want")],
)  # fmt: skip
def test_a_question_that_makes_no_sense_is_refused(change: dict[str, Any], pointer: str) -> None:
    body = {"scope": GRID, "ver": 1, "buckets": ["0" * 16] * 64, **change}
    with pytest.raises(Problem) as raised:
        read_question(body)
    assert (raised.value.status, raised.value.extra["pointer"]) == (400, pointer)


def test_the_bodies_that_are_wanted_come_only_from_the_scope(ann: Worker, stand: Stand) -> None:
    bob = Worker(ann.server, "bob", 2, (OTHER,))
    bob.edit("create", "plot", name_of("other"), grid=8, name="other")
    bob.sync()
    bob.connection.close()
    with stand.open() as store:
        ver = store.scopes([GRID])[GRID].ver
        names = (name_of(1), name_of("other"), name_of("nobody"))
        found = verify(store, Question(GRID, ver, want=names), as_is)
    assert [json.loads(item)["id"] for item in found.items] == [name_of(1)]
