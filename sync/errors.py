"""What can go wrong, in three kinds that are never mixed: refusals, problems, and retries."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing that is wrong with one field, as a stable code and its limits."""

    field: str
    code: str
    limits: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the wire shape."""
        return {"field": self.field, "code": self.code, **self.limits}


class Refusal(Exception):
    """An edit can never succeed as it is: it is parked under a stable code."""

    def __init__(self, code: str, *errors: FieldError) -> None:
        super().__init__(code)
        self.code = code
        self.errors = errors


class Problem(Exception):
    """A whole request cannot be taken; the answer names a stable code and what to do."""

    def __init__(self, status: int, code: str, **extra: Any) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.extra = extra


class Destroyed(Problem):
    """What is asked for was destroyed with the key that sealed it."""

    def __init__(self) -> None:
        super().__init__(410, "key_destroyed")


class Stale(Exception):
    """What was read has changed before it could be written: read again and repeat."""
