"""The commands by which a worker takes incidents on: his steps and wishes."""

from datetime import datetime

import click

from app.phone import acts, screens
from app.phone.client import Phone
from app.phone.opening import on_phone

STEPS = {
    "claim": "claimed", "start": "in_progress", "answer": "answered", "check": "checked",
    "rework": "rework", "appeal": "appealed", "reopen": "reopened",
}  # fmt: skip
ASKS = {"extension": "ask_extension", "up": "ask_hand_up", "down": "ask_hand_down"}


@click.command("incident")
@click.argument("record")
@click.argument("step", type=click.Choice(list(STEPS)))
@click.option("--text", help="办理结果 / what was done")
@click.option("--reason", help="原因 / why")
@on_phone
def step_incident(
    phone: Phone, record: str, step: str, text: str | None, reason: str | None
) -> None:
    """办理事件：签收、开始、反馈、核查等 / Take an incident a step on; it is a proposal."""
    given = {"result_text": text, "state_reason": reason}
    said = {name: value for name, value in given.items() if value}
    acts.step_incident(phone, acts.find(phone, "incident", record), STEPS[step], **said)
    screens.kept(phone)


@click.command("ask")
@click.argument("record")
@click.argument("what", type=click.Choice(list(ASKS)))
@click.option("--text", required=True, help="理由，或已做的努力 / why, or what was tried")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="延至 / until when")
@on_phone
def ask(phone: Phone, record: str, what: str, text: str, until: datetime | None) -> None:
    """申请延期、上报或下交 / Ask for more time, or for the level above or below."""
    moment = until.astimezone().isoformat() if until else None
    acts.ask_about(phone, acts.find(phone, "incident", record), ASKS[what], text, moment)
    screens.kept(phone)
