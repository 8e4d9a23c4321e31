"""The commands ``flask audit …``: seal, verify, export, retire, and list whom a breach concerns."""

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from flask.cli import AppGroup

from app.audit import breach, exporting, retiring
from app.audit.notice import notice_of
from app.audit.sealing import current_sealer
from app.core import audit as core
from app.core.database import Mode, current_database
from app.core.settings import current_settings
from sync.errors import Problem

UNKNOWN_GUARDIAN = "未登记，告知户内成年人 / not held, tell the adults"
audit = AppGroup("audit", help="审计日志 / The audit log.")


@audit.command("key")
def show_key() -> None:
    """显示验证用公钥 / Show the public key that the verifier is given."""
    click.echo(current_sealer().pen.public_key)


@audit.command("seal")
def seal() -> None:
    """立即封存并存放锚点 / Link all rows into the chain now, and keep an anchor."""
    count = current_sealer().seal(firm=True, sweep=True)
    click.echo(f"已封存 {count} 行 / rows sealed: {count}")


@audit.command("verify")
@click.option(
    "--known", type=int, multiple=True, help="已知的回退行 / a setting back that you know"
)
@click.option("--key", "keys", multiple=True, help="以前的公钥 / a public key of before")
def verify(known: tuple[int, ...], keys: tuple[str, ...]) -> None:
    """核对审计日志 / Check the log against its chain and the anchors outside the database."""
    try:
        before = [bytes.fromhex(key) for key in keys]
    except ValueError:
        raise click.ClickException("公钥为 64 位十六进制 / a key is 64 hex digits") from None
    verifier, findings = exporting.verify(current_sealer(), known=known, keys=before)
    for finding in findings:
        click.echo(str(finding))
    if findings:
        raise click.ClickException(f"审计日志有 {len(findings)} 处异常 / the log is NOT sound")
    click.echo(f"审计日志完好 / the log is sound: {verifier.rows} 行 / rows, {verifier.last}")


@audit.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def export(file: Path) -> None:
    """导出审计日志 / Write the log for the stand-alone verifier, app/core/audit_verifier.py."""
    with current_database().transaction(Mode.WRITE) as session:
        core.record(session, "audit.exported", user_id=None, reason="command")
    count = 0
    with file.open("w", encoding="utf-8") as target:
        for line in exporting.lines(current_sealer()):
            target.write(line + "\n")
            count += 1
    click.echo(f"已写入 {count} 行 / lines written: {count}: {file}")
    click.echo(
        f"验证 / verify: python3 app/core/audit_verifier.py {file} "
        f"--key {current_sealer().pen.public_key} --anchors {current_sealer().outside.file}"
    )


@audit.command("retire")
def retire() -> None:
    """删除到期的审计行 / Delete rows that are old enough; run it as the owner of the tables."""
    gone = retiring.retire(current_sealer(), current_settings(), datetime.now(UTC))
    click.echo(f"已删除 {gone} 行 / rows deleted: {gone}")


def _moment(_context: Any, _option: Any, text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter("2026-01-31T08:00+08:00") from None
    return at if at.tzinfo else at.astimezone()


@audit.command("breach")
@click.option("--user", type=int, help="人员编号 / user")
@click.option("--device", help="手机编号 / phone, or one of its device ids")
@click.option("--session", "session_id", help="会话编号 / session")
@click.option("--from", "begins", required=True, callback=_moment, help="起 / ISO 8601")
@click.option("--to", "ends", required=True, callback=_moment, help="止 / ISO 8601")
@click.option("--json", "as_json", is_flag=True, help="全部编号 / all ids, as JSON")
def list_breach(
    user: int | None,
    device: str | None,
    session_id: str | None,
    begins: datetime,
    ends: datetime,
    as_json: bool,
) -> None:
    """列出泄露涉及的人 / List what somebody could read and did read; ids and counts, no names."""
    with current_database().transaction(Mode.WRITE) as session:
        try:
            who = breach.whose(session, user=user, device=device, session_id=session_id)
        except Problem as problem:
            raise click.ClickException(
                "请给出 --user、--device、--session 之一，且须存在 / "
                f"name one of them that is there: {problem.code}"
            ) from None
        found = breach.breach(session, who, begins, ends)
        breach.write_down(session, found, None)
    if as_json:
        shape = {**asdict(found), "notice": notice_of(found)}
        click.echo(json.dumps(shape, ensure_ascii=False, default=str))
    else:
        _print(found, click.echo)


def _print(found: breach.Breach, say: Callable[[str], None]) -> None:
    say(f"可访问范围 / scopes granted: {', '.join(found.scopes) or '-'}")
    for title, one in (("可以读取 / could read", found.could), ("确已读取 / did read", found.did),
                       ("手机持有 / the phone holds", found.holds)):  # fmt: skip
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(one.kinds.items()))
        say(f"{title}: {len(one.households)} 户 / households, {len(one.persons)} 人 / persons, "
            f"{len(one.contacts)} 联系人 / contacts; {kinds or '-'}")  # fmt: skip
    say(
        f"依据审计行 / rows of the log: {found.rows}; "
        f"未列明 / named by count only: {found.unlisted}"
    )
    for household in found.did.households:
        say(f"  户 / household {household}")
    for person in found.did.persons:
        say(f"  人 / person {person}")
    for minor in found.did.minors:
        say(f"  未成年人 / minor {minor.person}: 监护人 / guardian "
            f"{minor.guardian or UNKNOWN_GUARDIAN}")  # fmt: skip
    for household in found.did.with_children:
        say(f"  有未成年人的户 / household with people under age {household}")
    for text in notice_of(found).values():
        say("\n" + text)
