"""Find out which few rows of a copy are wrong, when its digest is not that of the scope."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sync.digest import BUCKETS, bucket_digests, bucket_of
from sync.errors import Problem
from sync.pull import Project, item_of, shown_by
from sync.store import Store
from sync.values import as_identity

WANT_MAX = 500
HEX_CHARACTERS = 16
Known = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Question:
    """What a device asks of one scope, at the version that its copy has.

    Attributes:
        buckets: the digests of its 64 buckets, to learn which differ.
        want: ids of records of which it wants the bodies.
    """

    scope: str
    ver: int
    buckets: tuple[str, ...] = ()
    want: tuple[str, ...] = ()


def read_question(body: Mapping[str, Any]) -> Question:
    """Read a question.

    Raises:
        Problem: 400 with a pointer to what is wrong.
    """
    scope, ver = body.get("scope"), body.get("ver")
    if not isinstance(scope, str):
        raise Problem(400, "malformed_request", pointer="/scope")
    if type(ver) is not int or not 0 <= ver < 2**62:
        raise Problem(400, "malformed_request", pointer="/ver")
    buckets, want = body.get("buckets", []), body.get("want", [])
    if not isinstance(buckets, list) or len(buckets) not in (0, BUCKETS):
        raise Problem(400, "malformed_request", pointer="/buckets")
    if not all(isinstance(one, str) and len(one) == HEX_CHARACTERS for one in buckets):
        raise Problem(400, "malformed_request", pointer="/buckets")
    if not isinstance(want, list) or len(want) > WANT_MAX:
        raise Problem(400, "malformed_request", pointer="/want", most=WANT_MAX)
    wanted = tuple(name for name in map(as_identity, want) if name)
    if len(wanted) != len(want) or not (buckets or want):
        raise Problem(400, "malformed_request", pointer="/want")
    return Question(scope, ver, tuple(buckets), wanted)


@dataclass(frozen=True, slots=True)
class Finding:
    """What differs, and the bodies that were wanted, all at one version of the scope.

    Attributes:
        buckets: for each bucket that differs, (kind, id, version) of all that it should hold.
        items: ready JSON objects, as in a pull.
        shown: what they show, as in a pull.
    """

    ver: int
    buckets: Mapping[int, Sequence[Known]]
    items: Sequence[str]
    shown: Mapping[tuple[str, str], tuple[int, int, int]] = field(default_factory=dict)


def verify(store: Store, question: Question, project: Project) -> Finding:
    """Compare a device's copy with the scope, in the one snapshot that the caller has opened.

    Raises:
        Problem: 409 ``scope_moved``, when the scope has another version: pull first.
    """
    state = store.scopes([question.scope]).get(question.scope)
    if state is None or state.ver != question.ver:
        raise Problem(409, "scope_moved", scope=question.scope, ver=state.ver if state else 0)
    wrong: dict[int, list[Known]] = {}
    if question.buckets:
        shown = store.shown(question.scope)
        wrong = differing(question.buckets, shown)
    rows = store.picked(question.scope, question.want) if question.want else ()
    items = [item_of(row, project) for row in rows]
    return Finding(state.ver, wrong, items, shown_by(rows))


def differing(buckets: Sequence[str], shown: Iterable[Known]) -> dict[int, list[Known]]:
    """Return what the buckets should hold that do not have these digests."""
    rows = sorted(shown)
    right = bucket_digests(rows)
    wrong: dict[int, list[Known]] = {
        number: [] for number in range(BUCKETS) if right[number] != buckets[number]
    }
    for row in rows:
        number = bucket_of(row[0], row[1])
        if number in wrong:
            wrong[number].append(row)
    return wrong
