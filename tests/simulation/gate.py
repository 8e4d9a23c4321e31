"""Dated grants, and a gate that judges every edit by them at the time of the act."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sync.conflicts import CONFLICT
from sync.edits import Record
from sync.errors import Refusal
from sync.gate import Verdict, Work
from sync.handover import former_scopes
from sync.parking import PARKING


@dataclass(frozen=True, slots=True)
class Grant:
    """Somebody is in charge of a grid from one moment to another."""

    user: int
    grid: int
    starts_ms: int
    ends_ms: int | None = None

    def holds(self, at_ms: int) -> bool:
        """Tell whether the grant holds at a moment."""
        return self.starts_ms <= at_ms and (self.ends_ms is None or at_ms < self.ends_ms)


@dataclass
class Grants:
    """Who is in charge of what, from when to when."""

    rows: list[Grant] = field(default_factory=list)

    def give(self, user: int, grid: int, now_ms: int) -> None:
        """Put somebody in charge."""
        if not self.in_charge(user, grid, now_ms):
            self.rows.append(Grant(user, grid, now_ms))

    def end(self, user: int, grid: int, now_ms: int) -> None:
        """End a charge now."""
        for index, one in enumerate(self.rows):
            if (one.user, one.grid) == (user, grid) and one.holds(now_ms):
                self.rows[index] = replace(one, ends_ms=now_ms)

    def dismiss(self, user: int, now_ms: int) -> None:
        """End all that somebody holds, or was to hold."""
        self.rows = [
            replace(one, ends_ms=max(one.starts_ms, now_ms))
            if one.user == user and (one.ends_ms is None or one.ends_ms > now_ms) else one
            for one in self.rows
        ]  # fmt: skip

    def in_charge(self, user: int, grid: int, at_ms: int) -> bool:
        """Tell whether somebody was in charge of a grid at a moment."""
        return any(one.user == user and one.grid == grid and one.holds(at_ms) for one in self.rows)

    def steady(self, user: int, grid: int, *, around_ms: int, slack_ms: int) -> bool | None:
        """Return the one answer for the whole time around a moment, None when it changed."""
        early, late = around_ms - slack_ms, around_ms + slack_ms
        edges = [edge for one in self.rows if (one.user, one.grid) == (user, grid)
                 for edge in (one.starts_ms, one.ends_ms) if edge is not None]  # fmt: skip
        if any(early < edge <= late for edge in edges):
            return None
        return self.in_charge(user, grid, around_ms)

    def scopes(self, user: int, now_ms: int) -> list[str]:
        """Return the scopes that somebody sees now."""
        grids = {f"grid:{one.grid}" for one in self.rows
                 if one.user == user and one.holds(now_ms)}  # fmt: skip
        return [*sorted(grids), f"me:{user}"]


@dataclass(frozen=True, slots=True)
class DatedGate:
    """Judges one user's edits; the office may do everything."""

    grants: Grants
    user: int
    now_ms: int
    office: bool
    present: Callable[[int], int] = int

    def prepare(self, work: Sequence[Work]) -> None:
        """Read nothing: the grants are in memory."""

    def judge(self, work: Work, values: Mapping[str, Any]) -> Verdict:
        """Tell whether the author was in charge when he acted."""
        user = self.user if work.author is None else work.author
        if self.office and user == self.user:
            return Verdict(office=True)
        grids = grids_of(work, values, user)
        then = grids_of(work, values, user, at_the_act=True)
        if not all(self.grants.in_charge(user, grid, self._moment(work)) for grid in then):
            raise Refusal("out_of_scope")
        now = all(self.grants.in_charge(user, grid, self.now_ms) for grid in grids)
        if not now and not work.act.anchored:
            raise Refusal("out_of_scope")
        return Verdict(flags=() if now else ("late_scope",))

    def _moment(self, work: Work) -> int:
        return work.act.ms

    def derive(self, work: Work, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Put a new record where what it follows lies, or where its grid has gone."""
        if any(name in values and name not in work.referred for name in ("plot", "person")):
            raise Refusal("invalid_fields")
        if "grid" not in values:
            return values
        followed = next(iter(work.referred.values()), None) if work.edit.op == "create" else None
        grid = followed.values["grid"] if followed else self.present(values["grid"])
        return {**values, "grid": grid}


def grids_of(
    work: Work, values: Mapping[str, Any], user: int = 0, *, at_the_act: bool = False
) -> set[int]:
    """Return the grids that an edit touches, or those that it touched when it was made."""
    if work.kind is CONFLICT:
        scopes = list(_scopes(work, work.record, at_the_act=at_the_act)) if work.record else []
    elif work.kind is PARKING:
        own = work.edit.was.get("user") == user
        scopes = [work.edit.was["scope"]] if work.edit.was.get("scope") and not own else []
    else:
        scopes = list(_scopes(work, work.record, at_the_act=at_the_act)) if work.record else []
        if work.edit.op == "create":
            scopes += work.kind.scopes(values)
            for one in work.referred.values():
                scopes += _scopes(work, one, at_the_act=at_the_act)
    return {int(scope.removeprefix("grid:")) for scope in scopes}


def _scopes(work: Work, record: Record, *, at_the_act: bool) -> tuple[str, ...]:
    """Return the scopes of a record, now or when the author of an edit acted."""
    base = work.edit.base if record is work.record else 0
    former = former_scopes(record, at_ms=work.act.ms, base=base) if at_the_act else None
    if former is not None:
        return former
    if work.kind is CONFLICT:
        return tuple(record.values["scopes"])
    return (f"grid:{record.values['grid']}",)
