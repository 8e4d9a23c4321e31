"""Show who may sign in to a demo, and give a phone to its first worker."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import click
import pyotp
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.models import AreaVersion
from app.core.settings import Settings
from app.demo.staff import FACTOR, LOGINS, MADE_BY_DEMO, PASSWORD
from app.identity import phones
from app.identity.commands import show_code
from app.identity.gatehouse import current_gatehouse
from app.identity.models import Post, User

ROLE_NAMES: Final = {
    "gw": "网格员 / grid worker",
    "vl": "村社区负责人 / village lead",
    "ts": "乡镇主管 / township supervisor",
    "cm": "县区管理员 / county manager",
    "au": "审计员 / auditor",
    "da": "设备管理员 / device admin",
}


def show_welcome(session: Session, settings: Settings) -> bool:
    """Print logins, a code for a phone, and addresses; tell whether there are demo people."""
    people = show_logins(session)
    if not people:
        return False
    click.echo("\n扫码登记手机 / scan to enrol a phone:")
    worker = next((row.id for row in people if row.role == "gw"), people[0].id)
    house = current_gatehouse()
    show_code(phones.make_code(session, house, user_id=worker, made_by=None, now=datetime.now(UTC)))
    click.echo(f"\n服务地址 / address: {settings.public_url}")
    if settings.api_docs:
        click.echo(f"接口文档 / API docs: {settings.public_url}/docs")
    return True


def show_logins(session: Session) -> Sequence[Any]:
    """Print the logins of the demo, one for each role, and return their rows."""
    people = _people(session)
    for row in people:
        shown = f"{row.login:<10} {PASSWORD}  {ROLE_NAMES[row.role]}: {row.name}, {row.area}"
        click.echo(shown)
    if people:
        show_factor()
    return people


def show_factor() -> None:
    """Print the second factor that all logins of the demo share, and its code of now."""
    code = pyotp.TOTP(FACTOR).now()
    click.echo(f"动态码 / second factor: {code}（密钥 / secret {FACTOR}）")


def _people(session: Session) -> Sequence[Any]:
    """Return the demo people with a login, by the order of the roles."""
    found = session.execute(
        sa.select(User.id, User.login, User.name, Post.role, AreaVersion.name.label("area"))
        .join(Post, Post.user_id == User.id)
        .join(AreaVersion, AreaVersion.area_id == Post.area_id)
        .where(
            User.login.in_(LOGINS.values()),
            User.made_key.startswith(MADE_BY_DEMO),
            AreaVersion.valid_until.is_(None),
        )
    ).all()
    return sorted(found, key=lambda row: list(LOGINS).index(row.role))
