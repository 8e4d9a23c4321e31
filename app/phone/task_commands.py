"""What a worker does with tasks besides the plain steps: claim, take back, find nothing changed."""

import click

from app.phone import acts, screens
from app.phone.client import Phone
from app.phone.commands import group
from app.phone.opening import on_phone


@group.command()
@click.argument("task")
@on_phone
def claim(phone: Phone, task: str) -> None:
    """领取任务池中的任务，先到先得 / Claim a task of the pool; the first one has it."""
    acts.claim(phone, acts.find(phone, "task", task))
    screens.kept(phone)


@group.command("take-back")
@click.argument("task")
@on_phone
def take_back(phone: Phone, task: str) -> None:
    """撤回误报的完成，24 小时内且未核实 / Take back a mistaken report: 24 h, not yet verified."""
    acts.step_task(phone, acts.find(phone, "task", task), "started")
    screens.kept(phone)


@group.command()
@click.argument("task")
@on_phone
def unchanged(phone: Phone, task: str) -> None:
    """走访无变化，一步完成 / A visit that found nothing changed, done in one tap."""
    acts.found_unchanged(phone, acts.find(phone, "task", task))
    screens.kept(phone)


@group.command("stand-in")
@click.argument("task")
@click.argument("state", type=click.Choice(["accepted", "declined", "started", "done"]))
@click.option("--text", help="办理情况 / what was done")
@click.option("--reason", help="谢绝原因 / why it is declined")
@on_phone
def stand_in(phone: Phone, task: str, state: str, text: str | None, reason: str | None) -> None:
    """代管同事的任务，服务器核对 / A step for a colleague whom one covers; the server checks it."""
    said = {name: value for name, value in
            {"report_text": text, "decline_reason": reason}.items() if value}  # fmt: skip
    acts.stand_in(phone, acts.find(phone, "task", task), state, **said)
    screens.kept(phone)


__all__ = ["group"]
