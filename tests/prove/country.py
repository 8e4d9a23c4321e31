"""A simulated year of a whole country: many grids, several phones in each, all faults at once.

It is the world of ``tests.simulation`` on a larger scale. Nothing is proved less strictly there:
each commit, each page and each phone's own edits are checked as they come; whether phones equal
the server is checked for a few grids on every simulated day, and for all phones several times.
"""

import hashlib
import itertools
import random
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Any

from sync.compaction import Keeping
from sync.edits import Draft, Parked, Record
from sync.encoding import dump, load
from sync.parking import OPEN_STATES, PARKING, as_record
from tests.prove.apart import Aside
from tests.prove.phones import Phones, together
from tests.prove.plan import Plan, silent
from tests.prove.remembered import forget_hashes, hashes
from tests.prove.staff import Desk
from tests.prove.traffic import Traffic
from tests.prove.wide import Bag, WideGrants, changed
from tests.prove.wide_checks import WideChecks
from tests.simulation.checks import Key
from tests.simulation.phone_checks import Wanted
from tests.simulation.rest import scopes_of
from tests.simulation.stands import Stand, Watched
from tests.simulation.world import START_MS

DAY_MS = 86_400_000
PHONES_PER_GRID = 3
GRIDS_PER_USER_MAX = 3
COMPACT_EVERY = 3
TELL_DAYS = 10
EVENTS = {
    "work": 40, "send": 44, "desk": 30, "grant": 0.6, "reboot": 2, "set_clock": 0.5,
    "back_up_phone": 0.6, "restore_phone": 0.3,
}  # fmt: skip
ALONE = Aside()
EVENT_NAMES, EVENT_ODDS = tuple(EVENTS), tuple(itertools.accumulate(EVENTS.values()))


