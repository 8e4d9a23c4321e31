"""The commands ``flask phone …``: a worker's phone at the terminal, with or without a network."""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import click

from app.phone import acts, case_commands, form_commands, forms, health, lane, screens, wording
from app.phone.calls import same_door
from app.phone.client import Phone
from app.phone.home import Home
from app.phone.line import is_address
from app.phone.opening import home_option, in_words, on_phone
from app.phone.story_command import story
from sync.wire import NotJson, read_json

SERVER = "http://127.0.0.1:8080"
KINDS = (
    "task", "household", "contact", "incident", "photo", "notice", "conflict", "consent",
    "service_person", "visit", "household_act", "emergency_order", "emergency_entry",
)  # fmt: skip

group = click.Group("phone", help="网格员的手机（命令行） / A worker's phone at the terminal.")

for command in (story, form_commands.form, form_commands.answer, form_commands.raise_incident,
                case_commands.step_incident, case_commands.ask):  # fmt: skip
    group.add_command(command)


@group.command()
@click.argument("code")
@click.option("--server", default=SERVER, show_default=True, help="服务器地址 / address")
@home_option
@in_words
def enrol(code: str, server: str, home: Path) -> None:
    """用一次性登记码（或二维码内容）登记 / Enrol with a one-time code, or the text of its QR."""
    if code.startswith("wangge:"):
        said = parse_qs(urlsplit(code).query)
        server, code = said.get("u", [server])[0], said.get("c", [code])[0]
    if not is_address(server):
        raise click.BadParameter("须为 http(s)://… / must be http(s)://…", param_hint="--server")
    phone = Phone(Home(home))
    try:
        user = phone.enrol(code, server)
        click.echo(f"已登记：{user['name']} / enrolled: {user['name']} ({home})")
        screens.synced(phone, phone.sync())
        forms.fetch(phone)
    finally:
        phone.close()


@group.command()
@click.option("--data-only", is_flag=True, help="照片稍后再传 / leave the photos for later")
@on_phone
def sync(phone: Phone, data_only: bool) -> None:
    """与服务器交换，先数据后照片 / Exchange with the server: data first, then the photos."""
    screens.synced(phone, phone.sync())
    forms.fetch(phone)
    if not data_only and lane.waiting(phone):
        _send_photos(phone)
    health.tell(phone)


@group.command()
@on_phone
def upload(phone: Phone) -> None:
    """只传照片，从中断处续传 / Bring only the photos, from where they broke off."""
    _send_photos(phone)


def _send_photos(phone: Phone) -> None:
    sent = lane.send_all(phone)
    if sent.arrived:
        phone.sync()
    screens.uploaded(sent)


@group.command()
@on_phone
def photos(phone: Phone) -> None:
    """列出照片及到达情况 / List the photos, and which have arrived."""
    screens.listing(phone, "photo", screens.photo)


@group.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--incident", help="事件编号 / id of the incident")
@click.option("--task", help="任务编号 / id of the task")
@on_phone
def photo(phone: Phone, file: Path, incident: str | None, task: str | None) -> None:
    """为事件或任务拍照 / Take a photo (a file) of an incident or a task."""
    if bool(incident) == bool(task):
        raise click.UsageError("指明一个事件或任务 / name one incident or one task")
    kind, name = ("incident", incident) if incident else ("task", task)
    subject = acts.find(phone, kind, str(name)).rec
    screens.kept(phone, lane.take(phone, file, **{kind: subject}))


@group.command()
@on_phone
def status(phone: Phone) -> None:
    """未发送、上次同步、搁置、冲突 / What is unsent, parked and in conflict."""
    screens.status(phone)


@group.command()
@on_phone
def tasks(phone: Phone) -> None:
    """列出任务 / List the tasks."""
    screens.listing(phone, "task", screens.task)


@group.command()
@on_phone
def households(phone: Phone) -> None:
    """列出住户 / List the households."""
    screens.listing(phone, "household", screens.household)


@group.command()
@on_phone
def incidents(phone: Phone) -> None:
    """列出事件 / List the incidents."""
    screens.listing(phone, "incident", screens.incident)


