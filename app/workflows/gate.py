"""The gate of a regridding: it was judged as a whole, so each edit may only say the new grid."""

from collections.abc import Mapping, Sequence
from typing import Any

from sync.errors import Refusal
from sync.gate import Verdict, Work


class RegridGate:
    """Lets edits through that move a record to another grid, and no others."""

    def prepare(self, work: Sequence[Work]) -> None:
        """Need nothing: whoever redraws the grids has the right to all that lies in them."""

    def judge(self, work: Work, values: Mapping[str, Any]) -> Verdict:
        """Take the edit for the office's.

        Raises:
            Refusal: it does something else than move.
        """
        if work.edit.op != "update" or set(values) != {"grid"}:
            raise Refusal("not_allowed")
        return Verdict(office=True)

    def derive(self, work: Work, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Add nothing."""
        return values
