"""A phone in Python: enrols with a code, works offline on a local replica, and syncs."""

from app.core.feature import Feature

feature = Feature(name="phone")
