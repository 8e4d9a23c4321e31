"""The commands of a phone for forms: see and answer that of a task, raise what is wrong."""

import click

from app.phone import acts, forms, screens
from app.phone.client import Phone
from app.phone.opening import on_phone


@click.command()
@click.argument("task")
@on_phone
def form(phone: Phone, task: str) -> None:
    """显示任务的表单与答案 / Show the form of a task with its answers."""
    row = acts.find(phone, "task", task)
    for line in forms.lines(forms.form_of(phone, row), row.values.get("answers") or {}):
        click.echo(line)


@click.command()
@click.argument("task")
@click.argument("answers", nargs=-1, required=True, metavar="题目=答案 NAME=ANSWER ...")
@on_phone
def answer(phone: Phone, task: str, answers: tuple[str, ...]) -> None:
    """填写任务的表单 / Answer questions of the form of a task."""
    said = {}
    for text in answers:
        name, equals, value = text.partition("=")
        if not equals:
            raise click.UsageError(f"须为 题目=答案 / must be name=answer: {text}")
        said[name.strip()] = value
    filled = forms.answer(phone, acts.find(phone, "task", task), said)
    screens.kept(phone)
    screens.lacking(filled)


@click.command("raise")
@click.argument("task")
@click.option("--category", required=True, help="分类代码 / code of the category")
@click.option("--lon", type=click.FloatRange(-180, 180), required=True, help="经度 / longitude")
@click.option("--lat", type=click.FloatRange(-90, 90), required=True, help="纬度 / latitude")
@on_phone
def raise_incident(phone: Phone, task: str, category: str, lon: float, lat: float) -> None:
    """把不合格项上报为事件 / Report what was not in order as an incident."""
    row = acts.find(phone, "task", task)
    raised = forms.raise_incident(phone, row, category=category, place=(lon, lat))
    if raised is None:
        click.echo("没有不合格项 / everything is in order")
    else:
        screens.kept(phone, raised)
