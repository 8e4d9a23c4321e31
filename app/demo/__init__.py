"""Demo areas: an invented township or city of the true size on the real divisions of Baiyin."""

from app.core.feature import Feature
from app.demo import commands

feature = Feature(name="demo", commands=[commands.group])
