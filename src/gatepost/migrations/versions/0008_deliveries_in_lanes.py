"""Deliveries have a lane, what only their consumer may know, whom they are for, and an end.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_IS_DUE = sa.text("state = 'due'")
_EXPIRES = sa.text("expires_at IS NOT NULL")


def upgrade() -> None:
    """Migrate forward. With a default for the lane, since the version before may still record events."""
    op.add_column(
        "deliveries", sa.Column("lane", sa.String(length=20), server_default="default", nullable=False)
    )
    op.add_column("deliveries", sa.Column("private", sa.LargeBinary(), nullable=True))
    op.add_column("deliveries", sa.Column("source", sa.LargeBinary(length=8), nullable=True))
    op.add_column("deliveries", sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_deliveries_due", "deliveries", ["lane", "due_at"], postgresql_where=_IS_DUE, sqlite_where=_IS_DUE
    )
    op.create_index(
        "ix_deliveries_expires_at",
        "deliveries",
        ["expires_at"],
        postgresql_where=_EXPIRES,
        sqlite_where=_EXPIRES,
    )


def downgrade() -> None:
    """Migrate back. What was sealed in deliveries is lost: the version before could not deliver those."""
    op.execute(
        "UPDATE deliveries SET state = 'failed', last_error = 'Downgraded' WHERE state = 'due' AND private IS NOT NULL"
    )
    op.execute("UPDATE deliveries SET state = 'done' WHERE state IN ('expired', 'dropped')")
    op.drop_index("ix_deliveries_expires_at", "deliveries")
    op.drop_index("ix_deliveries_due", "deliveries")
    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        for name in ("expires_at", "source", "private", "lane"):
            batch_op.drop_column(name)
