"""Every worked example of docs/protocol.md is run as it stands, on both engines."""

import gzip
import json
import re
from pathlib import Path
from typing import Any

from werkzeug.test import TestResponse

from app.core.problems import CATALOGUE
from sync.edits import OPS
from sync.kinds import Rule
from tests.app.core.county import County
from tests.app.identity.town import GRID, SAME_VILLAGE_GRID
from tests.app.sync_api.examples import Command, Example, Names, as_json, as_lines, read_examples

EXAMPLES_MIN = 47
PROTOCOL = Path(__file__).parents[3] / "docs" / "protocol.md"


def _names(county: County) -> Names:
    """Return who acts in the document: two phones of one grid, and the township."""
    county.person("second worker", "gw", GRID)
    first, second = county.phone("gw"), county.phone("second worker")
    tokens = {"worker": first.who, "colleague": second.who, "supervisor": "ts"}
    known: dict[str, Any] = {
        name: county.headers[who]["Authorization"].removeprefix("Bearer ")
        for name, who in tokens.items()
    }
    return Names({**known, "grid": GRID, "other_grid": SAME_VILLAGE_GRID,
                  "worker_id": county.ids["gw"], "colleague_id": county.ids["second worker"],
                  "nothing_in_64_buckets": json.dumps(["0" * 16] * 64)})  # fmt: skip


def _asked(county: County, names: Names, example: Example) -> TestResponse:
    method, path, *_ = names.filled(example.request.first).split()
    headers = {name: names.filled(value) for name, value in example.request.headers.items()}
    body = names.filled(example.request.body)
    if body and not headers.get("Content-Type"):
        headers["Content-Type"] = "application/json"
    return county.client.open(path, method=method, headers=headers, data=body.encode() or None)


def _wrong(names: Names, example: Example, answer: TestResponse) -> list[str]:
    if answer.status_code != example.status:
        return [f"{answer.status_code}: {answer.get_data(as_text=True)[:500]}"]
    wrong = [f"{name}: {answer.headers.get(name)}" for name, value in example.answer.headers.items()
             if list(names.differences(value, answer.headers.get(name)))]  # fmt: skip
    if not example.answer.body:
        return wrong
    return wrong + list(names.differences(*_bodies(example, answer)))


def _bodies(example: Example, answer: TestResponse) -> tuple[Any, Any]:
    """Return the body promised and the body found, line by line where it comes in lines."""
    if answer.is_json or answer.mimetype.endswith("+json"):
        return as_json(example.answer.body), answer.get_json()
    raw = answer.get_data()
    text = gzip.decompress(raw) if answer.mimetype == "application/gzip" else raw
    return as_lines(example.answer.body), list(map(json.loads, text.splitlines()))


def _run(county: County, names: Names, command: Command) -> None:
    words = [names.filled(word) for word in command.words]
    result = county.app.test_cli_runner().invoke(args=words)
    assert result.exit_code == 0, f"docs/protocol.md:{command.line}: {result.output}"


def test_every_worked_example_of_the_protocol_is_true(county: County) -> None:
    names = _names(county)
    examples = read_examples(PROTOCOL)
    assert sum(isinstance(one, Example) for one in examples) >= EXAMPLES_MIN
    for example in examples:
        if isinstance(example, Command):
            _run(county, names, example)
            continue
        answer = _asked(county, names, example)
        wrong = _wrong(names, example, answer)
        shown = answer.get_data()[:3000].decode(errors="replace")
        assert not wrong, f"docs/protocol.md:{example.request.line}: {wrong}\n{shown}"


def test_an_answer_that_differs_from_its_example_is_found() -> None:
    names = Names({"grid": 10})
    wanted = json.loads(
        '{"a":"{{id}}","b":["…"],"c":{"d":1,"…":"…"},"e":"grid:{{grid}}","g":"a{{grid}}…"}'
    )
    assert not list(names.differences(wanted, {"a": "x", "b": [], "c": {"d": 1, "z": 2},
                                               "e": "grid:10", "g": "a10b"}))  # fmt: skip
    assert names.known["id"] == "x"
    found = {"a": "y", "b": [], "c": {"d": 2}, "e": "grid:11", "f": 0, "g": "b"}
    assert len(list(names.differences(wanted, found))) == 5


def _chapter(title: str) -> str:
    _, _, rest = PROTOCOL.read_text(encoding="utf-8").partition(f". {title}")
    return rest.partition("\n## ")[0]


def test_the_protocol_names_every_operation_and_every_merge_rule() -> None:
    assert set(OPS) <= set(re.findall(r"`(\w+)`", _chapter("Edits ·")))
    told = re.findall(r"^\| `(\w+)` \|", _chapter("Merging and conflicts ·"), re.MULTILINE)
    assert set(told) == {"rule", *(rule.value for rule in Rule)}


def test_every_problem_that_the_protocol_names_is_in_the_catalogue(county: County) -> None:
    rows = re.findall(r"^\| (.*?) \| ", _chapter("Problems ·"), re.MULTILINE)
    codes = {code for row in rows for code in re.findall(r"`(\w+)`", row)} - {"code"}
    assert len(codes) >= 20
    assert codes <= CATALOGUE.keys()
