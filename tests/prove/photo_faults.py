"""Servers with a planted bug of the photo lane each; the prover must find them out."""

from typing import Any

from flask import Flask

from app.core.jobs import work_beside
from app.factory import create_app
from app.photos import finishing, tus, uploads
from app.photos.uploads import Hold


def _serve() -> Flask:
    app = create_app()
    if app.extensions["wangge_database"].is_sqlite:
        work_beside(app)
    return app


def unchecked_hash(*request: Any) -> Any:
    """Store whatever arrives."""
    return _unchecked(*request)


def clients_offset(*request: Any) -> Any:
    """Believe the phone where the bytes end."""
    return _believing(*request)


def row_first(*request: Any) -> Any:
    """Count bytes before they are on the disk."""
    return _hasty(*request)


class _Planted:
    """An application that is made, with its bug, at the first request."""

    def __init__(self, plant: Any) -> None:
        self._plant, self._app = plant, None

    def __call__(self, *request: Any) -> Any:
        if self._app is None:
            self._plant()
            self._app = _serve()
        return self._app(*request)


def _plant_unchecked() -> None:
    looked_at = finishing._looked_at

    def lie(lane: uploads.Lane, one: uploads.Whole) -> tuple[str, bytes]:
        return one.sha256, looked_at(lane, one)[1]

    finishing._looked_at = lie


def _plant_believing() -> None:
    own_row = uploads._own_row

    def believe(session: Any, lane: Any, actor: Any, photo: str, offset: int) -> Hold:
        row = own_row(session, actor, uploads._uploads_of(photo))
        session.execute(
            uploads.sa.update(uploads._uploads)
            .where(uploads._uploads.c.photo == photo).values(received=offset)
        )  # fmt: skip
        return hold(session, lane, actor, photo, offset) if row else row

    hold = uploads.hold
    uploads.hold = believe
    tus.uploads.hold = believe


def _plant_hasty() -> None:
    def keep(self: Hold, piece: bytes) -> None:
        at = self.at
        self.count(len(piece))
        if len(piece) % 7 == 3:
            return  # as if the power had gone between the two
        self.lane.incoming.append(self.photo, self.holder, at, piece)

    Hold.keep = keep


_unchecked = _Planted(_plant_unchecked)
_believing = _Planted(_plant_believing)
_hasty = _Planted(_plant_hasty)
