"""Read the worked examples of a document, and hold real answers against them.

An example is a pair of ``http`` blocks, a request and its answer, or a ``console`` block, a
command of the operator. ``{{name}}`` in an answer keeps what stands there under a name, and in
everything after that it stands for what was kept. ``…`` as a value is any value, at the end of a
text any end, as a name it says that there is more.
"""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_BLOCK = re.compile(r"^```(http|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND = "$ flask "
_NAME = re.compile(r"\{\{(\w+)\}\}")
_WHOLE_NAME = re.compile(r"\{\{(\w+)\}\}\Z")
ANY = "…"


@dataclass(frozen=True, slots=True)
class Message:
    """A request or an answer as it stands in a document."""

    line: int
    first: str
    headers: Mapping[str, str]
    body: str


@dataclass(frozen=True, slots=True)
class Example:
    """A request with the answer that the document promises."""

    request: Message
    answer: Message

    @property
    def status(self) -> int:
        """Return the status promised."""
        return int(self.answer.first.split()[1])


@dataclass(frozen=True, slots=True)
class Command:
    """A command that the operator gives between two requests."""

    line: int
    words: tuple[str, ...]


def read_examples(path: Path) -> list[Example | Command]:
    """Return the examples and commands of a document, in their order."""
    blocks = _blocks(path.read_text(encoding="utf-8"))
    return [one if isinstance(one, Command) else _example(one, next(blocks)) for one in blocks]


def _example(request: Message | Command, answer: Message | Command) -> Example:
    assert isinstance(request, Message)
    assert isinstance(answer, Message), f"line {request.line}: the request has no answer"
    assert answer.first.startswith("HTTP/1.1 "), f"line {answer.line}: not an answer"
    assert not request.first.startswith("HTTP/"), f"line {request.line}: not a request"
    return Example(request, answer)


def _blocks(text: str) -> Iterator[Message | Command]:
    for block in _BLOCK.finditer(text):
        line, content = text.count("\n", 0, block.start()) + 1, block[2].strip()
        if block[1] == "console":
            assert content.startswith(_COMMAND), f"line {line}: not a command of ours"
            yield Command(line, tuple(shlex.split(content.removeprefix(_COMMAND))))
        else:
            head, _, body = content.partition("\n\n")
            first, *lines = head.splitlines()
            headers = dict(line.split(": ", 1) for line in lines)
            yield Message(line, first, headers, body.strip())


@dataclass
class Names:
    """What the examples have named so far."""

    known: dict[str, Any] = field(default_factory=dict)

    def filled(self, text: str) -> str:
        """Put what is known in the place of its names."""
        return _NAME.sub(lambda found: str(self.known[found[1]]), text)

    def differences(self, wanted: Any, found: Any, place: str = "") -> Iterator[str]:
        """List where an answer is not as promised, and keep what it names."""
        if isinstance(wanted, dict) and isinstance(found, dict):
            yield from self._of_objects(wanted, found, place)
        elif isinstance(wanted, list) and isinstance(found, list):
            yield from self._of_lists(wanted, found, place)
        elif isinstance(wanted, str) and (name := _WHOLE_NAME.match(wanted)):
            if self.known.setdefault(name[1], found) != found:
                yield f"{place}: {found!r} is not the {name[1]} of before"
        elif isinstance(wanted, str) and wanted.endswith(ANY):
            if wanted != ANY and not str(found).startswith(self.filled(wanted.removesuffix(ANY))):
                yield f"{place}: {found!r} does not begin with {wanted!r}"
        elif (self.filled(wanted) if isinstance(wanted, str) else wanted) != found:
            yield f"{place}: {found!r} instead of {wanted!r}"

    def _of_objects(
        self, wanted: Mapping[str, Any], found: Mapping[str, Any], place: str
    ) -> Iterator[str]:
        told = {self.filled(name): value for name, value in wanted.items() if name != ANY}
        for name, value in told.items():
            if name in found:
                yield from self.differences(value, found[name], f"{place}/{name}")
            else:
                yield f"{place}/{name} is missing"
        if ANY not in wanted:
            yield from (f"{place}/{name} is not told" for name in found.keys() - told.keys())

    def _of_lists(self, wanted: list[Any], found: list[Any], place: str) -> Iterator[str]:
        more = bool(wanted) and wanted[-1] == ANY
        told = wanted[:-1] if more else wanted
        if len(found) < len(told) or (len(found) > len(told) and not more):
            yield f"{place}: {len(found)} items instead of {len(told)}"
        for number, (one, other) in enumerate(zip(told, found, strict=False)):
            yield from self.differences(one, other, f"{place}/{number}")


def as_json(text: str) -> Any:
    """Read the body of an example; a name outside quotation marks stands for a number."""
    quoted = re.sub(r'(?<!")\{\{(\w+)\}\}(?!")', r'"{{\1}}"', text)
    return json.loads(quoted)


def as_lines(text: str) -> list[Any]:
    """Read a body of lines; a line of its own ``…`` says that there are more."""
    return [ANY if line == ANY else as_json(line) for line in text.splitlines()]
