"""The command ``flask numbers``: the table of definitions as a page of the documents."""

from pathlib import Path

import click
from flask.cli import AppGroup

from app.numbers.definitions import NUMBERS

PAGE = Path(__file__).parents[2] / "docs" / "numbers.md"
BEGIN, END = "<!-- definitions -->\n", "<!-- end of definitions -->\n"
group = AppGroup("numbers", help="Numbers of work / 工作数据")


@group.command("definitions")
@click.option("--write", is_flag=True, help="更新文档 / bring docs/numbers.md up to date")
def definitions_command(write: bool) -> None:
    """Say what each number counts, of what, and why."""
    if write:
        PAGE.write_text(with_definitions(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    click.echo(as_table())


def as_table() -> str:
    """Write the definitions as a table of the page."""
    lines = "".join(
        f"| `{one.code}` | {one.zh} · {one.en} | {one.counts_zh} · {one.counts} "
        f"| {one.why_zh} · {one.why} |\n"
        for one in NUMBERS
    )
    head = "| code | 名称 · name | 统计口径 · what counts | 用途 · why |\n|---|---|---|---|\n"
    return head + lines


def with_definitions(page: str) -> str:
    """Return a page with the definitions of today in their place."""
    before, rest = page.split(BEGIN)
    return before + BEGIN + as_table() + END + rest.split(END)[1]
