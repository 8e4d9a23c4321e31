"""Who may publish, change and withdraw notices, who may count and acknowledge; what follows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.areas.services import paths_of
from app.core.actor import HOUSE_ID, Actor
from app.core.moments import as_text
from app.core.redaction import check_clean
from app.core.settings import current_settings
from app.notices import rules
from app.notices.models import GRIDS_MAX, Notice, NoticeAck, NoticeExplained
from app.notices.places import Circle, grids_touched
from sync.errors import FieldError, Refusal
from sync.gate import Work
from sync.values import Invalid, Position

Values = Mapping[str, Any]
PUBLISHED = ("title", "text", "talking_points", "title_en", "text_en", "talking_points_en")
"""What all may read: no number of a person stands there."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the batch's notices need: paths of the areas, and the grids that circles touch."""

    paths: Mapping[int, str]
    grids: Mapping[Circle, Mapping[int, str]]

    def address(self, values: Values) -> Mapping[int, str | None]:
        """Return the areas that an address names, or that its place touches, with their paths."""
        circle = _circle(values)
        if circle:
            return dict(self.grids.get(circle, {}))
        return {area: self.paths.get(area) for area in values.get("areas") or ()}


class NoticePolicy:
    """Rights and rules of notices; their texts are the office's alone."""

    model = Notice
    list_action = "notice.list"
    propose_action = "notice.update"

    def action(self, work: Work, values: Values) -> str:
        """Return the action: to publish, to withdraw, or to change one's own."""
        if work.edit.op == "create":
            return "notice.create"
        if work.edit.op == "delete" or "withdraw_reason" in values:
            return "notice.withdraw"
        return "notice.update"

    def prepare(self, session: Session, works: Sequence[Work]) -> Found:
        """Read the paths of the areas named and the grids of the places: two statements."""
        areas = {area for work in works for area in work.edit.set.get("areas") or ()}
        circles = {circle for work in works if (circle := _circle(work.edit.set))}
        paths = paths_of(session, areas) if areas else {}
        return Found(paths, grids_touched(session, sorted(circles)) if circles else {})

    def grids(self, work: Work, values: Values, found: Found | None) -> tuple[int, ...] | None:
        """Return the areas that the notice reaches, before and after."""
        here = rules.areas_of(work.record.values.get("paths")) if work.record else ()
        there = found.address(values) if found else {}
        if work.edit.op == "create" and not there:
            return None
        return tuple({*here, *there})

    def own(self, actor: Actor, work: Work, values: Values) -> bool:
        """Tell whether the actor published it; the house looks after all."""
        if actor.user_id == HOUSE_ID:
            return True
        return work.record is not None and work.record.values.get("published_by") == actor.user_id

    def derive(self, work: Work, values: Values, found: Found, actor: Actor) -> Values:
        """Check the notice as a whole, and find its reach, version and state."""
        before = work.record.values if work.record else {}
        self._refuse_late(work, before, actor)
        for name in PUBLISHED:
            said = values.get(name)
            text = "\n".join(map(str, said)) if isinstance(said, list) else said
            check_clean(name, text, but=current_settings().office_contact)
        now = as_text(work.act.ms)
        given = dict(values)
        if not {**before, **given}.get("valid_from"):
            given["valid_from"] = now
        if given.get("withdraw_reason"):
            given |= dict.fromkeys(rules.WIPED)
        after = {**before, **given}
        wrong = [] if after.get("withdraw_reason") else list(rules.faults(after))
        if wrong:
            raise Refusal("invalid_fields", *(FieldError(*one) for one in wrong))
        added = {**given, **self._reach(given, found), "state": rules.state_at(after, now)}
        if not work.record:
            added["published_by"] = actor.user_id
        if not after.get("withdraw_reason"):
            added["version"] = rules.next_version(before, given)
        return added

    def _refuse_late(self, work: Work, before: Values, actor: Actor) -> None:
        """Refuse what would change a notice that is over, or that the author has not seen so."""
        if work.record is None:
            return
        if work.edit.op == "delete":
            raise Refusal("not_allowed")
        if before["state"] in (rules.WITHDRAWN, rules.EXPIRED) and actor.user_id != HOUSE_ID:
            raise Refusal("transition_not_allowed")
        if work.edit.base < work.record.rv:
            raise Refusal("changed_since")

    def _reach(self, given: Values, found: Found) -> dict[str, str]:
        if not given.get("areas") and not given.get("point"):
            return {}
        paths = [path for path in found.address(given).values() if path]
        if len(paths) > GRIDS_MAX:
            fault = FieldError("radius_m", "too_many_grids", {"most": GRIDS_MAX})
            raise Refusal("invalid_fields", fault)
        return {"paths": rules.joined(paths)}


