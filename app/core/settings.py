"""Every setting of the server, read once from the environment.

A secret ``NAME`` may also come from a file named by ``NAME_FILE``. In the development profile
missing secrets are made once and kept beside the database; production refuses to start.
"""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import current_app

DEVELOPMENT, PRODUCTION = "development", "production"
DEFAULTS = ("changeme", "change-me", "change_me", "example", "your-key", "password", "01234567")
DIFFERENT_MIN = 12
"""Different characters in a secret of chance; what somebody typed, or a default, has fewer."""
SECRET_CHARACTERS_MIN = 32
# Half a year for logs (Cybersecurity Law art. 21), three for what was done with personal data
# (PIPL art. 56): the law's, not ours to lower.
AUDIT_DAYS_MIN, PROCESSING_DAYS_MIN = 183, 1_095
SECRETS = ("SECRET_KEY", "FIELD_KEY")
LOOPBACKS = ("http://127.0.0.1", "http://localhost", "http://[::1]")
BY_ENGINE, INSIDE, APART = "auto", "inside", "apart"
OPEN311_KEY_MIN = 16


class SettingsError(RuntimeError):
    """A setting is missing or unsafe; the message says what to set."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings, ready to use; the names in the environment are these in capitals."""

    profile: str
    database_url: str
    migrate_url: str
    standby_url: str | None
    data_dir: Path
    secret_key: str
    field_key: str
    field_keys: Mapping[int, str]
    field_key_current: int
    public_url: str
    api_docs: bool
    pool_size: int
    trusted_proxies: int
    min_pull_schema: int
    tombstone_days: int
    history_days: int
    conflict_days: int
    max_offline_days: int
    s3_endpoint: str
    s3_bucket: str
    s3_region: str
    s3_access_key: str
    s3_secret_key: str
    spool_mb: int
    upload_mb_per_day: int
    jobs: str
    audit_key: str
    audit_days: int
    processing_days: int
    audit_copy: Path | None
    audit_print: bool
    controller: str
    office_contact: str
    requests_in_work: int
    device_requests_per_s: int
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
        secret_key = _secret(environment, "SECRET_KEY", profile, data_dir)
        first, more, current = _root_keys(environment, profile, data_dir)
        docs = environment.get("API_DOCS", "0" if profile == PRODUCTION else "1")
        if profile == PRODUCTION:
            _refuse_trial_settings(environment)
        return cls(
            profile=profile,
            database_url=database_url,
            migrate_url=_given(environment, "MIGRATE_URL") or database_url,
            standby_url=_standby(environment, database_url),
            data_dir=data_dir,
            secret_key=secret_key,
            field_key=first,
            field_keys=more,
            field_key_current=current,
            public_url=environment.get("PUBLIC_URL", "http://127.0.0.1:8080").rstrip("/"),
            api_docs=docs == "1",
            pool_size=_whole(environment, "POOL_SIZE", 16),
            trusted_proxies=_whole(environment, "TRUSTED_PROXIES", 0),
            min_pull_schema=_whole(environment, "MIN_PULL_SCHEMA", 1),
            **_keeping(environment),
            **_photo_store(environment),
            jobs=_choice(environment, "JOBS", (BY_ENGINE, INSIDE, APART)),
            **_open311(environment),
            requests_in_work=_whole(environment, "REQUESTS_IN_WORK", 128),
            device_requests_per_s=_whole(environment, "DEVICE_REQUESTS_PER_S", 20),
            **_office(environment),
            **_audit(environment, secret_key),
        )

    @property
    def root_keys(self) -> Mapping[int, str]:
        """Return all keys of the environment by their numbers; ``FIELD_KEY`` is number 1."""
        return {**({1: self.field_key} if self.field_key else {}), **self.field_keys}


def _refuse_trial_settings(environment: Mapping[str, str]) -> None:
    """Refuse what is good for trying and bad for residents.

    Raises:
        SettingsError: with what to change.
    """
    for name in ("API_DOCS", "FLASK_DEBUG", "DEBUG"):
        if environment.get(name, "0").lower() not in ("", "0", "false"):
            raise SettingsError(f"{name}: production shows neither docs nor debug pages; unset it")
    address = environment.get("PUBLIC_URL", "")
    if address.startswith("http://") and not address.startswith(LOOPBACKS):
        raise SettingsError(f"PUBLIC_URL={address}: phones must reach production over https")
    given = {name: value for name in SECRETS if (value := _given(environment, name))}
    if len(set(given.values())) < len(given):
        raise SettingsError(
            f"{' and '.join(SECRETS)} must differ: each opens what the other guards"
        )
    for name, value in given.items():
        _demand_secret(name, value)


def current_settings() -> Settings:
    """Return the settings of the running application."""
    settings: Settings = current_app.extensions["wangge_settings"]
    return settings


def _whole(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name, str(default))
    if not text.isdecimal():
        raise SettingsError(f"{name}={text}: say a whole number")
    return int(text)


def _office(environment: Mapping[str, str]) -> dict[str, Any]:
    """Read who holds the data, and how the office is reached."""
    holder, contact = (
        "本地网格化服务中心 / the local grid office",
        "所在社区（村）办公室 / your village office",
    )
    return {
        "controller": environment.get("CONTROLLER", holder),
        "office_contact": environment.get("OFFICE_CONTACT", contact),
    }


