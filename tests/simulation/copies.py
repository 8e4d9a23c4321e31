"""Copies in the simulated world: taken ready-made and cut at any byte, pulled in lines that are
cut too, spoilt on the phone by accident, and mended bucket by bucket.

It decides by a dice of its own, so that the histories of earlier seeds stay as they were.
"""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sync import snapshot
from sync.errors import Problem
from sync.first_copies import PART, WHOLE, CopyReply, CopyRequest
from sync.lines import pages, whole_lines
from sync.pull import Page
from sync.snapshot import Snapshot, still_good
from sync.verify import read_question, verify
from tests.simulation.deeds import GRIDS, new_id
from tests.simulation.handset import Handset

if TYPE_CHECKING:
    from tests.simulation.world import World

MARK_EVERY = 3
QUESTIONS_MAX = 10
STEP_ODDS = {"": 80, "offer": 8, "fetch": 9, "spoil": 2}


class Copies:
    """What happens to copies in one world."""

    def __init__(self, world: "World", seed: int) -> None:
        self.world = world
        self.rng = random.Random(f"copies {seed}")
        self.made: list[Snapshot] = []
        self.good_line = False

    def step(self) -> None:
        """Let something happen to the copy of some phone, or nothing."""
        name = self.rng.choices(list(STEP_ODDS), list(STEP_ODDS.values()))[0]
        handset = self.rng.choice(self.world.handsets) if name else None
        if handset and not handset.wiped:
            getattr(self, name)(handset)

    # -- ready-made copies --------------------------------------------------------------------

    def offer(self, handset: Handset) -> None:
        """Tell a phone that it may have a scope as a copy, whatever it has of it already."""
        scopes = self.world.granted(handset.user)
        if scopes:
            handset.phone.memory.keep(offered=[self.rng.choice(scopes)])

    def fetch(self, handset: Handset) -> None:
        """Let a phone ask for the copy that it was offered; the line may be cut at any byte."""
        wanted = handset.phone.first_copies.wanted()
        if wanted is None:
            return
        reply = self._serve(handset.user, wanted)
        if reply is None:
            handset.phone.first_copies.refuse(wanted, 404)
            return
        cut = self.rng.choice((None, None, self.rng.randrange(len(reply.body) + 1)))
        arrived = CopyReply(reply.status, reply.tag, reply.size, reply.start, reply.body[:cut])
        if handset.phone.first_copies.receive(wanted, arrived):
            self.world.figures["copies"] = self.world.figures.get("copies", 0) + 1
        self.world.checks.own_edits_shown(handset)

    def _serve(self, user: int, wanted: CopyRequest) -> CopyReply | None:
        """Hand out a copy as the server does: an older one while it is good, else a new one."""
        if not self._may_see(user, wanted.scope):
            return None
        with self.world.stand.open() as store:
            state, epoch = store.scopes([wanted.scope]).get(wanted.scope), store.epoch()
            if state is None:
                return None
            good = [one for one in self.made if (one.epoch, one.scope) == (epoch, wanted.scope)
                    and still_good(one.ver, state)]  # fmt: skip
            if not good or self.rng.random() < 0.3:
                made = snapshot.make(store, wanted.scope, lambda _kind, body: body)
                good, self.made = [made], [*self.made, made]
        same = [one for one in good if one.tag == wanted.tag]
        if same:
            body = same[0].body[wanted.start :]
            return CopyReply(PART, same[0].tag, len(same[0].body), wanted.start, body)
        copy = self.rng.choice(good)
        return CopyReply(WHOLE, copy.tag, len(copy.body), 0, copy.body)

    def _may_see(self, user: int, scope: str) -> bool:
        """Tell whether somebody is still with us and sees a scope."""
        granted = self.world.granted(user)
        return user not in self.world.leavers and scope in granted

    # -- pulls in lines -----------------------------------------------------------------------

    def marks(self) -> int:
        """Tell after how many rows the next page has a cursor: 0 unless it goes in lines."""
        return 0 if self.good_line or self.rng.random() > 0.3 else MARK_EVERY

    def lines_of(self, page: Page, now: str, anchor: str) -> str:
        """Return a page in lines, as far as they get through."""
        raw = "\n".join([*page.as_lines(now, anchor), ""]).encode()
        cut = self.rng.choice((len(raw), self.rng.randrange(len(raw) + 1)))
        return "\n".join([*whole_lines(raw[:cut]), ""])

    # -- accidents and their mending ----------------------------------------------------------

    def spoil(self, handset: Handset) -> None:
        """Damage a row on a phone, as a bad flash memory would."""
        memory = handset.phone.memory
        shown = [(s, *row[:2]) for s in sorted(memory.scopes()) for row in sorted(memory.shown(s))]
        if not shown:
            return
        handset.spoiled = True
        scope, kind, rec = self.rng.choice(shown)
        how = self.rng.randrange(4)
        if how == 0:
            memory.ask("DELETE FROM replica_row WHERE kind = ? AND rec = ?", kind, rec)
        elif how == 1:
            memory.leave(scope, kind, rec)
        elif how == 2:
            memory.ask("UPDATE replica_row SET rv = max(1, rv - 1) WHERE rec = ?", rec)
        else:
            values = {"grid": self.rng.choice(GRIDS), "name": "ghost", "owner": None, "lon": None,
                      "lat": None, "story": None}  # fmt: skip
            memory.put(scope, "plot", new_id(self.rng), rv=1, values=values)

    def mend(self, handset: Handset) -> bool:
        """Let a phone ask about what is in doubt, if the line is good; tell whether it did."""
        asked = 0
        odds = 1.0 if self.good_line else 0.7
        while (question := handset.phone.healing.wanted()) and self.rng.random() < odds:
            asked += 1
            self.world.checks.demand("mending_ends", asked <= QUESTIONS_MAX, question)
            answer = self._answer(handset.user, question)
            if answer is None:
                handset.phone.healing.refuse(question)
            else:
                handset.phone.healing.receive(question, answer)
        return asked > 0

    def _answer(self, user: int, question: Mapping[str, Any]) -> Mapping[str, Any] | None:
        asked = read_question(json.loads(json.dumps(question)))
        if not self._may_see(user, asked.scope):
            return None
        try:
            with self.world.stand.open() as store:
                found = verify(store, asked, lambda _kind, body: body)
        except Problem:
            return None
        items: Sequence[Any] = [json.loads(item) for item in found.items]
        shape = json.dumps({"ver": found.ver, "buckets": found.buckets, "items": items})
        answer: Mapping[str, Any] = json.loads(shape)
        return answer


def parts(reply: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the parts in which a phone takes in a reply."""
    if "lines" not in reply:
        yield reply
        return
    yield {"push": reply["push"]}
    for page in pages(whole_lines(reply["lines"].encode())):
        yield {"pull": page}