@group.command()
@on_phone
def conflicts(phone: Phone) -> None:
    """列出冲突，两个值都在 / List the conflicts, both values kept."""
    screens.listing(phone, "conflict", screens.conflict)


@group.command()
@click.option("--all", "everybodys", is_flag=True, help="也列出他人的 / those of others too")
@on_phone
def parked(phone: Phone, everybodys: bool) -> None:
    """列出搁置的编辑及原因 / List the edits that wait to be corrected, with the reason."""
    screens.parked(phone, phone.replica.parked() if everybodys else phone.parked())


@group.command()
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("record")
@on_phone
def show(phone: Phone, kind: str, record: str) -> None:
    """显示一条记录 / Show one record; the end of its id is enough."""
    row = acts.find(phone, kind, record)
    screens.record(row)
    if kind == "task":
        screens.photo_rule(phone, row)


def _step(phone: Phone, task: str, state: str, **values: Any) -> None:
    acts.step_task(phone, acts.find(phone, "task", task), state, **values)
    screens.kept(phone)


@group.command()
@click.argument("task")
@on_phone
def accept(phone: Phone, task: str) -> None:
    """接受任务 / Accept a task."""
    _step(phone, task, "accepted")


@group.command()
@click.argument("task")
@click.option("--reason", required=True, help="原因 / why")
@on_phone
def decline(phone: Phone, task: str, reason: str) -> None:
    """谢绝任务并说明原因 / Decline a task, and say why."""
    _step(phone, task, "declined", decline_reason=reason)


@group.command()
@click.argument("task")
@on_phone
def start(phone: Phone, task: str) -> None:
    """开始任务 / Start a task."""
    _step(phone, task, "started")


@group.command()
@click.argument("task")
@click.option("--text", required=True, help="办理情况 / what was done")
@click.option("--photo", "photos", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              multiple=True, help="照片文件，可多次 / a photo, may be repeated")  # fmt: skip
@click.option("--no-photo", "no_photo_reason", help="为何没有照片 / why there is no photo")
@click.option(
    "--no-answers", "no_answers_reason", help="为何没有填表 / why the form is not filled in"
)
@on_phone
def report(
    phone: Phone, task: str, text: str, photos: tuple[Path, ...], **reasons: str | None
) -> None:
    """报告任务完成，可附照片 / Report a task as done, perhaps with photos."""
    row, said = acts.find(phone, "task", task), {"photo_count": len(photos)} if photos else {}
    told = {name: reason for name, reason in reasons.items() if reason}
    for one in photos:
        lane.check(one)
    if "no_answers_reason" not in told:
        forms.check_complete(phone, row)
    acts.step_task(phone, row, "done", report_text=text, **said, **told)
    for one in photos:
        lane.take(phone, one, task=row.rec)
    screens.kept(phone)


@group.command()
@click.argument("task")
@click.argument("number", type=click.IntRange(-100_000, 100_000))
@on_phone
def count(phone: Phone, task: str, number: int) -> None:
    """累加任务数量（如发放份数） / Add to the count of a task, such as leaflets."""
    acts.count(phone, acts.find(phone, "task", task), number)
    screens.kept(phone)


@group.command("add-household")
@click.option("--address", required=True, help="地址 / address")
@click.option("--occupancy", type=click.Choice(list(wording.OCCUPANCY)), default="lived_in")
@click.option("--building", help="楼号 / building")
@click.option("--room", help="单元室号 / unit and room")
@click.option("--door", type=(float, float), help="门的经度纬度 / longitude and latitude")
@click.option("--contact", help="联系人姓名 / name of a contact who agreed")
@click.option("--number", help="联系人电话 / telephone of the contact")
@click.option("--grid", type=int, help="网格，只有一个时可省略 / grid, if there is more than one")
@on_phone
def add_household(
    phone: Phone, contact: str | None, number: str | None, grid: int | None, **captured: Any
) -> None:
    """采集住户，可带联系人 / Capture a household, perhaps with a contact."""
    if bool(contact) != bool(number):
        raise click.UsageError("联系人须有姓名和电话 / give --contact and --number together")
    place = {"address_text": captured["address"], "building": captured["building"],
             "unit_room": captured["room"]}  # fmt: skip
    for one in same_door(phone, place):
        click.echo(f"⚠ 同一地址已有住户 / this address is known: {acts.short(one.rec)}")
    household = acts.capture_household(phone, _grid(phone, grid), **captured)
    if contact and number:
        acts.add_contact(phone, household, name=contact, number=number)
    screens.kept(phone, household)


