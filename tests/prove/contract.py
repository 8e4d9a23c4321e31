"""Prove that no request whatever gets an answer that the API document does not promise.

Cases come from the document itself, good and broken ones, sent by somebody of each role, with
and without the ids of records that exist. No answer is 5xx; each has a status, a content type
and a body that the document names, and each error is a problem with a code of the catalogue.

    python -m tests.prove.contract --engine sqlite --cases 10000 --seed 1 [--sabotage untold]
"""

import json
import re
import shutil
import sys
import tempfile
import warnings
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import schemathesis.openapi
import sqlalchemy as sa
from flask import Flask
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi import checks

from app.core import policy
from app.core.actor import ROLES
from app.core.database import Mode
from app.core.headers import HEADERS
from app.core.problems import CATALOGUE, PROBLEM_JSON
from app.factory import create_app
from app.open311 import views as open311
from app.open311.shapes import FORMATS
from sync.lines import NDJSON
from tests.app.core import hostile
from tests.app.core import test_core_hostile as hostile_tests
from tests.app.core.county import draw_borders, open_county
from tests.app.core.test_core_hostile import World
from tests.app.identity.town import COUNTY, GRID, TOWNSHIP, settle
from tests.conftest import empty, settings_for
from tests.prove.contract_bugs import SABOTAGES
from tests.prove.ground import open_app, run_as_command

ROUND = 1_000
SHORT: Mapping[str, Any] = {"engine": "sqlite", "seed": 1, "cases": 24, "only": "/api/v1/tasks$"}
"""How the planted breaks, which all are of one list, are looked for."""
FAULTS_MAX = 40
PROMISES = [
    checks.status_code_conformance, checks.content_type_conformance,
    checks.response_headers_conformance, checks.response_schema_conformance,
]  # fmt: skip
BYTES = "application/offset+octet-stream"
WARM_HEADERS = {
    "If-Match": '"v1"', "If-None-Match": '"v1"', "Tus-Resumable": "1.0.0", "Upload-Length": "1000",
    "Upload-Offset": "0",
}  # fmt: skip
PLAIN = {"Accept-Encoding": "identity"}
WHO = ("gw", "gw_phone", "vl", "ts", "cm", "au", "da", None)


@schemathesis.serializer(BYTES)
def _as_bytes(_ctx: object, value: Any) -> bytes:
    """Send the pieces of a photo as they are."""
    return value if isinstance(value, bytes) else str(value).encode()


@dataclass
class Contract:
    """What was asked and what came back.

    Attributes:
        faults: what broke the contract, each sort once, with the request that showed it.
    """

    seen: Counter[str] = field(default_factory=Counter)
    roles: Counter[str] = field(default_factory=Counter)
    faults: dict[str, str] = field(default_factory=dict)
    cases: int = 0

    def judge(self, world: World, case: Case, who: str | None) -> None:
        """Send one request and compare its answer with the document."""
        self.cases += 1
        case.headers = {**_others(case.headers), **PLAIN,
                        **(world.county.headers[who] if who else {})}  # fmt: skip
        reply = case.call()
        self.seen[str(reply.status_code)] += 1
        if reply.status_code < 400:
            self.roles[str(who)] += 1
        found = _own_faults(reply, case)
        try:
            # Bodies that the library cannot read as text are judged by their type alone.
            case.validate_response(reply, checks=PROMISES)
        except FailureGroup as broken:
            found += [f"{type(one).__name__}: {one.title}" for one in broken.exceptions]
        for fault in found:
            about = f"{case.method} {case.operation.path} {reply.status_code}: {fault}"
            if len(self.faults) < FAULTS_MAX:
                self.faults.setdefault(about, f"as {who}: {_told(case, reply)}")


def _others(headers: Any) -> dict[str, str]:
    """Return the headers that were made up, without those that we set ourselves."""
    ours = ("authorization", "accept-encoding")
    return {name: text for name, text in (headers or {}).items() if name.lower() not in ours}


def _told(case: Case, reply: Any) -> str:
    """Write a request and the beginning of its answer down, so that they can be repeated."""
    asked = {"path": case.path_parameters, "query": case.query, "headers": dict(case.headers or {})}
    return f"{asked} {str(case.body)[:300]} -> {reply.content[:300]!r}"


