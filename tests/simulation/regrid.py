"""Grids that are merged and split while phones are offline, as the office's use cases do it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sync.edits import Record

if TYPE_CHECKING:
    from tests.simulation.world import World

ORDER = ("plot", "person", "job")


class Regrid:
    """Which grid stands for which, and how records go from one to the other.

    Attributes:
        heirs: for each grid that has ended, the one that took it over.
        past: when that has changed, and how it was from then on.
    """

    def __init__(self, world: "World") -> None:
        self.world = world
        self.heirs: dict[int, int] = {}
        self.past: list[tuple[int, Mapping[int, int]]] = []

    @property
    def ever(self) -> bool:
        """Tell whether any grid was ever taken over."""
        return bool(self.past)

    def present(self, grid: int) -> int:
        """Return the grid that now stands for one."""
        return _heir(self.heirs, grid)

    def present_at(self, grid: int, at_ms: int) -> int:
        """Return the grid that stood for one at a moment."""
        known = [heirs for ms, heirs in self.past if ms <= at_ms]
        return _heir(known[-1] if known else {}, grid)

    def is_ended(self, grid: object) -> bool:
        """Tell whether a grid stands no longer."""
        return grid in self.heirs

    def merge(self, grids: Sequence[int]) -> None:
        """Let one grid take over another: its people, its records, its ground."""
        standing = [grid for grid in grids if grid not in self.heirs]
        if len(standing) < 2:
            return
        old, new = self.world.rng.sample(standing, 2)
        self._carry_posts(old, new)
        self.heirs[old] = new
        self._note()
        self._move(old, new, share=1.0)

    def split(self) -> None:
        """Let an ended grid stand again, with half of what its heir holds."""
        if not self.heirs:
            return
        old = self.world.rng.choice(sorted(self.heirs))
        source = self.present(old)
        del self.heirs[old]
        self._note()
        for user in self.world.users:
            if self.world.grants.in_charge(user, source, self.world.now_ms):
                self.world.grants.give(user, old, self.world.now_ms)
        self._move(source, old, share=0.5)

    def lingering(self, user: int, left: Iterable[str]) -> Collection[str]:
        """Return the scopes that stay with a phone until their heirs have come."""
        if not self.heirs:
            return ()
        granted = self.world.granted(user)
        return {scope for scope in left
                if scope != f"grid:{self.present(_grid(scope))}"
                and f"grid:{self.present(_grid(scope))}" in granted}  # fmt: skip

    def present_scope(self, scope: str) -> str:
        """Return the scope that now stands for one."""
        return f"grid:{self.present(_grid(scope))}"

    def _note(self) -> None:
        self.past.append((self.world.now_ms, dict(self.heirs)))

    def _carry_posts(self, old: int, new: int) -> None:
        for user in self.world.users:
            if self.world.grants.in_charge(user, old, self.world.now_ms):
                self.world.grants.end(user, old, self.world.now_ms)
                self.world.grants.give(user, new, self.world.now_ms)

    def _move(self, old: int, new: int, *, share: float) -> None:
        """Move what lies in a grid, each record after what it follows."""
        for kind in ORDER:
            for record in self._lying(kind, old):
                if self._follows_there(record, old):
                    continue
                if share == 1.0 or self.world.rng.random() < share:
                    self.world.as_office("update", kind, record.id, {"grid": new}, base=record.rv)

    def _lying(self, kind: str, grid: int) -> list[Record]:
        records = self.world.stand.records()
        return [one for key, one in sorted(records.items())
                if key[0] == kind and not one.deleted and one.values["grid"] == grid]  # fmt: skip

    def _follows_there(self, record: Record, grid: int) -> bool:
        """Tell whether what a record follows is still in a grid: then it stays with that."""
        records: Mapping[Any, Record] = self.world.stand.records()
        parents = (records.get((name, record.values.get(name) or "")) for name in ORDER)
        return any(one and not one.deleted and one.values["grid"] == grid for one in parents)


def _heir(heirs: Mapping[int, int], grid: int) -> int:
    while grid in heirs:
        grid = heirs[grid]
    return grid


def _grid(scope: str) -> int:
    return int(scope.removeprefix("grid:"))
