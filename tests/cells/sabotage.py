"""Mistakes in authorisation that the cells must catch, each a known bug switched on."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import sqlalchemy as sa

from app.core import policy, sight, span, web
from app.core.actor import ROLES
from app.core.policy import Answer, Decision
from app.core.records import KindTable
from app.office import reading
from app.sync_api import copying, services
from tests.cells.ask import Ask
from tests.cells.lists import ask_lists
from tests.cells.phones import ask_copies, ask_edits, ask_pulls
from tests.cells.rows import ask_rows
from tests.cells.table import ask_guards, ask_table


@contextmanager
def _instead(owner: Any, name: str, other: Any) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, other)
    try:
        yield
    finally:
        setattr(owner, name, before)


def _path_without_its_dot() -> AbstractContextManager[None]:
    """Let a post reach where its path begins another one: village 7 and village 70."""
    right = policy.anchor
    return _instead(policy, "anchor", lambda post, letter: right(post, letter).removesuffix("."))


def _list_without_scope() -> AbstractContextManager[None]:
    """List whatever there is."""
    return _instead(reading, "within_reach", lambda *_: sa.true())


def _mask_forgotten() -> AbstractContextManager[None]:
    """Show masked roles everything."""
    return _instead(KindTable, "mask", lambda self, values: dict(values))


def _mask_forgotten_on_phones() -> AbstractContextManager[None]:
    """Send every body to phones as it lies in the database."""
    return _instead(sight.Sight, "body", lambda self, kind, text: text)


def _absent_told_from_out_of_scope() -> AbstractContextManager[None]:
    """Say "not allowed" of what is out of scope."""
    right = policy.decide

    def wrong(*args: Any, **kwargs: Any) -> Decision:
        said = right(*args, **kwargs)
        return Decision(Answer.NO) if said.answer is Answer.ABSENT else said

    return _instead(policy, "decide", wrong)


def _guard_without_lock() -> AbstractContextManager[None]:
    """Let everybody with a token in."""
    return _instead(web, "_may_enter", lambda *_: True)


@contextmanager
def _copy_of_any_scope() -> Iterator[None]:
    """Grant every phone the grid next door, where the database does not stand in the way."""
    right = services.scopes_of

    def wrong(*args: Any) -> list[str]:
        return [*right(*args), "grid:13"]

    with (_instead(services, "scopes_of", wrong), _instead(copying, "scopes_of", wrong),
          _span_of_everything()):  # fmt: skip
        yield


def _span_of_everything() -> AbstractContextManager[None]:
    """Let the database show everybody everything, as long as the routes ask."""
    return _instead(span, "_everywhere", lambda: frozenset(ROLES))


SABOTAGES: dict[str, tuple[Callable[[], AbstractContextManager[None]], Ask]] = {
    "path_without_its_dot": (_path_without_its_dot, ask_table),
    "list_without_scope": (_list_without_scope, ask_lists),
    "mask_forgotten": (_mask_forgotten, ask_lists),
    "mask_forgotten_on_phones": (_mask_forgotten_on_phones, ask_pulls),
    "absent_told_from_out_of_scope": (_absent_told_from_out_of_scope, ask_edits),
    "guard_without_lock": (_guard_without_lock, ask_guards),
    "pull_of_any_scope": (_copy_of_any_scope, ask_pulls),
    "copy_of_any_scope": (_copy_of_any_scope, ask_copies),
    "span_of_everything": (_span_of_everything, ask_rows),
}
"""Each with the doors that show it soonest; the whole shows all of them."""
