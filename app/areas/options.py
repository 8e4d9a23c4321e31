"""The options of commands that read a layer of borders from a file."""

from pathlib import Path

import click

from app.areas.datum import Datum

FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
DATUM = click.option(
    "--datum", type=click.Choice([one.value for one in Datum]), required=True,
    help="文件坐标的基准 / the datum of the coordinates",
)  # fmt: skip
SOURCE = click.option("--source", required=True, help="来源 / who made it, when and how")
LAYER = click.option("--layer", help="GeoPackage 图层 / the layer of a GeoPackage")
