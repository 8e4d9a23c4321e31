"""A simulated year of a whole country: many grids, several phones in each, all faults at once.

It is the world of ``tests.simulation`` on a larger scale. Nothing is proved less strictly there:
each commit, each page and each phone's own edits are checked as they come; whether phones equal
the server is checked for a few grids on every simulated day, and for all phones several times.
"""

import functools
import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sync import digest
from sync.edits import Draft, Parked, Record
from sync.encoding import dump, load
from sync.parking import OPEN_STATES, PARKING, as_record
from sync.replica_tables import Row
from tests.prove.plan import Plan, silent
from tests.prove.wide import Bag, WideGrants, changed
from tests.prove.wide_checks import WideChecks
from tests.simulation.checks import Key
from tests.simulation.deeds import Office, Worker, new_id
from tests.simulation.handset import Handset, Made
from tests.simulation.joining import FEW
from tests.simulation.rest import scopes_of
from tests.simulation.stands import Stand, Watched
from tests.simulation.world import START_MS, World

DAY_MS = 86_400_000
PHONES_PER_GRID = 3
GRIDS_PER_USER_MAX = 3
COPIES_MAX = 2
COMPACT_EVERY = 3
TRIES = 6
TELL_DAYS = 10
ROUNDS_LIVE = 5
"""When faults stop, all phones are equal after so many rounds."""
EVENTS = {
    "work": 40, "send": 44, "desk": 30, "grant": 0.6, "reboot": 2, "set_clock": 0.5,
    "back_up_phone": 0.6, "restore_phone": 0.3,
}  # fmt: skip
SESSIONS = (1, 2, 4, 8, 12, 20)
DELAYS_MS = (20, 100, 900, 15_000, 50_000, 400_000, 20_000_000)
# A hash of a version never changes; phones ask for those of all their rows at each pull.
remembered_digest = functools.lru_cache(maxsize=1 << 19)(digest.record_digest)


class Walker(Worker):
    """A worker who finds a record without reading all that his phone holds."""

    world: "Country"

    def _edit(self, op: str, kind: str, rec: str, values: Mapping[str, Any]) -> None:
        super()._edit(op, kind, rec, values)
        name = next(reversed(self.handset.made))
        self.world.made[name] = self.handset.made[name]

    def _some(self, kind: str) -> Row | None:
        own = [m.rec for m in self.handset.pending.values() if (m.op, m.kind) == ("create", kind)]
        if own and self.rng.random() < 0.3:
            return self.handset.phone.row(kind, self.rng.choice(own))
        rec = self._pulled(kind)
        return self.handset.phone.row(kind, rec) if rec else None

    def _pulled(self, kind: str) -> str | None:
        """Return the record that stands next to a random place."""
        find = "SELECT rec FROM replica_row WHERE kind = ? AND rec >= ? ORDER BY rec LIMIT 1"
        ask = self.handset.phone.memory.ask
        found = ask(find, kind, new_id(self.rng)) or ask(find, kind, "")
        return str(found[0][0]) if found else None

    def move(self) -> None:
        """Correct a position, to the last figure of a measured one."""
        lon = self.rng.uniform(-60, 60)
        self._update("plot", {"lon": lon, "lat": lon + 10})

    def resolve(self) -> None:
        """Choose in a conflict."""
        for _ in range(TRIES):
            one = self._some("conflict")
            if one and one.values["state"] != "resolved":
                choice = self.rng.choice(("keep", "swap"))
                self._edit("resolve", "conflict", one.rec, {"choice": choice})
                return

    def undo(self) -> None:
        """Take back a choice."""
        one = self._some("conflict")
        if one and one.values["state"] == "resolved":
            self._edit("resolve", "conflict", one.rec, {"choice": "undo"})

    def mend(self) -> None:
        """Correct or discard one's own parked edit; now and then somebody else's."""
        one = self._some("parked")
        mine = one and one.values["user"] == self.handset.user
        if one and one.values["state"] in OPEN_STATES and (mine or self.rng.random() < 0.1):
            op = self.rng.choice(("repair", "repair", "repair", "discard"))
            self._edit(op, "parked", one.rec, {"name": "mended"} if op == "repair" else {})

    def _plot(self) -> Row | None:
        """Return one of the few plots on which people meet."""
        find = "SELECT rec FROM replica_row WHERE kind = 'plot' ORDER BY rec LIMIT ?"
        found = self.handset.phone.memory.ask(find, FEW)
        return self.handset.phone.row("plot", self.rng.choice(found)[0]) if found else None


