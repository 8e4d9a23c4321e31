"""The check of undone choices knows what each choice wrote, and nothing else."""

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from sync import conflicts
from sync.edits import Draft, Edit
from tests.simulation.demands import Violation
from tests.simulation.serving import OFFICE_USER
from tests.simulation.stands import STANDS
from tests.simulation.world import World
from tests.sync.house import name_of

JOB = name_of("job")
AGAIN = {"state": "assigned", "round": 1}


class Desks:
    """Two desks of one office in a simulated world, which checks each of their pushes."""

    def __init__(self, store: str) -> None:
        self.world = World(0, STANDS[store]())
        self.numbers = {"left": 0, "right": 0}
        for desk in self.numbers:
            self.world.stand.enrol(name_of(desk), OFFICE_USER)

    def do(self, desk: str, op: str, values: Mapping[str, Any], *, base: int = 99,
           rec: str = JOB) -> Mapping[str, Any]:  # fmt: skip
        """Push one edit, a second later than the one before; return its receipt."""
        self.world.now_ms += 1000
        self.numbers[desk] += 1
        kind = "conflict" if op == "resolve" else "job"
        edit = Edit(self.numbers[desk], str(uuid.uuid4()), op, kind, rec, base, values,
                    at={"claimed": self.world.now_ms})  # fmt: skip
        answer = self.world._push(name_of(desk), [Draft(edit)], OFFICE_USER)
        receipt: Mapping[str, Any] = answer["results"][0]
        return receipt

    def overtaken(self) -> str:
        """Let a step with a report come after a later one; return the conflict."""
        self.do("left", "create", {"grid": 7, "state": "assigned", "round": 0}, base=0)
        self.do("left", "update", {"state": "started", "round": 0})
        self.do("left", "update", {"state": "done", "round": 0})
        late = {"state": "cancelled", "round": 0, "report": "what was left"}
        return str(self.do("right", "update", late, base=2)["conflicts"][0])


@pytest.fixture(params=sorted(STANDS))
def desks(request: pytest.FixtureRequest) -> Iterator[Desks]:
    """Return two desks, on each store of the simulation."""
    found = Desks(request.param)
    yield found
    found.world.close()


def test_of_a_step_whose_content_alone_was_taken_up_only_that_must_stand(desks: Desks) -> None:
    one = desks.overtaken()
    assert desks.do("left", "resolve", {"choice": "swap", "seen": 99}, rec=one)["rv"]
    desks.do("right", "update", AGAIN)
    assert desks.do("left", "resolve", {"choice": "undo"}, rec=one)["status"] == "applied"
    assert desks.world.checks.done["undo_only_what_stands"] == 1


def test_content_undone_over_something_newer_is_a_violation(
    desks: Desks, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = desks.overtaken()
    desks.do("left", "resolve", {"choice": "swap", "seen": 99}, rec=one)
    desks.do("right", "update", {"report": "newer"})
    monkeypatch.setattr(conflicts, "_written_over", lambda *_: [])
    with pytest.raises(Violation, match="undo_only_what_stands"):
        desks.do("left", "resolve", {"choice": "undo"}, rec=one)
