"""Write the refusals of every operation into the API document: each status that may come, once.

What the guard, the strict bodies, the limits and the doors of the house answer follows from the
shape of an operation, so that no view repeats it. There is no ``default``: an answer that the
document does not name is a bug, and the contract run finds it (``tests/prove/contract.py``).
"""

from typing import Any

from apispec import BasePlugin

PROBLEM = "Problem"
# An area, a grid or a cursor in a query may name what is not there.
ALWAYS = (400, 404, 413, 429, 431, 503)
GUARDED = (401, 403)
"""Also of the doors that hand out tokens, which refuse what is shown to them in these words."""
WITH_BODY = (415, 422)
CHANGING = (409, 410, 422, 507)
"""A change names other records, which may be absent, taken, at another step, or gone by law."""
CHANGING_METHODS = frozenset({"post", "put", "patch", "delete"})
VERSIONED = (412, 428)
IF_MATCH = {
    "in": "header", "name": "If-Match", "required": False, "schema": {"type": "string"},
    "description": 'The version that you saw, as its ETag says it: `"v7"`',
}  # fmt: skip
IF_NONE_MATCH = {
    "in": "header", "name": "If-None-Match", "required": False, "schema": {"type": "string"},
    "description": "The ETag that you have; 304 says that it is still the present one",
}  # fmt: skip


class Statuses(BasePlugin):
    """Fills in the statuses of operations while they are written into the document."""

    def operation_helper(
        self, path: str | None = None, operations: dict[str, Any] | None = None, **_kwargs: Any
    ) -> None:
        """Name all refusals of the operations of one path."""
        for method, operation in (operations or {}).items():
            responses = operation.setdefault("responses", {})
            _add_conditions(method, operation)
            for status in _statuses(path or "", method, operation):
                # A bare name is the library's own guess, which names no response of ours.
                if isinstance(responses.get(status, PROBLEM), str):
                    responses[status] = PROBLEM


def _statuses(path: str, method: str, operation: dict[str, Any]) -> list[int]:
    """Return every refusal that an operation of this shape may answer."""
    found = [*ALWAYS, *GUARDED]
    parameters = operation.get("parameters") or []
    if "{" in path:
        found.append(409)
    if "requestBody" in operation:
        found += WITH_BODY
    if any(one["in"] in ("query", "header") for one in parameters):
        found.append(422)
    if method in CHANGING_METHODS:
        found += CHANGING
    if IF_MATCH in parameters:
        found += VERSIONED
    return found


def _add_conditions(method: str, operation: dict[str, Any]) -> None:
    """Name the headers by which versions are compared, where an operation compares them."""
    parameters = operation.setdefault("parameters", [])
    if method == "patch" and "requestBody" in operation:
        parameters.append(IF_MATCH)
    if method == "get" and 304 in operation["responses"]:
        parameters.append(IF_NONE_MATCH)
