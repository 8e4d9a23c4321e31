"""The commands ``flask phone …`` for notices and emergency orders."""

import click

from app.phone import acts, bulletin, screens, wording
from app.phone.client import Phone
from app.phone.commands import _grid as which_grid
from app.phone.commands import group
from app.phone.opening import on_phone
from sync.replica_tables import Row

grid_option = click.option(
    "--grid", type=int, help="网格，只有一个时可省略 / grid, if there is more than one"
)


@group.command()
@on_phone
def notices(phone: Phone) -> None:
    """列出通知 / List the notices; a new or changed one is marked."""
    rows = sorted(phone.replica.rows("notice").values(), key=_urgent_first)
    for row in rows:
        new = "新 new  " if bulletin.is_new(phone, row.rec, row.values) else ""
        alarm = "⚠ 应急 emergency  " if row.values["urgency"] == "emergency" else ""
        state = "已撤回 withdrawn  " if row.values["state"] == "withdrawn" else ""
        click.echo(f"  {acts.short(row.rec)}  {alarm}{state}{new}{row.values['title']}")
    if not rows:
        click.echo("没有 / none")


def _urgent_first(row: Row) -> tuple[bool, str]:
    return (row.values["urgency"] != "emergency", row.rec)


@group.command()
@click.argument("notice")
@on_phone
def notice(phone: Phone, notice: str) -> None:
    """阅读通知 / Read a notice with its talking points."""
    row = acts.find(phone, "notice", notice)
    told = row.values
    click.echo(f"{told['title']}  (v{told['version']}, → {told['valid_until']})")
    if told.get("withdraw_reason"):
        click.echo(f"已撤回 withdrawn: {told['withdraw_reason']}")
    for line in (told.get("text"), *(f"· {one}" for one in told.get("talking_points") or ())):
        if line:
            click.echo(line)
    bulletin.mark_read(phone, row)


@group.command()
@click.argument("notice")
@click.option("--times", type=click.IntRange(1, 1000), default=1, help="次数 / how often")
@grid_option
@on_phone
def explained(phone: Phone, notice: str, times: int, grid: int | None) -> None:
    """已宣讲，只计次数，不记姓名 / Count that a notice was explained; nobody is named."""
    bulletin.explain(phone, acts.find(phone, "notice", notice), which_grid(phone, grid), times)
    screens.kept(phone)


@group.command()
@click.argument("notice")
@on_phone
def ack(phone: Phone, notice: str) -> None:
    """确认收到应急通知 / Acknowledge an emergency notice."""
    try:
        done = bulletin.acknowledge(phone, acts.find(phone, "notice", notice))
    except bulletin.NoAlarm:
        raise click.ClickException(wording.two(
            "只有应急通知需要确认", "only emergency notices are acknowledged", "explained"
        )) from None  # fmt: skip
    if done is None:
        click.echo("已确认过这一版本 / this version has been acknowledged already")
    else:
        screens.kept(phone)


@group.command()
@on_phone
def orders(phone: Phone) -> None:
    """列出应急命令 / List the emergency orders that hold here."""
    rows = sorted(phone.replica.rows("emergency_order").items())
    for name, row in rows:
        asks = ", ".join(row.values["asks"])
        click.echo(f"  {acts.short(name)}  {row.values['title']}  → {row.values['ends']}  {asks}")
    if not rows:
        click.echo("没有 / none")


@group.command("add-entry")
@click.argument("order")
@click.option("--count", "count_arrived", type=click.IntRange(0, 10_000), help="人数 / people")
@click.option("--from", "from_region", help="来自地区代码，6 位 / code of the region")
@click.option("--on", "arrived_on", help="到达日期 / day of arrival, as 2026-02-17")
@click.option("--number", "contact_phone", help="联系电话 / telephone")
@grid_option
@on_phone
def add_entry(phone: Phone, order: str, grid: int | None, **asked: int | str | None) -> None:
    """在应急命令下登记 / Enter what an emergency order asks for."""
    row = acts.find(phone, "emergency_order", order)
    screens.kept(phone, bulletin.enter(phone, row, which_grid(phone, grid), asked))
