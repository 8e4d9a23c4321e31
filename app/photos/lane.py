"""The lane of an application: built once, found by its views and jobs."""

from flask import Flask, current_app

from app.core.blobs import shelf
from app.core.sealed import StreamCipher
from app.core.settings import Settings
from app.photos.incoming import Incoming
from app.photos.uploads import Lane

EXTENSION = "wangge_photo_lane"


def build(app: Flask) -> Lane:
    """Build the lane of an application and keep it there."""
    settings: Settings = app.extensions["wangge_settings"]
    database = app.extensions["wangge_database"]
    cipher = StreamCipher(app.extensions["wangge_cipher"].ring)
    place = shelf.build_shelf(settings, database, cipher)
    incoming = Incoming(settings.data_dir / "incoming", cipher)
    lane = Lane(database, place, incoming, settings.upload_mb_per_day * shelf.MB)
    app.extensions[EXTENSION] = lane
    return lane


def current_lane() -> Lane:
    """Return the lane of the running application."""
    lane: Lane = current_app.extensions[EXTENSION]
    return lane
