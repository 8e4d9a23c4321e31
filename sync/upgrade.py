"""Bring edits of older apps up to the present schema of their kind, one pure step at a time.

Whatever a released app may send, it may send for ever. A step never refuses: what it does not
understand it leaves as it is, and the checks of the kind find it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sync.errors import Refusal

if TYPE_CHECKING:
    from sync.edits import Edit
    from sync.kinds import Kind

Values = Mapping[str, Any]
CANNOT = "cannot_upgrade"
NEWER = ("unknown_kind", "unknown_op", CANNOT)
"""Codes of edits that another release of the server may understand."""
_BROKEN = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


def _same(op: str) -> str:
    return op


@dataclass(frozen=True, slots=True)
class Step:
    """The way from one schema of a kind to the next.

    Attributes:
        values: turns some fields of the older schema into those of the newer; an edit carries
            only the fields it sets, so each may be there or not.
        op: turns an operation into the one that replaced it.
    """

    values: Callable[[Values], Values]
    op: Callable[[str], str] = _same


def upgraded(kind: "Kind", edit: "Edit") -> "Edit":
    """Return an edit in the present schema of its kind; a newer one is left as it is.

    Raises:
        Refusal: ``cannot_upgrade``, when a step fails: the edit is parked whole and taken again
            by a release whose step is mended.
    """
    if edit.schema >= kind.schema:
        return edit
    set_, was, op = edit.set, edit.was, edit.op
    try:
        for step in kind.upcasters[max(edit.schema, 1) - 1 :]:
            set_, was, op = step.values(set_), step.values(was), step.op(op)
    except _BROKEN:
        raise Refusal(CANNOT) from None
    return replace(edit, set=set_, was=was, op=op, schema=kind.schema)


def corrected(kind: "Kind", edit: "Edit", repair: "Edit") -> "Edit":
    """Return a parked edit with the corrections of a repair, each brought up to date first.

    The two may come from apps of different age, so neither's names can be laid over the other's.

    Raises:
        Refusal: ``cannot_upgrade``.
    """
    plain = upgraded(kind, edit)
    changes = upgraded(kind, replace(edit, set=repair.set, was={}, schema=repair.schema))
    return replace(plain, set={**plain.set, **changes.set})
