"""The API docs page at /docs: vendored files only, so that reading them asks nobody outside."""

from pathlib import Path

from flask import Blueprint, Response, send_from_directory

FILES = Path(__file__).parent / "static" / "docs"
# Swagger UI writes style attributes; scripts come from this server alone.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)

blueprint = Blueprint("docs", __name__, url_prefix="/docs")


@blueprint.get("")
def page() -> Response:
    """Show the operations of the API."""
    return send_from_directory(FILES, "index.html")


@blueprint.get("/<path:name>")
def file(name: str) -> Response:
    """Send one of the files of the page."""
    return send_from_directory(FILES, name)


@blueprint.after_request
def allow_own_scripts(response: Response) -> Response:
    """Let this page alone run its scripts; every other answer allows none."""
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    return response
