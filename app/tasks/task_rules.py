"""The use cases of recurring tasks: make a rule, end it, and let a job make its tasks."""

from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.models import Area
from app.areas.services import below_any, paths_of
from app.calendar import Calendars, calendars
from app.core import audit, policy
from app.core.actor import Actor
from app.core.database import Mode, current_database
from app.core.engine import office_device
from app.core.identifiers import new_id
from app.core.moments import now_ms
from app.core.pagination import after
from app.identity.policies import demand_place
from app.tasks.batches import Found, Wish, errand_of, kind_of, targets_of_area, write_batch
from app.tasks.handing_out import TASKS_MAX, moment, planned
from app.tasks.house import HOUSE
from app.tasks.models import TaskBatch, TaskRule
from app.tasks.recurring import Pattern, due_after, today_of

RULE = "rule"


@dataclass(frozen=True, slots=True)
class NewRule:
    """A rule to be made: what, where, on which days."""

    wish: Wish
    pattern: Pattern
    due_days: int


def create(session: Session, actor: Actor, new: NewRule, *, key: str | None) -> TaskRule:
    """Make a rule; the same key again returns the same one.

    Raises:
        Problem: 404, 403 or 422.
    """
    wish, pattern, at_ms = new.wish, new.pattern, now_ms()
    assert wish.area is not None, "a rule is about an area"
    path = paths_of(session, [wish.area]).get(wish.area)
    demand_place(actor, "task.create", path, at_ms)
    kind = kind_of(session, wish.task_kind)
    made_key = f"{actor.user_id}:{key}" if key else None
    office_device(session, actor)
    known = sa.select(TaskRule).where(TaskRule.made_key == made_key)
    if made_key and (rule := session.scalars(known).first()):
        return rule
    rule = TaskRule(
        id=new_id(), area_id=wish.area, task_kind=kind.code, title=wish.title or kind.name_zh,
        instructions=wish.instructions, pattern=pattern.kind,
        days=",".join(map(str, sorted(pattern.days))), every=pattern.every,
        shifts=pattern.shifts, starts=pattern.starts, ends=pattern.ends, due_days=new.due_days,
        assign=wish.assign, unseen_days=wish.unseen_days, made_by=actor.user_id,
        made=moment(at_ms), made_key=made_key,
    )  # fmt: skip
    session.add(rule)
    session.flush()
    audit.record(session, "task_rule.made", user_id=actor.user_id, subject=f"rule:{rule.id}",
                 area=wish.area)  # fmt: skip
    return rule


def listed(session: Session, actor: Actor, *, limit: int, cursor: str | None) -> list[TaskRule]:
    """Return the rules of the actor's area, ended ones too, one more than a page holds."""
    reach = policy.reach(actor, "task.list", now_ms())
    where = sa.true() if reach.everything else TaskRule.area_id.in_(
        sa.select(Area.id).where(below_any(reach.paths))
    )  # fmt: skip
    found = sa.select(TaskRule).where(where, after([TaskRule.id], cursor))
    return list(session.scalars(found.order_by(TaskRule.id).limit(limit + 1)))


def end(session: Session, actor: Actor, rule_id: str) -> None:
    """End a rule now; the tasks that it has made stay. A second time changes nothing.

    Raises:
        Problem: 404 or 403.
    """
    rule = session.get(TaskRule, rule_id)
    path = paths_of(session, [rule.area_id]).get(rule.area_id) if rule else None
    demand_place(actor, "task.cancel", path, now_ms())
    if rule is not None and rule.ended_at is None:
        rule.ended_at = moment(now_ms())
        session.flush()
        audit.record(session, "task_rule.ended", user_id=actor.user_id, subject=f"rule:{rule_id}")


# -- the job -----------------------------------------------------------------------------------


def make_due(now: int | None = None) -> int:
    """Make the tasks of all rules whose day has come, once for each day; return how many.

    Of the days that were missed while no worker ran, only the latest is made up for: nobody can
    do last week's round any more.
    """
    at_ms = now_ms() if now is None else now
    with current_database().transaction(Mode.READ) as session:
        due = _due(session, today_of(moment(at_ms)))
    return sum(_make(rule, day, at_ms) for rule, day in due)


def _due(session: Session, today: date) -> list[tuple[str, date]]:
    """Return the rules with the day for which their tasks have yet to be made."""
    last = sa.func.max(TaskBatch.day).label("last")
    rows = session.execute(
        sa.select(TaskRule, last, Area.path)
        .join(Area, Area.id == TaskRule.area_id)
        .outerjoin(TaskBatch, TaskBatch.rule_id == TaskRule.id)
        .where(TaskRule.ended_at.is_(None), TaskRule.starts <= today)
        .group_by(TaskRule.id, Area.path)
    ).all()
    known = calendars(session)
    days = [(rule, last, pattern_of(rule).latest(today, known.of(path)))
            for rule, last, path in rows]  # fmt: skip
    return [(rule.id, day) for rule, last, day in days if day and (last is None or last < day)]


def pattern_of(rule: TaskRule) -> Pattern:
    """Return the calendar pattern of a rule as it is stored."""
    days = frozenset(int(one) for one in rule.days.split(",") if one)
    return Pattern(rule.pattern, rule.starts, rule.ends, days, rule.every, shifts=rule.shifts)


def _make(rule_id: str, day: date, at_ms: int) -> int:
    with current_database().transaction(Mode.WRITE) as session:
        # Whoever makes the tasks of any rule waits here for whoever is making some.
        office_device(session, HOUSE)
        rule = session.get(TaskRule, rule_id)
        made = sa.select(TaskBatch.id).where(TaskBatch.rule_id == rule_id, TaskBatch.day == day)
        if rule is None or rule.ended_at or session.execute(made).first():
            return 0
        found = _found(session, rule, day, at_ms)
        batch = write_batch(session, HOUSE, found, way=RULE, now_ms=at_ms, by=rule.made_by,
                            rule=rule.id, day=day)  # fmt: skip
        return batch.tasks


def _found(session: Session, rule: TaskRule, day: date, at_ms: int) -> Found:
    known: Calendars = calendars(session)
    path = paths_of(session, [rule.area_id])[rule.area_id]
    kind = kind_of(session, rule.task_kind)
    made_on = pattern_of(rule).made_on(day, known.of(path))
    due: datetime = due_after(made_on, rule.due_days)
    wish = Wish(rule.task_kind, rule.assign, rule.title, rule.instructions, due,
                area=rule.area_id, unseen_days=rule.unseen_days)  # fmt: skip
    targets = targets_of_area(session, path, wish, moment(at_ms))[:TASKS_MAX]
    plan = planned(session, targets, moment(at_ms))
    return Found(plan, errand_of(wish, kind, at_ms), rule.area_id)
