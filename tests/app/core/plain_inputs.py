"""Where what people send may lie in plain in the database, and why: everything else is sealed.

A key is a pattern of inputs as the canaries name them, its value the reason. Names, telephone
numbers, what is known of persons in need, and whatever cannot be read are on no line here. In
logs, errors and answers to others no input at all may stand, whatever its class.
"""

OPEN_KINDS: dict[str, str] = {
    "household": "an address is that of a building (P1, P2): found by text, and shown on maps",
    "household_act": "which homes were joined or parted, by id; the reason is the office's (P1)",
    "consent": "codes, versions and ids that prove a consent (P0, P1); names stand in contacts",
    "visit": "the note of a visit (P2) has its own retention of 12 months; masked in lists",
    "incident": "matters of places; parties are roles, and numbers in texts are taken out (P1, P2)",
    "notice": "written to be read by everybody (P0)",
    "notice_ack": "ids and moments (P0, P1)",
    "notice_explained": "a count for each grid (P0)",
    "photo": "facts of a file, by hash (P0, P1); its bytes are sealed",
    "emergency_order": "a public act with its legal basis (P0)",
}
"""Kinds without a sealed field: their edits lie in plain, also one that was parked."""

_REST = {
    "households|households/.*": "household", "visits|visits/.*": "visit",
    "incidents|incidents/.*": "incident", "notices|notices/.*": "notice",
    "orders|orders/.*": "emergency_order", "photos|photos/.*": "photo",
    "consents|consents/.*": "consent", "household-acts/.*": "household_act",
}  # fmt: skip

PLAIN: dict[str, str] = {
    **{rf"edit {kind}\..*": reason for kind, reason in OPEN_KINDS.items()},
    **{rf"(POST|PATCH|PUT) /api/v1/({path}) [a-z_]+": OPEN_KINDS[kind]
       for path, kind in _REST.items()},
    r"(POST|PATCH) /api/v1/(tasks|task-batches|task-rules)(/.*)? "
    r"(title|instructions|reason|[a-z]+_reason)":
        "the office's own words for work to be done; lists are filtered by them (P1)",
    r"POST /api/v1/exports reason": "why an export is made: audited, never a resident's (P1)",
    r"POST /api/v1/users name": "the name of a person on duty, who signs what he does (P1)",
    r"POST /api/v1/users(/.*/posts|/.*/second-factor-reset)? (reason|Idempotency-Key:|login)":
        "why somebody serves, his login, the key of a request (P1)",
    r"POST /api/v1/sync/devices app": "the name of an app and its version (P0)",
    r"POST /api/v1/auth/enrol (model|app|install_id)": "the phone's own description (P0)",
    r"POST /api/v1/forms .*": "a form's questions, never its answers (P0)",
    r"POST /api/v1/sync/health [a-z_]+": "counts that a phone tells of itself (P0)",
}  # fmt: skip
