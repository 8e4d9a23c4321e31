"""Check a live database for the twenty invariants, as far as it shows them; it changes nothing."""

from app.core.feature import Feature
from app.fsck.command import command

feature = Feature(name="fsck", commands=(command,))

__all__ = ["feature"]
