"""How much happens in a simulated year."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """How much happens."""

    phones: int = 1000
    edits: int = 1_000_000
    days: int = 365
    rests: int = 4
    restores: int = 5


def silent(_word: str) -> None:
    """Tell nobody how far the year is."""
