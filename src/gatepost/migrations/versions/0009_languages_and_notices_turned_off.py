"""The language that a person reads, and the notices that they turned off.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Migrate forward."""
    op.add_column("users", sa.Column("locale", sa.String(length=35), nullable=True))
    op.create_table(
        "notice_preferences",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=50), nullable=False),
        sa.Column("muted_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_notice_preferences_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "kind", name=op.f("pk_notice_preferences")),
    )


def downgrade() -> None:
    """Migrate back."""
    op.drop_table("notice_preferences")
    with op.batch_alter_table("users") as users:
        users.drop_column("locale")
