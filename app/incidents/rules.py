"""The first states of an incident as data: ranks, moves, and who makes each."""

from sync.kinds import Workflow

MOVES = (
    (None, "draft"),
    (None, "reported"),
    ("draft", "reported"),
    ("draft", "closed"),
    ("draft", "cancelled"),
    ("reported", "verified"),
    ("reported", "rejected"),
    ("reported", "cancelled"),
    ("rejected", "appealed"),
    ("appealed", "verified"),
    ("appealed", "not_filed"),
    ("verified", "filed"),
    ("verified", "not_filed"),
)
RANKS = {
    "draft": 0,
    "reported": 10,
    "cancelled": 15,
    "rejected": 20,
    "appealed": 25,
    "verified": 30,
    "not_filed": 35,
    "filed": 40,
    "closed": 90,
}
WORKFLOW = Workflow(RANKS, frozenset(MOVES))
STATES = tuple(RANKS)

ACTION_OF_STATE = {
    "draft": "incident.create",
    "reported": "incident.update",
    "appealed": "incident.update",
    "closed": "incident.resolve",
    "cancelled": "incident.update",
    "verified": "incident.assign",
    "rejected": "incident.assign",
    "filed": "incident.assign",
    "not_filed": "incident.assign",
}
URGENT_PRIORITY = 1
URGENT_RANK, ORDINARY_RANK = 20, 40
NEAREST_WITHIN_M = 200.0
"""How far outside every border a position may lie and still count to the nearest grid."""
