"""An index for a search by address among those who may, or may not, sign in.

Revision ID: 0003
Revises: 0002
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Migrate forward."""
    op.create_index("ix_users_is_active_email_canonical", "users", ["is_active", "email_canonical"])


def downgrade() -> None:
    """Migrate back."""
    op.drop_index("ix_users_is_active_email_canonical", "users")
