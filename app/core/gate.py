"""The one gate of every write: the authorisation table and the features' rules, for a batch.

Authority is judged at the time of the act. Whoever was in charge then is believed, even when
the edit arrives after he has left; whoever was not is parked for the present owner, and cannot
tell from the answer whether the record exists.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from app.core import policy
from app.core.actor import Actor
from app.core.conflicts import grid_of_scopes
from app.core.feature import KindPolicy
from app.core.ground import Ground, Place, Survey
from app.core.policy import Answer, Decision
from sync.conflicts import CONFLICT
from sync.edits import Record
from sync.errors import Refusal
from sync.gate import Verdict, Work
from sync.handover import former_scopes
from sync.kinds import Kind, Rule
from sync.parking import PARKING
from sync.values import Invalid, Position

Values = Mapping[str, Any]
Actors = Callable[[Session, Iterable[int]], Mapping[int, Actor]]
DESK = "desk"
_WEAKER = tuple(Answer)
_CODES = {Answer.NO: "not_allowed", Answer.ABSENT: "unknown_record"}


class PolicyGate:
    """Rights and rules for one actor and one batch."""

    def __init__(
        self,
        session: Session,
        actor: Actor,
        policies: Mapping[str, KindPolicy],
        survey: Survey,
        *,
        actors: Actors,
        device: str,
        now_ms: int,
    ) -> None:
        self._session = session
        self._actor = actor
        self._policies = policies
        self._survey = survey
        self._find_actors = actors
        self._device = device
        self._now_ms = now_ms
        self._found: dict[str, Any] = {}
        self._authors: Mapping[int, Actor] = {}
        self._ground = Ground()
        # Edits of a batch ask the same again and again; the same posts give the same answer.
        self._decided: dict[tuple[object, ...], Decision] = {}

    def prepare(self, work: Sequence[Work]) -> None:
        """Read what the features and the areas need for this batch."""
        by_kind: dict[str, list[Work]] = {}
        for one in work:
            if one.kind.name in self._policies:
                by_kind.setdefault(one.kind.name, []).append(one)
        for name, works in by_kind.items():
            self._found[name] = self._policies[name].prepare(self._session, works)
        grids: set[int] = set()
        named: dict[int, set[Place]] = {}
        for one in work:
            here = set(self._grids(one, one.edit.set) or ())
            lying = _at_the_act(one)
            grids |= here
            if lying is not one:
                grids |= set(self._grids(lying, one.edit.set) or ())
            if one.edit.op == "create" or "grid" in one.edit.set:
                for grid in here:
                    named.setdefault(grid, set()).update(_places(one.kind, one.edit.set))
        # The holder of a post knows the path of its area already.
        served = {post.area_id: post.path for post in self._actor.posts}
        self._ground = Ground(served)
        if grids - served.keys() or named:
            asked = {grid: frozenset(places) for grid, places in named.items()}
            found = self._survey(self._session, grids - served.keys(), asked)
            self._ground = replace(found, paths={**served, **found.paths})
        others = {one.author for one in work if one.author is not None} - {self._actor.user_id}
        self._authors = self._find_actors(self._session, others) if others else {}

    def present_scope(self, scope: str) -> str:
        """Return the scope that now stands for one whose grid has ended."""
        grid = grid_of_scopes([scope])
        return f"grid:{self._ground.present(grid)}" if grid else scope

    def _actor_of(self, work: Work) -> Actor:
        """Return whose right counts: who sent the edit, or who made it when it was parked."""
        if work.author in (None, self._actor.user_id):
            return self._actor
        return self._authors.get(work.author) or Actor(work.author, ())

    def judge(self, work: Work, values: Mapping[str, Any]) -> Verdict:
        """Tell whether the author had the right when he acted.

        Raises:
            Refusal: ``not_allowed``, ``unknown_record`` or a demand that he cannot meet alone.
        """
        if _is_about_nothing(work) and work.kind.name in self._policies:
            # The same word as of what lies out of scope, whatever else the edit names.
            raise Refusal("unknown_record")
        grids = self._grids(work, values)
        if grids is None:
            # It lies nowhere, whoever asks: the rules have a better word for that than "not yours".
            self.derive(work, values)
            raise Refusal("out_of_scope")
        lying = _at_the_act(work)
        lay = grids if lying is work else self._grids(lying, values) or ()
        before = tuple(self._ground.before(grid, work.act.ms) for grid in lay)
        then = self._decide(work, values, before, work.act.ms)
        if then.answer is not Answer.YES and self._ground.moves():
            lain = partial(self._ground.path_at, at_ms=work.act.ms)
            then = self._decide(work, values, before, work.act.ms, lain)
        if then.answer is not Answer.YES and self._may_propose(work, values):
            return Verdict()
        if then.answer is not Answer.YES:
            code = _CODES.get(then.answer, then.answer.value)
            if then.answer is Answer.ABSENT and work.edit.op == "create":
                code = "out_of_scope"
            raise Refusal(code)
        now = self._decide(work, values, tuple((grid,) for grid in grids), self._now_ms)
        late = () if now.allowed else ("late_scope",)
        if late and not work.act.anchored:
            raise Refusal("out_of_scope")
        return Verdict(office=then.office, flags=late)

    def _may_propose(self, work: Work, values: Mapping[str, Any]) -> bool:
        """Tell whether a worker may at least propose: only the office's fields, on his record."""
        policy_ = self._policies.get(work.kind.name)
        if policy_ is None or work.record is None or work.edit.op != "update" or not values:
            return False
        if any(work.kind.rule_of(work.kind.unit_of(name)) is not Rule.OFFICE for name in values):
            return False
        record = _at_the_act(work).record or work.record
        path = self._ground.paths.get(record.values.get("grid") or 0)
        actor = self._actor_of(work)
        own = policy_.own(actor, work, {})
        action = policy_.propose_action
        return policy.decide(actor, action, path=path, own=own, at_ms=work.act.ms).allowed

    def derive(self, work: Work, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the values with what the feature's rules add."""
        name = work.kind.name
        if type(values.get("grid")) is int:
            place = next(iter(_places(work.kind, values)), None)
            grid = values["grid"] if work.record else _followed(work, values["grid"])
            values = {**values, "grid": self._ground.present(grid, place)}
        found = self._found.get(name)
        return self._policies[name].derive(work, values, found, self._actor_of(work))

    def _decide(
        self,
        work: Work,
        values: Values,
        grids: tuple[tuple[int, ...], ...],
        at_ms: int,
        path_of: Callable[[int], str | None] | None = None,
    ) -> Decision:
        """Return the weakest answer over all grids that the edit touches.

        Args:
            grids: for each, also those out of which it was made since; the best of them counts.
            path_of: where a grid lies, if not where it lies now.
        """
        action = self._action(work, values)
        # Whose a thing is may depend on posts too, as of him who stands in for another.
        own = self._own(replace(work, act=replace(work.act, ms=at_ms)), values)
        actor = self._actor_of(work)
        posts = tuple(map(id, actor.posts_at(at_ms)))
        lies = path_of or self._ground.paths.get
        paths = tuple(tuple(lies(grid) for grid in some) for some in grids)
        asked = (action, own, paths, posts)
        if asked not in self._decided:
            answers = [
                min(
                    (policy.decide(actor, action, path=path, own=own, at_ms=at_ms)
                     for path in some),
                    key=_weakness,
                )
                for some in paths or ((None,),)
            ]  # fmt: skip
            self._decided[asked] = max(answers, key=_weakness)
        return self._decided[asked]

    def _action(self, work: Work, values: Mapping[str, Any]) -> str:
        if work.kind is CONFLICT:
            return "conflict.resolve"
        if work.kind is PARKING:
            # His own edit is mended by the right with which he sent it; it is judged again.
            return "sync.push" if self._own(work, values) else "parking.release"
        return self._policies[work.kind.name].action(work, values)

    def _own(self, work: Work, values: Mapping[str, Any]) -> bool:
        if work.kind is CONFLICT:
            sides = (work.record.values["won"], work.record.values["lost"]) if work.record else ()
            return any(side["device"] == self._device for side in sides)
        if work.kind is PARKING:
            return work.edit.was.get("user") == self._actor.user_id
        return self._policies[work.kind.name].own(self._actor_of(work), work, values)

    def _grids(self, work: Work, values: Mapping[str, Any]) -> tuple[int, ...] | None:
        if work.kind is CONFLICT:
            grid = grid_of_scopes(work.record.values["scopes"]) if work.record else None
            return (grid,) if grid else ()
        if work.kind is PARKING:
            area = area_of_scope(work.edit.was.get("scope"))
            return (area,) if area else ()
        found = self._found.get(work.kind.name)
        return self._policies[work.kind.name].grids(work, values, found)


def _is_about_nothing(work: Work) -> bool:
    return work.record is None and work.edit.op != "create"


def area_of_scope(scope: str | None) -> int | None:
    """Return the area whose people look after what is parked in a scope."""
    place, _, area = (scope or "").partition(":")
    return int(area) if place in ("grid", DESK) else None


def _weakness(decision: Decision) -> int:
    return _WEAKER.index(decision.answer)


def _at_the_act(work: Work) -> Work:
    """Return the work with every record in the grid in which it lay when its author acted.

    Nearly always that is the work itself: nothing has moved since.
    """
    record = _lying(work, work.record) if work.record else None
    moved = {name: lying for name, one in work.referred.items()
             if (lying := _lying(work, one)) is not one}  # fmt: skip
    if record is work.record and not moved:
        return work
    return replace(work, record=record, referred={**work.referred, **moved})


def _lying(work: Work, record: Record) -> Record:
    base = work.edit.base if record is work.record else 0
    scopes = former_scopes(record, at_ms=work.act.ms, base=base)
    if scopes is None:
        return record
    moved = {"scopes": list(scopes)} if work.kind is CONFLICT else {"grid": grid_of_scopes(scopes)}
    return replace(record, values={**record.values, **moved})


def _followed(work: Work, grid: int) -> int:
    """Return the grid of what a new record follows, if that has left the grid since the act."""
    for one in work.kind.following:
        record = work.referred.get(one.name) if "grid" in one.follows else None
        if record and _lying(work, record).values.get("grid") == grid:
            return int(record.values["grid"])
    return grid


def _places(kind: Kind, values: Values) -> set[Place]:
    """Return the positions in an edit's values, if there are any that make sense."""
    found: set[Place] = set()
    for one in kind.fields:
        if isinstance(one.type, Position) and values.get(one.name) is not None:
            try:
                lon, lat = one.type.check(values[one.name])
            except Invalid:
                continue
            found.add((lon, lat))
    return found
