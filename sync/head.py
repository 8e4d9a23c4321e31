"""Tell whether anything is new for a device, without sending any of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sync.cursor import Cursor, read_cursor
from sync.pull import is_lost, is_silent
from sync.store import ScopeState, Store


@dataclass(frozen=True, slots=True)
class Head:
    """What a pull would be about.

    Attributes:
        changed: scopes that a pull would send anything of, or send again, or drop.
        seen: for each granted scope the version that the device has seen, 0 when none.
    """

    epoch: str
    changed: Sequence[str]
    seen: Mapping[str, int]


def head(store: Store, scopes: Sequence[str], cursor: str | None) -> Head:
    """Compare a cursor with the granted scopes, in the one snapshot that is open."""
    epoch, states, given = store.epoch(), store.scopes(scopes), read_cursor(cursor)
    if given is None or given.epoch != epoch:
        return Head(epoch, list(scopes), {})
    changed = [scope for scope in scopes if _is_behind(scope, given, states)]
    dropped = sorted(given.places.keys() - set(scopes))
    return Head(epoch, [*changed, *dropped], {
        scope: given.places[scope].ver if scope in given.places else 0 for scope in scopes
    })  # fmt: skip


def _is_behind(scope: str, given: Cursor, states: Mapping[str, ScopeState]) -> bool:
    place, state = given.places.get(scope), states.get(scope, ScopeState(0, 0, 0, 0))
    if is_silent(scope, place, states):
        return False
    if place is None:
        return True
    return place.between or place.ver != state.ver or is_lost(place, state)


def moved(seen: Mapping[str, int], versions: Mapping[str, int]) -> list[str]:
    """Return the scopes that are not at the version that a device has seen."""
    return [scope for scope, ver in seen.items() if versions.get(scope, 0) != ver]
