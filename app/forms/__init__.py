"""Forms: questions and checklists as data, in versions that are accepted for ever."""

from app.core.feature import Feature
from app.forms.commands import forms
from app.forms.faults import FAULTS
from app.forms.problems import PROBLEMS
from app.forms.views import blueprint

feature = Feature(
    name="forms", blueprints=(blueprint,), commands=(forms,), faults=FAULTS, problems=PROBLEMS
)
