"""What a phone shows: lists, one record, its state; plain text for a terminal."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import click

from app.phone import acts, wording
from app.phone.client import Phone, Synced
from app.phone.lane import Sent, ledger, waiting
from sync.replica_tables import Row

LINES_MAX = 200
UNSENT = "●"
Screen = Callable[[Phone, Mapping[str, Any]], str]


def listing(phone: Phone, kind: str, screen: Screen) -> None:
    """Print the records of a kind, the newest last; a dot marks what the server lacks."""
    rows = sorted(phone.replica.rows(kind).values(), key=lambda row: row.rec)
    for row in rows[-LINES_MAX:]:
        mark = UNSENT if row.own else " "
        click.echo(f"{mark} {acts.short(row.rec)}  {screen(phone, row.values)}")
    if len(rows) > LINES_MAX:
        click.echo(f"  … {len(rows) - LINES_MAX} 条更早的 / earlier ones are not shown")
    if not rows:
        click.echo("没有 / none")


def task(phone: Phone, values: Mapping[str, Any]) -> str:
    """Return the line of a task."""
    state = wording.TASK_STATES.get(values["state"], values["state"])
    mine = "我的 mine" if values.get("assignee") == phone.user["id"] else ""
    return f"{state}  {values['title']}  {_day(values.get('due_at'))}  {mine}".rstrip()


def photo(phone: Phone, values: Mapping[str, Any]) -> str:
    """Return the line of a photo: where it is, and how many of its siblings have arrived."""
    state = wording.PHOTO_STATES[values.get("state") or "expected"]
    subject = str(values.get("incident") or values.get("task"))
    counted = ledger(phone, subject)
    size_kb = -(-values["size_bytes"] // 1000)
    of = f"{counted.arrived}/{counted.taken} 已到达 arrived" if counted else ""
    fault = f"  {wording.PARKED.get(values['fault'], '')}" if values.get("fault") else ""
    return f"{state}  {acts.short(subject)}  {size_kb} kB  {of}{fault}"


def household(phone: Phone, values: Mapping[str, Any]) -> str:
    """Return the line of a household."""
    where = " ".join(
        str(values[name]) for name in ("address_text", "building", "unit_room") if values.get(name)
    )
    return f"{wording.OCCUPANCY.get(values['occupancy'], values['occupancy'])}  {where}"


def incident(phone: Phone, values: Mapping[str, Any]) -> str:
    """Return the line of an incident."""
    state = wording.INCIDENT_STATES.get(values["state"], values["state"])
    line = f"{state}  {phone.called('incident', values['category'])}  {values['text']}"
    taken = values.get("photo_count") or 0
    return f"{line}  📷 {taken}" if taken else line


def conflict(phone: Phone, values: Mapping[str, Any]) -> str:
    """Return the lines of a conflict: what stands, and what was kept aside."""
    state = wording.CONFLICT_STATES.get(values["state"], values["state"])
    unit = wording.FIELDS.get(values["unit"], values["unit"])
    won, lost = (wording.side(values[side]["values"]) for side in ("won", "lost"))
    return (
        f"{state}  {values['kind']} {acts.short(values['record'])} · {unit}\n"
        f"      生效 stands: {won}   保留 kept aside: {lost}"
    )


def parked(phone: Phone) -> None:
    """Print the parked edits with their reasons and what happens to them now."""
    waiting = phone.parked()
    for entry in waiting:
        kind, reason = entry.edit["kind"], wording.reason(entry.receipt or {})
        click.echo(f"  {acts.short(entry.id)}  {kind} {acts.short(entry.edit['rec'])}  {reason}")
    if waiting:
        click.echo("→ 内容已完整保存，请村级或乡镇更正后放行 / kept whole; "
                   "ask the village lead or the township to correct and release it")  # fmt: skip
    else:
        click.echo("没有 / none")


def record(row: Row) -> None:
    """Print all that is known of one record."""
    click.echo(f"{row.kind} {row.rec}  v{row.rv}{'  未同步 unsent' if row.own else ''}")
    for name, value in row.values.items():
        if value is not None:
            click.echo(f"  {name}: {value}")


def status(phone: Phone) -> None:
    """Print where this phone stands."""
    replica, user = phone.replica, phone.user
    synced_ms = replica.memory.recall("synced_ms")
    when = _moment(synced_ms) if synced_ms else "从未 never"
    click.echo(f"使用人 user           {user['name']} (#{user['id']})")
    click.echo(f"服务器 server         {phone.home.papers['server']}")
    click.echo(f"上次同步 last sync    {when}")
    click.echo(f"未发送 unsent         {len(replica.outbox())}")
    click.echo(f"未传照片 photos       {len(waiting(phone))}")
    click.echo(f"搁置 parked           {len(phone.parked())}")
    click.echo(f"冲突 conflicts        {len(replica.conflicts())}")
    if replica.alarms:
        click.echo(f"副本不符 wrong copy   {', '.join(replica.alarms)}"
                   "  → 请告知办公室 / tell the office")  # fmt: skip


def synced(phone: Phone, done: Synced) -> None:
    """Print what a sync brought, and what wants attention."""
    click.echo(f"已同步 / synced: 发出 sent {done.sent} · 收到 received {done.received}")
    waiting, clashes = phone.parked(), phone.replica.conflicts()
    if waiting:
        click.echo(f"→ {len(waiting)} 条被搁置，见 parked / parked, see `parked`")
    if clashes:
        click.echo(f"→ {len(clashes)} 个冲突，见 conflicts / conflicts, see `conflicts`")


def uploaded(sent: Sent) -> None:
    """Print how many photos have arrived, and how many still wait."""
    click.echo(f"照片 photos: 到达 arrived {sent.arrived} · 待传 waiting {sent.waiting}")
    if sent.waiting:
        click.echo("→ 其事实未被接受，见 parked / their facts were not taken, see `parked`")


def kept(phone: Phone, record_id: str | None = None) -> None:
    """Say that an edit is safe on the phone."""
    name = f" {acts.short(record_id)}" if record_id else ""
    unsent = len(phone.replica.outbox())
    click.echo(f"已保存在手机上{name}，待发送 {unsent} 条 / kept on the phone, {unsent} to send")
    click.echo("→ 有网络后 sync / sync when there is a network")


def _day(moment: str | None) -> str:
    if not moment:
        return ""
    return f"{datetime.fromisoformat(moment).astimezone():%m-%d} 前 due"


def _moment(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC).astimezone():%Y-%m-%d %H:%M:%S}"
