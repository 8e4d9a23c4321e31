"""Who may do what with a task, and what follows from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.actor import Actor
from app.core.database import table_of
from app.core.evidence import check_photos
from app.core.records import RESTRICTED
from app.forms.lookup import Forms, forms_of
from app.identity.models import Post, User
from app.tasks import steps
from app.tasks.asking import asks, declining
from app.tasks.filling import keys_of, with_answers, with_form
from app.tasks.models import Task, TaskKind
from app.tasks.rules import ACTION_OF_STATE, WORKERS_ACTIONS
from app.tasks.standing import came_too_late, may_act
from sync.errors import FieldError, Refusal
from sync.gate import Work
from sync.stores.many import among
from sync.values import as_identity

Values = Mapping[str, Any]
REPORTING = frozenset({
    "report_text", "report_count", "photo_count", "no_photo_reason", "decline_reason", "unchanged",
    "answers", "no_answers_reason", "raised_incident",
})  # fmt: skip

# Plain tables, not models: they are read at every push that holds tasks.
_kinds, _posts, _users = table_of(TaskKind), table_of(Post), table_of(User)
_KINDS = sa.select(_kinds.c.code, _kinds.c.photo).where(among(_kinds.c.code, "codes"))
_SERVING = sa.select(_posts.c.user_id, _posts.c.area_id).where(
    among(_posts.c.user_id, "users"),
    _posts.c.role == "gw",
    _posts.c.starts <= sa.bindparam("now"),
    sa.or_(_posts.c.ends.is_(None), _posts.c.ends > sa.bindparam("now")),
)
_NAMES = sa.select(_users.c.id, _users.c.name).where(among(_users.c.id, "users"))


@dataclass(frozen=True, slots=True)
class Found:
    """What the batch's tasks need.

    Attributes:
        kinds: the photo rule of each kind of task.
        serving: who serves which grid today.
        claimers: the names of those who have claimed what others worked on meanwhile.
        declined: households that have just said no to what a kind of task asks for.
    """

    kinds: Mapping[str, str]
    serving: frozenset[tuple[int, int]]
    claimers: Mapping[int, str]
    forms: Forms
    declined: frozenset[tuple[str, str]] = frozenset()


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
        return "task.report" if set(values) <= REPORTING else "task.update"

    def prepare(self, session: Session, works: Sequence[Work]) -> Found:
        """Read the kinds of task named, the posts of the assignees, and who was quicker."""
        wanted = {code for work in works for code in _kinds_of(work)}
        people = {work.edit.set.get("assignee") for work in works}
        users = [user for user in people if type(user) is int and 0 < user < 2**53]
        quicker = [one for work in works if (one := _claimed_unseen(work)) is not None]
        run = session.connection().execute
        kinds = run(_KINDS, {"codes": list(wanted)}) if wanted else ()
        posts = run(_SERVING, {"users": users, "now": datetime.now(UTC)}) if users else ()
        names = run(_NAMES, {"users": quicker}) if quicker else ()
        return Found(
            {row[0]: row[1] for row in kinds}, frozenset((row[0], row[1]) for row in posts),
            {row[0]: row[1] for row in names}, forms_of(session, keys_of(works)),
            declining(session, filter(None, map(_asking, works)), datetime.now(UTC)),
        )  # fmt: skip

    def grids(self, work: Work, values: Values, found: Found | None) -> tuple[int, ...]:
        """Return the grid of the task and the one it would move to."""
        here = work.record.values.get("grid") if work.record else None
        return tuple({grid for grid in (here, values.get("grid")) if type(grid) is int})

    def own(self, actor: Actor, work: Work, values: Values) -> bool:
        """Tell whether the task is the actor's to do, or was for all that he could know."""
        if work.record is None:
            return False
        return may_act(actor, work.record.values, work.act.ms) or came_too_late(actor, work)

    def derive(self, work: Work, values: Values, found: Found, actor: Actor) -> Values:
        """Check codes, assignee and reasons; add what the server notes of a step."""
        if "task_kind" in values and values["task_kind"] not in found.kinds:
            raise Refusal("invalid_fields", FieldError("task_kind", "unknown_code"))
        values = with_form(work, values, found.forms)
        self._check_references(work, values)
        asked = _asking(work)
        if asked in found.declined:
            raise Refusal("invalid_fields", FieldError("household", "household_declined"))
        self._check_assignee(work, values, found)
        as_worker = self.action(work, values) in WORKERS_ACTIONS
        if as_worker and work.record:
            _check_turn(work, values, found, actor)
        steps.check(work, values)
        merged = {**(work.record.values if work.record else {}), **values}
        if values.get("state") == "done" or "photo_count" in values:
            check_photos(found.kinds.get(str(merged.get("task_kind"))), merged)
        values = with_answers(values, merged, found.forms)
        added = steps.worker_adds(work, values, actor) if as_worker else steps.office_adds(
            work, values, actor
        )  # fmt: skip
        return {**values, **added}

    def _check_references(self, work: Work, values: Values) -> None:
        grid = values.get("grid") or (work.record.values.get("grid") if work.record else None)
        for name in ("household", "incident", "raised_incident"):
            other = work.referred.get(name)
            if values.get(name) is None:
                continue
            if other is None or other.values.get("grid") != grid or other.values.get(RESTRICTED):
                raise Refusal("invalid_fields", FieldError(name, "unknown_record"))

    def _check_assignee(self, work: Work, values: Values, found: Found) -> None:
        if "assignee" not in values:
            return
        assignee, before = values["assignee"], work.record.values if work.record else {}
        if assignee is None and steps.has_begun(before):
            raise Refusal("invalid_fields", FieldError("assignee", "task_has_begun"))
        grid = values.get("grid") or before.get("grid")
        if assignee is not None and (assignee, grid) not in found.serving:
            raise Refusal("invalid_fields", FieldError("assignee", "does_not_serve_grid"))


def _check_turn(work: Work, values: Values, found: Found, actor: Actor) -> None:
    """Refuse what a worker does on a task that another one has, or that he has not claimed.

    Raises:
        Refusal: ``already_claimed`` with who was quicker, or ``not_allowed``.
    """
    assert work.record is not None, "only a task that is there has its turn"
    if came_too_late(actor, work):
        user = work.record.values["assignee"]
        limits = {"user": user, "name": found.claimers.get(user, str(user))}
        raise Refusal("already_claimed", FieldError("assignee", "already_claimed", limits))
    if work.record.values.get("assignee") is None and not steps.claims(values):
        raise Refusal("not_allowed")


def _claimed_unseen(work: Work) -> int | None:
    """Return who has claimed a pool task since its author saw it, if anybody has."""
    if work.record is None or not work.record.values.get("pool") or work.saw("assignee"):
        return None
    assignee: int | None = work.record.values.get("assignee")
    return assignee


def _asking(work: Work) -> tuple[str, str] | None:
    """Return the household that an edit sends somebody to, and the kind of task, if it asks."""
    said = work.edit.set
    if not {"household", "task_kind"} & said.keys():
        return None
    before = work.record.values if work.record else {}
    household = as_identity(said.get("household", before.get("household")))
    kind = said.get("task_kind", before.get("task_kind"))
    return (household, str(kind)) if household and asks(kind) else None


def _kinds_of(work: Work) -> set[str]:
    """Return the kinds of task that an edit names or asks about."""
    asks = work.edit.set.get("state") == "done" or "photo_count" in work.edit.set
    known = work.record.values.get("task_kind") if work.record and asks else None
    return {str(code) for code in (work.edit.set.get("task_kind"), known) if code is not None}
