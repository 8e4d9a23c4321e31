"""The API document: OpenAPI 3.1, with problems as the one shape of every error."""

import threading
from typing import Any

from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Flask
from flask_smorest import Api, Blueprint
from marshmallow import INCLUDE, Schema, fields

from app.core.problems import PROBLEM_JSON
from app.core.settings import Settings
from app.core.statuses import PROBLEM, Statuses


class ProblemOut(Schema):
    """An error answer (RFC 9457); some codes bring members of their own."""

    class Meta:
        """Members beyond these are part of the standard."""

        unknown = INCLUDE

    type = fields.String(required=True)
    title = fields.String(required=True)
    title_zh = fields.String(required=True)
    status = fields.Integer(required=True)
    code = fields.String(required=True, metadata={"description": "stable; decide by this"})
    detail = fields.String(metadata={"description": "what to do next"})
    errors = fields.List(fields.Dict(), metadata={"description": "one entry for each wrong field"})


class HouseApi(Api):
    """flask-smorest with our own error shape."""

    ERROR_SCHEMA = ProblemOut
    # Each refusal is named by its status (app.core.statuses); nothing hides behind a default.
    DEFAULT_ERROR_RESPONSE_NAME = None

    def __init__(self, **more: Any) -> None:
        """Make an API whose document is written when somebody asks for it."""
        self._lock = threading.Lock()
        self._unwritten: list[Blueprint] = []
        self._document: Any = None
        super().__init__(**more)

    def register_blueprint(self, blp: Blueprint, **options: Any) -> None:
        """Register a blueprint; its part of the document waits."""
        self._app.extensions["flask-smorest"]["blp_name_to_api"][blp.name] = self
        self._app.register_blueprint(blp, **options)
        self._unwritten.append(blp)

    @property
    def spec(self) -> Any:
        """The whole document; most processes (commands, workers, tests) never need it."""
        with self._lock:
            waiting, self._unwritten = self._unwritten, []
            for blp in waiting:
                blp.register_views_in_doc(
                    self, self._app, self._document, name=blp.name, parameters=None
                )
                self._document.tag({"name": blp.name, "description": blp.description})
        return self._document

    @spec.setter
    def spec(self, document: Any) -> None:
        """Begin the document."""
        self._document = document

    def _register_error_handlers(self) -> None:
        """Leave the errors to the outer door (app.core.errors)."""

    def _register_responses(self) -> None:
        """Document problems with their own content type."""
        self.spec.components.response(
            PROBLEM,
            {
                "description": "A problem; see `code`",
                "content": {PROBLEM_JSON: {"schema": ProblemOut}},
            },
        )


def told_as(*media_types: str, words: str = "OK", schema: Any = None) -> dict[str, Any]:
    """Return the words of the document for an answer whose body no schema of ours makes."""
    shape = {"type": "string", "format": "binary"} if schema is None else schema
    return {"description": words, "content": {one: {"schema": shape} for one in media_types}}


def _name_of(schema: Any) -> str:
    """Name a schema in the document; partial ones get a name of their own."""
    cls = schema if isinstance(schema, type) else type(schema)
    name = cls.__name__.removesuffix("Schema")
    partial = not isinstance(schema, type) and bool(getattr(schema, "partial", False))
    return f"{name}Part" if partial else name


def init_api(app: Flask, settings: Settings) -> HouseApi:
    """Make the API and, unless switched off, serve its document."""
    app.config.update(
        API_TITLE="Wangge", API_VERSION="v1", OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/api/v1" if settings.api_docs else None,
        OPENAPI_JSON_PATH="openapi.json",
    )  # fmt: skip
    api = HouseApi(
        spec_kwargs={
            "marshmallow_plugin": MarshmallowPlugin(schema_name_resolver=_name_of),
            "extra_plugins": [Statuses()],
            "security": [{"bearer": []}],
        }
    )
    api.init_app(app)
    api.spec.components.security_scheme("bearer", {"type": "http", "scheme": "bearer"})
    return api