def _keeping(environment: Mapping[str, str]) -> dict[str, Any]:
    """Read for how many days things are kept."""
    return {
        "tombstone_days": _whole(environment, "TOMBSTONE_DAYS", 180),
        "history_days": _whole(environment, "HISTORY_DAYS", 365),
        "conflict_days": _whole(environment, "CONFLICT_DAYS", 365),
        "max_offline_days": _whole(environment, "MAX_OFFLINE_DAYS", 7),
    }


def _photo_store(environment: Mapping[str, str]) -> dict[str, Any]:
    """Read where photos go, and how many may come."""
    return {
        "s3_endpoint": environment.get("S3_ENDPOINT", ""),
        "s3_bucket": environment.get("S3_BUCKET", "wangge"),
        "s3_region": environment.get("S3_REGION", "us-east-1"),
        "s3_access_key": _given(environment, "S3_ACCESS_KEY"),
        "s3_secret_key": _given(environment, "S3_SECRET_KEY"),
        "spool_mb": _whole(environment, "SPOOL_MB", 2_000),
        "upload_mb_per_day": _whole(environment, "UPLOAD_MB_PER_DAY", 1_000),
    }


def _audit(environment: Mapping[str, str], secret_key: str) -> dict[str, Any]:
    """Read how long the audit log is kept, and where its anchors go besides."""
    copy = environment.get("AUDIT_COPY")
    key = _given(environment, "AUDIT_KEY") or secret_key
    if len(key) < SECRET_CHARACTERS_MIN:
        raise SettingsError("AUDIT_KEY (or AUDIT_KEY_FILE) must hold at least 32 characters")
    return {
        "audit_key": key,
        "audit_days": _at_least(environment, "AUDIT_DAYS", 365, AUDIT_DAYS_MIN),
        "processing_days": _at_least(environment, "PROCESSING_DAYS", 1_095, PROCESSING_DAYS_MIN),
        "audit_copy": Path(copy) if copy else None,
        "audit_print": environment.get("AUDIT_PRINT", "0") == "1",
    }


def _at_least(environment: Mapping[str, str], name: str, default: int, least: int) -> int:
    value = _whole(environment, name, default)
    if value < least:
        raise SettingsError(f"{name}={value}: the law demands at least {least}")
    return value


def _standby(environment: Mapping[str, str], database_url: str) -> str | None:
    url = environment.get("STANDBY_URL") or None
    if url and database_url.startswith("sqlite"):
        raise SettingsError("STANDBY_URL: only a PostgreSQL database has a standby")
    return url


def _open311(environment: Mapping[str, str]) -> dict[str, Any]:
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
    if len(value) < SECRET_CHARACTERS_MIN:
        raise SettingsError(f"{name} (or {name}_FILE) must hold at least 32 characters")
    return value


def _root_keys(
    environment: Mapping[str, str], profile: str, data_dir: Path
) -> tuple[str, Mapping[int, str], int]:
    """Return the first root key, the others, and which one wraps new data keys.

    The first may be left out when another one is current: then it was destroyed.
    """
    more = _more_keys(_given(environment, "FIELD_KEYS"))
    current = _whole(environment, "FIELD_KEY_CURRENT", 1)
    kept = data_dir / "field_key.txt"
    if current in more and not (profile == DEVELOPMENT and kept.exists()):
        first = _given(environment, "FIELD_KEY")
    else:
        first = _secret(environment, "FIELD_KEY", profile, data_dir)
    keys = {**({1: first} if first else {}), **more}
    if current not in keys:
        raise SettingsError(
            f"FIELD_KEY_CURRENT={current}: there is no such key; add it to FIELD_KEYS as "
            f"{current}:secret, or name one of {', '.join(map(str, sorted(keys)))}"
        )
    if len(set(keys.values())) < len(keys):
        raise SettingsError("FIELD_KEYS repeats a secret: give each key a secret of its own")
    for number, secret in keys.items():
        _demand_secret("FIELD_KEY" if number == 1 else f"key {number} in FIELD_KEYS", secret)
    return first, more, current


def _more_keys(text: str) -> dict[int, str]:
    """Read ``2:secret 3:secret``, with blanks or line ends between."""
    keys: dict[int, str] = {}
    for word in text.split():
        number, _, secret = word.partition(":")
        if not (number.isdecimal() and 2 <= int(number) <= 255):
            raise SettingsError("FIELD_KEYS: write number:secret for each key, numbers 2 to 255")
        if int(number) in keys:
            raise SettingsError(f"FIELD_KEYS names key {int(number)} twice")
        keys[int(number)] = secret
    return keys


def _demand_secret(name: str, secret: str) -> None:
    """Refuse what somebody could guess or has copied from a page."""
    if len(secret) < SECRET_CHARACTERS_MIN:
        raise SettingsError(f"{name} must hold at least 32 characters")
    copied = any(word in secret.lower() for word in DEFAULTS)
    if copied or len(set(secret)) < DIFFERENT_MIN:
        raise SettingsError(f"{name} is no secret: make one with `openssl rand -base64 48`")


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
