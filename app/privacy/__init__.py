"""People's rights: what is held and why, what somebody asks of it, and how it ends."""

from app.core.feature import Feature
from app.core.jobs import Job
from app.privacy import answering, erasing, filing, publishing, retention
from app.privacy.commands import privacy
from app.privacy.policies import SubjectRequestPolicy
from app.privacy.problems import PROBLEMS
from app.privacy.request_views import blueprint as rights
from app.privacy.views import blueprint


def _retain(_subject: str) -> None:
    retention.run()


feature = Feature(
    name="privacy",
    blueprints=(blueprint, rights),
    policies=(SubjectRequestPolicy(),),
    problems=PROBLEMS,
    deeds=(answering.DEED, publishing.DEED),
    commands=(privacy,),
    jobs={
        answering.COPY_JOB: Job(filing.make_copy),
        answering.ERASE_JOB: Job(filing.erase),
        "privacy.tend": Job(filing.tend, every_s=600),
        "privacy.tidy": Job(erasing.tidy, every_s=3_600),
        erasing.SWEEP: Job(erasing.sweep),
        "privacy.retention": Job(_retain, every_s=retention.EVERY_S),
    },
)
