"""A file that cannot be read as a form, and why, line by line in both languages."""

from collections.abc import Sequence


class Flawed(Exception):
    """What is wrong with a file, one line for each flaw."""

    def __init__(self, flaws: Sequence[str]) -> None:
        super().__init__(f"{len(flaws)} flaws")
        self.flaws = flaws
