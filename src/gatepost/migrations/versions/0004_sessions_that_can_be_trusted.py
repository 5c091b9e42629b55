"""Sessions that say when they were used and why they ended, families of refresh tokens in one row, sign-in flows.

Refresh tokens of before are not carried over: they do not name their session. Their holders sign in again.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Migrate forward."""
    for name in ("email_verified_at", "locked_until"):
        op.add_column("users", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    _alter_sessions()
    op.drop_table("refresh_tokens")
    op.create_table(
        "refresh_families",
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.String(length=100), nullable=False),
        sa.Column("scope", sa.String(length=1000), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("key_thumbprint", sa.String(length=43), nullable=True),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("rotated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rotated_before_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("successor_sealed", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["sessions.id"],
            name=op.f("fk_refresh_families_session_id_sessions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("session_id", name=op.f("pk_refresh_families")),
    )
    op.create_table(
        "login_flows",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("binding_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("carrier", sa.String(length=10), nullable=False),
        sa.Column("scope", sa.String(length=1000), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("proofs", sa.JSON(), nullable=False),
        sa.Column("steps", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("remember", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_login_flows_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_flows")),
    )
    op.create_index("ix_login_flows_expires_at", "login_flows", ["expires_at"])
    op.create_index(op.f("ix_login_flows_user_id"), "login_flows", ["user_id"])


def _alter_sessions() -> None:
    # Never by a copy of the table: with it SQLite would drop what refers to it. So a default has to fill the column.
    last_seen_at = sa.Column(
        "last_seen_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("'1970-01-01'")
    )
    for column in (
        last_seen_at,
        sa.Column("cookie_digest", sa.LargeBinary(length=32), nullable=True),
        sa.Column("key_thumbprint", sa.String(length=43), nullable=True),
        sa.Column("end_event", sa.Uuid(), nullable=True),
        sa.Column("remember", sa.Boolean(), nullable=False, server_default=sa.true()),
    ):
        op.add_column("sessions", column)
    op.execute("UPDATE sessions SET last_seen_at = created_at")
    if op.get_context().dialect.name == "postgresql":
        op.alter_column("sessions", "last_seen_at", server_default=None)
        op.alter_column("sessions", "remember", server_default=None)


def downgrade() -> None:
    """Migrate back."""
    op.drop_table("login_flows")
    op.drop_table("refresh_families")
    op.create_table(
        "refresh_tokens",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("scope", sa.String(length=1000), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["sessions.id"],
            name=op.f("fk_refresh_tokens_session_id_sessions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refresh_tokens")),
        sa.UniqueConstraint("digest", name=op.f("uq_refresh_tokens_digest")),
    )
    op.create_index(op.f("ix_refresh_tokens_session_id"), "refresh_tokens", ["session_id"])
    op.create_index("ix_refresh_tokens_expires_at", "refresh_tokens", ["expires_at"])
    for name in ("remember", "end_event", "key_thumbprint", "cookie_digest", "last_seen_at"):
        op.drop_column("sessions", name)
    for name in ("locked_until", "email_verified_at"):
        op.drop_column("users", name)
