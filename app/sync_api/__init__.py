"""The doors of the sync engine: for phones the exchange, for the office conflicts and parking."""

from flask import Flask

from app.core.feature import Feature
from app.core.jobs import Job
from app.core.problems import Words
from app.sync_api import copies, epochs, lane, restore_command, upkeep_commands, waiting
from app.sync_api.commands import sync
from app.sync_api.copying import CopyRoom
from app.sync_api.cupboard import Cupboard
from app.sync_api.office import blueprint as office
from app.sync_api.parked import blueprint as parked
from app.sync_api.unsaying import EVERY_S as UNSAY_EVERY_S
from app.sync_api.unsaying import unsay_ended
from app.sync_api.views import blueprint
from app.sync_api.waiting_room import WaitingRoom

for command in (*upkeep_commands.COMMANDS, *restore_command.COMMANDS):
    sync.add_command(command)

PROBLEMS = {
    "scope_moved": Words(
        "The scope has changed meanwhile", "范围已有更新", "Pull first, then verify again."
    ),
}


def _unsay(_subject: str) -> None:
    unsay_ended()


def _init_app(app: Flask) -> None:
    epochs.init_app(app)
    settings, database = app.extensions["wangge_settings"], app.extensions["wangge_database"]
    engine = app.extensions["wangge_engine"]
    cupboard = Cupboard(settings.data_dir / "snapshots", app.extensions["wangge_cipher"])
    app.extensions[epochs.EXTENSION].begun = cupboard.empty
    app.extensions["wangge_copies"] = CopyRoom(database, engine, cupboard)
    places = lane.PLACES_ON_SQLITE if database.is_sqlite else lane.PLACES_ELSEWHERE
    app.extensions[lane.EXTENSION] = lane.Lane(places)
    app.extensions["wangge_waiting_room"] = WaitingRoom(database, engine)


feature = Feature(
    name="sync_api", blueprints=(blueprint, office, parked), problems=PROBLEMS, commands=(sync,),
    jobs={"sync.unsay": Job(_unsay, every_s=UNSAY_EVERY_S)}, init_app=_init_app,
)  # fmt: skip

__all__ = ["copies", "feature", "waiting"]
