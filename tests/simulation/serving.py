"""The server of a simulated world: it answers requests as the product's own does."""

import random
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from sync.clock import Anchors
from sync.edits import Draft, Edit
from sync.encoding import dump, load
from sync.errors import Problem
from sync.pull import Page, Pull, pull
from sync.push import Push, push
from sync.wire import read_drafts
from tests.simulation import upkeep
from tests.simulation.checks import Checks
from tests.simulation.deeds import new_id
from tests.simulation.gate import DatedGate, Grants
from tests.simulation.stands import Stand, Watched
from tests.sync.house import KINDS
from tests.sync.server import moment

if TYPE_CHECKING:
    from tests.simulation.copies import Copies
    from tests.simulation.regrid import Regrid

OFFICE_USER = 100
ANCHORS = Anchors(b"the key of the simulated server")


class Serving:
    """What a world does as its server; each request is a transaction of its own."""

    rng: random.Random
    stand: Stand
    now_ms: int
    grants: Grants
    regrid: "Regrid"
    leavers: dict[int, int]
    """Until when those who have left may hand in what they did."""
    checks: Checks
    first_copies: "Copies"
    office_device: str
    figures: dict[str, int]

    def granted(self, user: int) -> list[str]:
        """Return the scopes that somebody sees now."""
        return self.grants.scopes(user, self.now_ms)

    def serve(self, text: str, user: int, *, dies: bool = False) -> str:
        """Answer a request, as JSON.

        Raises:
            Crash: the server died; nobody gets an answer.
        """
        request = load(text)
        self.figures["exchanges"] += 1
        try:
            self._demand_work(request, user)
            pushed = self._push(request["device"], read_drafts(request["edits"]), user, dies=dies)
            if user in self.leavers:
                return dump({"push": pushed, "pull": None})
            marks = self.first_copies.marks()
            page = self._pull(request, user, marks)
        except Problem as problem:
            return dump({"problem": {"code": problem.code, **problem.extra}})
        said = (moment(self.now_ms), ANCHORS.issue(self.now_ms, request["device"]))
        text = page.as_json(*said)
        self.checks.page_made(text, self.granted(user))
        if not marks:
            return f'{{"push":{dump(pushed)},"pull":{text}}}'
        return dump({"push": pushed, "lines": self.first_copies.lines_of(page, *said)})

    def _demand_work(self, request: Mapping[str, Any], user: int) -> None:
        """Let the phone of somebody who left send what it holds, and do nothing else."""
        until = self.leavers.get(user)
        if until is None or (self.now_ms <= until and request["edits"]):
            return
        with self.stand.open() as store:
            device = store.device(request["device"])
        if device is None:
            raise Problem(404, "unknown_device")
        raise Problem(403, "device_wipe", drain=self.now_ms <= until, expected=device.last_n + 1)

    def _push(
        self, device: str, drafts: list[Draft], user: int, *, dies: bool = False
    ) -> Mapping[str, Any]:
        gate = DatedGate(self.grants, user, self.now_ms, user == OFFICE_USER, self.regrid.present)
        context = Push(device, user, self.now_ms, ANCHORS, gate, KINDS,
                       present=self.regrid.present_scope)  # fmt: skip
        with self.stand.open(dies=dies) as store:
            reply = push(store, drafts, context)
        self._committed(store, user)
        return {"expected": reply.expected, "last_id": reply.last_id, "results": reply.results}

    def _committed(self, store: Watched, user: int) -> None:
        if store.batch:
            self.figures["edits"] += len(store.batch.ledger)
            self.checks.committed(store.batch, user=user)

    def _pull(self, request: Mapping[str, Any], user: int, marks: int) -> Page:
        scopes = self.granted(user)
        with self.stand.open() as store:
            device = store.device(request["device"])
            if device is None:
                raise Problem(404, "unknown_device")
            brief = request.get("brief", False) and user != 2
            asked = Pull(scopes, request["cursor"], device, request["want_bytes"],
                         mark_every=marks, brief=brief,
                         linger=partial(self.regrid.lingering, user))  # fmt: skip
            page = pull(store, asked)
            if page.wiped:
                upkeep.of(store).wiped(device.id, page.wiped, self.now_ms)
        return page

    def as_office(
        self, op: str, kind: str, rec: str, values: Mapping[str, Any], *, base: int = 0
    ) -> None:
        """Write an edit at the desk, which is always connected."""
        with self.stand.open() as store:
            device = store.device(self.office_device)
        edit = Edit(device.last_n + 1, new_id(self.rng), op, kind, rec, base, values,
                    at={"claimed": self.now_ms})  # fmt: skip
        self._push(self.office_device, [Draft(edit)], OFFICE_USER)
