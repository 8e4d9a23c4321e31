"""The bugs that a server may be given, each of which the poison prover must catch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import exc

from app.core import engine
from app.households.policies import HouseholdPolicy
from app.sync_api import services, unread
from app.sync_api.services import Phone
from sync import push, wire
from sync.edits import Draft, Parked
from sync.errors import Problem
from sync.push import PushReply, Run


def _batch_refused() -> None:
    """Refuse a whole request for one bad edit in it."""
    right = wire._faults

    def wrong(shape: Mapping[str, Any]) -> list[dict[str, Any]]:
        if found := right(shape):
            raise Problem(400, "malformed_edit", errors=found)
        return found

    wire._faults = wrong


def _body_lost() -> None:
    """Park an edit without what it wanted to set."""
    right = Run.keep_parked

    def wrong(self: Run, parked: Parked) -> None:
        right(self, replace(parked, edit=replace(parked.edit, set={}, was={})))

    Run.keep_parked = wrong  # type: ignore[method-assign]


def _fault_parked() -> None:
    """Take a fault of our own database for a fault of the edit."""
    right = Phone.push

    def wrong(self: Phone, drafts: Sequence[Draft]) -> PushReply:
        try:
            return right(self, drafts)
        except exc.OperationalError:
            return right(self, [replace(draft, code=services.REFUSED) for draft in drafts])

    Phone.push = wrong  # type: ignore[method-assign]


def _unread_dropped() -> None:
    """Give a number for the support, and keep nothing."""
    unread.keep = lambda *_: "01900000-0000-7000-8000-000000000000"


def _good_ones_parked_too() -> None:
    """Let a bad edit take the next one with it."""
    right = Run._decide

    def wrong(self: Run, draft: Draft) -> None:
        spoilt = bool(self.batch.parked) and draft.code is None
        right(self, replace(draft, code="malformed_edit") if spoilt else draft)

    Run._decide = wrong  # type: ignore[method-assign]


def _number_held_back() -> None:
    """Do not consume the number of an edit that is parked."""
    right = push.push

    def wrong(store: Any, drafts: Sequence[Draft], context: Any) -> PushReply:
        reply = right(store, drafts, context)
        parked = sum(one["status"] == "parked" for one in reply.results)
        return replace(reply, expected=reply.expected - parked)

    engine.push = wrong


def _bug_on_a_wrong_type() -> None:
    """Trust a value before it has been examined."""
    right = HouseholdPolicy.derive

    def wrong(self: Any, work: Any, values: Any, found: Any, actor: Any) -> Any:
        assert len(str(work.edit.set.get("building"))) + work.edit.at.get("claimed", 0) >= 0
        return right(self, work, values, found, actor)

    HouseholdPolicy.derive = wrong  # type: ignore[method-assign]


SABOTAGES: Mapping[str, Callable[[], None]] = {
    "batch_refused": _batch_refused, "body_lost": _body_lost, "fault_parked": _fault_parked,
    "unread_dropped": _unread_dropped, "good_ones_parked_too": _good_ones_parked_too,
    "number_held_back": _number_held_back, "bug_on_a_wrong_type": _bug_on_a_wrong_type,
}  # fmt: skip
