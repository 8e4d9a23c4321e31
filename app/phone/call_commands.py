"""The commands of a worker at a door: visit, questions, consent, withdraw."""

import click

from app.households.consents import DECLINED, GIVEN, PURPOSES
from app.phone import acts, calls, screens, wording
from app.phone.client import Phone
from app.phone.commands import group
from app.phone.opening import on_phone


@group.command()
@click.argument("household")
@click.argument("outcome", type=click.Choice(list(wording.OUTCOMES)))
@click.option("--note", help="备注，不写号码、不评价人 / no numbers, no opinions on people")
@click.option("--at", "place", type=(float, float), help="所站位置 / where you stood: lon lat")
@on_phone
def visit(
    phone: Phone, household: str, outcome: str, note: str | None,
    place: tuple[float, float] | None,
) -> None:  # fmt: skip
    """登记走访 / Note a visit and what came of it."""
    home = acts.find(phone, "household", household).rec
    screens.kept(phone, calls.visit(phone, home, outcome, note=note, place=place))


@group.command()
@click.argument("household")
@on_phone
def questions(phone: Phone, household: str) -> None:
    """可以征求哪些同意 / What this household may be asked for now."""
    for one in calls.questions(phone, acts.find(phone, "household", household).rec):
        state = wording.CONSENT_STATES[one.state]
        until = f"  {one.until[:10]}" if one.until else ""
        word = "可以问 ask" if one.ask else "不要问 do not ask"
        click.echo(f"  {acts.short(one.subject)}  {one.purpose}  {state}{until}  → {word}")


@group.command()
@click.argument("household")
@click.argument("purpose", type=click.Choice(PURPOSES))
@click.option("--for", "subject", help="联系人或服务对象 / id of a contact or person in it")
@click.option("--declined", "state", flag_value=DECLINED, default=GIVEN, help="谢绝 / they said no")
@click.option("--by", "given_by", type=click.Choice(["self", "guardian", "next_of_kin"]),
              default="self", show_default=True, help="由谁答复 / who answered")  # fmt: skip
@click.option("--method", default="on_screen", show_default=True,
              type=click.Choice(["signed_paper", "on_screen", "spoken_with_witness"]),
              help="方式 / how")  # fmt: skip
@on_phone
def consent(
    phone: Phone, household: str, purpose: str, subject: str | None, state: str | None,
    given_by: str, method: str,
) -> None:  # fmt: skip
    """登记同意或谢绝 / Take down a consent, or that it was declined."""
    home = acts.find(phone, "household", household).rec
    screens.kept(phone, acts.take_consent(
        phone, home, purpose, subject=_somebody(phone, subject), state=state or GIVEN,
        given_by=given_by, method=method,
    ))  # fmt: skip


def _somebody(phone: Phone, name: str | None) -> str | None:
    """Return the id of the contact or person that a name means."""
    if name is None:
        return None
    try:
        return acts.find(phone, "contact", name).rec
    except acts.NotFound:
        return acts.find(phone, "service_person", name).rec


@group.command()
@click.argument("consent")
@on_phone
def withdraw(phone: Phone, consent: str) -> None:
    """撤回同意 / Withdraw a consent: what stood on it goes, here and everywhere."""
    calls.withdraw(phone, acts.find(phone, "consent", consent))
    screens.kept(phone)


@group.command("move-out")
@click.argument("household")
@click.option("--who", "people", multiple=True, help="搬走的人，可多次；省略即全家 / who; else all")
@click.option("--to", "other", help="搬到的住户 / household they go to, if it is served here")
@on_phone
def move_out(phone: Phone, household: str, people: tuple[str, ...], other: str | None) -> None:
    """搬出：一次编辑，可撤销 / Note that people moved out: one edit, which can be undone."""
    home = acts.find(phone, "household", household).rec
    target = acts.find(phone, "household", other).rec if other else None
    names = [_somebody(phone, name) for name in people]
    screens.kept(phone, calls.act(phone, home, "move_out", other=target, people=names))


@group.command("undo-act")
@click.argument("act")
@on_phone
def undo_act(phone: Phone, act: str) -> None:
    """撤销住户变动 / Undo what was done to a household."""
    calls.undo(phone, acts.find(phone, "household_act", act))
    screens.kept(phone)
