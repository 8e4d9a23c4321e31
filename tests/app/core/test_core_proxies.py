"""The caller's address is believed from as many proxies as the settings count, never more."""

from pathlib import Path

import pytest
from flask import request

from app.factory import create_app
from tests.conftest import settings_for

FORWARDED = {"X-Forwarded-For": "203.0.113.9, 198.51.100.7"}


@pytest.mark.parametrize(
    ("proxies", "seen"), [("0", "127.0.0.1"), ("1", "198.51.100.7"), ("2", "203.0.113.9")]
)
def test_the_address_comes_from_the_counted_proxies_only(
    tmp_path: Path, proxies: str, seen: str
) -> None:
    url = f"sqlite:///{tmp_path}/proxies.db"
    app = create_app(settings_for(url, tmp_path, TRUSTED_PROXIES=proxies))
    addresses: list[str | None] = []
    app.before_request(lambda: addresses.append(request.remote_addr))
    app.test_client().get("/livez", headers=FORWARDED)
    app.extensions["wangge_database"].dispose()
    assert addresses == [seen]