def _own_faults(reply: Any, case: Case) -> list[str]:
    """Return what is wrong with any answer of ours, whatever its operation."""
    found = [f"without {name}" for name in HEADERS if name.lower() not in reply.headers]
    if reply.status_code >= 500:
        found.append("an error of ours")
    if reply.status_code < 400 or case.method == "HEAD":
        return found
    if case.operation.path.startswith(open311.PREFIX):
        return found + _faults_by_standard(reply)
    if reply.headers.get("content-type") != [PROBLEM_JSON]:
        return [*found, "an error that is no problem"]
    body = json.loads(reply.content)
    if body["code"] not in CATALOGUE or body["status"] != reply.status_code:
        found.append(f"a code that is not in the catalogue: {body['code']}")
    return found


def _faults_by_standard(reply: Any) -> list[str]:
    """Return what is wrong with an error that GeoReport v2 has its own form for."""
    if reply.headers.get("content-type") == [FORMATS["json"]]:
        said = [str(one["code"]) for one in json.loads(reply.content)]
    elif reply.headers.get("content-type") == [FORMATS["xml"]]:
        said = [one.findtext("code") for one in ElementTree.fromstring(reply.content)]
    else:
        return ["an error in neither form"]
    return [] if said == [str(reply.status_code)] else [f"an error that says {said}"]


# -- the places where it is asked ---------------------------------------------------------------


@contextmanager
def _worlds(engine: str, sabotage: str | None) -> Iterator[Callable[[], World]]:
    """Yield what makes a new world, on a database that is empty again."""
    with open_app(engine) as (first, environment), tempfile.TemporaryDirectory() as folder:
        url, opened = environment["DATABASE_URL"], list[Flask]()
        first.extensions["wangge_database"].dispose()
        template = Path(folder) / "template.db"
        if engine == "sqlite":
            shutil.copy(sa.make_url(url).database or "", template)

        def make() -> World:
            _close(opened)
            here = Path(tempfile.mkdtemp(dir=folder))
            if engine == "sqlite":
                shutil.copy(template, here / "wangge.db")
            else:
                empty(url)
            place = f"sqlite:///{here}/wangge.db" if engine == "sqlite" else url
            app = create_app(settings_for(place, here, OPEN311="open"))
            if sabotage:
                SABOTAGES[sabotage](app)
            opened.append(app)
            return _world(app)

        yield make
        _close(opened)


def _close(opened: list[Flask]) -> None:
    while opened:
        opened.pop().extensions["wangge_database"].dispose()


def _world(app: Flask) -> World:
    with app.app_context():
        county = open_county(app, app.test_client())
        settle(county)
        with county.database.transaction(Mode.WRITE) as session:
            draw_borders(session)
        return World(county)


# -- cases --------------------------------------------------------------------------------------


def _known(world: World) -> Mapping[str, Any]:
    """Return values by field that lead to what exists."""
    return {
        "device": world.phone.device, "grid": GRID, "area": GRID, "area_id": GRID,
        "grids": [GRID], "areas": [TOWNSHIP], "household": world.home, "incident": world.incident,
        "photo": world.photo, "scope": f"grid:{GRID}", "county": COUNTY, "cursor": None,
        "assignee": world.county.ids["gw"], "category": "0401", "task_kind": "visit",
    }  # fmt: skip


def _spared(case: Case, world: World) -> None:
    """Let nobody dismiss those who ask, or they would ask no more in this world."""
    ids = {str(world.county.ids[name]) for name in ("gw", "vl", "ts", "cm", "au", "da")}
    if str(case.path_parameters.get("user_id")) in ids:
        case.path_parameters["user_id"] = world.county.ids["colleague"]


def _callers(operation: Any) -> st.SearchStrategy[str | None]:
    """Draw who asks: everybody, and more often one who has the right somewhere."""
    action = operation.definition.raw.get("x-action", "")
    if "/sync/" in operation.path:
        return st.sampled_from(("gw_phone", "gw_phone", *WHO))
    cells = policy.table().get(action, {})
    roles = [role for role in ROLES if role in cells and cells[role].letter != "-"]
    return st.sampled_from((*WHO, *roles, *roles))


