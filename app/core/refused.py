"""Write down refused credentials and refused acts, without letting a flood of them fill the disk.

A refusal rolls its request back, so its row has a transaction of its own, before the answer. The
first few of a sort are written one by one; what repeats is counted, and the count is written
with the next row of its sort. ``token_expired`` is no refusal worth a row: it is how each phone
learns, six times an hour, that it is to refresh.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flask import current_app, request

from app.core import audit
from app.core.database import Mode, current_database
from sync.errors import Problem

EXTENSION = "wangge_refused"
PUBLIC = "public"
FREE, WINDOW_S = 5, 60.0
ROWS_A_WINDOW = 300
SORTS_MAX = 20_000
# Who is told to sign in, to state a reason or to ask a colleague has not been refused yet.
SILENT = frozenset({"token_missing", "token_expired", "device_drain", "reason_required",
                    "second_person_required"})  # fmt: skip
BESIDES = frozenset({"code_used", "code_expired"})
"""Credentials that are refused with another status than 401, 403 or 429."""


@dataclass(slots=True)
class _Count:
    began_s: float
    written: int = 0
    silent: int = 0


@dataclass
class Budget:
    """How many rows are written of each sort of refusal, in one process.

    Args:
        clock: seconds that only grow.
    """

    clock: Callable[[], float] = time.monotonic
    _counts: OrderedDict[tuple[str, ...], _Count] = field(default_factory=OrderedDict)
    _all: _Count = field(default_factory=lambda: _Count(0.0))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, *sort: str) -> int | None:
        """Return how many of a sort were not written since the last row; None: do not write."""
        with self._lock:
            now = self.clock()
            count = self._counts.pop(sort, None) or _Count(now)
            self._counts[sort] = count
            if len(self._counts) > SORTS_MAX:
                self._all.silent += self._counts.popitem(last=False)[1].silent
            for one in (count, self._all):
                if now - one.began_s >= WINDOW_S:
                    one.began_s, one.written = now, 0
            if count.written >= FREE or self._all.written >= ROWS_A_WINDOW:
                count.silent += 1
                return None
            for one in (count, self._all):
                one.written += 1
            unsaid = count.silent + self._all.silent
            count.silent = self._all.silent = 0
            return unsaid


def is_worth_a_row(fault: Problem) -> bool:
    """Tell whether a problem refuses a credential or a right."""
    if fault.code in SILENT:
        return False
    return fault.status in (401, 403, 429) or fault.code in BESIDES


def write_down(action: str, fault: Problem) -> None:
    """Write a refusal down, if it is one, in a transaction of its own."""
    if not is_worth_a_row(fault):
        return
    subject, user_id = audit.concerned()
    event = (request.endpoint or "unknown") if action == PUBLIC else action
    address = request.remote_addr or ""
    unsaid = current_budget().take(event, fault.code, address, subject or str(user_id))
    if unsaid is None:
        return
    more: dict[str, Any] = {"unsaid": unsaid} if unsaid else {}
    sort = audit.ACCESS if action == PUBLIC or fault.status == 401 else audit.ACT
    with current_database().transaction(Mode.WRITE) as session:
        audit.record(session, f"{event[:52]}.refused", user_id=user_id, subject=subject, sort=sort,
                     result=audit.REFUSED, code=fault.code, **more)  # fmt: skip


def current_budget() -> Budget:
    """Return the budget of the running application; made at the first refusal."""
    budget: Budget = current_app.extensions.setdefault(EXTENSION, Budget())
    return budget
