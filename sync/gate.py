"""What the engine asks the house: may this edit be, and what follows from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sync.clock import ActTime
from sync.edits import Edit, Record
from sync.kinds import Kind


@dataclass(frozen=True, slots=True)
class Work:
    """One edit with the record it found, as the gate is asked about it.

    Attributes:
        referred: for each field that names another record, that record as it stands now.
        author: whose edit it is, when somebody else lets it through; else None.
        device: from which the edit came.
        consents: all that were given, declined or withdrawn for the record, where that counts.
        spoken: the schema in which the edit was sent, if not that of ``edit``.
        around: the records that an act touches, and all that follows them.
    """

    edit: Edit
    kind: Kind
    record: Record | None
    act: ActTime
    referred: Mapping[str, Record] = field(default_factory=dict)
    author: int | None = None
    device: str = ""
    consents: tuple[Record, ...] = ()
    spoken: int | None = None
    around: Mapping[tuple[str, str], Record] = field(default_factory=dict)

    def saw(self, unit: str) -> bool:
        """Tell whether the author knew what stands in a unit: he had seen it, or wrote it."""
        if self.record is None:
            return True
        mark = self.record.mark(unit)
        return mark.rv <= self.edit.base or mark.device == self.device


@dataclass(frozen=True, slots=True)
class Verdict:
    """The gate's answer: on which side of the desk the author sits, and remarks."""

    office: bool = False
    flags: tuple[str, ...] = ()


class Gate(Protocol):
    """The rights and rules of the features, behind one door."""

    def prepare(self, work: Sequence[Work]) -> None:
        """Read what the batch needs, with a constant number of statements."""

    def judge(self, work: Work, values: Mapping[str, Any]) -> Verdict:
        """Tell whether the author had the right at the time of the act.

        Raises:
            Refusal: he had not; the edit is parked for the present owner.
        """

    def derive(self, work: Work, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the values an edit sets, with what the server adds to them.

        Raises:
            Refusal: a rule of the feature forbids it.
        """
