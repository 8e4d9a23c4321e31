"""The command ``flask phone story``: play the story of two phones against a running server."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path

import click

from app.phone import wording
from app.phone.line import Away, Line, Refused, is_address
from app.phone.office import NoStage, Office
from app.phone.scene import Untrue
from app.phone.story import play

SERVER = "http://127.0.0.1:8080"
LOGIN, PASSWORD = "township", "huanghe-36-shuiche"
FACTOR = "WANGGE2DEMO3HUANGHE4SHUICHE5ABCD"
"""The supervisor of the demo township; a test holds it to what the demo makes."""


@click.command()
@click.option("--server", default=SERVER, show_default=True, help="服务器地址 / address")
@click.option("--supervisor-login", "login", default=LOGIN, show_default=True)
@click.option("--password", default=PASSWORD, show_default=True)
@click.option("--factor", default=FACTOR, help="动态码密钥 / secret of the second factor")
def story(server: str, login: str, password: str, factor: str) -> None:
    """演示两台手机离线工作、合并 / Play two phones that work offline and come together."""
    if not is_address(server):
        raise click.BadParameter("须为 http(s)://… / must be http(s)://…", param_hint="--server")
    click.secho("网格 Wangge：两台手机的故事 / the story of two phones", bold=True)
    try:
        now = datetime.now(UTC)
        line, at_s = Line(server.rstrip("/")), int(now.timestamp())
        office = Office.sign_in(line, login, password, factor=factor, at_s=at_s)
        with tempfile.TemporaryDirectory(prefix="wangge-story-") as folder:
            play(office, Path(folder), now.astimezone(), click.echo)
    except Untrue as untrue:
        raise click.ClickException(f"与所述不符 / not as told: {untrue}") from None
    except NoStage:
        raise click.ClickException(
            "没有两名网格员且有住户的网格 / no grid with two workers and a household\n"
            "→ 先装入示例 / load the demo first: flask demo township"
        ) from None
    except Away as trouble:
        raise click.ClickException(f"{wording.away(trouble)}\n→ make run") from None
    except Refused as trouble:
        raise click.ClickException(wording.refused(trouble)) from None
    click.secho("✓ 全部如所述 / everything as told", bold=True)
