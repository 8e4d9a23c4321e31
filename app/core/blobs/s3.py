"""Bytes in an S3-compatible store (MinIO, Ceph, a cloud), by obstore; no credentials in logs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import S3Store as Remote

from app.core.blobs.contract import Found, Missing, Unreachable

TIMEOUT = timedelta(seconds=20)
RETRY_WITHIN = timedelta(seconds=10)


@dataclass(frozen=True)
class S3Settings:
    """Where the store is and how to be let in."""

    endpoint: str
    bucket: str
    region: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)


def _connected(settings: S3Settings) -> Remote:
    plain = urlsplit(settings.endpoint).scheme == "http"
    return Remote(
        settings.bucket, endpoint=settings.endpoint, region=settings.region,
        access_key_id=settings.access_key, secret_access_key=settings.secret_key,
        virtual_hosted_style_request=False,
        client_options={"allow_http": plain, "timeout": TIMEOUT, "connect_timeout": RETRY_WITHIN},
        retry_config={"max_retries": 2, "retry_timeout": RETRY_WITHIN},
    )  # fmt: skip


class S3Store:
    """A bucket as a store."""

    def __init__(self, settings: S3Settings) -> None:
        self._remote = _connected(settings)

    def put(self, key: str, source: Path) -> None:
        """Keep the bytes of a file."""
        self._ask(key, lambda: obstore.put(self._remote, key, source))

    def read(self, key: str, start: int, end: int) -> bytes:
        """Return bytes from a position up to, not with, another one."""
        return bytes(
            self._ask(key, lambda: obstore.get_range(self._remote, key, start=start, end=end))
        )

    def size(self, key: str) -> int:
        """Return how many bytes lie under a key."""
        return int(self._ask(key, lambda: obstore.head(self._remote, key))["size"])

    def delete(self, key: str) -> None:
        """Remove what lies under a key, if anything does."""
        try:
            self._ask(key, lambda: obstore.delete(self._remote, key))
        except Missing:
            return

    def list(self) -> Iterator[Found]:
        """Yield everything that is there."""
        pages = iter(self._ask("", lambda: obstore.list(self._remote)))
        while page := self._ask("", lambda: next(pages, None)):
            for one in page:
                yield Found(one["path"], one["size"], int(one["last_modified"].timestamp() * 1000))

    def _ask(self, key: str, question: Callable[[], Any]) -> Any:
        """Ask the store; every fault but an absent key may pass by itself."""
        try:
            return question()
        except (NotFoundError, FileNotFoundError):
            raise Missing(key) from None
        except (BaseError, OSError) as error:
            raise Unreachable(type(error).__name__) from None
