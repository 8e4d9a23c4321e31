"""The command ``flask fsck``."""

import json
import sys
from dataclasses import dataclass
from itertools import islice

import click
from flask import current_app
from flask.cli import with_appcontext

from app.core.database import Mode, current_database
from app.core.engine import current_engine
from app.fsck import contents, feeds, ledger, rest
from app.fsck.place import Check, Place

CHECKS: tuple[Check, ...] = (*ledger.CHECKS, *feeds.CHECKS, *contents.CHECKS, *rest.CHECKS)
FAULTS_MAX = 1_000
SHOWN_MAX = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one check: ids of what breaks it, a thousand at most."""

    check: Check
    faults: tuple[str, ...]


def examine(place: Place, check: Check) -> Finding:
    """Make one check."""
    return Finding(check, tuple(islice(check.look(place), FAULTS_MAX)))


def wanted(*, photos: bool) -> tuple[Check, ...]:
    """Return the checks to make."""
    return tuple(one for one in CHECKS if photos or not one.only_with_photos)


@click.command("fsck")
@click.option("--json", "as_json", is_flag=True, help="输出 JSON / print JSON")
@click.option("--photos", is_flag=True, help="逐个核对照片内容 / read every photo, too")
@with_appcontext
def command(as_json: bool, photos: bool) -> None:
    """检查数据库是否完好，只读 / Check the invariants on a live database; changes nothing.

    All checks see one snapshot, so the server may go on meanwhile. Ends with 1 if anything is
    wrong. What is told are ids, never contents.
    """
    with current_database().transaction(Mode.READ) as session:
        place = Place(session, current_engine(), current_app.extensions, photos)
        with click.progressbar(
            wanted(photos=photos), file=sys.stderr, label="检查 / checking", show_pos=True
        ) as checks:
            found = [examine(place, check) for check in checks]
    click.echo(_in_json(found) if as_json else _in_words(found))
    sys.exit(any(one.faults for one in found))


def _in_json(found: list[Finding]) -> str:
    checks = [{"check": one.check.name, "invariants": [f"I{n}" for n in one.check.shows],
               "faults": list(one.faults)} for one in found]  # fmt: skip
    unseen = {f"I{n}": words for n, words in rest.UNSEEN.items()}
    return json.dumps({"checks": checks, "unseen": unseen}, ensure_ascii=False)


def _in_words(found: list[Finding]) -> str:
    lines = []
    for one in found:
        mark = f"✗ {len(one.faults)}" if one.faults else "✓"
        numbers = " ".join(f"I{n}" for n in one.check.shows)
        lines.append(f"{mark}\t{one.check.zh} / {one.check.en} ({numbers})")
        lines += [f"\t\t{fault}" for fault in one.faults[:SHOWN_MAX]]
    broken = sum(bool(one.faults) for one in found)
    damaged = f"{broken} 项异常，请先留存副本，再看 SECURITY.md / found damage: keep a copy first"
    lines.append(damaged if broken else f"{len(found)} 项检查全部通过 / checks, nothing wrong")
    return "\n".join(lines)
