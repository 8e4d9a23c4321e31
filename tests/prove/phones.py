"""All phones of a country: of the world they see only what they are told, so they may live apart.

What happens on one phone depends on nothing but what that phone was told, in that order: what is
told to different phones may overtake each other (``tests.prove.apart``).
"""

import itertools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from sync.encoding import dump, load
from sync.replica import Instant
from tests.prove.beside import AtOnce
from tests.prove.remembered import forget_hashes
from tests.prove.staff import Walker
from tests.prove.wide_phone_checks import WidePhoneChecks
from tests.simulation.copies import parts
from tests.simulation.deeds import new_id
from tests.simulation.handset import Handset, Made
from tests.simulation.parcel import Parcel, unpacked
from tests.simulation.phone_checks import Key, Wanted

FOR_CHILD = 2
"""One in so many phones is looked at by a child at the end of a year, when it is free."""


def unheeded() -> None:
    """Do nothing when there is more in memory than before."""


class Said(NamedTuple):
    """A request as a phone says it, and what the world has to know besides.

    Attributes:
        device: the new device id under which the phone speaks from now on, if it is a new one.
        made: the edits that were made since the last request.
        pending: whether some of its edits were in no complete pull yet.
    """

    text: str
    sent: Instant
    device: str | None
    has_edits: bool
    made: Sequence[Made]
    pending: bool


class TakenIn(NamedTuple):
    """What taking in a reply has come to.

    Attributes:
        moved: whether it was a page that moved the phone, or a refusal.
        renewing: whether the phone needs a new device id.
        left: how many edits are still to be sent.
    """

    moved: bool
    renewing: bool
    left: int


class Delivered(NamedTuple):
    """A reply that has come through, with the request that it answers.

    Attributes:
        granted: what the user of the phone might see when the server answered.
    """

    request: str
    sent: Instant
    reply: str
    granted: Sequence[str]


@dataclass
class Around:
    """What somebody at work sees of the world."""

    rng: Random
    grids: Sequence[int]
    scopes: Sequence[str]
    now_ms: int = 0

    def granted(self, _user: int) -> Sequence[str]:
        """Return the scopes that he saw when he began."""
        return self.scopes


