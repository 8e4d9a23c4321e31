"""Who may do what to whom: the authorisation table, and that nobody reaches above himself."""

from collections.abc import Iterable
from dataclasses import dataclass

from app.core import policy
from app.core.actor import Actor, Post
from app.core.policy import Answer, Decision
from app.identity.rules import RANK, may_hand_out
from sync.errors import Problem

# These roles serve with a phone; an enrolled phone never carries the rights of the others.
PHONE_ROLES = frozenset({"gw", "vl", "ts"})
DEVICE_ADMIN = "da"


@dataclass(frozen=True, slots=True)
class Subject:
    """The person something is done to, with the posts that place him.

    Attributes:
        posts: those held now or later; if there are none, the former ones.
        serves: whether the posts are held now or later.
    """

    user_id: int
    posts: tuple[Post, ...]
    serves: bool

    @classmethod
    def of(cls, user_id: int, posts: Iterable[Post], now_ms: int) -> "Subject":
        """Choose the posts that place a person."""
        every = tuple(posts)
        standing = tuple(p for p in every if p.ends_ms is None or p.ends_ms > now_ms)
        return cls(user_id, standing or every, bool(standing))


def sees(actor: Actor, subject: Subject, now_ms: int, action: str = "user.read") -> Decision:
    """Return the best answer over the areas of the person: one of them is enough to be seen."""
    answers = _answers(actor, action, subject, now_ms)
    return min(answers, key=_order)


def demand_sight(actor: Actor, subject: Subject, now_ms: int, action: str) -> Decision:
    """Return how the actor may see a person.

    Raises:
        Problem: 404 out of scope, 403 in scope but not allowed.
    """
    decision = sees(actor, subject, now_ms, action)
    if not decision.allowed:
        raise _refusal(actor, subject, decision, now_ms)
    return decision


def demand_whole(actor: Actor, subject: Subject, now_ms: int, action: str) -> None:
    """Let an act upon a person pass only if the actor has the right in all areas of the person.

    Raises:
        Problem: 404 out of scope, 403 in scope but not allowed.
    """
    weakest = max(_answers(actor, action, subject, now_ms), key=_order)
    if not weakest.allowed:
        raise _refusal(actor, subject, weakest, now_ms)


def demand_place(actor: Actor, action: str, path: str | None, now_ms: int) -> None:
    """Let an act in an area pass.

    Raises:
        Problem: 404 for an area that is out of scope or absent, 403 in scope but not allowed.
    """
    decision = policy.decide(actor, action, path=path, own=False, at_ms=now_ms)
    if not decision.allowed:
        raise _as_problem(decision.answer)


def answer_at(actor: Actor, action: str, path: str, now_ms: int) -> Answer:
    """Return what the table says to an act in an area."""
    return policy.decide(actor, action, path=path, own=False, at_ms=now_ms).answer


def demand_rank(actor: Actor, action: str, path: str, role: str, now_ms: int) -> None:
    """Let the actor hand out a role in an area: a serving role not above those he holds there.

    Raises:
        Problem: 403.
    """
    if role not in RANK:
        demand_place(actor, "user.grant_role", path, now_ms)
    if not may_hand_out(_roles_there(actor, action, path, now_ms), role):
        raise Problem(403, "above_your_level")


def demand_above(actor: Actor, subject: Subject, now_ms: int, action: str) -> None:
    """Let an act pass by which the actor could act as the person: he must stand above him.

    A higher role in all areas of the person, or the same role in a wider area, stands above.
    Nobody stands above auditors and device admins: their access is set anew on the server.

    Raises:
        Problem: 404 out of scope, 403 in scope but not above.
    """
    demand_whole(actor, subject, now_ms, action)
    for post in subject.posts:
        if not any(_stands_above(own, post) for own in actor.posts_at(now_ms)):
            raise Problem(403, "above_your_level")


def _stands_above(own: Post, post: Post) -> bool:
    if own.role not in RANK or post.role not in RANK or not post.path.startswith(own.path):
        return False
    return RANK[own.role] > RANK[post.role] or (own.role == post.role and own.path != post.path)


def demand_phone_user(actor: Actor, subject: Subject, now_ms: int) -> None:
    """Let a phone be given to a person who serves with one and does not stand above the actor.

    Raises:
        Problem: 403 or 409.
    """
    action = "device.issue_code"
    if actor.user_id == subject.user_id:
        raise Problem(403, "not_to_yourself")
    demand_whole(actor, subject, now_ms, action)
    if not subject.serves:
        raise Problem(409, "no_serving_post")
    for post in subject.posts:
        there = _roles_there(actor, action, post.path, now_ms)
        above = not may_hand_out(there, post.role) and DEVICE_ADMIN not in there
        if post.role not in PHONE_ROLES or above:
            raise Problem(403, "above_your_level")


def rights_of(actor: Actor, now_ms: int) -> dict[str, str]:
    """Return the widest cell of the authorisation table for each action the actor has."""
    roles = {post.role for post in actor.posts_at(now_ms)}
    rights: dict[str, str] = {}
    for action, row in policy.table().items():
        cells = [row[role] for role in roles if row[role].letter != "-"]
        if cells:
            best = max(cells, key=lambda cell: ("ogvtcA".index(cell.letter), not cell.suffix))
            rights[action] = best.letter + best.suffix
    return rights


def _answers(actor: Actor, action: str, subject: Subject, now_ms: int) -> list[Decision]:
    own = actor.user_id == subject.user_id
    paths: list[str | None] = [post.path for post in subject.posts]
    return [
        policy.decide(actor, action, path=path, own=own, at_ms=now_ms) for path in paths or [None]
    ]


def _order(decision: Decision) -> int:
    return list(Answer).index(decision.answer)


def _roles_there(actor: Actor, action: str, path: str, now_ms: int) -> list[str]:
    """Return the roles by which the actor has the right to an action in an area."""
    return [
        post.role
        for post in actor.posts_at(now_ms)
        if policy.decide(
            Actor(actor.user_id, (post,)), action, path=path, own=False, at_ms=now_ms
        ).allowed
    ]


def _refusal(actor: Actor, subject: Subject, decision: Decision, now_ms: int) -> Problem:
    visible = sees(actor, subject, now_ms).allowed
    absent = decision.answer is Answer.ABSENT
    return _as_problem(Answer.NO if absent and visible else decision.answer)


def _as_problem(answer: Answer) -> Problem:
    return Problem(404 if answer is Answer.ABSENT else 403, answer.value)
