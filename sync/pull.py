"""Send a device what it has not seen: by scope, most urgent first, in pages of bytes.

The cursor holds, for each scope, ``[ver, as_of, rank, position]``: everything up to ``ver`` has
been seen; of what lies between ``ver`` and ``as_of``, everything up to (rank, position) in the
order of urgency. What changes while a device pages gets a version above ``as_of`` and comes in
the next round, so a row can come twice but can never be missed.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sync.cursor import Cursor, Place, read_cursor
from sync.digest import BRIEF_LENGTH, as_hex, brief_name
from sync.edits import Device
from sync.encoding import dump
from sync.store import OUT, PURGE, PUT, FeedRow, ScopeState, Store, Window

PAGE_BYTES = 64 * 1024
PAGE_BYTES_MAX = 4 * 1024 * 1024
PAGE_ROWS_MAX = 5000
ROW_BYTES_GUESSED = 250
FRAME_BYTES = 130
COPY_ROWS_MIN = 300
SCOPES_PER_MARK = 100
AREA = "area:"

Project = Callable[[str, str], str]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a pull; ``items`` are ready JSON objects.

    Attributes:
        wiped: by its cursor the device says that it has carried out all purges of these scopes,
            up to a version of each; the caller writes that down before he answers.
        versions: the version of each scope to which its digest belongs.
        copies: scopes that would come sooner as a ready-made copy.
        marks: (rows before, cursor): from where a device goes on when the page is cut there.
    """

    start: str | None
    cursor: str
    items: Sequence[str]
    drop: Sequence[str]
    reset: Sequence[str]
    complete: bool
    digests: Mapping[str, str]
    last_n: int
    last_id: str | None
    wiped: Mapping[str, int] = field(default_factory=dict)
    versions: Mapping[str, int] = field(default_factory=dict)
    copies: Sequence[str] = ()
    marks: Sequence[tuple[int, str]] = ()
    outs: Mapping[str, str] = field(default_factory=dict)
    """For each scope the brief names of what has left it, one after the other."""
    shown: Mapping[tuple[str, str], tuple[int, int, int]] = field(default_factory=dict)
    """By scope and kind: how many records are shown, and the versions between which they lie."""

    def as_json(self, now: str, anchor: str) -> str:
        """Assemble the answer; the records are joined, never parsed."""
        head = dump({**self._head(now, anchor), **self._tail()})
        return f'{head[:-1]},"items":[{",".join(self.items)}]}}'

    def as_lines(self, now: str, anchor: str) -> Iterator[str]:
        """Yield the answer line by line: head, items with cursors between them, tail."""
        yield dump(self._head(now, anchor))
        done = 0
        for rows, cursor in self.marks:
            yield from self.items[done:rows]
            yield dump({"to": cursor})
            done = rows
        yield from self.items[done:]
        yield dump(self._tail())

    def _head(self, now: str, anchor: str) -> dict[str, Any]:
        return {
            "from": self.start, "drop": list(self.drop), "reset": list(self.reset),
            "last_n": self.last_n, "last_id": self.last_id, "now": now, "anchor": anchor,
            **({"out": dict(self.outs)} if self.outs else {}),
        }  # fmt: skip

    def _tail(self) -> dict[str, Any]:
        return {
            "to": self.cursor, "complete": self.complete, "digest": dict(self.digests),
            "ver": dict(self.versions), "copies": list(self.copies),
        }  # fmt: skip


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
        mark_every: after how many rows a cursor is wanted, 0 for none between them.
        brief: the phone understands what left a scope by brief names.
        linger: tells which of the scopes that are granted no more are dropped only at the end,
            because another scope brings what they held: nothing goes before it is replaced.
    """

    scopes: Sequence[str]
    cursor: str | None
    device: Device
    want_bytes: int = PAGE_BYTES
    project: Project = _as_is
    mark_every: int = 0
    brief: bool = False
    linger: Callable[[Sequence[str]], Collection[str]] = _nothing


def pull(store: Store, request: Pull) -> Page:
    """Return the next page, read in the one snapshot that the caller has opened."""
    epoch = store.epoch()
    given = read_cursor(request.cursor)
    states = store.scopes(request.scopes)
    places, reset = _places(given, epoch, request, states)
    rows, exhausted = _rows(store, request, places, states)
    brief = [row for row in rows if _is_brief(row, request)]
    full = [row for row in rows if not _is_brief(row, request)]
    items = [item_of(row, request.project) for row in full]
    moved = _moved(places, rows, states, exhausted=exhausted)
    usable = given if given and given.epoch == epoch else None
    known = usable if usable and usable.purged else None
    between = known is not None and any(place.between for place in known.places.values())
    purged = between or any(row.op == PURGE for row in rows)
    complete = exhausted and all(
        moved[scope].ver == states[scope].ver for scope in places if scope in states
    )
    granted = set(request.scopes)
    left = [scope for scope in (given.places if given else ()) if scope not in granted]
    kept = _kept(usable, left, request, complete=complete)
    begun = Cursor(epoch, {**_moved(places, (), states, exhausted=False), **kept}, purged)
    reached = {s: states.get(s, ScopeState(0, 0, 0, 0)) for s in places} if complete else {}
    return Page(
        request.cursor,
        Cursor(epoch, {**moved, **kept}, purged).write(),
        items,
        [scope for scope in left if scope not in kept],
        reset,
        complete,
        {scope: as_hex(state.digest) for scope, state in reached.items()},
        request.device.last_n,
        request.device.last_id,
        _wiped(known) if known and not between else {},
        {scope: state.ver for scope, state in reached.items()},
        () if exhausted else [s for s in places if _is_large(moved[s], states.get(s))],
        list(_marks(begun, request, full)),
        _brief_outs(brief),
        shown_by(full),
    )


def shown_by(rows: Iterable[FeedRow]) -> dict[tuple[str, str], tuple[int, int, int]]:
    """Count the records that rows show, by scope and kind, with their first and last version."""
    shown: dict[tuple[str, str], tuple[int, int, int]] = {}
    for row in rows:
        if row.op == PUT:
            count, first, last = shown.get((row.scope, row.kind), (0, row.ver, row.ver))
            shown[row.scope, row.kind] = (count + 1, min(first, row.ver), max(last, row.ver))
    return shown


def _wiped(given: Cursor) -> dict[str, int]:
    return {scope: place.ver for scope, place in given.places.items()}


def _is_large(place: Place, state: ScopeState | None) -> bool:
    """Tell whether a scope is new to a device and large enough for a ready-made copy."""
    return state is not None and place.ver == 0 and state.live >= COPY_ROWS_MIN


def _marks(begun: Cursor, request: Pull, rows: Sequence[FeedRow]) -> Iterator[tuple[int, str]]:
    """Yield cursors to go on from within a page; of many scopes they are long, and rarer.

    Args:
        begun: where the device stands before the first row.
    """
    step = request.mark_every * max(1, len(begun.places) // SCOPES_PER_MARK)
    moved = dict(begun.places)
    for count, row in enumerate(rows if step else (), start=1):
        moved[row.scope] = moved[row.scope]._replace(rank=row.rank, position=row.ver)
        if count % step == 0 and count < len(rows):
            yield count, replace(begun, places=moved).write()


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
        spoken = [scope for scope in request.scopes if not is_silent(scope, None, states)]
        return {scope: Place() for scope in spoken}, spoken if request.cursor else []
    places, reset = {}, []
    for scope in request.scopes:
        if is_silent(scope, given.places.get(scope), states):
            continue
        place, state = given.places.get(scope), states.get(scope, ScopeState(0, 0, 0, 0))
        if place is None:
            places[scope] = Place()
        elif is_lost(place, state):
            places[scope] = Place()
            reset.append(scope)
        else:
            places[scope] = place
    return places, reset


def is_silent(scope: str, place: Place | None, states: Mapping[str, ScopeState]) -> bool:
    """Tell whether nothing need be said of a scope: of an area to which nothing was ever written.

    A device has some of them for each post, and its pages and cursors would grow by all of them.
    """
    return scope.startswith(AREA) and scope not in states and not (place and place.ver)


def is_lost(place: Place, state: ScopeState) -> bool:
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
               place.rank, place.position, turn_of(scope))
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


def turn_of(scope: str) -> int:
    """Return how early a scope is sent: what is one's own, then the lists, then the areas."""
    return 0 if scope.startswith("me:") else 1 if scope == "ref" else 2


def _is_brief(row: FeedRow, request: Pull) -> bool:
    return request.brief and row.op == OUT


def _cost(row: FeedRow, request: Pull) -> int:
    """Return about how many bytes a row takes."""
    if _is_brief(row, request):
        return BRIEF_LENGTH
    body = row.body or ""
    return FRAME_BYTES + (len(body) if body.isascii() else len(body.encode()))


def item_of(row: FeedRow, project: Project) -> str:
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
        for scope, row in {row.scope: row for row in rows}.items():
            moved[scope] = moved[scope]._replace(rank=row.rank, position=row.ver)
    return moved
