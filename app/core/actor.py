"""Who acts: a user with dated posts, on a session, perhaps from an enrolled phone."""

from dataclasses import dataclass

from flask import g

ROLES = ("gw", "vl", "ts", "cm", "au", "da")
OFFICE_ROLES = frozenset({"vl", "ts", "cm"})
HOUSE_ID = 0
"""The number under which the server itself writes; nobody bears it."""


@dataclass(frozen=True, slots=True)
class Post:
    """Somebody serves an area in a role from one moment to another.

    Attributes:
        path: the area's path, ids of its ancestors and itself ("1.7.85.913.").
        starts_ms, ends_ms: in ms since 1970; no end means until further notice.
        is_cover: he stands in for colleagues who are away.
        covers: for whom of them; None when for all of the area.
    """

    role: str
    area_id: int
    path: str
    level: str
    starts_ms: int
    ends_ms: int | None = None
    is_cover: bool = False
    covers: int | None = None

    def holds_at(self, ms: int) -> bool:
        """Tell whether the post is held at a moment."""
        return self.starts_ms <= ms and (self.ends_ms is None or ms < self.ends_ms)


@dataclass(frozen=True, slots=True)
class Actor:
    """The person behind a request, with all posts, past ones too.

    Attributes:
        draining: his phone is to erase itself; until then it may send what it holds, and no more.
        owes: the code of what he must do before anything else, such as to set up a second factor.
        proven_ms: when he last proved on this session who he is; 0 if that is long ago.
    """

    user_id: int
    posts: tuple[Post, ...]
    session_id: str | None = None
    enrolment: str | None = None
    name: str = ""
    draining: bool = False
    owes: str | None = None
    proven_ms: int = 0

    def posts_at(self, ms: int) -> tuple[Post, ...]:
        """Return the posts held at a moment."""
        return tuple(post for post in self.posts if post.holds_at(ms))


def house(*roles: str) -> Actor:
    """Return the server's own hand, which serves everywhere in these roles: nobody."""
    return Actor(HOUSE_ID, tuple(Post(role, 0, "", "city", 0) for role in roles), name="wangge")


def current_actor() -> Actor:
    """Return who makes this request; the guard has set it."""
    actor: Actor = g.actor
    return actor
