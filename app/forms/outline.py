"""The outline of an XLSForm: which questions stand in which group or repeat."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.forms.shape import GROUP, REPEAT
from app.forms.workbook import Row

Question = dict[str, Any]


@dataclass
class Outline:
    """Questions as they stand within one another.

    Attributes:
        questions: those outside of all groups.
        placed: each line with its place and its row.
    """

    questions: list[Question] = field(default_factory=list)
    placed: list[tuple[str, Question, Row]] = field(default_factory=list)
    _open: list[tuple[str, Question, Row]] = field(default_factory=list)

    def add(self, question: Question, row: Row) -> None:
        """Add a line where the reading stands; a group or repeat is open from now on."""
        place, within = ("", self.questions)
        if self._open:
            place, outer, _ = self._open[-1]
            within = outer["questions"]
        path = f"{place}/questions" if place else "questions"
        line = (f"{path}/{len(within)}", question, row)
        within.append(question)
        self.placed.append(line)
        if question["type"] in (GROUP, REPEAT):
            question["questions"] = []
            self._open.append(line)

    def close(self, kind: str) -> Question | None:
        """End the innermost group or repeat; None when that is of another kind, or none."""
        if not self._open or self._open[-1][1]["type"] != kind:
            return None
        return self._open.pop()[1]

    @property
    def unclosed(self) -> Iterator[tuple[str, Row]]:
        """Yield the kinds and rows of what is still open."""
        return ((question["type"], row) for _, question, row in self._open)

    def row_at(self, path: Sequence[str]) -> tuple[Row, str] | None:
        """Return the row of the line at, or next above, a path, and the rest of the path."""
        rows = {place: row for place, _, row in self.placed}
        for length in range(len(path), 0, -1):
            if row := rows.get("/".join(path[:length])):
                return row, "/".join(path[length:])
        return None


def bracket(said: str) -> tuple[str, str] | None:
    """Return ``begin`` or ``end`` and what is begun or ended; None for any other type."""
    deed, _, kind = said.strip().lower().replace(" ", "_").partition("_")
    return (deed, kind) if deed in ("begin", "end") and kind in (GROUP, REPEAT) else None
