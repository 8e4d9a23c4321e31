"""Photos: facts first, bytes in a lane of their own, shown only to those who may see them."""

from flask import Flask

from app.core.database import Mode
from app.core.feature import Feature
from app.core.jobs import Job, ask_for
from app.core.moments import now_ms
from app.photos import lane, tus, views
from app.photos.commands import photos
from app.photos.faults import FAULTS
from app.photos.finishing import PICTURES, finish
from app.photos.lane import current_lane
from app.photos.pictures import BATCH_MAX, draw_pending
from app.photos.policies import PhotoPolicy
from app.photos.problems import PROBLEMS
from app.photos.tending import tend
from app.photos.uploads import FINISH
from sync.errors import Problem


def _init_app(app: Flask) -> None:
    lane.build(app)


def _finish(photo: str) -> None:
    """Decide about a photo whose request died; a photo that is refused has been decided about."""
    try:
        finish(current_lane(), photo)
    except Problem as problem:
        if problem.status != 422:
            raise


def _draw(_subject: str) -> None:
    if draw_pending(current_lane()) == BATCH_MAX:
        _go_on(PICTURES)


def _go_on(name: str) -> None:
    """Ask for the same job again: there was more than one run should do."""
    with current_lane().database.transaction(Mode.WRITE) as session:
        ask_for(session, name, at_ms=now_ms())


def _tend(_subject: str) -> None:
    tend(current_lane(), now_ms())


def _move(_subject: str) -> None:
    if current_lane().shelf.move():
        _go_on(MOVE)


def _sweep(_subject: str) -> None:
    current_lane().shelf.sweep(now_ms())


MOVE = "blobs.move"
JOBS = {
    FINISH: Job(_finish),
    PICTURES: Job(_draw, every_s=10),
    "photos.tend": Job(_tend, every_s=60),
    MOVE: Job(_move, every_s=10),
    "blobs.sweep": Job(_sweep, every_s=3_600),
}

feature = Feature(
    name="photos",
    blueprints=(tus.blueprint, views.blueprint),
    policies=(PhotoPolicy(),),
    problems=PROBLEMS,
    faults=FAULTS,
    commands=(photos,),
    jobs=JOBS,
    init_app=_init_app,
)
