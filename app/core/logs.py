"""Write logs from an allow-list: what a line may hold is named here, and nothing else gets out.

Of our own messages the constant text is written, with those of its values that are numbers or
short words of a code; of the libraries' messages only who spoke, how grave it was and the class
of the error, since their texts may quote a request, a row or a file.
"""

import json
import logging
import re
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

OURS = "wangge"
FIELDS = frozenset({"path", "method", "rule", "status", "code", "job", "tries", "count",
                    "duration_ms", "user_id", "device", "scope", "photo", "engine"})  # fmt: skip
"""The only members of ``extra`` that are written."""
SAFE = re.compile(r"/?[A-Za-z][A-Za-z0-9_.:<>/-]{0,199}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TRAIL = re.compile(r"[A-Za-z0-9_]+\.py:\d+( > [A-Za-z0-9_]+\.py:\d+)*")
HIDDEN = "…"


class AllowList(logging.Formatter):
    """Formats a record as one line of JSON that holds only what is allowed."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {"at": at, "level": record.levelname, "logger": record.name}
        if record.name.split(".")[0] == OURS:
            line["event"] = _event(record)
            line |= {name: shown(value) for name, value in vars(record).items() if name in FIELDS}
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__
            line["trail"] = trail(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False)


def _event(record: logging.LogRecord) -> str:
    """Return our own constant words, with those values that cannot be anybody's."""
    # A single mapping is handed over bare by the library.
    values = record.args if isinstance(record.args, tuple) else (record.args,)
    if not record.args:
        return str(record.msg)
    try:
        return re.sub(r"%[sdr]", "%s", str(record.msg)) % tuple(map(shown, values))
    except (TypeError, ValueError):
        return str(record.msg)


def shown(value: Any) -> Any:
    """Return a value if it is a number or a word of a code; else the sign of something hidden."""
    if value is None or isinstance(value, bool | int | float):
        return value
    text = str(value)
    return text if SAFE.fullmatch(text) or TRAIL.fullmatch(text) else HIDDEN


def trail(error: BaseException | None) -> str:
    """Return where an error arose: files and lines only, never its words."""
    steps = traceback.extract_tb(error.__traceback__)[-6:] if error else []
    return " > ".join(f"{Path(step.filename).name}:{step.lineno}" for step in steps)


def allow_list_only() -> None:
    """Let every logger of this process write through the allow-list, and through nothing else."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(AllowList())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    for name in list(logging.root.manager.loggerDict):
        # The server's own loggers, which it set up before it loaded us.
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    logging.captureWarnings(capture=True)
    logging.raiseExceptions = False
