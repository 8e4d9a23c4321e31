"""The number of statements of a request does not depend on how much it carries."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from sync import parking, snapshot
from sync.edits import Edit
from sync.head import head
from sync.stores.sql import SqlStore
from sync.verify import Question, verify
from tests.sync.house import NOW_MS, Phone, SqlStand, Stand, name_of
from tests.sync.server import as_is

pytestmark = pytest.mark.parametrize("lasting", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def base(stand: Stand) -> SqlStand:
    assert isinstance(stand, SqlStand)
    return stand


@contextmanager
def _counted(stand: SqlStand) -> Iterator[list[str]]:
    said: list[str] = []

    def hear(*told: object) -> None:
        said.append(str(told[2]))

    sa.event.listen(stand.engine, "before_cursor_execute", hear)
    yield said
    sa.event.remove(stand.engine, "before_cursor_execute", hear)


def _creations(phone: Phone, count: int) -> list[Edit]:
    return [
        phone.edit("create", "plot", name_of(f"{phone.n}"), set={"grid": phone.n % 9 + 1})
        for _ in range(count)
    ]


def _mixed(phone: Phone, count: int) -> list[Edit]:
    """Return edits of every sort: clashing, bad, held back, deleting, all on known records."""
    makers = (
        lambda n: phone.edit("update", "plot", name_of(f"{n}"), base=0, set={"owner": f"o{n}"}),
        lambda n: phone.edit("update", "plot", name_of(f"{n}"), base=0, set={"name": "x" * 41}),
        lambda n: phone.edit("update", "plot", name_of(f"{n}"), base=1, set={"grid": 3}),
        lambda n: phone.edit("delete", "plot", name_of(f"{n}"), base=9),
    )
    return [makers[n % 4](n) for n in range(count)]


def _statements(stand: SqlStand, phone: Phone, edits: list[Edit]) -> int:
    with _counted(stand) as said:
        phone.push(*edits)
    return len(said)


def test_a_hundred_creations_take_as_many_statements_as_one(base: SqlStand, ann: Phone) -> None:
    one = _statements(base, ann, _creations(ann, 1))
    hundred = _statements(base, ann, _creations(ann, 100))
    assert hundred == one <= 12


def test_a_hundred_mixed_edits_take_as_many_as_four(base: SqlStand, ann: Phone, bob: Phone) -> None:
    ann.push(*_creations(ann, 100))
    bob.push(*_mixed(bob, 4))
    few = _statements(base, bob, _mixed(bob, 4))
    many = _statements(base, bob, _mixed(bob, 100))
    # Six of them look for what would go along: one edit in four speaks of another grid.
    assert many <= few <= 24


def test_a_resent_batch_is_answered_by_two_statements(base: SqlStand, ann: Phone) -> None:
    edits = _creations(ann, 100)
    ann.push(*edits)
    assert _statements(base, ann, edits) == 2


def test_a_large_page_takes_as_many_statements_as_a_small_one(base: SqlStand, ann: Phone) -> None:
    ann.push(*_creations(ann, 100))
    scopes = [f"grid:{n}" for n in range(1, 10)]
    counts = set()
    for want in (300, 10**6):
        with _counted(base) as said:
            ann.pull(scopes, want_bytes=want)
        counts.add(len(said))
    assert len(counts) == 1 and max(counts) <= 5


def test_releasing_a_long_chain_takes_as_many_statements_as_a_short_one(
    base: SqlStand, ann: Phone, bob: Phone
) -> None:
    counts = []
    for turn, length in enumerate((2, 60)):
        plot = name_of(f"root {turn}")
        root = ann.edit("create", "plot", plot, set={"grid": 7, "name": "x" * 41})
        held = [ann.edit("update", "plot", plot, set={"owner": f"o{n}"}) for n in range(length)]
        assert {one["status"] for one in ann.push(root, *held).results} == {"parked", "held"}
        repair = bob.edit("repair", "parked", root.id, set={"name": "short"})
        counts.append(_statements(base, bob, [repair]))
    assert counts[0] == counts[1] <= 20


def test_expiring_many_takes_as_many_statements_as_one(base: SqlStand, ann: Phone) -> None:
    counts = []
    for number in (1, 50):
        ann.push(*(ann.edit("create", "castle", name_of(f"{ann.n}")) for _ in range(number)))
        with _counted(base) as said, base.open() as store:
            assert parking.expire(store, NOW_MS + 1) == number
        counts.append(len(said))
    assert counts[0] == counts[1]


def test_a_copy_a_check_and_a_head_take_the_same_statements_however_much_there_is(
    base: SqlStand, ann: Phone
) -> None:
    def asked() -> list[int]:
        counts = []
        scopes = [f"grid:{n}" for n in range(1, 10)]
        cursor = ann.pull(scopes).cursor
        for ask in (
            lambda store: snapshot.make(store, "grid:1", as_is),
            lambda store: verify(store, _question(store), as_is),
            lambda store: head(store, scopes, cursor),
            lambda store: store.receipts(ann.device, after_n=0, limit=500),
        ):
            with _counted(base) as said, base.open() as store:
                ask(store)
            counts.append(len(said))
        return counts

    ann.push(*_creations(ann, 9))
    few = asked()
    ann.push(*_creations(ann, 90))
    assert asked() == few
    assert max(few) <= 6


def _question(store: SqlStore) -> Question:
    want = tuple(rec for _, rec, _ in store.shown("grid:1"))
    return Question("grid:1", store.scopes(["grid:1"])["grid:1"].ver, ("0" * 16,) * 64, want)


def test_a_thousand_scopes_are_read_with_as_many_statements_as_one(
    base: SqlStand, ann: Phone
) -> None:
    ann.push(*_creations(ann, 20))
    counts = set()
    for scopes in (1, 1000):
        with _counted(base) as said:
            ann.pull([f"grid:{n}" for n in range(1, scopes + 1)])
        counts.add(len(said))
    assert len(counts) == 1
