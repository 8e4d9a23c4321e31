"""People, their posts, their phones, and how they prove who they are."""

from datetime import UTC, datetime

from flask import Flask
from sqlalchemy.orm import Session

from app.core.actor import Actor
from app.core.feature import Feature
from app.identity import commands, gatehouse, grants, own_views, views
from app.identity.authentication import actors_of, authenticate
from app.identity.faults import FAULTS
from app.identity.problems import PROBLEMS
from app.office import reveal_views


def _init_app(app: Flask) -> None:
    house = gatehouse.build(app)

    def by_token(session: Session, token: str) -> Actor:
        return authenticate(session, token, house.keys, datetime.now(UTC))

    app.extensions["wangge_authenticate"] = by_token


__all__ = ["actors_of", "feature"]

feature = Feature(
    name="identity",
    blueprints=[
        views.auth,
        views.users,
        views.posts,
        views.devices,
        views.wiping,
        own_views.session_views,
        reveal_views.blueprint,
    ],
    problems=PROBLEMS,
    commands=[commands.group],
    init_app=_init_app,
    faults=FAULTS,
    deeds=(grants.DEED,),
)
