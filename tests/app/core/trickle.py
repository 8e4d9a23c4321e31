"""A body that comes slowly, and looks what is held while it does."""

import io
from typing import Any

from app.core.database import Database


class Trickle(io.BytesIO):
    """A body that looks, whenever it is read, how many connections are in use."""

    def __init__(self, body: bytes, database: Database) -> None:
        super().__init__(body)
        self.database = database
        self.in_use: list[int] = []

    def _look(self) -> None:
        self.in_use.append(self.database.engine.pool.checkedout())  # type: ignore[attr-defined]

    def read(self, size: int | None = -1) -> bytes:
        self._look()
        return super().read(size)

    def readinto(self, buffer: Any) -> int:
        self._look()
        return super().readinto(buffer)
