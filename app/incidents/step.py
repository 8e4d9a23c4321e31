"""One step of one incident, as its guards and stamps look at it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from app.areas.rules import path_ids
from app.core.actor import HOUSE_ID, Actor
from app.core.moments import as_text
from app.incidents.duties import proposed
from app.incidents.found import Found
from app.incidents.limits import Limits
from app.incidents.moves import Move
from app.incidents.rules import RANK_OF_LEVEL
from sync.gate import Work

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Step:
    """A move somebody wants to make.

    Attributes:
        said: what came with it; ``before``: the record as it stands.
    """

    work: Work
    move: Move
    said: Values
    found: Found
    actor: Actor

    @property
    def before(self) -> Values:
        """Return the record as it stands; empty when it is not there yet."""
        return self.work.record.values if self.work.record else {}

    @property
    def merged(self) -> Values:
        """Return the record with what came with the step."""
        return {**self.before, **self.said}

    @property
    def now(self) -> datetime:
        """Return when the step was made, as far as it can be believed."""
        return datetime.fromtimestamp(self.work.act.ms / 1000, UTC)

    @property
    def now_text(self) -> str:
        """Return that moment as the wire writes it."""
        return as_text(self.work.act.ms)

    @property
    def path(self) -> str | None:
        """Return the path of the grid in which it lies."""
        return self.found.paths.get(self.merged.get("grid") or 0)

    @property
    def limits(self) -> Limits:
        """Return its time limits."""
        return self.found.limits_at(self.path, self.merged.get("category"))

    @property
    def unit_level(self) -> str | None:
        """Return the level of the area to which it was dispatched."""
        return self.found.levels.get(self.before.get("unit") or 0)

    @property
    def rank(self) -> int:
        """Return the rank of the highest post of the actor that covers it; -1 without one."""
        posts = self.posts
        return max((RANK_OF_LEVEL.get(level, 0) for _, level, _ in posts), default=-1)

    @property
    def posts(self) -> list[tuple[str, str, int]]:
        """Return role, level and area of the posts by which the actor acted.

        The gate has found that he had the right where it lay then. If none of his posts covers
        the ground on which it lies now, it has moved since, and those of then count.
        """
        path, held = self.path or "", self.actor.posts_at(self.work.act.ms)
        here = [post for post in held if path.startswith(post.path)]
        return [(post.role, post.level, post.area_id) for post in here or held]

    @property
    def proposed_unit(self) -> int | None:
        """Return the unit that the duty list, or else its level, has for it."""
        areas = path_ids(self.path or "")
        where = [(one, self.found.levels[one]) for one in areas if one in self.found.levels]
        code = str(self.merged.get("category") or "")
        category = self.found.categories.get(code) or {}
        return proposed(self.found.rules.duties, where, code, self.before.get("level"),
                        category.get("start_level")).unit  # fmt: skip


def is_one_of(step: Step) -> bool:
    """Tell whether the actor is one of those who may take the step."""
    return any(_IS[who](step) if who in _IS else _serves(step, who) for who in step.move.who)


def _serves(step: Step, role: str) -> bool:
    return any(one == role for one, _, _ in step.posts)


def _is_unit(step: Step) -> bool:
    return any(area == step.before.get("unit") for _, _, area in step.posts)


_IS = {
    "reporter": lambda step: step.before.get("reporter") == step.actor.user_id,
    "handler": lambda step: step.before.get("handler") == step.actor.user_id,
    "unit": _is_unit,
    "worker": lambda step: _serves(step, "gw"),
    "clock": lambda step: step.actor.user_id == HOUSE_ID,
}