def _warmed(case: Case, world: World) -> None:
    """Let a case name records that are there, so that it gets past the door."""
    path = world.path(case.operation.path.replace("{", "<").replace("}", ">")).split("/")
    for part, value in zip(case.operation.path.split("/"), path, strict=True):
        if part.startswith("{"):
            case.path_parameters[part[1:-1]] = value
    for place in (case.body, case.query):
        if isinstance(place, dict):
            place.update({name: value for name, value in _known(world).items() if name in place})
    for name, text in WARM_HEADERS.items():
        if name in (case.headers or {}):
            case.headers[name] = text
    if "Upload-Metadata" in (case.headers or {}):
        case.headers["Upload-Metadata"] = f"photo {b64encode(world.photo.encode()).decode()}"


def _mostly_good(case: Case, world: World, goods: Mapping[str, Any]) -> None:
    """Let a case send what is right but for one field, so that something comes of it."""
    rule = case.operation.path.replace("{", "<").replace("}", ">")
    known = hostile.Operation(case.method, rule, {}, takes_body=True, queries=())
    good = hostile_tests._good_body(goods, known)
    if good and isinstance(case.body, dict):
        own = [name for name in sorted(case.body) if name not in good][:1]
        case.body = {**good, **{name: case.body[name] for name in own}}


def _cases(operation: Any) -> st.SearchStrategy[Case]:
    good = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    if not (operation.body or operation.query or operation.headers or operation.path_parameters):
        return good
    return st.one_of(good, operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))


def _ask(contract: Contract, world: World, operation: Any, count: int, number: int) -> None:
    """Send so many cases to one operation."""
    goods = hostile_tests._bodies(world)

    @seed(number)
    @settings(max_examples=count, database=None, deadline=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(case=_cases(operation), who=_callers(operation), warm=st.integers(0, 3),
           lines=st.booleans())  # fmt: skip
    def ask(case: Case, who: str | None, warm: int, lines: bool) -> None:
        if warm:
            _warmed(case, world)
        if warm == 3:
            _mostly_good(case, world, goods)
        if lines and "/sync/" in operation.path:
            case.headers = {**(case.headers or {}), "Accept": NDJSON}
        _spared(case, world)
        contract.judge(world, case, who)

    try:
        ask()
    except Unsatisfiable:
        # Nothing can be broken in what takes nothing.
        return


def prove(
    engine: str, *, cases: int = 10_000, seed: int = 1, sabotage: str | None = None,
    only: str = "",
) -> dict[str, Any]:  # fmt: skip
    """Send cases from the document, and return what broke its promises.

    Args:
        only: a pattern of the paths that are asked; all by default.
    """
    contract = Contract()
    with _worlds(engine, sabotage) as make, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        place = [make()]
        operations = [one for one in _operations(place) if re.search(only, one.path)]
        for round_, share in enumerate(_rounds(cases)):
            if round_:
                place[:] = [make()]
                print(f"{contract.cases} cases, {len(contract.faults)} faults", file=sys.stderr)
            for number, operation in enumerate(operations):
                if count := _share(share, len(operations), number + round_):
                    _ask(contract, place[0], operation, count, hash((seed, round_, number)))
    found = [f"{fault} | {shown}" for fault, shown in contract.faults.items()]
    return {
        "cases": contract.cases, "operations": len(operations), "statuses": dict(contract.seen),
        "taken_as": dict(contract.roles), "violations": found,
    }  # fmt: skip


def _operations(place: list[World]) -> list[Any]:
    """Return the operations of the document, which are asked of the world that is in place."""

    def served(environ: Any, start: Any) -> Any:
        return place[0].county.app(environ, start)

    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", served)
    return [one.ok() for one in schema.get_all_operations()]


def _rounds(cases: int) -> list[int]:
    """Return how many cases fall to each world; a new one is made when an old one is used up."""
    return [min(ROUND, cases - done) for done in range(0, cases, ROUND)]


def _share(cases: int, operations: int, number: int) -> int:
    """Return how many of the cases fall to one operation: nearly the same for all."""
    return cases // operations + (number % operations < cases % operations)


if __name__ == "__main__":
    run_as_command(prove, list(SABOTAGES), more={"cases": 10_000})
