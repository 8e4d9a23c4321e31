"""Build the application: the core, and one line for each feature."""

from pathlib import Path

from flask import Flask
from flask_migrate import Migrate
from werkzeug.middleware.proxy_fix import ProxyFix

from app import (
    areas,
    audit,
    calendar,
    campaigns,
    demo,
    exports,
    faces,
    forms,
    fsck,
    households,
    identity,
    incidents,
    keys,
    notices,
    numbers,
    open311,
    phone,
    photos,
    privacy,
    sync_api,
    tasks,
    workflows,
)
from app.core import command_log, deeds, docs, errors, health, jobs, roles, transport, web, worker
from app.core.admission import Admission
from app.core.admitted import ADMISSION, Admitted
from app.core.audit import Pen
from app.core.cipher import Cipher
from app.core.database import Database
from app.core.engine import build_engine
from app.core.feature import Feature
from app.core.key_table import written_down
from app.core.keyring import KeyRing, Roots
from app.core.openapi import HouseApi, init_api
from app.core.problems import CATALOGUE
from app.core.refusals import FIELDS
from app.core.settings import Settings
from app.core.span import asked_by_house
from app.identity import approval_views
from app.sync_api import history
from app.sync_api.epochs import place_of
from sync.wire import BODY_BYTES_MAX

FEATURES: tuple[Feature, ...] = (
    areas.feature,
    calendar.feature,
    identity.feature,
    forms.feature,
    households.feature,
    tasks.feature,
    incidents.feature,
    notices.feature,
    photos.feature,
    sync_api.feature,
    faces.feature,
    workflows.feature,
    numbers.feature,
    exports.feature,
    open311.feature,
    campaigns.feature,
    keys.feature,
    audit.feature,
    privacy.feature,
    demo.feature,
    phone.feature,
    fsck.feature,
)
POLICIES = [one for feature in FEATURES for one in feature.policies]
# What all features have a part in: one door to the history of records, one to approvals.
SHARED_DOORS = (
    history.build_blueprint(POLICIES),
    approval_views.build_blueprint([deed for feature in FEATURES for deed in feature.deeds]),
)
MIGRATIONS = Path(__file__).parents[1] / "migrations"


def create_app(settings: Settings | None = None) -> Flask:
    """Return the application, ready to serve.

    Raises:
        SettingsError: a setting is missing or unsafe.
    """
    settings = settings or Settings.from_environment()
    app = Flask("wangge", static_folder=None)
    app.config["SECRET_KEY"] = settings.secret_key
    app.config["MAX_CONTENT_LENGTH"] = BODY_BYTES_MAX
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.json.sort_keys = False  # type: ignore[attr-defined]
    database = Database(
        settings.database_url,
        pool_size=settings.pool_size,
        standby_url=settings.standby_url,
        migrate_url=settings.migrate_url,
    )
    roots = Roots(settings.root_keys, settings.field_key_current)
    ring = KeyRing(roots, written_down(database, place_of(settings)))
    database.before = ring.look_if_due
    cipher = Cipher(ring)
    app.extensions.update(
        wangge_settings=settings, wangge_database=database, wangge_cipher=cipher,
        wangge_audit=Pen.of(settings.audit_key),
        wangge_engine=build_engine(
            settings.secret_key, cipher, POLICIES,
            survey=areas.survey, actors=identity.actors_of,
        ),
    )  # fmt: skip
    _stand_before(app, settings)
    app.extensions[jobs.EXTENSION] = {
        name: job for one in FEATURES for name, job in one.jobs.items()
    }
    app.extensions[jobs.BEATS] = [beat for one in FEATURES for beat in one.beats]
    app.extensions[deeds.EXTENSION] = {deed.action: deed for one in FEATURES for deed in one.deeds}
    Migrate(app, database, directory=str(MIGRATIONS))
    _open_doors(app, init_api(app, settings), settings)
    return app


def _stand_before(app: Flask, settings: Settings) -> None:
    """Put before the application what believes our proxies, and what lets requests in."""
    if settings.trusted_proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=settings.trusted_proxies, x_proto=settings.trusted_proxies
        )
    admission = Admission(room=settings.requests_in_work, per_s=settings.device_requests_per_s)
    app.extensions[ADMISSION] = admission
    app.wsgi_app = Admitted(app.wsgi_app, admission, settings)  # type: ignore[method-assign,assignment]


def _open_doors(app: Flask, api: HouseApi, settings: Settings) -> None:
    errors.register(app)
    transport.register(app, settings)
    app.after_request(web.finish)
    app.register_blueprint(health.blueprint)
    if settings.api_docs:
        app.register_blueprint(docs.blueprint)
    for blueprint in SHARED_DOORS:
        api.register_blueprint(blueprint)
    command_log.write_down_all(worker.command)
    app.cli.add_command(asked_by_house(worker.command))
    app.cli.add_command(roles.group)
    for feature in FEATURES:
        CATALOGUE.update(feature.problems)
        FIELDS.update(feature.faults)
        for blueprint in feature.blueprints:
            api.register_blueprint(blueprint)
        for command in feature.commands:
            command_log.write_down_all(command)
            app.cli.add_command(asked_by_house(command))
        if feature.init_app:
            feature.init_app(app)
