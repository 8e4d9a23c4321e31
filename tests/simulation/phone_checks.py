"""The invariants that can be looked at on a phone, by whoever knows what the server holds."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sync.digest import as_hex, scope_digest
from sync.edits import JOIN_OPS
from sync.encoding import load
from sync.replica_tables import Row
from tests.simulation.demands import Demands
from tests.simulation.handset import Handset, Made

ALL = ("plot", "person", "job", "conflict", "parked")
HELD = "SELECT kind, rec, rv, body FROM replica_row"
Key = tuple[str, str]


class Wanted(NamedTuple):
    """What a phone ought to hold.

    Attributes:
        rows: version and values, as JSON, of each record.
        waiting: the parked edits among them that still wait for a human.
        digests: of each scope, in hexadecimal; None where the server has none.
    """

    rows: Mapping[Key, tuple[int, str]]
    waiting: Collection[str]
    digests: Mapping[str, str | None]


class PhoneChecks(Demands):
    """What is checked on phones."""

    @property
    def gone(self) -> Collection[str]:
        """Return the ids of all that has been erased."""
        return ()

    # -- when a phone has taken something in -----------------------------------------------------

    def page_applied(
        self, handset: Handset, page: Mapping[str, Any], before: str | None,
        granted: Sequence[str], lingering: Collection[str],
    ) -> None:  # fmt: skip
        """A page follows the cursor, and leaves the phone with what is granted, all of it."""
        self.demand("page_follows_cursor", page["from"] == before, (page["from"], before))
        healed = handset.phone.memory.recall("healed", 0)
        self.demand("digest_never_wrong", healed == 0 or handset.spoiled, page["digest"])
        kept = handset.phone.memory.scopes()
        kept -= set() if page["complete"] else set(lingering)
        self.demand("nothing_outside_kept", kept <= set(granted), (kept, granted))
        if page["complete"]:
            handset.contained(page["last_n"])

    def own_edits_shown(self, handset: Handset) -> None:
        """A phone shows its own edit until a complete pull contains it."""
        created = {(m.kind, m.rec) for m in handset.pending.values() if m.op == "create"}
        gone = self.gone
        for (kind, rec), made in self._latest(handset, created).items():
            if rec in gone:
                continue
            row = handset.phone.row(kind, rec)
            if made.op == "delete":
                self.demand("own_edit_shown", row is None, made)
            elif (kind, rec) in created or _is_pulled(handset, kind, rec, row):
                shown = row is not None and _shows(row.values, made)
                self.demand("own_edit_shown", shown, (made, row))

    def _latest(self, handset: Handset, _created: set[Key]) -> dict[Key, Made]:
        """Return the last edit of each record that the phone must show."""
        return {(made.kind, made.rec): made for made in handset.pending.values()}

    # -- at rest ------------------------------------------------------------------------------

    def phone_equals(self, handset: Handset, wanted: Wanted) -> None:
        """A phone holds what the server holds in its scopes, and nothing else."""
        differing = self._differing(handset, wanted.rows)
        self.demand("phones_equal_server", not differing, differing)
        offered = {row.rec for row in handset.phone.parked()}
        self.demand("parked_is_shown", offered == wanted.waiting, (offered, wanted.waiting))
        self.demand("no_alarm", handset.phone.alarms == [], handset.phone.alarms)
        for scope, digest in wanted.digests.items():
            own = as_hex(scope_digest(handset.phone.memory.shown(scope)))
            self.demand("phone_digest", digest is None or own == digest, scope)

    def _differing(self, handset: Handset, rows: Mapping[Key, tuple[int, str]]) -> set[Key]:
        """Return the records that a phone holds otherwise than it should, or should not hold.

        Values are looked into only where something is not the same to the letter.
        """
        held = {(kind, rec): (rv, body) for kind, rec, rv, body in handset.phone.memory.ask(HELD)}
        if held == rows:
            return set()
        right = {key: (rv, load(text)) for key, (rv, text) in rows.items()}
        kept = {(kind, rec): row for kind in ALL
                for rec, row in handset.phone.memory.rows(kind).items()}  # fmt: skip
        return {key for key in right.keys() | kept.keys() if right.get(key) != kept.get(key)}

    def nothing_lost(self, handset: Handset, known: Collection[str]) -> None:
        """No edit is left behind: bad ones block nobody, restored servers get all again."""
        self.demand("bad_edit_blocks_nobody", not handset.phone.outbox(), handset.phone.outbox())
        logged = {entry.id for entry in handset.phone.memory.entries("1 = 1")}
        unknown = {name for name in logged if name not in known}
        self.demand("acknowledged_survives", not unknown, unknown)
        if not (handset.restored or handset.late):
            gone = self.gone
            lost = {name for name, one in handset.made.items()
                    if name not in known and one.rec not in gone}  # fmt: skip
            self.demand("no_edit_lost", not lost, lost)


def _is_pulled(handset: Handset, kind: str, rec: str, shown: Row | None) -> bool:
    """Tell whether a phone holds a row of the server's, whatever it shows of it."""
    return bool(shown and shown.rv) or handset.phone.memory.row(kind, rec) is not None


def _shows(values: Mapping[str, Any], made: Made) -> bool:
    """Tell whether a row shows what was done to it last."""
    if made.op not in JOIN_OPS:
        return made.values.items() <= values.items()
    held, said = set(values.get("tags") or ()), set(made.values.get("tags", ()))
    return said <= held if made.op == "add" else not said & held
