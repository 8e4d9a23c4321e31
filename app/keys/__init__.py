"""Keys: everything that seals is changed here while the server serves on, retired, or destroyed."""

from app.core.feature import Feature
from app.core.jobs import Job
from app.keys import services
from app.keys.commands import keys
from app.keys.problems import PROBLEMS
from app.keys.views import blueprint

feature = Feature(
    name="keys", blueprints=(blueprint,), problems=PROBLEMS, commands=(keys,),
    deeds=(services.DEED,),     jobs={services.ROTATE: Job(services.work)},
)  # fmt: skip
