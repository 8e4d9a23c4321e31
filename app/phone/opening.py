"""Open the phone of a folder for a command, and turn its troubles into plain words."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from app.phone import lane, wording
from app.phone.acts import NotAVisit, NotFound, WrongChoice, WrongStep
from app.phone.calls import NumberInText
from app.phone.client import NotEnrolled, Phone, SomebodyElse
from app.phone.forms import NoForm, WrongAnswers
from app.phone.home import Home, Occupied
from app.phone.line import Away, Refused
from sync.wire import NotJson

HOME = Path("var/phone")
TROUBLES = (
    NotEnrolled, SomebodyElse, Occupied, Away, Refused, NotFound, NotAVisit, WrongStep,
    WrongChoice, NotJson, lane.NoPicture, NoForm, WrongAnswers, NumberInText,
)  # fmt: skip

home_option = click.option(
    "--home", type=click.Path(file_okay=False, path_type=Path), default=HOME, show_default=True,
    envvar="WANGGE_PHONE_HOME", help="这部手机的文件夹 / folder of this phone",
)  # fmt: skip


def in_words(command: Callable[..., None]) -> Callable[..., None]:
    """Turn the troubles of a phone into plain words and exit code 1."""

    @functools.wraps(command)
    def spoken(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except TROUBLES as trouble:
            raise click.ClickException(wording.trouble(trouble)) from None

    return spoken


def on_phone(command: Callable[..., None]) -> Callable[..., None]:
    """Open the phone of ``--home`` for a command."""

    @home_option
    @functools.wraps(command)
    @in_words
    def opened(home: Path, **options: Any) -> None:
        house = Home(home)
        if not house.papers:
            raise NotEnrolled
        phone = Phone(house)
        try:
            command(phone, **options)
        finally:
            phone.close()

    return opened
