"""Who stands in whose place: the assignee, who covers for him, and the workers of a pool task."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from app.core.actor import Actor, Post
from app.tasks.models import Task
from sync.gate import Work

WORKER = "gw"


def may_act(actor: Actor, task: Mapping[str, Any], at_ms: int) -> bool:
    """Tell whether a task was the actor's to do at a moment: his own, covered, or free to claim."""
    assignee, grid = task.get("assignee"), task.get("grid")
    if assignee == actor.user_id:
        return True
    posts = _serving(actor, grid, at_ms)
    return any(assignee is None or _covers(post, assignee) for post in posts)


def came_too_late(actor: Actor, work: Work) -> bool:
    """Tell whether the actor worked on a pool task that somebody else had claimed meanwhile."""
    task = work.record
    if task is None or not task.values.get("pool") or work.saw("assignee"):
        return False
    assignee, grid = task.values.get("assignee"), task.values.get("grid")
    taken = assignee is not None and not may_act(actor, task.values, work.act.ms)
    return taken and bool(_serving(actor, grid, work.act.ms))


def to_do(actor: Actor, at_ms: int) -> sa.ColumnElement[bool]:
    """Return the condition that a task is the actor's to do at a moment, as ``may_act`` says."""
    conditions: list[sa.ColumnElement[bool]] = [Task.assignee == actor.user_id]
    for post in actor.posts_at(at_ms):
        if post.role == WORKER:
            whose: sa.ColumnElement[bool] = (
                sa.true() if post.is_cover and post.covers is None else Task.assignee.is_(None)
            )
            if post.covers is not None:
                whose = sa.or_(whose, Task.assignee == post.covers)
            conditions.append(sa.and_(Task.grid == post.area_id, whose))
    return sa.or_(*conditions)


def _serving(actor: Actor, grid: object, at_ms: int) -> list[Post]:
    held = actor.posts_at(at_ms)
    return [one for one in held if one.role == WORKER and one.area_id == grid]


def _covers(post: Post, assignee: object) -> bool:
    return post.is_cover and post.covers in (None, assignee)
