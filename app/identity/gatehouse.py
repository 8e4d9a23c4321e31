"""What all requests of identity share: keys, the password hasher, the limiter, the cipher."""

from dataclasses import dataclass, field

from flask import Flask, current_app

from app.core.cipher import Cipher
from app.core.settings import Settings
from app.identity.credentials import Keys
from app.identity.limiter import Doors
from app.identity.passwords import Passwords

EXTENSION = "wangge_gatehouse"


@dataclass(frozen=True)
class Gatehouse:
    """One for each application."""

    keys: Keys
    cipher: Cipher
    public_url: str
    passwords: Passwords = field(default_factory=Passwords)
    doors: Doors = field(default_factory=Doors)


def build(app: Flask) -> Gatehouse:
    """Build the gatehouse of an application and keep it there."""
    settings: Settings = app.extensions["wangge_settings"]
    keys = Keys.derive(settings.secret_key)
    house = Gatehouse(keys, app.extensions["wangge_cipher"], settings.public_url)
    app.extensions[EXTENSION] = house
    return house


def current_gatehouse() -> Gatehouse:
    """Return the gatehouse of the running application."""
    house: Gatehouse = current_app.extensions[EXTENSION]
    return house
