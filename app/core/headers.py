"""The headers of the house, which stand on every reply: pages, errors, and what a door says alone.

They allow a browser nothing: no storing, no guessing of types, no scripts, no frames. There is
no ``Access-Control-Allow-Origin`` anywhere, so no page of another origin reads an answer.
"""

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
}
STRICT_TRANSPORT = ("Strict-Transport-Security", "max-age=31536000")
"""Said where the public address is https: a browser then never tries http again."""


def headers_for(public_url: str) -> dict[str, str]:
    """Return the headers of a server that is reached under this address."""
    return HEADERS | (dict([STRICT_TRANSPORT]) if is_safe(public_url) else {})


def is_safe(public_url: str) -> bool:
    """Tell whether an address is one of TLS."""
    return public_url.startswith("https://")
