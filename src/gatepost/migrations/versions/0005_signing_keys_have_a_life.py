"""Signing keys have a successor, times, and an end.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_ONE_STATE = "(is_current IS NULL OR is_next IS NULL) AND (revoked_at IS NULL OR COALESCE(is_current, is_next) IS NULL)"
_TIMES = ("activates_at", "activated_at", "kept_until", "revoked_at")


def upgrade() -> None:
    """Migrate forward. Nullable all, since the version before may still add and replace keys."""
    with op.batch_alter_table("signing_keys", schema=None) as batch_op:
        batch_op.add_column(sa.Column("is_next", sa.Boolean(), nullable=True))
        for name in _TIMES:
            batch_op.add_column(sa.Column(name, sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("token_seconds", sa.Integer(), nullable=True))
        batch_op.create_unique_constraint(batch_op.f("uq_signing_keys_is_next"), ["is_next"])
        batch_op.create_check_constraint(batch_op.f("ck_signing_keys_one_state"), _ONE_STATE)
    # Those that sign no more get their end from the job that looks after the keys.
    op.execute("UPDATE signing_keys SET activated_at = created_at WHERE is_current IS NOT NULL")


def downgrade() -> None:
    """Migrate back. To the version before, every key that is there verifies."""
    op.execute("DELETE FROM signing_keys WHERE revoked_at IS NOT NULL OR is_next IS NOT NULL")
    with op.batch_alter_table("signing_keys", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("ck_signing_keys_one_state"), type_="check")
        batch_op.drop_constraint(batch_op.f("uq_signing_keys_is_next"), type_="unique")
        for name in ("is_next", *_TIMES, "token_seconds"):
            batch_op.drop_column(name)
