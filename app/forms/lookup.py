"""Find forms for those who use them: all versions that a batch names, with one statement."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.database import table_of
from app.forms.answers import Answers, fill
from app.forms.definitions import Form, read_form
from app.forms.models import DRAFT, PUBLISHED, FormVersion
from app.forms.translation import as_newest
from sync.stores.many import among

# A plain table, not a model: it is read at every push that holds tasks.
_forms = table_of(FormVersion)
_BY_KEY = (
    sa.select(_forms.c.key, _forms.c.version, _forms.c.state, _forms.c.definition)
    .where(among(_forms.c.key, "keys"), _forms.c.state != DRAFT)
    .order_by(_forms.c.key, _forms.c.version)
)


@dataclass(frozen=True)
class Forms:
    """The versions of some forms that are or were published.

    Attributes:
        texts: the definitions by key and version, oldest first.
        current: the version of each form that new work takes unless it names another.
        published: the versions that new work may take.
    """

    texts: Mapping[tuple[str, int], str] = field(default_factory=dict)
    current: Mapping[str, int] = field(default_factory=dict)
    published: frozenset[tuple[str, int]] = frozenset()

    def get(self, key: str, version: int) -> Form | None:
        """Return a version, also a retired one: what was published is accepted for ever."""
        text = self.texts.get((key, version))
        return None if text is None else read_form(text)

    def newest(self, key: str) -> Form:
        """Return the newest version of a form that is here."""
        return self._chain(key, 0)[-1]

    def in_newest(self, key: str, version: int, answers: Answers) -> Mapping[str, object]:
        """Return answers to one version as the newest reads them, calculations reckoned anew."""
        found = as_newest(self._chain(key, version), answers)
        return fill(self.newest(key), found).values

    def _chain(self, key: str, version: int) -> Sequence[Form]:
        """Return the versions of a form after one, oldest first."""
        return [read_form(text) for (name, number), text in self.texts.items()
                if name == key and number > version]  # fmt: skip


def forms_of(session: Session, keys: Collection[str]) -> Forms:
    """Return all published versions of the forms of these keys."""
    if not keys:
        return Forms()
    rows = session.connection().execute(_BY_KEY, {"keys": sorted(keys)}).all()
    texts = {(row.key, row.version): row.definition for row in rows}
    published = [(row.key, row.version) for row in rows if row.state == PUBLISHED]
    return Forms(texts, dict(published), frozenset(published))
