"""Lay out text in columns where a Chinese character is as wide as two letters."""

import unicodedata

ELLIPSIS = "…"


def width(text: str) -> int:
    """Return how many cells of a terminal a text takes."""
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)


def cut(text: str, cells: int) -> str:
    """Return a text of at most so many cells."""
    if width(text) <= cells:
        return text
    while width(text) >= cells:
        text = text[:-1]
    return text + ELLIPSIS


def row(*columns: tuple[str, int]) -> str:
    """Return texts side by side, each cut and padded to its number of cells."""
    shown = [(cut(text, cells), cells) for text, cells in columns]
    return "  ".join(text + " " * (cells - width(text)) for text, cells in shown).rstrip()