class Country(Traffic):
    """Everything that happens in a country in a year, decided by one seed."""

    grants_class = WideGrants
    checks_class = WideChecks
    office_class = Desk
    tombstones_ms = (0, *9 * (30 * DAY_MS,))
    """At 0, about once a month, nearly every phone must begin again."""
    checks: WideChecks

    def __init__(
        self, seed: int, stand: Stand, plan: Plan, tell: Callable[[str], None] = silent,
        aside: Aside = ALONE,
    ) -> None:  # fmt: skip
        self.tell = tell
        self.judge = aside.judge()
        self.plan = plan
        self.users = [1000 + number * 7 // 10 for number in range(plan.phones)]
        self.grids = range(1, max(2, plan.phones // PHONES_PER_GRID) + 1)
        self.living: dict[str, Bag] = {}
        self.by_scope: dict[str, dict[Key, None]] = {}
        self.parked: dict[Key, Record] = {}
        """Parked edits as the records that phones see."""
        self.indexed: dict[Key, Record] = {}
        self.indexed_parked: dict[str, Parked] = {}
        """What the indexes were made from."""
        self.waiting = Bag()
        self.trace = hashlib.blake2b(digest_size=16)
        self.day = self.steps = self.nights = 0
        nights = range(2, max(2, plan.days))
        chance = random.Random(f"{seed}: nights on which the server is lost")
        self.lost = set(chance.sample(nights, min(plan.restores, len(nights))))
        super().__init__(seed, stand)
        phones = Phones(self.handsets, self.grids, aside.judge(), aside.grown)
        self._bring_there = partial(aside.line, phones)
        self.loss = 0.15
        self.figures |= {"steps": 0, "crashes": 0, "phones_restored": 0, "rounds_max": 0}

    # -- the year -----------------------------------------------------------------------------

    def run(self) -> None:
        """Live through the year, coming to rest several times."""
        with hashes(), closing(self._bring_there()) as self.line:
            while self.figures["edits"] < self.plan.edits:
                self._step()
            self._end()

    def _step(self) -> None:
        self.figures["steps"] = self.steps = self.steps + 1
        self.now_ms += int(self.rng.random() * 2 * self._pace_ms())
        self._deliver()
        name = self.rng.choices(EVENT_NAMES, cum_weights=EVENT_ODDS)[0]
        self.trace.update(f"{self.now_ms} {name}\n".encode())
        getattr(self, name)()
        if self.now_ms >= START_MS + (self.day + 1) * DAY_MS:
            self.day = (self.now_ms - START_MS) // DAY_MS
            self._night()

    def _pace_ms(self) -> float:
        """Return how long a step should take, so that work and year end together."""
        left_ms = max(0, START_MS + self.plan.days * DAY_MS - self.now_ms)
        done = max(1, self.figures["edits"])
        steps = (self.plan.edits - done) * self.steps / done if self.steps > 50 else 1e9
        return left_ms / max(1.0, steps) if steps < 1e9 else 20_000

    def _night(self) -> None:
        """Forget what is old, back the server up or lose it; look at a grid or at everything."""
        self.nights += 1
        forget, tell = self.nights % COMPACT_EVERY == 0, self.day % TELL_DAYS == 0
        self.line.tell("night", None, forget, tell)
        self.judge.hear(self.checks)
        if forget:
            self.compact()
            forget_hashes()
        if self.nights in self.lost and self.copies:
            self.restore_server()
        elif self.nights + 1 in self.lost:
            self.back_up_server()  # that of any other night would never be used
        self._some_rest(self.rng.choice(self.grids))
        if tell:
            self.tell(f"day {self.day}: {self.figures['edits']} edits")
        between = max(1, self.plan.days // self.plan.rests)
        if self.day % between == 0 and self.day // between < self.plan.rests:
            self._all_rest()  # the last one comes when all is done

    def _some_rest(self, grid: int) -> None:
        """Bring the phones of one grid to rest and compare them with the server."""
        phones = [one for one in self.phones
                  if self.grants.in_charge(one.user, grid, self.now_ms)]  # fmt: skip
        self._settle(phones)
        for phone in phones:
            wanted = self.checks.wanted(self.granted(phone.user))
            self.line.tell("compare", phone.number, together(wanted.values()))

    def _all_rest(self) -> None:
        """Bring everything to rest and check everything."""
        self.line.tell("at_rest", None, *self._what_should_be())
        self.judge.judge(self.checks, self.checks.at_rest)

    def _end(self) -> None:
        """Bring everything to rest a last time, when nothing goes on meanwhile."""
        found = self.line.ask("at_the_end", None, *self._what_should_be())
        self.judge.wait(self.checks)
        self.checks.at_rest()
        demanded, self.figures["problems"] = found()
        self.checks.done.update(demanded)

    def _what_should_be(self) -> tuple[dict[str, Wanted], list[list[str]], set[str]]:
        """Bring everything to rest; return what each scope holds, what phones see, all edits."""
        self.parcels.clear()
        self._settle(self.phones)
        granted = [self.granted(phone.user) for phone in self.phones]
        scopes = dict.fromkeys(scope for some in granted for scope in some)
        return self.checks.wanted(scopes), granted, self.checks.effects

    # -- events that are rarer or more even than in a small world ------------------------------

    def grant(self) -> None:
        """Charge of a grid changes hands."""
        user, grid = self.rng.choice(self.users), self.rng.choice(self.grids)
        scopes = self.granted(user)
        held = [scope for scope in scopes if scope.startswith("grid:")]
        if len(held) >= GRIDS_PER_USER_MAX or (len(held) > 1 and self.rng.random() < 0.3):
            self.grants.end(user, int(self.rng.choice(held).split(":")[1]), self.now_ms)
        else:
            self.grants.give(user, grid, self.now_ms)
            if held and self.rng.random() < 0.7:
                self.grants.end(user, int(self.rng.choice(held).split(":")[1]), self.now_ms)

    def back_up_server(self) -> None:
        """The server is backed up; nobody would ever go back to an older copy."""
        self.copies.clear()
        super().back_up_server()

    def restore_server(self) -> None:
        """The server goes back to its last backup."""
        super().restore_server()
        self._index_anew()

    def _forget(self, keeping: Keeping, portions: int) -> bool:
        reached = super()._forget(keeping, portions)
        if reached:
            self._index_changed(self.checks.shadow)
        return reached

    # -- what is written down ------------------------------------------------------------------

    def serve(self, text: str, user: int, *, dies: bool = False) -> str:
        """Answer a request; request and answer belong to the trace."""
        self.figures["crashes"] += dies
        self.trace.update(text.encode())
        reply = super().serve(text, user, dies=dies)
        self.trace.update(reply.encode())
        return reply

    def _push(
        self, device: str, drafts: list[Draft], user: int, *, dies: bool = False
    ) -> Mapping[str, Any]:
        answer = super()._push(device, drafts, user, dies=dies)
        if device == self.office_device:
            self.trace.update(dump(answer["results"]).encode())
        return answer

    def _committed(self, store: Watched, user: int) -> None:
        batch = store.batch
        before = {key: self.checks.shadow.get(key) for key in batch.records} if batch else {}
        super()._committed(store, user)
        for key, old in before.items():
            self._index(key, old, self.checks.shadow[key])
        for one in batch.parked.values() if batch else ():
            self._index_parked(one)

    def _index_parked(self, one: Parked) -> None:
        self.indexed_parked[one.edit.id] = one
        change = self.waiting.put if one.state in OPEN_STATES else self.waiting.take
        change(one.edit.id)
        shown = as_record(one)
        if shown:
            values = load(dump(shown.values))
            key = (shown.kind, shown.id)
            self._place(key, self.parked.get(key), shown)
            self.parked[key] = replace(shown, values=values)

    def _index(self, key: Key, before: Record | None, after: Record) -> None:
        """Keep the indexes from which workers, the office and the checks draw."""
        self.indexed[key] = after
        bag = self.living.setdefault(key[0], Bag())
        change = bag.take if after.deleted else bag.put
        change(key[1])
        self._place(key, before, after)

    def _place(self, key: Key, before: Record | None, after: Record) -> None:
        if before:
            self._leave(key, before)
        for scope in scopes_of(after):
            self.by_scope.setdefault(scope, {})[key] = None

    def _leave(self, key: Key, before: Record) -> None:
        for scope in scopes_of(before):
            self.by_scope[scope].pop(key, None)

    def _index_anew(self) -> None:
        """Bring the indexes up to what no edit has changed, in the order of the ids.

        Stores return records in orders of their own; what people draw must not depend on them.
        """
        self._index_changed(self.checks.shadow)
        self._index_changed_parked(self.stand.parked())

    def _index_changed(self, records: Mapping[Key, Record]) -> None:
        for key in sorted(changed(self.indexed, records)):
            before, after = self.indexed.get(key), records.get(key)
            if after:
                self._index(key, before, after)
            elif before:
                self.living[key[0]].take(key[1])
                self._leave(key, before)
                del self.indexed[key]

    def _index_changed_parked(self, parked: Mapping[str, Parked]) -> None:
        for name in sorted(changed(self.indexed_parked, parked)):
            shown = self.parked.pop((PARKING.name, name), None)
            if shown:
                self._leave((shown.kind, shown.id), shown)
            if name in parked:
                self._index_parked(parked[name])
            else:
                self.waiting.take(name)
                del self.indexed_parked[name]


def kinds_seen(world: Country) -> Mapping[str, int]:
    """Return how many records of each kind live at the end."""
    return {kind: len(bag) for kind, bag in sorted(world.living.items())}
