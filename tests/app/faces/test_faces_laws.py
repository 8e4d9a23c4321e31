"""Laws of changes without ids, on generated stories of one phone, its losses and repetitions."""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.core.identifiers import new_id
from app.faces.memory import Said
from app.faces.taking import UPDATE, _news, _with_id, change
from sync.edits import Draft

DEVICE, RECORD = new_id(), new_id()
STEPS = st.lists(
    st.tuples(
        st.sampled_from(("building", "occupancy", "unit_room")), st.integers(0, 2),
        st.integers(1, 3), st.booleans(), st.booleans(),
    ),
    max_size=12,
)  # fmt: skip


@dataclass
class OneRecord:
    """The server's side of one record: what it says, and the ledger of the phone's edits."""

    values: dict[str, Any] = field(default_factory=dict)
    rv: int = 1
    said: list[Said] = field(default_factory=list)

    def take(self, dirty: dict[str, Any], base: int) -> None:
        """Take a push as the faces do."""
        draft = change(DEVICE, UPDATE, "household", RECORD, dirty, base)
        found = _news(draft, self.said, None, {})
        if isinstance(found, Draft):
            edit = _with_id(found.edit, self.said, DEVICE, len(self.said) + 1)
            self.values |= edit.set
            self.rv += 1
            receipt = {"status": "applied", "id": edit.id}
            self.said.append(Said(edit.id, UPDATE, edit.kind, base, self.rv, edit.set, receipt))


@given(STEPS)
def test_the_last_word_stands_and_a_repetition_is_no_edit(steps: list[Any]) -> None:
    server, row, dirty, base = OneRecord(), {}, {}, 1
    for name, value, pushes, heard, pulled in steps:
        row[name] = dirty[name] = value
        server.take(dict(dirty), base)
        edits = len(server.said)
        for _ in range(pushes - 1):
            server.take(dict(dirty), base)
        assert len(server.said) == edits
        assert server.values == row
        if heard:
            dirty.clear()
            base = server.rv if pulled else base
    ids = [one.id for one in server.said]
    assert len(ids) == len(set(ids)) <= len(steps)
