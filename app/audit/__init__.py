"""The audit log: seal it into a chain, anchor it outside, export it, and say who saw what."""

from flask import Flask

from app.audit import commands, sealing, services, views
from app.audit.anchors import Outside
from app.audit.sealing import Sealer
from app.core.audit import EXTENSION
from app.core.feature import Feature
from app.core.problems import Words
from app.core.settings import Settings
from app.sync_api.epochs import place_of

PROBLEMS = {
    "audit_too_long": Words(
        "The log is too long to be checked in a request", "日志过长，无法在线核对",
        "Run `flask audit verify`, or verify an export.",
    ),
}  # fmt: skip


def _init_app(app: Flask) -> None:
    settings: Settings = app.extensions["wangge_settings"]
    pen = app.extensions[EXTENSION]
    outside = Outside(place_of(settings), pen, settings.audit_copy, settings.audit_print)
    app.extensions[sealing.EXTENSION] = Sealer(app.extensions["wangge_database"], pen, outside)


__all__ = ["feature"]

feature = Feature(
    name="audit",
    blueprints=[views.blueprint],
    problems=PROBLEMS,
    deeds=[services.DEED],
    commands=[commands.audit],
    beats=[sealing.beat],
    init_app=_init_app,
)
