"""Mistakes that the day must notice, each switched on for one run."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from app.incidents import stamps
from app.numbers import counting
from app.phone import lane
from app.phone.client import Phone
from sync import closing
from tests.simulation.sabotage import _instead

Bug = Callable[[], AbstractContextManager[None]]


@contextmanager
def edit_forgotten() -> Iterator[None]:
    """Forget one edit in forty on the phone, as if it had been sent."""
    right = Phone.edit

    def wrong(self: Phone, op: str, kind: str, record: str, values: Any) -> str:
        name = right(self, op, kind, record, values)
        if int(name[-2:], 16) % 40 == 0:
            self.replica.memory.ask("DELETE FROM replica_log WHERE id = ?", name)
        return name

    with _instead((Phone, "edit", wrong)):
        yield


@contextmanager
def visit_not_published() -> Iterator[None]:
    """Tell no phone of one visit in four."""
    right = closing.publish

    def wrong(batch: Any, kind: Any, before: Any, after: Any) -> None:
        if kind.name != "visit" or int(after.id[-1], 16) % 4:
            right(batch, kind, before, after)

    with _instead((closing, "publish", wrong)):
        yield


@contextmanager
def photo_kept_back() -> Iterator[None]:
    """Leave the pictures on the phone."""
    with _instead((lane, "bring", lambda _phone: iter(()))):
        yield


@contextmanager
def step_breaks() -> Iterator[None]:
    """Break when a case is answered."""

    def wrong(_step: Any) -> Any:
        raise KeyError("unit")

    right = stamps.STAMPS
    with _instead((stamps, "STAMPS", {**right, "answered": wrong})):
        yield


@contextmanager
def period_not_looked_at() -> Iterator[None]:
    """Count whatever there is, of whatever day."""

    def wrong(_number: Any, _period: Any) -> list[Any]:
        return []

    with _instead((counting, "conditions", wrong)):
        yield


SABOTAGES: dict[str, Bug] = {
    bug.__name__: bug
    for bug in (edit_forgotten, visit_not_published, photo_kept_back, step_breaks,
                period_not_looked_at)
}  # fmt: skip


def planted(name: str | None) -> AbstractContextManager[None]:
    """Return the context in which a bug is switched on."""
    return SABOTAGES[name]() if name else nullcontext()
