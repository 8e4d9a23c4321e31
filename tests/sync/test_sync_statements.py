"""The number of statements of a request does not depend on how much it carries."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from sync.edits import Edit
from tests.sync.house import Phone, SqlStand, Stand, name_of

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
    assert many <= few <= 22


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
