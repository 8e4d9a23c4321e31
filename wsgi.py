"""The WSGI entry: flask, granian and gunicorn find the application here."""

import os

from app.core import system_log
from app.core.database import Database, UnsafeEngine
from app.core.jobs import work_beside
from app.core.logs import allow_list_only
from app.core.roles import demand_own_role
from app.core.settings import BY_ENGINE, INSIDE, PRODUCTION
from app.factory import create_app
from app.keys.checking import check as check_keys

app = create_app()

# Commands must run before the database is right (they make it so); a server must not.
if os.environ.get("FLASK_RUN_FROM_CLI") != "true":
    if app.extensions["wangge_settings"].profile == PRODUCTION:
        allow_list_only()
    database: Database = app.extensions["wangge_database"]
    database.check()
    weaknesses = demand_own_role(database)
    if weaknesses and app.extensions["wangge_settings"].profile == PRODUCTION:
        raise UnsafeEngine("; ".join(weaknesses))
    check_keys(app)
    with app.app_context():
        system_log.write_down_start(database)
    # The embedded engine has one process, which does its jobs itself; else `flask worker` does.
    jobs = app.extensions["wangge_settings"].jobs
    if jobs == INSIDE or (jobs == BY_ENGINE and database.is_sqlite):
        work_beside(app)
