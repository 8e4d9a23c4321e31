"""Read the worked examples of a document, and hold real answers against them.

An example is a pair of ``http`` blocks, a request and its answer. ``{{name}}`` in an answer keeps
what stands there under a name, and in everything after that it stands for what was kept. ``…``
as a value is any value, as a name it says that there is more.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_BLOCK = re.compile(r"^```http\n(.*?)^```$", re.MULTILINE | re.DOTALL)
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


def read_examples(path: Path) -> list[Example]:
    """Return the examples of a document, in their order."""
    messages = list(_messages(path.read_text(encoding="utf-8")))
    assert len(messages) % 2 == 0, "each request needs its answer"
    pairs = list(zip(messages[::2], messages[1::2], strict=True))
    for request, answer in pairs:
        assert answer.first.startswith("HTTP/1.1 "), f"line {answer.line}: not an answer"
        assert not request.first.startswith("HTTP/"), f"line {request.line}: not a request"
    return [Example(*pair) for pair in pairs]


def _messages(text: str) -> Iterator[Message]:
    for block in _BLOCK.finditer(text):
        head, _, body = block[1].partition("\n\n")
        first, *lines = head.splitlines()
        headers = dict(line.split(": ", 1) for line in lines)
        yield Message(text.count("\n", 0, block.start()) + 1, first, headers, body.strip())


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
        elif (
            wanted != ANY and (self.filled(wanted) if isinstance(wanted, str) else wanted) != found
        ):
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
