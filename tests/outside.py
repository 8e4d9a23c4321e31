"""A guard of sockets: whoever asks for a host beyond this machine is refused, and written down."""

import ipaddress
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa


def is_here(address: Any) -> bool:
    """Tell whether an address is of this machine, or that of the tests' own database."""
    if not isinstance(address, tuple):
        return True
    host = str(address[0])
    own = os.environ.get("TEST_POSTGRES_URL")
    if host == "localhost" or (own and host == sa.make_url(own).host):
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


@contextmanager
def refused() -> Iterator[list[str]]:
    """Refuse connections beyond this machine meanwhile; yield the list of those that were tried."""
    tried: list[str] = []
    connect, connect_ex, find = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def check(address: Any) -> None:
        if not is_here(address):
            tried.append(str(address))
            raise ConnectionRefusedError(f"beyond this machine: {address}")

    def guarded(self: socket.socket, address: Any) -> None:
        check(address)
        connect(self, address)

    def guarded_ex(self: socket.socket, address: Any) -> int:
        check(address)
        return connect_ex(self, address)

    def guarded_find(host: Any, *more: Any, **named: Any) -> Any:
        if host is not None:
            check((host.decode() if isinstance(host, bytes) else host,))
        return find(host, *more, **named)

    socket.socket.connect, socket.socket.connect_ex = guarded, guarded_ex  # type: ignore[method-assign]
    socket.getaddrinfo = guarded_find
    try:
        yield tried
    finally:
        socket.socket.connect, socket.socket.connect_ex = connect, connect_ex  # type: ignore[method-assign]
        socket.getaddrinfo = find
