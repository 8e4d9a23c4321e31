"""Planted bugs of copies and healing that a history cannot show: each fails a test of its own."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from sync import digest, first_copies, head, healing, lines, snapshot, verify
from sync.first_copies import CopyReply, FirstCopies
from sync.replica_tables import Memory
from tests.sync import test_sync_copies as copies
from tests.sync import test_sync_head as heads
from tests.sync import test_sync_healing as mending
from tests.sync import test_sync_lines as in_lines
from tests.sync.house import MemoryStand, Phone, name_of
from tests.sync.server import Server
from tests.sync.worker import Worker

Plant = Callable[[pytest.MonkeyPatch], None]
Proof = Callable[[pytest.MonkeyPatch], None]


def _workers(patch: pytest.MonkeyPatch, proof: Callable[..., None]) -> None:
    """Run a test of copies with two phones, on the store in memory."""
    server = Server(MemoryStand())
    patch.setattr("sync.pull.COPY_ROWS_MIN", 10)
    ann, bob = (Worker(server, word, 1, (copies.GRID,)) for word in ("ann", "bob"))
    with closing(ann.connection), closing(bob.connection):
        proof(server, ann, bob)


def _mender(proof: Callable[[Worker], None]) -> None:
    ann = Worker(Server(MemoryStand()), "ann", 1, (mending.GRID,))
    for number in range(80):
        ann.edit("create", "plot", name_of(number), grid=7, name=f"n{number}")
    ann.sync()
    with closing(ann.connection):
        proof(ann)


def _mixed(patch: pytest.MonkeyPatch) -> None:
    proof = copies.test_the_rest_of_another_copy_is_never_put_behind_the_first_part
    _workers(patch, lambda server, ann, bob: proof(server, None, ann, bob))


def _damaged(patch: pytest.MonkeyPatch) -> None:
    copies.test_a_copy_that_was_cut_is_no_copy()


def _twice(patch: pytest.MonkeyPatch) -> None:
    proof = copies.test_a_copy_that_arrives_twice_is_taken_once
    _workers(patch, lambda server, ann, bob: proof(server, None, ann, bob))


def _buckets(patch: pytest.MonkeyPatch) -> None:
    mending.test_the_buckets_that_differ_hold_all_that_differs()


def _same_bucket(patch: pytest.MonkeyPatch) -> None:
    mending.test_another_kind_under_the_same_id_in_the_same_bucket_is_noticed()


def _kinds(patch: pytest.MonkeyPatch) -> None:
    mending.test_the_same_id_under_another_kind_lies_in_another_bucket()


def _one_row(patch: pytest.MonkeyPatch) -> None:
    _mender(lambda ann: mending.test_one_wrong_row_is_mended_without_a_new_copy(ann, "too much"))


def _late_answer(patch: pytest.MonkeyPatch) -> None:
    _mender(mending.test_an_answer_that_comes_after_another_page_changes_nothing)


def _moved_on(patch: pytest.MonkeyPatch) -> None:
    _mender(mending.test_a_scope_that_moves_on_is_pulled_first_and_mended_then)


def _cut_lines(patch: pytest.MonkeyPatch) -> None:
    stand = MemoryStand()
    ann, bob = Phone(stand, "ann"), Worker(Server(stand), "bob", 2, (in_lines.GRID,))
    with closing(bob.connection):
        in_lines.test_a_pull_cut_at_any_byte_keeps_its_whole_lines_and_goes_on(ann, bob)


def _since(patch: pytest.MonkeyPatch) -> None:
    stand = MemoryStand()
    heads.test_every_change_since_the_question_is_seen_by_comparing_with_it(
        stand, Phone(stand, "ann")
    )


def _old(patch: pytest.MonkeyPatch) -> None:
    copies.test_a_copy_is_made_anew_when_it_is_old_or_its_cursor_would_be_reset()


# -- the bugs -------------------------------------------------------------------------------------


def range_resumed_over_another_version(patch: pytest.MonkeyPatch) -> None:
    """Put whatever comes behind what is there, and believe that it fits."""
    right = FirstCopies.receive

    def wrong(self: FirstCopies, request: Any, reply: CopyReply) -> bool:
        return right(self, request, replace(reply, tag=request.tag or reply.tag))

    patch.setattr(FirstCopies, "receive", wrong)


def copy_not_proved(patch: pytest.MonkeyPatch) -> None:
    """Take a copy without looking whether it holds what its digest says."""
    patch.setattr(snapshot, "_only", lambda scope, items: True)
    patch.setattr(snapshot, "scope_digest", lambda rows: 0 * len(list(rows)))


def copy_taken_again(patch: pytest.MonkeyPatch) -> None:
    """Take every copy that comes, also one that nobody waits for any more."""
    right = Memory.recall
    patch.setattr(Memory, "recall", lambda self, name, default=None: (
        [copies.GRID] if name == "offered" else right(self, name, default)))  # fmt: skip


def bucket_digest_forgets_kind(patch: pytest.MonkeyPatch) -> None:
    """Leave the kind out of the digest of a bucket."""

    def wrong(kind: str, record: str, rv: int) -> int:
        raw = hashlib.sha256(f"{record}:{rv}".encode()).digest()[:8]
        return int.from_bytes(raw, "big", signed=True)

    patch.setattr(digest, "record_digest", wrong)


def bucket_forgets_kind(patch: pytest.MonkeyPatch) -> None:
    """Choose the bucket of a record by its id alone."""
    patch.setattr(mending, "bucket_of", lambda kind, record: (
        hashlib.sha256(record.encode()).digest()[0] >> 2))  # fmt: skip


def missing_buckets_not_listed(patch: pytest.MonkeyPatch) -> None:
    """Forget the buckets of which the scope holds nothing."""
    right = verify.differing

    def wrong(buckets: Sequence[str], shown: Any) -> Any:
        return {number: rows for number, rows in right(buckets, shown).items() if rows}

    patch.setattr(mending, "differing", wrong)


def what_is_too_much_stays(patch: pytest.MonkeyPatch) -> None:
    """Fetch what is missing only."""
    patch.setattr(Memory, "leave", lambda *_: None)


def late_answer_believed(patch: pytest.MonkeyPatch) -> None:
    """Keep a doubt when another page is applied, and mend by an answer from before it."""
    right = Memory.keep

    def wrong(self: Memory, **values: Any) -> None:
        if values.get("doubts") == {}:
            del values["doubts"]
        right(self, **values)

    patch.setattr(Memory, "keep", wrong)


def verified_at_another_version(patch: pytest.MonkeyPatch) -> None:
    """Answer by what the scope shows now, whatever version was asked about."""

    def wrong(store: Any, question: Any, project: Any) -> Any:
        state = store.scopes([question.scope])[question.scope]
        return verify.verify(store, replace(question, ver=state.ver), project)

    patch.setattr("tests.sync.server.verify", wrong)


def half_a_line_counts(patch: pytest.MonkeyPatch) -> None:
    """Take the items behind the last cursor of a cut pull for received."""
    right = lines.pages

    def wrong(told: Any) -> Iterator[Any]:
        told = list(told)
        yield from right(told)
        if told and '"op"' in told[-1]:
            last = list(right(told))
            yield {
                **(last[-1] if last else {"from": None, "to": None}),
                "items": [json.loads(told[-1])],
            }

    patch.setattr(in_lines, "pages", wrong)


def watcher_counts_from_its_own_look(patch: pytest.MonkeyPatch) -> None:
    """Compare with what was there at the last look, not with what the phone has seen."""
    before: dict[str, int] = {}

    def wrong(seen: Any, versions: Any) -> list[str]:
        found = [s for s in seen if before.get(s, versions.get(s, 0)) != versions.get(s, 0)]
        before.update(versions)
        return found

    patch.setattr(heads, "moved", wrong)


def copy_below_the_floor_given(patch: pytest.MonkeyPatch) -> None:
    """Give out copies whose cursor would be reset at once."""
    right = snapshot.still_good
    patch.setattr(snapshot, "still_good", lambda ver, state: right(ver, state._replace(floor=0)))


PLANTED: Sequence[tuple[Plant, Proof]] = (
    (range_resumed_over_another_version, _mixed), (copy_not_proved, _damaged),
    (copy_taken_again, _twice), (bucket_digest_forgets_kind, _same_bucket),
    (bucket_forgets_kind, _kinds), (missing_buckets_not_listed, _buckets),
    (what_is_too_much_stays, _one_row), (late_answer_believed, _late_answer),
    (verified_at_another_version, _moved_on), (half_a_line_counts, _cut_lines),
    (watcher_counts_from_its_own_look, _since), (copy_below_the_floor_given, _old),
)  # fmt: skip


@pytest.mark.parametrize(("plant", "proof"), PLANTED, ids=lambda one: one.__name__)
def test_a_planted_bug_fails_a_test(
    plant: Plant, proof: Proof, monkeypatch: pytest.MonkeyPatch
) -> None:
    proof(monkeypatch)
    plant(monkeypatch)
    with pytest.raises((AssertionError, pytest.fail.Exception, KeyError, ExceptionGroup)):
        proof(monkeypatch)


def test_the_planted_bugs_touch_what_is_really_used() -> None:
    assert first_copies.FirstCopies is FirstCopies and healing.WANT_MAX == verify.WANT_MAX
    assert head.moved is heads.moved
