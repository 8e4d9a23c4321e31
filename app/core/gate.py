"""The one gate of every write: the authorisation table and the features' rules, for a batch.

Authority is judged at the time of the act. Whoever was in charge then is believed, even when
the edit arrives after he has left; whoever was not is parked for the present owner, and cannot
tell from the answer whether the record exists.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.core import policy
from app.core.actor import Actor
from app.core.conflicts import grid_of_scopes
from app.core.feature import KindPolicy
from app.core.policy import Answer, Decision
from sync.conflicts import CONFLICT
from sync.errors import Refusal
from sync.gate import Verdict, Work
from sync.kinds import Rule
from sync.parking import PARKING

Paths = Callable[[Session, Iterable[int]], Mapping[int, str]]
_WEAKER = tuple(Answer)
_CODES = {Answer.NO: "not_allowed", Answer.ABSENT: "unknown_record"}


class PolicyGate:
    """Rights and rules for one actor and one batch."""

    def __init__(
        self,
        session: Session,
        actor: Actor,
        policies: Mapping[str, KindPolicy],
        paths: Paths,
        *,
        device: str,
        now_ms: int,
    ) -> None:
        self._session = session
        self._actor = actor
        self._policies = policies
        self._find_paths = paths
        self._device = device
        self._now_ms = now_ms
        self._found: dict[str, Any] = {}
        self._paths: Mapping[int, str] = {}
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
        grids = {grid for one in work for grid in self._grids(one, one.edit.set) or ()}
        served = {post.area_id: post.path for post in self._actor.posts}
        others = grids - served.keys()
        self._paths = {**served, **(self._find_paths(self._session, others) if others else {})}

    def judge(self, work: Work, values: Mapping[str, Any]) -> Verdict:
        """Tell whether the author had the right when he acted.

        Raises:
            Refusal: ``not_allowed``, ``unknown_record`` or a demand that he cannot meet alone.
        """
        grids = self._grids(work, values)
        if grids is None:
            # It lies nowhere, whoever asks: the rules have a better word for that than "not yours".
            self.derive(work, values)
            raise Refusal("out_of_scope")
        then = self._decide(work, values, grids, work.act.ms)
        if then.answer is not Answer.YES and self._may_propose(work, values):
            return Verdict()
        if then.answer is not Answer.YES:
            code = _CODES.get(then.answer, then.answer.value)
            if then.answer is Answer.ABSENT and work.edit.op == "create":
                code = "out_of_scope"
            raise Refusal(code)
        now = self._decide(work, values, grids, self._now_ms)
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
        path = self._paths.get(work.record.values.get("grid") or 0)
        own = policy_.own(self._actor, work, {})
        action = policy_.propose_action
        return policy.decide(self._actor, action, path=path, own=own, at_ms=work.act.ms).allowed

    def derive(self, work: Work, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the values with what the feature's rules add."""
        name = work.kind.name
        author = self._actor if work.author is None else Actor(work.author, ())
        return self._policies[name].derive(work, values, self._found.get(name), author)

    def _decide(
        self, work: Work, values: Mapping[str, Any], grids: tuple[int, ...], at_ms: int
    ) -> Decision:
        """Return the weakest answer over all grids that the edit touches."""
        action, own = self._action(work, values), self._own(work, values)
        posts = tuple(map(id, self._actor.posts_at(at_ms)))
        asked = (action, own, grids, posts)
        if asked not in self._decided:
            paths = [self._paths.get(grid) for grid in grids] or [None]
            answers = [
                policy.decide(self._actor, action, path=path, own=own, at_ms=at_ms)
                for path in paths
            ]
            self._decided[asked] = max(answers, key=lambda one: _WEAKER.index(one.answer))
        return self._decided[asked]

    def _action(self, work: Work, values: Mapping[str, Any]) -> str:
        if work.kind is CONFLICT:
            return "conflict.resolve"
        if work.kind is PARKING:
            return "parking.release"
        return self._policies[work.kind.name].action(work, values)

    def _own(self, work: Work, values: Mapping[str, Any]) -> bool:
        if work.kind is CONFLICT:
            sides = (work.record.values["won"], work.record.values["lost"]) if work.record else ()
            return any(side["device"] == self._device for side in sides)
        if work.kind is PARKING:
            return work.edit.was.get("user") == self._actor.user_id
        return self._policies[work.kind.name].own(self._actor, work, values)

    def _grids(self, work: Work, values: Mapping[str, Any]) -> tuple[int, ...] | None:
        if work.kind is CONFLICT:
            grid = grid_of_scopes(work.record.values["scopes"]) if work.record else None
            return (grid,) if grid else ()
        if work.kind is PARKING:
            scope = work.edit.was.get("scope")
            grid = grid_of_scopes([scope]) if scope else None
            return (grid,) if grid else ()
        found = self._found.get(work.kind.name)
        return self._policies[work.kind.name].grids(work, values, found)
