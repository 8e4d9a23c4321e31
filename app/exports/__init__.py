"""Exports: tables and maps that leave the house, made by a job, sealed, gone after a day."""

from app.core.feature import Feature
from app.core.jobs import Job
from app.exports import ogc, services
from app.exports.making import make
from app.exports.problems import PROBLEMS
from app.exports.services import MAKE, now_utc
from app.exports.views import blueprint


def _make(export: str) -> None:
    make(export, now_utc)


def _tend(_subject: str) -> None:
    services.tend(now_utc())


feature = Feature(
    name="exports",
    blueprints=(blueprint, ogc.blueprint),
    problems=PROBLEMS,
    deeds=(services.DEED,),
    jobs={MAKE: Job(_make), "exports.tend": Job(_tend, every_s=600)},
)
