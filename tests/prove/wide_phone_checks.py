"""The checks of phones that are quick when there are many phones and each holds much."""

from collections.abc import Collection, Mapping

from tests.simulation.handset import Handset, Made
from tests.simulation.phone_checks import Key, PhoneChecks

OWN_EDITS_EVERY = 5
ANEW_EVERY = 10
OWN = (
    "SELECT kind, rec, id || body || filed || ifnull(taken_ms, '') || ifnull(receipt, '') "
    "FROM replica_log WHERE contained = 0 ORDER BY kind, rec, seq"
)
"""Of each record in the order of the log, as the index of what is one's own has them."""
ROWS_OF_OWN = (
    "SELECT kind, rec, rv, body FROM replica_row "
    "WHERE (kind, rec) IN (SELECT kind, rec FROM replica_log WHERE contained = 0)"
)


class WidePhoneChecks(PhoneChecks):
    """The same checks, which do not look again at what has not changed."""

    def __init__(self) -> None:
        super().__init__()
        self.turns: dict[int, int] = {}
        """How often there was occasion to look at the own edits of each phone."""
        self.looked: dict[int, dict[Key, int]] = {}
        """For each phone, what its own edits were shown from when last looked at."""

    def own_edits_shown(self, handset: Handset) -> None:
        """A phone shows its own edits: looked at on every fifth occasion."""
        turn = self.turns[id(handset)] = self.turns.get(id(handset), 0) + 1
        if turn % OWN_EDITS_EVERY == 0:
            super().own_edits_shown(handset)

    def _latest(self, handset: Handset, created: set[Key]) -> dict[Key, Made]:
        """Leave out what was looked at before, if it is shown from the very same: row and log.

        That nothing else decides it is not taken on trust: now and then all is looked at.
        """
        latest = super()._latest(handset, created)
        lies = shown_from(handset, latest, created)
        before = self.looked.get(id(handset), {})
        self.looked[id(handset)] = lies
        if self.turns[id(handset)] % (OWN_EDITS_EVERY * ANEW_EVERY) == 0:
            return latest
        return {key: made for key, made in latest.items() if before.get(key) != lies[key]}


def shown_from(
    handset: Handset, latest: Mapping[Key, Made], created: Collection[Key]
) -> dict[Key, int]:
    """Return a fingerprint of all that decides how a phone shows the records of its own edits."""
    ask = handset.phone.memory.ask
    rows = {(kind, rec): (rv, body) for kind, rec, rv, body in ask(ROWS_OF_OWN)}
    logged: dict[Key, list[str]] = {}
    for kind, rec, entry in ask(OWN):
        logged.setdefault((kind, rec), []).append(entry)
    return {
        key: hash((made.id, key in created, rows.get(key), *logged.get(key, ())))
        for key, made in latest.items()
    }
