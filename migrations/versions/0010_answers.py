"""Tasks name their form and hold the answers, sealed.

Revision: 0010
Follows: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Id = sa.Uuid(as_uuid=False).with_variant(sa.String(36), "sqlite")
COLUMNS = (
    ("form", sa.String(length=40)),
    ("form_version", Big),
    ("answers", sa.Text()),
    ("no_answers_reason", sa.String(length=200)),
    ("raised_incident", Id),
)


def upgrade() -> None:
    """Add the columns; older tasks have no form, and their bodies are sealed when written again."""
    for name, type_ in COLUMNS:
        op.add_column("task", sa.Column(name, type_, nullable=True))


def downgrade() -> None:
    """Drop them."""
    for name, _ in reversed(COLUMNS):
        op.drop_column("task", name)
