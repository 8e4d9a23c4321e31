"""Every setting of the server, read once from the environment.

A secret ``NAME`` may also come from a file named by ``NAME_FILE``. In the development profile
missing secrets are made once and kept beside the database; production refuses to start.
"""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flask import current_app

DEVELOPMENT, PRODUCTION = "development", "production"
BY_ENGINE, INSIDE, APART = "auto", "inside", "apart"
OPEN311_KEY_MIN = 16


class SettingsError(RuntimeError):
    """A setting is missing or unsafe; the message says what to set."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings, ready to use; the names in the environment are these in capitals."""

    profile: str
    database_url: str
    standby_url: str | None
    data_dir: Path
    secret_key: str
    field_key: str
    public_url: str
    api_docs: bool
    pool_size: int
    trusted_proxies: int
    min_pull_schema: int
    tombstone_days: int
    history_days: int
    conflict_days: int
    s3_endpoint: str
    s3_bucket: str
    s3_region: str
    s3_access_key: str
    s3_secret_key: str
    spool_mb: int
    upload_mb_per_day: int
    jobs: str
    open311: str
    open311_key: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read all settings.

        Raises:
            SettingsError: one is missing in production, or makes no sense.
        """
        profile = environment.get("PROFILE", DEVELOPMENT)
        if profile not in (DEVELOPMENT, PRODUCTION):
            raise SettingsError(f"PROFILE={profile}: say {DEVELOPMENT} or {PRODUCTION}")
        data_dir = Path(environment.get("DATA_DIR", "var")).absolute()
        database_url = environment.get("DATABASE_URL", f"sqlite:///{data_dir}/wangge.db")
        docs = environment.get("API_DOCS", "0" if profile == PRODUCTION else "1")
        return cls(
            profile=profile,
            database_url=database_url,
            standby_url=_standby(environment, database_url),
            data_dir=data_dir,
            secret_key=_secret(environment, "SECRET_KEY", profile, data_dir),
            field_key=_secret(environment, "FIELD_KEY", profile, data_dir),
            public_url=environment.get("PUBLIC_URL", "http://127.0.0.1:8080").rstrip("/"),
            api_docs=docs == "1",
            pool_size=_whole(environment, "POOL_SIZE", 16),
            trusted_proxies=_whole(environment, "TRUSTED_PROXIES", 0),
            min_pull_schema=_whole(environment, "MIN_PULL_SCHEMA", 1),
            tombstone_days=_whole(environment, "TOMBSTONE_DAYS", 180),
            history_days=_whole(environment, "HISTORY_DAYS", 365),
            conflict_days=_whole(environment, "CONFLICT_DAYS", 365),
            s3_endpoint=environment.get("S3_ENDPOINT", ""),
            s3_bucket=environment.get("S3_BUCKET", "wangge"),
            s3_region=environment.get("S3_REGION", "us-east-1"),
            s3_access_key=_given(environment, "S3_ACCESS_KEY"),
            s3_secret_key=_given(environment, "S3_SECRET_KEY"),
            spool_mb=_whole(environment, "SPOOL_MB", 2_000),
            upload_mb_per_day=_whole(environment, "UPLOAD_MB_PER_DAY", 1_000),
            jobs=_choice(environment, "JOBS", (BY_ENGINE, INSIDE, APART)),
            **_open311(environment),
        )


def current_settings() -> Settings:
    """Return the settings of the running application."""
    settings: Settings = current_app.extensions["wangge_settings"]
    return settings


def _whole(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name, str(default))
    if not text.isdecimal():
        raise SettingsError(f"{name}={text}: say a whole number")
    return int(text)


def _standby(environment: Mapping[str, str], database_url: str) -> str | None:
    url = environment.get("STANDBY_URL") or None
    if url and database_url.startswith("sqlite"):
        raise SettingsError("STANDBY_URL: only a PostgreSQL database has a standby")
    return url


def _open311(environment: Mapping[str, str]) -> dict[str, str]:
    """Return how citizens may report: by an app's key, which then must be there, or openly."""
    mode, key = _choice(environment, "OPEN311", ("off", "key", "open")), ""
    if mode == "key" and len(key := _given(environment, "OPEN311_KEY")) < OPEN311_KEY_MIN:
        raise SettingsError(f"OPEN311_KEY must hold at least {OPEN311_KEY_MIN} characters")
    return {"open311": mode, "open311_key": key}


def _choice(environment: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    value = environment.get(name) or choices[0]
    if value not in choices:
        raise SettingsError(f"{name}={value}: say one of {', '.join(choices)}")
    return value


def _secret(environment: Mapping[str, str], name: str, profile: str, data_dir: Path) -> str:
    value = _given(environment, name)
    if not value and profile == DEVELOPMENT:
        value = _kept_secret(data_dir / f"{name.lower()}.txt")
    if len(value) < 32:
        raise SettingsError(f"{name} (or {name}_FILE) must hold at least 32 characters")
    return value


def _given(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "")
    if not value and (source := environment.get(f"{name}_FILE")):
        value = Path(source).read_text(encoding="utf-8").strip()
    return value


def _kept_secret(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="utf-8").strip()
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        value = secrets.token_urlsafe(48)
        file.write(value)
    return value
