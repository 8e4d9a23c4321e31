"""The command ``flask worker``: do what requests have left to be done later."""

import signal
import threading

import click
from flask import current_app
from flask.cli import with_appcontext

from app.core.jobs import current_worker, start_beats
from app.core.logs import allow_list_only
from app.core.settings import PRODUCTION, current_settings


@click.command("worker")
@click.option("--once", is_flag=True, help="做完到期任务即退出 / do what is due and end")
@with_appcontext
def command(once: bool) -> None:
    """Do the jobs of the job table / 执行后台任务。"""
    worker = current_worker()
    if once:
        worker.prepare()
        done = worker.work_off()
        click.echo(f"完成 {done} 项 / {done} done")
        return
    if current_settings().profile == PRODUCTION:
        allow_list_only()
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    click.echo("后台任务运行中，Ctrl-C 结束 / working; end with Ctrl-C")
    start_beats(current_app._get_current_object(), stopping)  # type: ignore[attr-defined]
    worker.run(stopping)
