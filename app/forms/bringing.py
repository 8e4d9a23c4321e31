"""Bring forms from files into the database: JSON as the product ships it, or an XLSForm."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from app.forms import services, xlsform
from app.forms.flaws import Flawed
from app.forms.models import DRAFT, FormVersion
from sync.wire import NotJson, read_json

SEED = Path(__file__).parents[2] / "data" / "forms"
BYTES_MAX = 2 * 1024 * 1024
__all__ = ["Flawed", "bring", "bring_seed", "read_file", "seed_files", "seed_keys"]


def read_file(path: Path) -> Mapping[str, Any]:
    """Return the definition that a file holds.

    Raises:
        Flawed: it cannot be read as one.
    """
    content = path.read_bytes()
    if len(content) > BYTES_MAX:
        raise Flawed([f"文件过大 / the file is larger than {BYTES_MAX} bytes"])
    if path.suffix.lower() == ".xlsx":
        return xlsform.read(content, path.stem)
    try:
        definition = read_json(content)
    except NotJson as fault:
        raise Flawed([f"不是 JSON / not JSON: {fault.code}"]) from None
    if not isinstance(definition, dict):
        raise Flawed(["不是表单定义 / not the definition of a form"])
    return definition


def seed_files() -> list[Path]:
    """Return the files of the forms that come with the product."""
    return sorted(SEED.glob("*.json"))


@cache
def seed_keys() -> frozenset[str]:
    """Return the keys of the forms that come with the product."""
    return frozenset(path.stem for path in seed_files())


def bring_seed(session: Session, now: datetime) -> None:
    """Publish the forms that come with the product, where they do not stand yet."""
    for path in seed_files():
        bring(session, read_file(path), publish=True, now=now)


def bring(
    session: Session, definition: Mapping[str, Any], *, publish: bool, now: datetime
) -> tuple[FormVersion, bool]:
    """Write a definition as a draft, and publish it if asked; what stands already stays.

    Returns:
        The version, and whether it is new.

    Raises:
        FormFaults: it could not be published.
    """
    known = services.versions_of(session, str(definition.get("key")))
    digest = services.digest_of(services.as_text(definition))
    if known and known[0].digest == digest and (known[0].state != DRAFT or not publish):
        return known[0], False
    form = services.draft(session, definition, user_id=None, now=now)
    faults: Sequence[Any] = services.faults_of(session, form)
    if faults:
        raise services.FormFaults(faults)
    if publish:
        services.publish(session, form, user_id=None, now=now)
    return form, True
