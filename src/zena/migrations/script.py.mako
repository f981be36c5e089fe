"""${message}"""

import sqlalchemy as sa
from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Expand only: new tables get their fence() here; columns that go, go one release after the last use.
    ${upgrades if upgrades else "pass"}
