"""A PostgreSQL standby that follows the database and may answer those who only read.

It is asked only while it follows closely, and never for a write. Whoever asks must be ready to
hear that it cannot answer now, and ask the database itself.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.orm import Session

from app.core import spanned

LAG_S_MAX = 30
REST_S = 5.0
CONNECT_TIMEOUT_S = 2
# NULL on a server that follows nobody. When nothing was written for long it also says no: then
# the database itself has time to answer.
_FOLLOWS = sa.text(
    "SELECT pg_last_xact_replay_timestamp() > now() - make_interval(secs => :seconds)"
)


class StandbyAway(Exception):
    """The standby cannot answer now: ask the database itself."""


class Standby:
    """The standby and whether it is worth asking.

    Args:
        clock: seconds that only grow; after a failure the standby is left alone for a while.
    """

    def __init__(
        self, url: str, *, pool_size: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.engine = sa.create_engine(
            url, pool_size=pool_size, max_overflow=0, pool_pre_ping=True, pool_timeout=1,
            isolation_level="REPEATABLE READ", hide_parameters=True,
            connect_args={"connect_timeout": CONNECT_TIMEOUT_S,
                          "options": "-c default_transaction_read_only=on"},
        )  # fmt: skip
        spanned.watch(self.engine, is_sqlite=False)
        self._clock = clock
        self._rests_until = 0.0

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a session on one snapshot of the standby.

        Raises:
            StandbyAway: it is down, too far behind, or took its snapshot back.
        """
        if self._clock() < self._rests_until:
            raise StandbyAway
        try:
            with Session(self.engine) as session:
                if not session.scalar(_FOLLOWS, {"seconds": LAG_S_MAX}):
                    raise StandbyAway
                yield session
        except (exc.OperationalError, exc.InterfaceError, exc.TimeoutError):
            self._rests_until = self._clock() + REST_S
            raise StandbyAway from None

    def dispose(self) -> None:
        """Close all connections."""
        self.engine.dispose()
