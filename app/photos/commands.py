"""The commands of the photo lane."""

import click
from flask.cli import AppGroup

from app.core.moments import now_ms
from app.photos.lane import current_lane

photos = AppGroup("photos", help="Photos / 照片")


@photos.command()
def check() -> None:
    """Read every photo and tell which bytes are missing or changed / 逐一校验照片."""
    lane = current_lane()
    faults, orphans = list(lane.shelf.faults()), list(lane.shelf.orphans())
    for key in faults:
        click.echo(f"缺失或已变 / missing or changed: {key}")
    click.echo(f"损坏 {len(faults)}，无主 {len(orphans)} / damaged {len(faults)}, "
               f"without an owner {len(orphans)} (swept within a day)")  # fmt: skip
    if faults:
        raise click.ClickException("请从备份恢复 / restore them from a backup")


@photos.command()
def sweep() -> None:
    """Remove bytes that belong to nothing and are half a day old / 清理无主文件."""
    count = current_lane().shelf.sweep(now_ms())
    click.echo(f"已清理 {count} / {count} removed")
