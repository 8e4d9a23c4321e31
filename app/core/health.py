"""Tell a supervisor of processes whether this one lives, and whether it can serve."""

from flask import Blueprint, Response, jsonify
from sqlalchemy import text

from app.core.database import Mode, current_database

blueprint = Blueprint("health", __name__)


@blueprint.get("/livez")
def livez() -> Response:
    """Say that the process lives."""
    return jsonify(status="ok")


@blueprint.get("/readyz")
def readyz() -> Response:
    """Say that the database answers and holds the tables."""
    with current_database().transaction(Mode.READ) as session:
        session.execute(text("SELECT value FROM sync_meta WHERE name = 'epoch'")).scalar_one()
    return jsonify(status="ok")
