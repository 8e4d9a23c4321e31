"""Pure rules of people's rights: what may be asked, by when it is answered, and how it goes on."""

from datetime import UTC, date, datetime, time, timedelta

from app.calendar.rules import SHANGHAI, WorkingCalendar

COPY, CORRECT, ERASE, RESTRICT, NEXT_OF_KIN = "copy", "correct", "erase", "restrict", "next_of_kin"
RIGHTS = (COPY, CORRECT, ERASE, RESTRICT, NEXT_OF_KIN)
WAYS = ("worker", "phone_desk", "paper")
OPEN, FULFILLED, REFUSED, LIFTED = "open", "fulfilled", "refused", "lifted"
STATES = (OPEN, FULFILLED, REFUSED, LIFTED)
FULFIL, REFUSE, LIFT = "fulfil", "refuse", "lift"
VERDICTS = (FULFIL, REFUSE, LIFT)
TARGET_DAYS, DUE_DAYS = 7, 15
"""Working days: what we aim at, and what the law allows at most."""
WITH_A_COPY = (COPY, NEXT_OF_KIN)
ONE_DAY = timedelta(days=1)
_BEFORE = {FULFIL: OPEN, REFUSE: OPEN, LIFT: FULFILLED}
_AFTER = {FULFIL: FULFILLED, REFUSE: REFUSED, LIFT: LIFTED}


def due(received: datetime, days: int, calendar: WorkingCalendar) -> datetime:
    """Return the end of the last of so many working days after the day of receipt."""
    day = received.astimezone(SHANGHAI).date()
    for _ in range(days):
        day = calendar.next_workday(day)
    return _end_of(day)


def _end_of(day: date) -> datetime:
    return datetime.combine(day + ONE_DAY, time.min, SHANGHAI).astimezone(UTC)


def may_answer(state: str, right: str, verdict: str) -> bool:
    """Tell whether a request that stands so can be answered so; only a restriction is lifted."""
    return state == _BEFORE[verdict] and (verdict != LIFT or right == RESTRICT)


def after(verdict: str) -> str:
    """Return the state to which an answer leads."""
    return _AFTER[verdict]