class Desk(Office):
    """An office that finds a record without reading all of them."""

    world: "Country"

    def _some(self, kind: str, **wanted: Any) -> Any:
        for _ in range(TRIES):
            name = self.world.living[kind].draw(self.rng) if kind in self.world.living else None
            record = self.world.checks.shadow.get((kind, name))
            if record and all(record.values.get(k) in value for k, value in wanted.items()):
                return record
        return None

    def _plot(self, values: Mapping[str, Any], op: str = "update") -> None:
        record = self._some("plot")
        if record and not record.deleted:
            base = max(0, record.rv - self.rng.choice((0, 0, 1)))
            self.world.as_office(op, "plot", record.id, values, base=base)

    def release(self) -> None:
        """Repair a parked edit, or lay it aside."""
        waiting = self.world.waiting.draw(self.rng)
        if waiting is None:
            return
        op = self.rng.choice(("repair", "repair", "repair", "discard"))
        mend = op == "repair" and self.rng.random() < 0.7
        self.world.as_office(op, "parked", waiting, {"name": "mended"} if mend else {})


class Country(World):
    """Everything that happens in a country in a year, decided by one seed."""

    grants_class = WideGrants
    checks_class = WideChecks
    worker_class = Walker
    office_class = Desk
    checks: WideChecks

    def __init__(
        self, seed: int, stand: Stand, plan: Plan, tell: Callable[[str], None] = silent
    ) -> None:
        self.tell = tell
        self.plan = plan
        self.users = [1000 + number * 7 // 10 for number in range(plan.phones)]
        self.grids = range(1, max(2, plan.phones // PHONES_PER_GRID) + 1)
        self.made: dict[str, Made] = {}
        self.living: dict[str, Bag] = {}
        self.by_scope: dict[str, dict[Key, None]] = {}
        self.parked: dict[Key, Record] = {}
        """Parked edits as the records that phones see."""
        self.indexed: dict[Key, Record] = {}
        self.indexed_parked: dict[str, Parked] = {}
        """What the indexes were made from."""
        self.waiting = Bag()
        self.busy = Bag()
        self.trace = hashlib.blake2b(digest_size=16)
        self.day = self.steps = self.nights = 0
        nights = range(2, max(2, plan.days))
        chance = random.Random(f"{seed}: nights on which the server is lost")
        self.lost = set(chance.sample(nights, min(plan.restores, len(nights))))
        super().__init__(seed, stand)
        self.loss = 0.15
        self.figures |= {"steps": 0, "crashes": 0, "phones_restored": 0, "rounds_max": 0}

    # -- the year -----------------------------------------------------------------------------

    def run(self) -> None:
        """Live through the year, coming to rest several times."""
        right = digest.record_digest
        digest.record_digest = remembered_digest
        try:
            while self.figures["edits"] < self.plan.edits:
                self._step()
            self._all_rest()
        finally:
            digest.record_digest = right

    def _step(self) -> None:
        self.figures["steps"] = self.steps = self.steps + 1
        self.now_ms += int(self.rng.random() * 2 * self._pace_ms())
        self._deliver()
        name = self.rng.choices(list(EVENTS), list(EVENTS.values()))[0]
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
        if self.nights % COMPACT_EVERY == 0:
            self.compact()
        if self.nights in self.lost and self.copies:
            self.restore_server()
        elif self.nights + 1 in self.lost:
            self.back_up_server()  # that of any other night would never be used
        self._some_rest(self.rng.choice(self.grids))
        if self.day % TELL_DAYS == 0:
            self.tell(f"day {self.day}: {self.figures['edits']} edits")
        between = max(1, self.plan.days // self.plan.rests)
        if self.day % between == 0 and self.day // between < self.plan.rests:
            self._all_rest()  # the last one comes when all is done

    def _some_rest(self, grid: int) -> None:
        """Bring the phones of one grid to rest and compare them with the server."""
        handsets = [one for one in self.handsets
                    if self.grants.in_charge(one.user, grid, self.now_ms)]  # fmt: skip
        self._settle(handsets)
        for handset in handsets:
            self.checks.phone_equals_server(handset)

    def _all_rest(self) -> None:
        """Bring everything to rest and check everything."""
        self.parcels.clear()
        self._settle(self.handsets)
        self.checks.at_rest()

    def _settle(self, handsets: Sequence[Handset]) -> None:
        self.first_copies.good_line = True
        self._exchange_until_rest(handsets)
        self.first_copies.good_line = False

    def _exchange_until_rest(self, handsets: Sequence[Handset]) -> None:
        for number in range(ROUNDS_LIVE + 1):
            moved = [self._turn(handset) for handset in handsets]
            if not any(moved):
                self.figures["rounds_max"] = max(self.figures["rounds_max"], number)
                return
        self.checks.fail("comes_to_rest", f"still moving after {ROUNDS_LIVE} rounds")

    def _turn(self, handset: Handset) -> bool:
        """Exchange until all is sent: how many edits wait is not what must come to rest."""
        moved, before = self._round(handset), len(handset.phone.outbox()) + 1
        while 0 < (left := len(handset.phone.outbox())) < before:
            moved, before = self._round(handset) or moved, left
        return moved

    # -- events that are rarer or more even than in the small world ------------------------------

    def work(self) -> None:
        """Somebody works for a while."""
        number = self.rng.randrange(len(self.handsets))
        handset = self.handsets[number]
        for _ in range(self.rng.choice(SESSIONS)):
            self.now_ms += self.rng.randrange(1, 2000)
            Walker(self, handset).act()
        self.busy.put(number)
        self.checks.own_edits_shown(handset)

    def send(self) -> None:
        """A phone tries to exchange, most likely one that has something to send."""
        number = self.busy.draw(self.rng) if self.rng.random() < 0.8 else None
        number = self.rng.randrange(len(self.handsets)) if number is None else number
        if not self.handsets[number].pending:
            self.busy.take(number)
        self.send_from(self.handsets[number])

    def grant(self) -> None:
        """Charge of a grid changes hands."""
        user, grid = self.rng.choice(self.users), self.rng.choice(self.grids)
        scopes = self.grants.scopes(user, self.now_ms)
        held = [scope for scope in scopes if scope.startswith("grid:")]
        if len(held) >= GRIDS_PER_USER_MAX or (len(held) > 1 and self.rng.random() < 0.3):
            self.grants.end(user, int(self.rng.choice(held).split(":")[1]), self.now_ms)
        else:
            self.grants.give(user, grid, self.now_ms)
            if held and self.rng.random() < 0.7:
                self.grants.end(user, int(self.rng.choice(held).split(":")[1]), self.now_ms)

    def restore_phone(self) -> None:
        """A phone goes back to its backup."""
        self.figures["phones_restored"] += any(one.copy for one in self.handsets)
        super().restore_phone()

    def back_up_server(self) -> None:
        """The server is backed up; few backups are kept."""
        super().back_up_server()
        del self.copies[:-COPIES_MAX]

    def restore_server(self) -> None:
        """The server goes back to its last backup."""
        super().restore_server()
        self._index_anew()

    def compact(self) -> None:
        """What is old is forgotten."""
        super().compact()
        self._index_anew()

    def _later(self) -> int:
        return self.now_ms + self.rng.choice(DELAYS_MS)

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
