"""The application with a planted bug: it never notices that its database has gone back in time."""

from app.sync_api import epochs
from sync.stores import statements

epochs.judged = lambda *_signs, **_told: None
statements.Statements._life = lambda self: self.tables.meta.c.value.expression

from app.factory import create_app  # noqa: E402

app = create_app()
