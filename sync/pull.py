"""Send a device what it has not seen: by scope, most urgent first, in pages of bytes.

The cursor holds, for each scope, ``[ver, as_of, rank, position]``: everything up to ``ver`` has
been seen; of what lies between ``ver`` and ``as_of``, everything up to (rank, position) in the
order of urgency. What changes while a device pages gets a version above ``as_of`` and comes in
the next round, so a row can come twice but can never be missed.
"""

import base64
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sync.digest import BRIEF_LENGTH, as_hex, brief_name
from sync.edits import Device
from sync.store import OUT, PUT, FeedRow, ScopeState, Store, Window

PAGE_BYTES = 64 * 1024
PAGE_BYTES_MAX = 4 * 1024 * 1024
PAGE_ROWS_MAX = 5000
ROW_BYTES_GUESSED = 250
FRAME_BYTES = 130
CURSOR_CHARACTERS_MAX = 16_384
CURSOR_SCOPES_MAX = 1_000

Project = Callable[[str, str], str]


class Place(NamedTuple):
    """Where a device stands in one scope."""

    ver: int = 0
    as_of: int = 0
    rank: int = -1
    position: int = 0

    @property
    def between(self) -> bool:
        """Tell whether a round has been begun and not finished."""
        return self.as_of > self.ver


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a device stands in all its scopes, in one epoch."""

    epoch: str
    places: Mapping[str, Place]

    def write(self) -> str:
        """Return the cursor as opaque text."""
        shape = [self.epoch, {scope: list(place) for scope, place in self.places.items()}]
        raw = json.dumps(shape, separators=(",", ":"), sort_keys=True).encode()
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def read_cursor(text: str | None) -> Cursor | None:
    """Read a cursor; None when there is none or it makes no sense (which is never an error)."""
    if not text or len(text) > CURSOR_CHARACTERS_MAX:
        return None
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        epoch, shape = json.loads(raw)
        places = {str(scope): _place(place) for scope, place in shape.items()}
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
    return Cursor(str(epoch), places) if len(places) <= CURSOR_SCOPES_MAX else None


def _place(numbers: Any) -> Place:
    if len(numbers) != 4 or not all(type(one) is int and abs(one) < 2**62 for one in numbers):
        raise ValueError("not a place")
    return Place(*numbers)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a pull; ``items`` are ready JSON objects."""

    start: str | None
    cursor: str
    items: Sequence[str]
    drop: Sequence[str]
    reset: Sequence[str]
    complete: bool
    digests: Mapping[str, str]
    last_n: int
    last_id: str | None
    outs: Mapping[str, str] = field(default_factory=dict)
    """For each scope the brief names of what has left it, one after the other."""

    def as_json(self, now: str, anchor: str) -> str:
        """Assemble the answer; the records are joined, never parsed."""
        frame = {
            "from": self.start, "to": self.cursor, "drop": list(self.drop),
            "reset": list(self.reset), "complete": self.complete, "digest": dict(self.digests),
            "last_n": self.last_n, "last_id": self.last_id, "now": now, "anchor": anchor,
            **({"out": dict(self.outs)} if self.outs else {}),
        }  # fmt: skip
        head = json.dumps(frame, ensure_ascii=False, separators=(",", ":"))
        return f'{head[:-1]},"items":[{",".join(self.items)}]}}'


def _as_is(_kind: str, body: str) -> str:
    return body


def _nothing(_left: Sequence[str]) -> Collection[str]:
    return ()


@dataclass(frozen=True, slots=True)
class Pull:
    """What a pull needs to know.

    Attributes:
        scopes: the scopes granted now, most important first.
        project: turns the body of a kind into what this role may see.
        brief: the phone understands what left a scope by brief names.
        linger: tells which of the scopes that are granted no more are dropped only at the end,
            because another scope brings what they held: nothing goes before it is replaced.
    """

    scopes: Sequence[str]
    cursor: str | None
    device: Device
    want_bytes: int = PAGE_BYTES
    project: Project = _as_is
    brief: bool = False
    linger: Callable[[Sequence[str]], Collection[str]] = _nothing


