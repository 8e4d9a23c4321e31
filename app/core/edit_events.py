"""Write down the edits that the audit log names itself: consents, deletions, decisions.

Every edit of whoever stands whole in the ledger, with its receipt. These are besides in the
audit log, since the law wants them kept apart, and longer than the content of edits.
"""

import re
from typing import Any

from sqlalchemy.orm import Session

from app.core import audit
from sync.edits import Edit
from sync.push import PushReply

CONSENT = "consent"
OPS = frozenset({"delete", "resolve", "discard", "repair"})
SPOKEN = OPS | {"create", "update", "event"}
_NAME = re.compile("[a-z_]{1,40}")
REFUSED = frozenset({"parked", "noted", "held"})


def write_down(session: Session, reply: PushReply, *, user_id: int, device: str) -> None:
    """Write down those of the edits taken now that the log names: one statement, or none."""
    named = [one for one in reply.taken if one.kind == CONSENT or one.op in OPS]
    if not named:
        return
    receipts = {one["id"]: one for one in reply.results}
    audit.record_all(
        session, [_event(one, receipts.get(one.id, {}), user_id, device) for one in named]
    )


def _event(edit: Edit, receipt: Any, user_id: int, device: str) -> audit.Event:
    refused = receipt.get("status") in REFUSED
    code = {"code": receipt["code"]} if receipt.get("code") else {}
    claimed = edit.at.get("claimed")
    grid = edit.set.get("grid")
    # A phone may send any text as the name of a kind or an operation: none of it comes in here.
    kind = edit.kind if _NAME.fullmatch(edit.kind) else "unknown"
    op = edit.op if edit.op in SPOKEN else "unknown"
    return audit.Event(
        f"{kind}.{op}", user_id, edit.rec, sort=audit.ACT, device=device,
        scope=f"grid:{grid}" if type(grid) is int else None,
        why=audit.OWN_WORK, result=audit.REFUSED if refused else audit.DONE,
        phone_ms=claimed if type(claimed) is int and abs(claimed) < 2**62 else None,
        details={"edit": edit.id, "rv": receipt.get("rv", 0), **code},
    )  # fmt: skip