@dataclass
class Phones:
    """The phones, whoever carries them, and what is checked of them.

    Attributes:
        grown: is called now and then when there may be more in memory than before.
        problems: how many requests were refused as a whole.
        news: for each phone, the edits made since its last request.
    """

    handsets: Sequence[Handset]
    grids: Sequence[int]
    judge: AtOnce = field(default_factory=AtOnce)
    grown: Callable[[], None] = unheeded
    checks: WidePhoneChecks = field(default_factory=WidePhoneChecks)
    problems: int = 0
    news: dict[int, list[Made]] = field(default_factory=dict)

    # -- what is told to one phone ----------------------------------------------------------------

    def work(self, number: int, moments: Sequence[int], granted: Sequence[str]) -> None:
        """Let somebody work on his phone, at some moments."""
        handset = self.handsets[number]
        around = Around(handset.rng, self.grids, granted)
        known = len(handset.made)
        for now_ms in moments:
            around.now_ms = now_ms
            Walker(around, handset).act()
        made = itertools.islice(reversed(handset.made.values()), len(handset.made) - known)
        self.news.setdefault(number, []).extend(made)
        self.checks.own_edits_shown(handset)

    def request(self, number: int, now_ms: int, want_bytes: int) -> Said:
        """Let a phone say its next request, under a new device id if it needs one."""
        handset, device = self.handsets[number], None
        if handset.phone.needs_device:
            device = new_id(handset.rng)
            handset.phone.take_device(device)
            handset.devices.add(device)
        request = handset.phone.request(want_bytes=want_bytes)
        return Said(dump(request), handset.instant(now_ms), device, bool(request["edits"]),
                    self.news.pop(number, ()), bool(handset.pending))  # fmt: skip

    def take_in(self, number: int, now_ms: int, come: Delivered) -> bool:
        """Let a phone take in a reply; tell whether it moved the phone.

        Nothing has spoilt what a phone holds, so it must find nothing to mend.
        """
        handset, reply = self.handsets[number], load(come.reply)
        request = load(come.request)
        if "problem" in reply:
            self.problems += 1
            handset.phone.problem(request, reply["problem"])
            return True
        parcel = Parcel(now_ms, 0, handset, handset.life, come.sent, request,
                        granted=tuple(come.granted))  # fmt: skip
        moved = unpacked(parcel, parts(reply), now_ms, self.checks)
        doubt = handset.phone.healing.wanted()
        self.checks.demand("nothing_to_mend", doubt is None, doubt)
        return moved

    def settle(self, number: int, now_ms: int, come: Delivered) -> TakenIn:
        """Let a phone take in a reply, and tell whether there is more to do."""
        moved, phone = self.take_in(number, now_ms, come), self.handsets[number].phone
        ((left,),) = phone.memory.ask("SELECT count(*) FROM replica_log WHERE taken_ms IS NULL")
        return TakenIn(moved, bool(phone.needs_device), left)

    def reboot(self, number: int, now_ms: int) -> None:
        """Switch a phone off and on."""
        self.handsets[number].reboot(now_ms)

    def set_clock(self, number: int, skew_ms: int) -> None:
        """Set the clock of a phone."""
        self.handsets[number].skew_ms = skew_ms

    def back_up(self, number: int) -> None:
        """Back a phone up."""
        self.handsets[number].back_up()

    def restore(self, number: int, now_ms: int) -> None:
        """Let a phone go back to its backup."""
        self.handsets[number].restore(now_ms)

    def compare(self, number: int, wanted: Wanted) -> None:
        """Compare a phone at rest with what it ought to hold."""
        self.checks.phone_equals(self.handsets[number], wanted)
        left = self.handsets[number].phone.outbox()
        self.checks.demand("bad_edit_blocks_nobody", not left, left)

    # -- what is told to all ------------------------------------------------------------------

    def night(self, _all: None, forget: bool, grown: bool) -> None:
        """Hear what a judge has found meanwhile, and keep house."""
        self.judge.hear(self.checks)
        if forget:
            forget_hashes()
        if grown:
            self.grown()

    def at_rest(
        self, _all: None, wanted: Mapping[str, Wanted], granted: Sequence[Sequence[str]],
        known: Collection[str],
    ) -> None:  # fmt: skip
        """Compare all phones with what they ought to hold, while the world goes on.

        Args:
            wanted: what lies in each scope.
            granted: the scopes of each phone.
            known: the ids of all edits that the server has.
        """
        everyone = range(len(self.handsets))
        self.judge.judge(self.checks, lambda: self._look(everyone, wanted, granted, known))

    def at_the_end(
        self, _all: None, wanted: Mapping[str, Wanted], granted: Sequence[Sequence[str]],
        known: Collection[str],
    ) -> tuple[Mapping[str, int], int]:  # fmt: skip
        """Compare all phones a last time; return how often what was demanded, and the problems."""
        everyone = range(len(self.handsets))
        there = everyone[::FOR_CHILD]
        self.judge.judge(self.checks, lambda: self._look(there, wanted, granted, known))
        here = [number for number in everyone if number % FOR_CHILD]
        self._look(here, wanted, granted, known)
        self.judge.wait(self.checks)
        return dict(self.checks.done), self.problems

    def _look(
        self, numbers: Sequence[int], wanted: Mapping[str, Wanted],
        granted: Sequence[Sequence[str]], known: Collection[str],
    ) -> None:  # fmt: skip
        for number in numbers:
            self.compare(number, together(wanted[scope] for scope in granted[number]))
            self.checks.nothing_lost(self.handsets[number], known)


def together(several: Iterable[Wanted]) -> Wanted:
    """Return what a phone ought to hold that has several scopes."""
    rows: dict[Key, tuple[int, str]] = {}
    waiting: set[str] = set()
    digests: dict[str, str | None] = {}
    for one in several:
        rows |= one.rows
        waiting |= set(one.waiting)
        digests |= one.digests
    return Wanted(rows, waiting, digests)