def _circle(values: Values) -> Circle | None:
    """Return the place of an address, if it has one that makes sense."""
    radius_m = values.get("radius_m")
    try:
        lon, lat = Position().check(values.get("point"))
    except Invalid:
        return None
    return (lon, lat, radius_m) if type(radius_m) is int else None


def _was_told(notice: Values, actor: Actor, at_ms: int) -> bool:
    """Tell whether a notice was told in an area that holds, or lies in, one that he served."""
    told = rules.split(notice.get("paths"))
    return any(path.startswith(post.path) or post.path.startswith(path)
               for post in actor.posts_at(at_ms) for path in told)  # fmt: skip


class _ReportPolicy:
    """What workers send back about a notice: always their own act."""

    def action(self, work: Work, values: Values) -> str:
        """Return the action."""
        return "notice.ack"

    def prepare(self, session: Session, works: Sequence[Work]) -> None:
        """Need nothing: the engine has read the notices named."""

    def _check_notice(self, work: Work, actor: Actor) -> Values:
        """Return the notice that a new report is about; one told elsewhere is not there."""
        notice = work.referred.get("notice")
        if notice is None or notice.deleted or not _was_told(notice.values, actor, work.act.ms):
            raise Refusal("invalid_fields", FieldError("notice", "unknown_record"))
        return notice.values


class ExplainedPolicy(_ReportPolicy):
    """Rights and rules of the counts: whoever serves the grid adds to its number."""

    model = NoticeExplained
    list_action = "notice.list"
    propose_action = "notice.ack"

    def grids(self, work: Work, values: Values, found: None) -> tuple[int, ...]:
        """Return the grid of the count and the one it would move to."""
        here = work.record.values.get("grid") if work.record else None
        return tuple({grid for grid in (here, values.get("grid")) if type(grid) is int})

    def own(self, actor: Actor, work: Work, values: Values) -> bool:
        """Tell whether the actor served the grid when he explained it."""
        grids = set(self.grids(work, values, None))
        served = {post.area_id for post in actor.posts_at(work.act.ms)}
        return bool(grids) and grids <= served

    def derive(self, work: Work, values: Values, found: None, actor: Actor) -> Values:
        """Refuse anything but counting."""
        if work.record is None:
            self._check_notice(work, actor)
        elif work.edit.op == "delete" or "notice" in values:
            raise Refusal("not_allowed")
        return values


class AckPolicy(_ReportPolicy):
    """Rights and rules of acknowledgements: by name, and so only for emergencies."""

    model = NoticeAck
    list_action = "notice.ack"
    propose_action = "notice.ack"

    def grids(self, work: Work, values: Values, found: None) -> tuple[int, ...]:
        """Lie nowhere: it is the worker's."""
        return ()

    def own(self, actor: Actor, work: Work, values: Values) -> bool:
        """Tell whether the actor acknowledges for himself."""
        return work.record is None or work.record.values.get("worker") == actor.user_id

    def derive(self, work: Work, values: Values, found: None, actor: Actor) -> Values:
        """Note who and when; refuse it for anything but an emergency."""
        if work.record is not None:
            raise Refusal("not_allowed")
        notice = self._check_notice(work, actor)
        if notice["urgency"] != rules.EMERGENCY:
            raise Refusal("invalid_fields", FieldError("notice", "not_an_emergency"))
        if values["version"] > notice["version"]:
            raise Refusal("invalid_fields", FieldError("version", "no_such_version"))
        at = as_text(work.act.ms)
        return {**values, "worker": actor.user_id, "acknowledged_at": at}
