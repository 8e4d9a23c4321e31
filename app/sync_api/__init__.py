"""The doors of the sync engine: for phones the exchange, for the office conflicts and parking."""

from app.core.feature import Feature
from app.sync_api import epochs, restore_command, upkeep_commands
from app.sync_api.commands import sync
from app.sync_api.office import blueprint as office
from app.sync_api.parked import blueprint as parked
from app.sync_api.views import blueprint

for command in (*upkeep_commands.COMMANDS, *restore_command.COMMANDS):
    sync.add_command(command)

feature = Feature(
    name="sync_api",
    blueprints=(blueprint, office, parked),
    commands=(sync,),
    init_app=epochs.init_app,
)
