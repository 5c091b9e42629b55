"""Links and codes that were sent by mail; accounts that are closed before they are erased.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_IS_CLOSED = sa.text("delete_after IS NOT NULL")


def upgrade() -> None:
    """Migrate forward."""
    op.add_column("users", sa.Column("delete_after", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_users_delete_after",
        "users",
        ["delete_after"],
        sqlite_where=_IS_CLOSED,
        postgresql_where=_IS_CLOSED,
    )
    canonical = sa.String(length=320).with_variant(sa.String(length=320, collation="C"), "postgresql")
    op.create_table(
        "mail_proofs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("email_canonical", canonical, nullable=False),
        sa.Column("link_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("code_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("attempts_left", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_mail_proofs_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail_proofs")),
        sa.UniqueConstraint("link_digest", name=op.f("uq_mail_proofs_link_digest")),
    )
    op.create_index("ix_mail_proofs_user_id", "mail_proofs", ["user_id"])
    op.create_index("ix_mail_proofs_purpose_email_canonical", "mail_proofs", ["purpose", "email_canonical"])
    op.create_index("ix_mail_proofs_expires_at", "mail_proofs", ["expires_at"])


def downgrade() -> None:
    """Migrate back. Whoever was to be erased stays, closed."""
    op.drop_table("mail_proofs")
    op.drop_index("ix_users_delete_after", "users")
    with op.batch_alter_table("users") as users:
        users.drop_column("delete_after")
