"""The jobs of answered requests: make the file of a copy, erase a person, let files go."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import sqlalchemy as sa

from app.core.database import Mode, table_of
from app.core.engine import current_engine
from app.photos.lane import current_lane
from app.privacy.answering import EXPIRED, KEPT_FOR, QUEUED, READY, subject_of
from app.privacy.copying import entries, zipped
from app.privacy.erasing import erase_people
from app.privacy.leftovers import answer_key
from app.privacy.models import SubjectAnswer, SubjectRequest
from sync.errors import Problem
from sync.upkeep import Key

TENDED_AT_ONCE = 200
_answers = table_of(SubjectAnswer)


def make_copy(answer_id: str) -> None:
    """Make the file of a copy; one that was begun when its worker died is made again."""
    lane, engine = current_lane(), current_engine()
    with lane.database.transaction(Mode.READ) as session:
        answer = session.get(SubjectAnswer, answer_id)
        if answer is None or answer.state != QUEUED:
            return
        subject = _subject(answer)
        counted = _Counted()
        parts = zipped(entries(session, engine, lane, subject))
        kept = lane.shelf.keep(answer_key(answer_id), counted.of(parts), 0)
    with lane.database.transaction(Mode.WRITE) as session:
        lane.shelf.enter(session, [kept._replace(size=counted.bytes)])
        session.execute(
            sa.update(_answers).where(_answers.c.id == answer_id)
            .values(state=READY, size_bytes=counted.bytes, expires_at=_now() + KEPT_FOR)
        )  # fmt: skip


def erase(answer_id: str) -> None:
    """Erase whom an approved request names; a run that was cut off is made again."""
    with current_lane().database.transaction(Mode.READ) as session:
        answer = session.get(SubjectAnswer, answer_id)
        assert answer is not None, "an answer that was approved is there"
        try:
            subject = _subject(answer)
        except Problem:
            return  # erased already
    erase_people([subject], reason=f"right:{answer.request}", by=answer.decided_by)


def _subject(answer: SubjectAnswer) -> Key:
    session = sa.orm.object_session(answer)
    assert session is not None, "an answer is read in a transaction"
    key = (SubjectRequest.kind, answer.request)
    request = current_engine().store(session).records([key])[key]
    return subject_of(session, request.values)


class _Counted:
    """Counts the bytes that go by."""

    def __init__(self) -> None:
        self.bytes = 0

    def of(self, parts: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the parts."""
        for part in parts:
            self.bytes += len(part)
            yield part


def tend(_subject: str) -> None:
    """Remove the files that have lain here for a day."""
    lane = current_lane()
    with lane.database.transaction(Mode.WRITE) as session:
        old = sa.select(_answers.c.id).where(
            _answers.c.state == READY, _answers.c.expires_at <= _now()
        )
        ids = session.scalars(old.limit(TENDED_AT_ONCE)).all()
        keys = [answer_key(one) for one in ids]
        lane.shelf.strike(session, keys)
        gone = sa.update(_answers).where(_answers.c.id.in_(ids))
        session.execute(gone.values(state=EXPIRED, size_bytes=None))
    lane.shelf.discard(keys)


def _now() -> datetime:
    return datetime.now(UTC)
