"""The notice that everybody may read: who holds what, why, how long, what one may ask."""

import csv
import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from app.core.settings import Settings
from app.households.consents import DAYS_MAX, PURPOSES
from app.households.purposes import SENSITIVE_PURPOSES, Purposes
from app.privacy.fields import HeldField, personal, registry
from app.privacy.rules import DUE_DAYS, RIGHTS, TARGET_DAYS

TEXTS = Path(__file__).parents[2] / "data" / "privacy_texts.csv"
SAID = ("ways", "use", "sharing", "rights", "children")
Words = Mapping[str, str]


@cache
def texts() -> Mapping[str, Words]:
    """Return what is said, by key, in both languages."""
    with TEXTS.open(encoding="utf-8", newline="") as file:
        return {row["key"]: {"zh": row["zh"], "en": row["en"]} for row in csv.DictReader(file)}


def _split(text: str) -> Words:
    """Return a text of the registry in its two languages; Chinese may stand on either side."""
    one, other = text.split(" / ", 1)
    return {"zh": one, "en": other} if _is_chinese(one) else {"zh": other, "en": one}


def _is_chinese(text: str) -> bool:
    return any("\u4e00" <= one <= "\u9fff" for one in text)


def document(
    settings: Settings, standing: Purposes, notices: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the notice as it stands."""
    latest = notices[-1]
    said: dict[str, Any] = {
        "version": latest["version"], "from": latest["from"],
        "zh": latest["zh"], "en": latest["en"],
        "who": settings.controller, "contact": settings.office_contact,
        **{name: texts()[name] for name in SAID},
        "requests": {"kinds": list(RIGHTS), "target_working_days": TARGET_DAYS,
                     "due_working_days": DUE_DAYS},
        "purposes": [_purpose(one, standing) for one in PURPOSES],
        "fields": [_field(one) for one in personal(registry())],
        "versions": list(notices),
    }  # fmt: skip
    digest = hashlib.sha256(json.dumps(said, ensure_ascii=False, sort_keys=True).encode())
    return {**said, "digest": digest.hexdigest()[:16]}


def _purpose(name: str, standing: Purposes) -> dict[str, Any]:
    return {
        "purpose": name, **texts()[name], "open": not standing.closed(name),
        "from_notice": standing.from_notice.get(name, 1), "days_at_most": DAYS_MAX[name],
        "sensitive": name in SENSITIVE_PURPOSES,
    }  # fmt: skip


def _field(one: HeldField) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "table": one.table, "field": one.field, "of": one.of, "class": one.level,
        "purpose": _split(one.purpose), "basis": one.basis, "retention": one.retention,
        "on_phones": one.offline,
    }  # fmt: skip
    if one.need:
        shown |= {"need": _split(one.need), "effect": _split(one.effect)}
    return shown
