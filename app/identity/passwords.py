"""Hash and check passwords with argon2id, few at a time, with the same work for unknown people."""

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.identity.rules import prepared_password
from sync.errors import Problem

MEMORY_KIB, ROUNDS, LANES = 19 * 1024, 2, 1
AT_ONCE = 2
WAIT_S = 5.0
HASHER = PasswordHasher(time_cost=ROUNDS, memory_cost=MEMORY_KIB, parallelism=LANES)


@cache
def _hash_of_nobody() -> str:
    """Return a hash that no password has, made once in each process."""
    return HASHER.hash(secrets.token_urlsafe(16))


class Passwords:
    """The hasher of one process.

    Attributes:
        checks: how many passwords have been checked, right or wrong, for anybody.
    """

    def __init__(self) -> None:
        self._places = threading.BoundedSemaphore(AT_ONCE)
        self._nobody = _hash_of_nobody()
        self.checks = 0

    @contextmanager
    def _place(self) -> Iterator[None]:
        """Wait for one of the few places; a crowd must not take memory and time from the rest."""
        if not self._places.acquire(timeout=WAIT_S):
            raise Problem(503, "retry")
        try:
            yield
        finally:
            self._places.release()

    def hash(self, password: str) -> str:
        """Return the hash of a new password."""
        with self._place():
            return HASHER.hash(prepared_password(password))

    def check(self, kept: str | None, password: str) -> bool:
        """Tell whether a password is right; for somebody without one the work is the same."""
        with self._place():
            self.checks += 1
            try:
                right = HASHER.verify(kept or self._nobody, prepared_password(password))
            except (VerificationError, InvalidHashError):
                return False
        return right and kept is not None

    def is_outdated(self, kept: str) -> bool:
        """Tell whether a hash was made with weaker settings than today's."""
        return HASHER.check_needs_rehash(kept)
