"""The span of a transaction: of which areas, and of whom, it sees rows.

The database itself holds every statement to it, whoever wrote the statement: PostgreSQL by
row-level security, SQLite by views (``app/core/spanned.py``). Without a span nothing is seen. The
guard of a route sets that of the caller; what is the house's own business (the way of a write,
jobs, commands, a match across areas) asks for the whole by name: :func:`as_house`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache

import click

from app.core import policy
from app.core.actor import ROLES, Actor

GRID = "grid"
LISTING = (
    "household.list", "consent.read", "task.list", "incident.list", "photo.list", "parking.list",
    "conflict.list",
)  # fmt: skip
"""The actions by which rows of areas are listed: whoever may everywhere, spans all areas."""


@dataclass(frozen=True, slots=True)
class Span:
    """What a transaction sees.

    Attributes:
        areas: areas by themselves.
        paths: subtrees of areas.
        user: of whom it also sees his own, wherever that lies.
        everything: all areas.
        house: all rows, also those that lie nowhere, and it may write them.
    """

    areas: tuple[int, ...] = ()
    paths: tuple[str, ...] = ()
    user: int = 0
    everything: bool = False
    house: bool = False


NOTHING = Span()
HOUSE = Span(everything=True, house=True)
_present: ContextVar[Span] = ContextVar("wangge_span", default=NOTHING)


def present() -> Span:
    """Return the span of what is being done now."""
    return _present.get()


def use(span: Span) -> None:
    """Let everything from here on have a span; the caller has opened one with ``spanning``."""
    _present.set(span)


@contextmanager
def spanning(span: Span) -> Iterator[None]:
    """Let what is done within have a span."""
    token = _present.set(span)
    try:
        yield
    finally:
        _present.reset(token)


@contextmanager
def as_house() -> Iterator[None]:
    """Do the house's own business: see and write everything. Also a decorator."""
    with spanning(HOUSE):
        yield


@cache
def _everywhere() -> frozenset[str]:
    table = policy.table()
    return frozenset(
        role for role in ROLES if any(table[action][role].letter == "A" for action in LISTING)
    )


def span_of(actor: Actor, now_ms: int) -> Span:
    """Return what somebody's posts let him see: the areas he serves, and his own."""
    posts = actor.posts_at(now_ms)
    return Span(
        areas=tuple(sorted({post.area_id for post in posts if post.level == GRID})),
        paths=tuple(sorted({post.path for post in posts if post.level != GRID})),
        user=actor.user_id,
        everything=any(post.role in _everywhere() for post in posts),
    )


def asked_by_house(command: click.Command) -> click.Command:
    """Let a command of the server's operator, and all below it, do the house's business."""
    for below in getattr(command, "commands", {}).values():
        asked_by_house(below)
    if command.callback is not None and not hasattr(command.callback, "by_house"):
        command.callback = as_house()(command.callback)
        command.callback.by_house = True  # type: ignore[attr-defined]
    return command
