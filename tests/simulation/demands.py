"""A violation of an invariant, and what reports one."""

from collections import Counter


class Violation(AssertionError):
    """An invariant does not hold."""

    def __init__(self, name: str, detail: str) -> None:
        super().__init__(f"{name}: {detail}")
        self.name, self.detail = name, detail


class Demands:
    """Counts what has been demanded, and fails by name."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()

    def fail(self, name: str, detail: str) -> None:
        """Report a violation.

        Raises:
            Violation: always.
        """
        raise Violation(name, detail)

    def demand(self, name: str, truth: object, detail: object = "") -> None:
        """Check one thing."""
        self.done[name] += 1
        if not truth:
            self.fail(name, str(detail))
