"""Codes by mail that are for the client alone that asked for them.

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Migrate forward."""
    op.add_column("mail_proofs", sa.Column("binding_digest", sa.LargeBinary(length=32), nullable=True))
    op.create_index("ix_login_flows_binding_digest", "login_flows", ["binding_digest"])


def downgrade() -> None:
    """Migrate back. What was sent to sign in by is of no use to the version of before."""
    op.drop_index("ix_login_flows_binding_digest", "login_flows")
    op.execute("DELETE FROM mail_proofs WHERE purpose = 'sign_in_link'")
    with op.batch_alter_table("mail_proofs") as proofs:
        proofs.drop_column("binding_digest")
