"""The clock that tests move, and the mail that they read. Both tables stay empty outside of tests.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Migrate forward."""
    op.create_table(
        "test_clock",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("moves", sa.Integer(), nullable=False),
        sa.Column("ahead_microseconds", sa.BigInteger(), nullable=False),
        sa.Column("skipped_microseconds", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_test_clock_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_test_clock")),
    )
    recipient = sa.String(length=320).with_variant(sa.String(length=320, collation="C"), "postgresql")
    op.create_table(
        "test_mail",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("recipient", sa.String(length=320), nullable=False),
        sa.Column("recipient_canonical", recipient, nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_test_mail")),
    )
    op.create_index("ix_test_mail_recipient_canonical", "test_mail", ["recipient_canonical"])


def downgrade() -> None:
    """Migrate back."""
    op.drop_index("ix_test_mail_recipient_canonical", "test_mail")
    op.drop_table("test_mail")
    op.drop_table("test_clock")
