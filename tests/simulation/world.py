"""The simulated world: phones, a network that loses, doubles and delays, and one server."""

import heapq
import itertools
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sync.compaction import Keeping
from sync.encoding import dump, load
from sync.upkeep import Erasure
from tests.simulation import upkeep
from tests.simulation.checks import Checks
from tests.simulation.copies import Copies, parts
from tests.simulation.deeds import GRIDS, Office, Worker, new_id
from tests.simulation.gate import Grant, Grants
from tests.simulation.handset import Handset
from tests.simulation.parcel import OnItsWay, Parcel, Sender, unpacked
from tests.simulation.regrid import Regrid
from tests.simulation.serving import OFFICE_USER, Serving
from tests.simulation.stands import Crash, Stand

START_MS = 1_800_000_000_000
STEPS = 140
ROUNDS_MAX = 15
WORLD_EVENTS = {
    "work": 40, "send": 34, "desk": 10, "wait": 8, "grant": 3, "reboot": 2, "set_clock": 2,
    "back_up_phone": 2, "restore_phone": 1, "back_up_server": 1, "restore_server": 1, "compact": 1,
    "erase": 1,
    "cover": 2, "merge": 2, "split": 2, "dismiss": 2,
}  # fmt: skip
DRAIN_MS = 72 * 3_600_000
SKEWS_MS = (0, 0, 40_000, -90_000, 30 * 86_400_000, -30 * 86_400_000, 50 * 365 * 86_400_000)


