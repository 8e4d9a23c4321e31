"""What a phone shows: lists, one record, its state; plain text for a terminal."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from app.core import refusals
from app.forms import services
from app.forms.answers import Filled
from app.phone import acts, wording
from app.phone.client import Phone, Synced
from app.phone.lane import Sent, ledger, waiting
from app.tasks.rules import OPEN_STATES
from sync.parking import WARNED_MS
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
    whose = {phone.user["id"]: "我的 mine", None: "可领取 free"}.get(values.get("assignee"), "")
    soon = "⏰ 即将到期 due soon" if _reminded(values) else ""
    return f"{state}  {values['title']}  {_day(values.get('due_at'))}  {whose}  {soon}".rstrip()


def _reminded(values: Mapping[str, Any]) -> bool:
    return bool(values.get("reminded_at")) and values["state"] in OPEN_STATES


def photo(phone: Phone, values: Mapping[str, Any]) -> str:
    """Return the line of a photo: where it is, and how many of its siblings have arrived."""
    state = wording.PHOTO_STATES[values.get("state") or "expected"]
    subject = str(values.get("incident") or values.get("task"))
    counted = ledger(phone, subject)
    size_kb = -(-values["size_bytes"] // 1000)
    of = f"{counted.arrived}/{counted.taken} 已到达 arrived" if counted else ""
    fault = f"  {wording.PICTURES.get(values['fault'], '')}" if values.get("fault") else ""
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
    if values["state"] == "resolved":
        state += f" · {wording.CHOICES.get(values.get('choice'), '')}"
    rule = wording.RULES.get(values["rule"], values["rule"])
    return (
        f"{state}  {values['kind']} {acts.short(values['record'])} · {unit} · {rule}\n"
        f"      生效 stands: {won}   保留 kept aside: {lost}"
    )


def noted(phone: Phone) -> None:
    """Print the choices and proposals that came to nothing, and why."""
    for entry in phone.noted():
        if entry.edit["kind"] == "incident":
            click.echo(_late(phone, entry.edit["rec"]))
            continue
        reason = wording.reason(refusals.explained(entry.receipt or {}))
        conflict = acts.short(entry.edit["rec"])
        click.echo(f"→ 冲突 {conflict} 未能处理 / not settled: {reason}")


def _late(phone: Phone, rec: str) -> str:
    """Return how a case stands that a step of this phone came too late for, by whom and since."""
    row = phone.replica.row("incident", rec)
    values = row.values if row else {}
    state = wording.INCIDENT_STATES.get(values.get("state", ""), "")
    by, at = values.get("state_by_name") or "他人 somebody", values.get("state_at")
    when = f"{datetime.fromisoformat(at).astimezone():%m-%d %H:%M}" if at else ""
    return (f"→ 事件 {acts.short(rec)}：已由 {by} 于 {when} 办至「{state}」，您的内容已附上 / "
            f"already {state.split()[-1] if state else 'moved'} by {by} at {when}; "
            "your report was added")  # fmt: skip


def parked(phone: Phone, waiting: Sequence[Row]) -> None:
    """Print parked edits with their reasons, what to do, and until when they are kept."""
    for row in waiting:
        values = row.values
        state = "等待 held" if values["state"] == "held" else "搁置 parked"
        until = _until(values["expires_ms"], phone)
        click.echo(f"  {acts.short(row.rec)}  {state}  {values['kind']} "
                   f"{acts.short(values['record'])}  {until}")  # fmt: skip
        click.echo(f"      {wording.reason(values)}")
        click.echo(f"      → {wording.mend(values)}")
    if waiting:
        click.echo("→ 内容已完整保存；自己更正：repair 编号 字段=值，放弃：discard 编号；"
                   "或请村级、乡镇放行 / kept whole; mend your own: repair ID field=value, "
                   "or discard ID, or ask the village lead or the township")  # fmt: skip
    else:
        click.echo("没有 / none")


def _until(expires_ms: int, phone: Phone) -> str:
    """Return until when a parked edit is kept, with a warning in its last days."""
    day = f"保留至 kept until {datetime.fromtimestamp(expires_ms / 1000, UTC):%Y-%m-%d}"
    soon = expires_ms - phone.clock().wall_ms < WARNED_MS
    return f"{day}  ⚠ 即将删除 goes soon" if soon else day


def record(row: Row) -> None:
    """Print all that is known of one record."""
    click.echo(f"{row.kind} {row.rec}  v{row.rv}{'  未同步 unsent' if row.own else ''}")
    for name, value in row.values.items():
        if value is not None:
            click.echo(f"  {name}: {value}")


def photo_rule(phone: Phone, task: Row) -> None:
    """Print what the kind of a task says of photos, and why."""
    rule = phone.photo_rule(str(task.values.get("task_kind")))
    if rule:
        click.echo(f"→ {rule}")


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
    if replica.must_upgrade:
        click.echo("应用过旧 app too old  不再接收，仍可发送；请升级 / "
                   "receives no more, still sends: install the present app")  # fmt: skip
    if replica.alarms:
        click.echo(f"副本不符 wrong copy   {', '.join(replica.alarms)}"
                   "  → 请告知办公室 / tell the office")  # fmt: skip


def lacking(filled: Filled) -> None:
    """Print what a form still wants before its task may be done."""
    for one in services.explained(filled.lacking):
        click.echo(f"→ {wording.fault(one)}")


def synced(phone: Phone, done: Synced) -> None:
    """Print what a sync brought, and what wants attention."""
    click.echo(f"已同步 / synced: 发出 sent {done.sent} · 收到 received {done.received}")
    waiting, clashes = phone.parked(), phone.replica.conflicts()
    if waiting:
        click.echo(f"→ {len(waiting)} 条被搁置，见 parked / parked, see `parked`")
    if clashes:
        click.echo(f"→ {len(clashes)} 个冲突，见 conflicts / conflicts, see `conflicts`")
    noted(phone)


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