def _grid(phone: Phone, grid: int | None) -> int:
    grids = phone.grids
    if grid is None and len(grids) == 1:
        return grids[0]
    if grid not in grids:
        choices = ", ".join(map(str, grids)) or "先 sync / sync first"
        raise click.UsageError(f"请指明网格 / say which grid: --grid ({choices})")
    return grid


@group.command("set-occupancy")
@click.argument("household")
@click.argument("occupancy", type=click.Choice(list(wording.OCCUPANCY)))
@on_phone
def set_occupancy(phone: Phone, household: str, occupancy: str) -> None:
    """更新居住状况 / Say how a home is used now."""
    acts.change_occupancy(phone, acts.find(phone, "household", household).rec, occupancy)
    screens.kept(phone)


@group.command("report-incident")
@click.option("--category", required=True, help="分类代码，如 0104 / code of the category")
@click.option("--text", required=True, help="发生了什么 / what was seen")
@click.option("--lon", type=click.FloatRange(-180, 180), required=True, help="经度 / longitude")
@click.option("--lat", type=click.FloatRange(-90, 90), required=True, help="纬度 / latitude")
@click.option("--photo", "photos", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              multiple=True, help="照片文件，可多次 / a photo, may be repeated")  # fmt: skip
@click.option("--no-photo", "no_photo_reason", help="为何没有照片 / why there is no photo")
@on_phone
def report_incident(phone: Phone, lon: float, lat: float, **said: Any) -> None:
    """上报事件，可附照片 / Report an incident with its place, perhaps with photos."""
    screens.kept(phone, acts.report_incident(phone, place=(lon, lat), **said))


@group.command()
@click.argument("conflict")
@click.argument("choice", type=click.Choice(["keep", "swap"]))
@on_phone
def resolve(phone: Phone, conflict: str, choice: str) -> None:
    """保留现值或换成另一个 / Keep what stands, or swap it for the other value."""
    acts.resolve(phone, acts.find(phone, "conflict", conflict), choice)
    screens.kept(phone)


@group.command()
@click.argument("conflict")
@on_phone
def undo(phone: Phone, conflict: str) -> None:
    """撤销对冲突的选定 / Take back the choice in a conflict."""
    acts.resolve(phone, acts.find(phone, "conflict", conflict), "undo")
    screens.kept(phone)


@group.command()
@click.argument("parked")
@click.argument("corrections", nargs=-1, metavar="字段=值 FIELD=TEXT | FIELD:=JSON ...")
@on_phone
def repair(phone: Phone, parked: str, corrections: tuple[str, ...]) -> None:
    """更正自己被搁置的编辑 / Correct one's own parked edit."""
    acts.mend(phone, acts.find(phone, "parked", parked), dict(map(_correction, corrections)))
    screens.kept(phone)


def _correction(text: str) -> tuple[str, Any]:
    """Read ``field=text`` or ``field:=json``."""
    name, equals, value = text.partition("=")
    if not equals or not name.rstrip(":"):
        raise click.UsageError(f"须为 字段=值 / must be field=value: {text}")
    if not name.endswith(":"):
        return name, value
    try:
        return name[:-1], read_json(value)
    except NotJson as fault:
        raise click.UsageError(f"不是 JSON / not JSON ({fault.code}): {text}") from None


@group.command()
@click.argument("parked")
@on_phone
def discard(phone: Phone, parked: str) -> None:
    """放弃自己被搁置的编辑 / Lay one's own parked edit aside."""
    acts.discard(phone, acts.find(phone, "parked", parked))
    screens.kept(phone)
