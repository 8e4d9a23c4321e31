"""Refuse what came over plain http, where the server is a production one behind TLS."""

from flask import Flask, Response, request

from app.core.headers import is_safe
from app.core.problems import problem
from app.core.settings import PRODUCTION, Settings

WITHOUT_TLS = frozenset({"/livez", "/readyz"})
"""A supervisor of processes asks these on the machine itself."""


def register(app: Flask, settings: Settings) -> None:
    """Look at the scheme of every request; the proxies that are counted tell it."""
    if settings.profile == PRODUCTION and is_safe(settings.public_url):
        app.before_request(refuse_plain)


def refuse_plain() -> Response | None:
    """Refuse a request whose content was readable on its way; it must not be sent like that again.

    A redirection would not do: the token has been shown by then, and a phone would go on so.
    """
    if request.is_secure or request.path in WITHOUT_TLS:
        return None
    return problem(403, "https_required")