class World(Serving):
    """Everything that happens, decided by one seed.

    The attributes of the class are what a larger world has more of (``tests.prove.country``).
    """

    users: Sequence[int] = (1, 1, 2, 3, 4)
    """Who carries each phone."""
    grids: Sequence[int] = GRIDS
    grants_class: type[Grants] = Grants
    checks_class: type[Checks] = Checks
    handset_class: type[Handset] = Handset
    worker_class: type[Worker] = Worker
    office_class: type[Office] = Office
    tombstones_ms: Sequence[int] = (0, 0, upkeep.HOUR_MS)
    portions: Sequence[int] = (1, 2, sys.maxsize)
    """After how many portions a compaction is stopped, if it is."""

    def __init__(self, seed: int, stand: Stand) -> None:
        self.rng = random.Random(seed)
        self.stand = stand
        self.now_ms = START_MS
        self.grants = self.grants_class()
        self.checks = self.checks_class(self)
        self.parcels: list[OnItsWay] = []
        self.orders = itertools.count()
        self.epochs = itertools.count(2)
        self.copies: list[Any] = []
        self.first_copies = Copies(self, seed)
        self.loss = self.rng.choice((0.0, 0.1, 0.3))
        self.office_device = new_id(self.rng)
        self.stand.enrol(self.office_device, OFFICE_USER)
        self.people = list(dict.fromkeys(self.users))
        self.regrid = Regrid(self)
        self.leavers: dict[int, int] = {}
        self.handsets = [self._handset(user) for user in self.users]
        for user in self.people:
            self.grants.give(user, self.rng.choice(self.grids), self.now_ms)
            self.grants.give(user, self.rng.choice(self.grids), self.now_ms)
        self.erasures: list[Erasure] = []
        """What has been erased, as the list outside of the database holds it."""
        self.figures = {"erasures": 0, "edits": 0, "exchanges": 0, "restores": 0, "problems": 0}

    def _handset(self, user: int) -> Handset:
        skew = self.rng.choice(SKEWS_MS)
        chance = random.Random(self.rng.getrandbits(64))
        return self.handset_class(user, chance, skew, self.now_ms - 1000)

    # -- events -------------------------------------------------------------------------------

    def run(self) -> None:
        """Let things happen, then come to rest, and check everything."""
        for _ in range(STEPS):
            self.now_ms += self.rng.choice((50, 400, 3_000, 20_000, 100_000))
            self._deliver()
            name = self.rng.choices(list(WORLD_EVENTS), list(WORLD_EVENTS.values()))[0]
            getattr(self, name)()
            self.first_copies.step()
        self._rest()
        self.checks.at_rest()

    def work(self) -> None:
        """Somebody works on his phone."""
        handset = self.rng.choice(self.handsets)
        if handset.wiped:
            return
        for _ in range(self.rng.choice((1, 1, 2, 4))):
            self.now_ms += self.rng.randrange(1, 2000)
            self.worker_class(self, handset).act()
        self.checks.own_edits_shown(handset)

    def desk(self) -> None:
        """Somebody works in the office."""
        self.office_class(self).act()

    def wait(self) -> None:
        """Nothing happens for long."""
        self.now_ms += self.rng.randrange(600_000, 8_000_000)

    def grant(self) -> None:
        """Charge of a grid changes."""
        user, grid = self.rng.choice(self.people), self.rng.choice(self.grids)
        if user in self.leavers:
            return
        change = self.grants.end if self.rng.random() < 0.5 else self.grants.give
        change(user, grid, self.now_ms)

    def cover(self) -> None:
        """Somebody stands in for a colleague, from a moment to come until a later one."""
        user, grid = self.rng.choice(self.people), self.rng.choice(self.grids)
        starts = self.now_ms + self.rng.choice((0, 60_000, 3_600_000))
        ends = starts + self.rng.choice((600_000, 7_200_000))
        if user not in self.leavers:
            self.grants.rows.append(Grant(user, grid, starts, ends))

    def merge(self) -> None:
        """One grid takes over another."""
        self.regrid.merge(self.grids)

    def split(self) -> None:
        """A grid that was taken over stands again."""
        self.regrid.split()

    def dismiss(self) -> None:
        """The last of the workers has to go; his phone may hand in what he did."""
        if self.people[-1] not in self.leavers and self.rng.random() < 0.5:
            self.grants.dismiss(self.people[-1], self.now_ms)
            self.leavers[self.people[-1]] = self.now_ms + DRAIN_MS

    def reboot(self) -> None:
        """A phone is switched off and on."""
        self.rng.choice(self.handsets).reboot(self.now_ms)

    def set_clock(self) -> None:
        """Somebody sets the clock of a phone."""
        self.rng.choice(self.handsets).skew_ms = self.rng.choice(SKEWS_MS)

    def back_up_phone(self) -> None:
        """A phone is backed up."""
        self.rng.choice(self.handsets).back_up()

    def restore_phone(self) -> None:
        """A phone goes back to its backup."""
        copied = [one for one in self.handsets if one.copy]
        if copied:
            self.rng.choice(copied).restore(self.now_ms)

    def back_up_server(self) -> None:
        """The server is backed up."""
        self.copies.append(self.stand.backup())

    def restore_server(self) -> None:
        """The server goes back to its last backup, under a new epoch."""
        if self.copies:
            self.stand.restore(self.copies[-1], f"epoch-{next(self.epochs)}")
            self.figures["restores"] += 1
            upkeep.erase(self.stand, self.erasures)
            for handset in self.handsets:
                # A phone that was erased cannot send again what the server has lost since.
                handset.late = handset.late or handset.wiped
            self.checks.restored()

    def compact(self) -> bool:
        """What is old is forgotten, unless the command is stopped before it comes to records."""
        keeping = upkeep.keeping(self.rng, self.tombstones_ms)
        return self._forget(keeping, self.rng.choice(self.portions))

    def _forget(self, keeping: Keeping, portions: int) -> bool:
        reached = upkeep.compact(self.stand, self.now_ms, keeping, portions)
        if reached:
            self.checks.replaced()
        return reached

    def erase(self) -> None:
        """A record is erased by law, with the persons who live there."""
        record = upkeep.some_record(self.stand, self.rng)
        if record:
            order = Erasure(record.kind, record.id, self.now_ms, "asked")
            self.erasures += upkeep.erase(self.stand, [order])
            self.figures["erasures"] += 1
            self.checks.replaced()

    # -- the network --------------------------------------------------------------------------

    def send(self) -> None:
        """A phone tries to exchange; it gives up waiting for what it had asked before."""
        handset = self.rng.choice(self.handsets)
        if not handset.wiped:
            self.send_from(handset)

    def send_from(self, handset: Handset) -> None:
        """Post the request of one phone, or lose it, or post it twice."""
        if handset.phone.needs_device:
            self._enrol(handset)
        request = handset.phone.request(want_bytes=self.rng.choice((300, 1500, 65_536)))
        for _ in range(self.rng.choice((1, 1, 1, 1, 2))):
            if self.rng.random() >= self.loss:
                self._post(Parcel(self._later(), next(self.orders), handset, handset.life,
                                  handset.instant(self.now_ms), request))  # fmt: skip

    def _enrol(self, handset: Handset) -> None:
        device = new_id(self.rng)
        self.stand.enrol(device, handset.user)
        handset.phone.take_device(device)
        handset.devices.add(device)

    def _lingering(self, handset: Sender) -> frozenset[str]:
        return frozenset(self.regrid.lingering(handset.user, map("grid:{}".format, self.grids)))

    def _later(self) -> int:
        return self.now_ms + self.rng.choice((20, 100, 900, 15_000, 50_000, 400_000))

    def _post(self, parcel: OnItsWay) -> None:
        heapq.heappush(self.parcels, parcel)

    def _deliver(self) -> None:
        """Hand over everything that is due, in the order in which it is due."""
        until = self.now_ms
        while self.parcels and self.parcels[0].due_ms <= until:
            parcel = heapq.heappop(self.parcels)
            self.now_ms = max(parcel.due_ms, self.checks.last_ms)
            if parcel.reply is None:
                self._answer(parcel)
            elif parcel.life == parcel.handset.life:
                self._hand_over(parcel)
        self.now_ms = until

    def _hand_over(self, parcel: Any) -> None:
        self.take_in(parcel)

    def _answer(self, parcel: OnItsWay) -> None:
        parcel.granted = tuple(self.granted(parcel.handset.user))
        parcel.lingering = self._lingering(parcel.handset)
        try:
            parcel.reply = self.serve(self._text(parcel), parcel.handset.user,
                                      dies=self.rng.random() < 0.04)  # fmt: skip
        except Crash:
            return
        copies = self.rng.choice((1, 1, 1, 2))
        for _ in range(copies):
            if self.rng.random() >= self.loss:
                self._post(replace(parcel, due_ms=self._later(), order=next(self.orders)))

    def _text(self, parcel: Any) -> str:
        return dump(parcel.request)

    def take_in(self, parcel: Parcel) -> bool:
        """Let a phone receive an answer; tell whether it was a page that moved it."""
        handset = parcel.handset
        request, reply = parcel.request, load(parcel.reply or "")
        if "problem" in reply:
            self.figures["problems"] += 1
            handset.phone.problem(request, reply["problem"])
            self._note_wipe(handset, reply["problem"])
            return True
        moved = unpacked(parcel, parts(reply), self.now_ms, self.checks)
        return self.first_copies.mend(handset) or moved

    def _note_wipe(self, handset: Handset, problem: Mapping[str, Any]) -> None:
        if handset.phone.wiped and not handset.wiped:
            handset.wiped, handset.pending = True, {}
            handset.late = handset.late or not problem["drain"]
            handset.life += 1

    # -- coming to rest -----------------------------------------------------------------------

    def _rest(self) -> None:
        """Let the network be good until nothing moves any more."""
        self.parcels.clear()
        self.first_copies.good_line = True
        for _ in range(ROUNDS_MAX):
            if not sum(self._round(handset) for handset in self.handsets):
                return
        self.checks.fail("comes_to_rest", f"still moving after {ROUNDS_MAX} rounds")

    def _round(self, handset: Handset) -> bool:
        """Exchange once without trouble; tell whether anything moved."""
        if handset.wiped:
            return False
        self.now_ms += 1000
        renewed = bool(handset.phone.needs_device)
        if renewed:
            self._enrol(handset)
        request = handset.phone.request(want_bytes=4_000_000)
        sent = handset.instant(self.now_ms)
        granted = tuple(self.granted(handset.user))
        reply = self.serve(dump(request), handset.user)
        parcel = Parcel(0, 0, handset, handset.life, sent, request, reply=reply,
                        granted=granted, lingering=self._lingering(handset))  # fmt: skip
        moved = self.take_in(parcel) or renewed or bool(request["edits"])
        return moved or bool(handset.phone.needs_device)

    def close(self) -> None:
        """Let everything go."""
        self.stand.close()
        for handset in self.handsets:
            handset.close()
