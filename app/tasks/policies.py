"""Who may do what with a task, and what follows from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.actor import Actor
from app.core.evidence import check_photos
from app.core.moments import as_text
from app.forms.lookup import Forms, forms_of
from app.identity.models import Post
from app.tasks.filling import keys_of, with_answers, with_form
from app.tasks.models import Task, TaskKind
from app.tasks.rules import ACTION_OF_STATE, missing_reason
from sync.errors import FieldError, Refusal
from sync.gate import Work
from sync.stores.many import among

Values = Mapping[str, Any]

# Plain tables, not models: they are read at every push that holds tasks.
_kinds, _posts = TaskKind.__table__, Post.__table__
_KINDS = sa.select(_kinds.c.code, _kinds.c.photo).where(among(_kinds.c.code, "codes"))
_SERVING = sa.select(_posts.c.user_id, _posts.c.area_id).where(
    among(_posts.c.user_id, "users"),
    _posts.c.role == "gw",
    _posts.c.starts <= sa.bindparam("now"),
    sa.or_(_posts.c.ends.is_(None), _posts.c.ends > sa.bindparam("now")),
)


@dataclass(frozen=True, slots=True)
class Found:
    """What the batch's tasks need: kinds with their photo rules, who serves where, and forms."""

    kinds: Mapping[str, str]
    serving: frozenset[tuple[int, int]]
    forms: Forms


class TaskPolicy:
    """Rights and rules of tasks."""

    model = Task
    list_action = "task.list"
    propose_action = "task.report"

    def action(self, work: Work, values: Values) -> str:
        """Return the action: by the state it asks for, else by the fields it touches."""
        if work.edit.op == "create":
            return "task.create"
        if work.edit.op == "delete":
            return "task.cancel"
        if "state" in values:
            return ACTION_OF_STATE.get(str(values["state"]), "task.update")
        if "assignee" in values:
            return "task.assign"
        reporting = {
            "report_text", "report_count", "photo_count", "no_photo_reason", "decline_reason",
            "answers", "no_answers_reason", "raised_incident",
        }  # fmt: skip
        return "task.report" if set(values) <= reporting else "task.update"

    def prepare(self, session: Session, works: Sequence[Work]) -> Found:
        """Read the kinds of task named and the posts of the assignees."""
        wanted = {code for work in works for code in _kinds_of(work)}
        people = {work.edit.set.get("assignee") for work in works}
        users = [user for user in people if type(user) is int and 0 < user < 2**53]
        run = session.connection().execute
        kinds = run(_KINDS, {"codes": list(wanted)}) if wanted else ()
        posts = run(_SERVING, {"users": users, "now": datetime.now(UTC)}) if users else ()
        return Found(
            {row[0]: row[1] for row in kinds}, frozenset((row[0], row[1]) for row in posts),
            forms_of(session, keys_of(works)),
        )  # fmt: skip

    def grids(self, work: Work, values: Values, found: Found | None) -> tuple[int, ...]:
        """Return the grid of the task and the one it would move to."""
        here = work.record.values.get("grid") if work.record else None
        return tuple({grid for grid in (here, values.get("grid")) if type(grid) is int})

    def own(self, actor: Actor, work: Work, values: Values) -> bool:
        """Tell whether the task is assigned to the actor."""
        return work.record is not None and work.record.values.get("assignee") == actor.user_id

    def derive(self, work: Work, values: Values, found: Found, actor: Actor) -> Values:
        """Check codes, assignee and reasons; note who assigned and when it was done."""
        if "task_kind" in values and values["task_kind"] not in found.kinds:
            raise Refusal("invalid_fields", FieldError("task_kind", "unknown_code"))
        values = with_form(work, values, found.forms)
        self._check_references(work, values)
        self._check_assignee(work, values, found)
        merged = {**(work.record.values if work.record else {}), **values}
        reason = missing_reason(values.get("state"), merged)
        if reason:
            raise Refusal("invalid_fields", FieldError(reason, "required"))
        if values.get("state") == "done" or "photo_count" in values:
            check_photos(found.kinds.get(str(merged.get("task_kind"))), merged)
        values = with_answers(values, merged, found.forms)
        added: dict[str, Any] = {}
        if work.edit.op == "create" or "assignee" in values:
            added["assigned_by"] = actor.user_id
        if values.get("state") == "done":
            added["done_at"] = as_text(work.act.ms)
        return {**values, **added}

    def _check_references(self, work: Work, values: Values) -> None:
        grid = values.get("grid") or (work.record.values.get("grid") if work.record else None)
        for name in ("household", "incident", "raised_incident"):
            if values.get(name) is None:
                continue
            other = work.referred.get(name)
            if other is None or other.values.get("grid") != grid:
                raise Refusal("invalid_fields", FieldError(name, "unknown_record"))

    def _check_assignee(self, work: Work, values: Values, found: Found) -> None:
        assignee = values.get("assignee")
        if assignee is None:
            return
        grid = values.get("grid") or (work.record.values.get("grid") if work.record else None)
        if (assignee, grid) not in found.serving:
            raise Refusal("invalid_fields", FieldError("assignee", "does_not_serve_grid"))


def _kinds_of(work: Work) -> set[str]:
    """Return the kinds of task that an edit names or asks about."""
    asks = work.edit.set.get("state") == "done" or "photo_count" in work.edit.set
    known = work.record.values.get("task_kind") if work.record and asks else None
    return {str(code) for code in (work.edit.set.get("task_kind"), known) if code is not None}
