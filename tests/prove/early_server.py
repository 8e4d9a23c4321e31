"""A server with a planted bug: it answers a push first and commits a little later."""

import threading
import time
from collections.abc import Sequence

from app.core.database import Mode
from app.factory import create_app
from app.sync_api.services import Phone
from sync.edits import Draft
from sync.errors import Problem
from sync.push import PushReply

LATER_S = 0.15


class _Undone(Exception):
    """Ends a transaction without writing."""


def _answer_first(phone: Phone, drafts: Sequence[Draft]) -> PushReply:
    reply = PushReply(0, None, [])
    try:
        with phone.database.transaction(Mode.MERGE) as session:
            reply = phone.apply(session, drafts)
            raise _Undone
    except _Undone:
        threading.Thread(target=_commit_later, args=(phone, drafts)).start()
    return reply


def _commit_later(phone: Phone, drafts: Sequence[Draft]) -> None:
    time.sleep(LATER_S)
    try:
        with phone.database.transaction(Mode.MERGE) as session:
            phone.apply(session, drafts)
    except Problem:
        return


Phone.push = _answer_first  # type: ignore[method-assign]
app = create_app()