def pull(store: Store, request: Pull) -> Page:
    """Return the next page, read in the one snapshot that the caller has opened."""
    epoch = store.epoch()
    given = read_cursor(request.cursor)
    states = store.scopes(request.scopes)
    places, reset = _places(given, epoch, request, states)
    rows, exhausted = _rows(store, request, places, states)
    brief = [row for row in rows if request.brief and row.op == OUT]
    items = [_item(row, request.project) for row in rows if not (request.brief and row.op == OUT)]
    moved = _moved(places, rows, states, exhausted=exhausted)
    complete = exhausted and all(
        moved[scope].ver == states[scope].ver for scope in places if scope in states
    )
    left = [scope for scope in (given.places if given else ()) if scope not in places]
    usable = given if given and given.epoch == epoch else None
    kept = _kept(usable, left, request, complete=complete)
    digests = {scope: as_hex(states[scope].digest) for scope in places if scope in states}
    return Page(
        request.cursor,
        Cursor(epoch, {**moved, **kept}).write(),
        items,
        [scope for scope in left if scope not in kept],
        reset,
        complete,
        digests if complete else {},
        request.device.last_n,
        request.device.last_id,
        _brief_outs(brief),
    )


def _kept(
    given: Cursor | None, left: Sequence[str], request: Pull, *, complete: bool
) -> dict[str, Place]:
    """Return the scopes that stay with the phone until it holds what replaces them."""
    if given is None or not left or complete:
        return {}
    return {scope: given.places[scope] for scope in request.linger(left)}


def _brief_outs(rows: Sequence[FeedRow]) -> dict[str, str]:
    outs: dict[str, str] = {}
    for row in rows:
        outs[row.scope] = outs.get(row.scope, "") + brief_name(row.kind, row.record)
    return outs


def _places(
    given: Cursor | None, epoch: str, request: Pull, states: Mapping[str, ScopeState]
) -> tuple[dict[str, Place], list[str]]:
    """Return where the device stands in each granted scope, and which scopes start again."""
    if given is None or given.epoch != epoch:
        again = list(request.scopes) if request.cursor else []
        return {scope: Place() for scope in request.scopes}, again
    places, reset = {}, []
    for scope in request.scopes:
        place, state = given.places.get(scope), states.get(scope, ScopeState(0, 0, 0, 0))
        if place is None:
            places[scope] = Place()
        elif _is_lost(place, state):
            places[scope] = Place()
            reset.append(scope)
        else:
            places[scope] = place
    return places, reset


def _is_lost(place: Place, state: ScopeState) -> bool:
    """Tell whether a device must start a scope again.

    Above the version, it has seen what this store has not. Below the floor, it has missed
    tombstones; but a copy that began from nothing needs none from before its round.
    """
    if max(place.ver, place.as_of) > state.ver:
        return True
    return place.ver < state.floor and (place.ver > 0 or place.as_of < state.floor)


def _rows(
    store: Store, request: Pull, places: Mapping[str, Place], states: Mapping[str, ScopeState]
) -> tuple[list[FeedRow], bool]:
    """Read as many rows as the budget of bytes allows; tell whether the windows are empty."""
    windows = [
        Window(scope, place.ver, place.as_of if place.between else states[scope].ver,
               place.rank, place.position)
        for scope, place in places.items()
        if scope in states and (place.between or states[scope].ver > place.ver)
    ]  # fmt: skip
    if not windows:
        return [], True
    budget = max(1, min(request.want_bytes, PAGE_BYTES_MAX))
    limit = min(PAGE_ROWS_MAX, budget // ROW_BYTES_GUESSED + 20)
    rows: list[FeedRow] = []
    spent = 0
    found = store.feed(windows, limit)
    for row in found:
        spent += _cost(row, request)
        if rows and spent > budget:
            return rows, False
        rows.append(row)
    return rows, len(found) < limit


def _cost(row: FeedRow, request: Pull) -> int:
    """Return about how many bytes a row takes."""
    if request.brief and row.op == OUT:
        return BRIEF_LENGTH
    return FRAME_BYTES + len((row.body or "").encode())


def _item(row: FeedRow, project: Project) -> str:
    """Frame one row; ids, kinds and scopes are ours and need no escaping."""
    head = f'{{"s":"{row.scope}","op":"{row.op}","t":"{row.kind}","id":"{row.record}","rv":{row.rv}'
    if row.op != PUT or row.body is None:
        return head + "}"
    return f'{head},"f":{project(row.kind, row.body)}}}'


def _moved(
    places: Mapping[str, Place],
    rows: Sequence[FeedRow],
    states: Mapping[str, ScopeState],
    *,
    exhausted: bool,
) -> dict[str, Place]:
    """Return where the device stands after a page."""
    moved = {}
    for scope, place in places.items():
        until = place.as_of if place.between else (states[scope].ver if scope in states else 0)
        moved[scope] = Place(until, until) if exhausted else place._replace(as_of=until)
    if not exhausted:
        for row in rows:
            moved[row.scope] = moved[row.scope]._replace(rank=row.rank, position=row.ver)
    return moved
