"""Canary birds: values of chance, put into every input, whose feathers must be found nowhere.

Each bird knows the input into which it was put. What is searched is searched for anything that
looks like a bird; those that stand where plain text is allowed (``PLAIN``) are let go.
"""

import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from app.core.database import Base, Database

BIRD = re.compile(rb"Zqk[a-z]{14}|1398[0-9]{7}")
LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass
class Aviary:
    """All birds that were let out, and into which input."""

    rng: random.Random
    birds: dict[bytes, str] = field(default_factory=dict)

    def text(self, place: str) -> str:
        """Return a text that stands for anything personal."""
        return self._out("Zqk" + "".join(self.rng.choices(LETTERS, k=14)), place)

    def phone(self, place: str) -> str:
        """Return a telephone number that is nobody's."""
        return self._out(f"1398{self.rng.randrange(10**7):07}", place)

    def _out(self, bird: str, place: str) -> str:
        self.birds[bird.encode()] = place
        return bird

    def found(self, content: bytes) -> set[str]:
        """Return the inputs whose birds are in some bytes."""
        seen = set(BIRD.findall(content))
        return {self.birds[bird] for bird in seen if bird in self.birds}


def files_below(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Read every file: database, log ahead, journal, temporary files, copies, backups."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.name, path.read_bytes()


def rows_of(database: Database) -> Iterator[tuple[str, bytes]]:
    """Read every table as text, bytes both as they are and in hex."""
    with database.engine.connect() as connection:
        for table in Base.metadata.sorted_tables:
            rows: Iterable[sa.Row] = connection.execute(sa.text(f'SELECT * FROM "{table.name}"'))
            yield table.name, b"\n".join(_as_bytes(one) for row in rows for one in row)


def _as_bytes(value: object) -> bytes:
    return bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
