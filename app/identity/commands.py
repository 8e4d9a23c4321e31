"""The commands ``flask identity …``: make a person, set a password, issue a code for a phone."""

import sys
from datetime import UTC, date, datetime
from typing import NoReturn

import click
import segno
import sqlalchemy as sa
from flask.cli import AppGroup
from sqlalchemy.orm import Session

from app.areas import area_of_code
from app.core import audit
from app.core.actor import ROLES
from app.core.database import Mode, current_database
from app.identity import new_passwords, phones, rules, sessions
from app.identity.appointments import NewPost, NewUser, write_user
from app.identity.gatehouse import current_gatehouse
from app.identity.models import AuthSession, User
from sync.errors import Problem

FAULTS = {
    "password_too_short": "密码太短：普通用户至少 8 位，管理员至少 12 位 / "
    "too short: at least 8 characters, managers 12; choose a longer one",
    "password_too_long": "密码太长，最多 128 位 / too long: at most 128 characters",
    "password_too_common": "密码太常见，请换一个 / known to everybody: choose another one",
    "not_a_phone": "电话号码有误，例如 13912345678 / no telephone number: like 13912345678",
    "required": "登录名与密码须同时给出 / give login and password together",
    "wrong_level": "该岗位不属于这一级区划，见 --help / this role is not served at this level",
    "area_has_ended": "该区划已撤销 / this area stands no longer: take its successor",
    "login_taken": "用户名已被占用，请换一个 / this login is taken: choose another one",
}

group = AppGroup("identity", help="人员、岗位与手机 / People, posts and phones.")


@group.command("create-user")
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), required=True)
@click.option("--area", "area_code", required=True, help="区划代码 / code of the area")
@click.option("--login", help="登录名 / for office access")
@click.option("--phone", help="电话 / telephone number")
@click.option("--password", help="不给出则提示输入 / asked for when needed")
def create_user(
    name: str,
    role: str,
    area_code: str,
    login: str | None,
    phone: str | None,
    password: str | None,
) -> None:
    """新建人员并给予岗位 / Make a person with a post."""
    if login and password is None:
        password = _asked_password()
    now = datetime.now(UTC)
    with current_database().transaction(Mode.WRITE) as session:
        area_id = area_of_code(session, area_code, date.today())
        if area_id is None:
            _fail(f"没有此区划 / no area {area_code}: flask areas import-divisions")
        new = NewUser(name, NewPost(role, area_id), login, password, phone)
        try:
            user_id = write_user(session, current_gatehouse(), new, now=now)
        except Problem as problem:
            _fail(_words(problem))
    click.echo(f"已新建 {user_id} / made user {user_id}: {name}, {role}, {area_code}")


@group.command("set-password")
@click.argument("login")
@click.option("--password", help="不给出则提示输入 / asked for if not given")
def set_password(login: str, password: str | None) -> None:
    """设置密码并结束其所有会话 / Set a password and end all sessions of this person."""
    text = password if password is not None else _asked_password()
    now = datetime.now(UTC)
    with current_database().transaction(Mode.WRITE) as session:
        user = _user(session, login)
        house = current_gatehouse()
        fault = new_passwords.fault_of(session, house.cipher, user, text)
        if fault:
            _fail(FAULTS[fault])
        if user.login is None:
            _fail("此人没有登录名 / this person has no login: make one with create-user")
        hashed, until = house.passwords.hash(text), now + rules.FIRST_PASSWORD
        new_passwords.write(session, user.id, hashed, until=until, now=now)
        which = AuthSession.user_id == user.id
        sessions.revoke_sessions(session, which, why="password", now=now)
        audit.record(session, "user.password_set", user_id=None, subject=f"user:{user.id}")
    click.echo(f"密码已设置，首次登录须修改 / password set, to be changed at sign-in: {user.login}")


@group.command("reset-second-factor")
@click.argument("login")
def reset_second_factor(login: str) -> None:
    """清除动态码，下次登录重新设置 / Take a second factor away; it is set up anew at sign-in."""
    now = datetime.now(UTC)
    with current_database().transaction(Mode.WRITE) as session:
        user = _user(session, login)
        new_passwords.forget_factor(session, user.id, by=None, reason="command line", now=now)
    click.echo(f"动态码已清除 / second factor taken away: {user.login}")


@group.command("issue-code")
@click.argument("user")
def issue_code(user: str) -> None:
    """为某人的手机签发登记码 / Issue a code for a phone (USER: login or number)."""
    now = datetime.now(UTC)
    with current_database().transaction(Mode.WRITE) as session:
        person = _user(session, user)
        if not person.active:
            _fail("此人已停用 / this person is not active")
        issued = phones.make_code(
            session, current_gatehouse(), user_id=person.id, made_by=None, now=now
        )
    show_code(issued)


def show_code(issued: phones.IssuedCode) -> None:
    """Print a code as a QR code and in letters."""
    segno.make(issued.qr, micro=False).terminal(out=sys.stdout, compact=True)
    letters = issued.code
    spaced = " ".join(letters[start : start + 4] for start in range(0, len(letters), 4))
    click.echo(f"{issued.name}: {spaced}")
    click.echo(f"{issued.qr}")
    click.echo("15 分钟内有效，只能用一次 / good for 15 minutes and one phone")


def _asked_password() -> str:
    text: str = click.prompt("密码 / Password", hide_input=True, confirmation_prompt=True)
    return text


def _user(session: Session, named: str) -> User:
    by_login = sa.select(User).where(User.login == sessions.normal_login(named))
    user = session.scalars(by_login).first()
    if user is None and named.isdecimal() and len(named) < 19:
        user = session.get(User, int(named))
    if user is None:
        _fail(f"没有此人 {named} / nobody has this login or number; see GET /api/v1/users")
    return user


def _words(problem: Problem) -> str:
    codes = [str(one["code"]) for one in problem.extra.get("errors", [])] or [problem.code]
    return "\n".join(FAULTS.get(code, code) for code in codes)


def _fail(words: str) -> NoReturn:
    raise click.ClickException(words)
