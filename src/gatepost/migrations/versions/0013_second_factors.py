"""Second factors: authenticator apps, recovery codes, remembered devices, and wishes to have them removed.

Revision ID: 0013
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0011"
branch_labels = None
depends_on = None

_IS_WAITING = sa.text("expires_at IS NOT NULL")
_TABLES = ("factor_resets", "remembered_devices", "recovery_codes", "totp_guesses", "totp_factors")


def _person(table: str) -> tuple[sa.Column[object], sa.ForeignKeyConstraint]:
    return (
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f(f"fk_{table}_user_id_users"), ondelete="CASCADE"
        ),
    )


def _time(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    """Migrate forward."""
    op.create_table(
        "totp_factors",
        sa.Column("id", sa.Uuid(), nullable=False),
        *_person("totp_factors"),
        sa.Column("name", sa.String(length=100), nullable=True),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        _time("created_at"),
        _time("confirmed_at", nullable=True),
        _time("last_used_at", nullable=True),
        _time("expires_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_totp_factors")),
    )
    op.create_index("ix_totp_factors_user_id", "totp_factors", ["user_id"])
    op.create_index(
        "ix_totp_factors_expires_at",
        "totp_factors",
        ["expires_at"],
        sqlite_where=_IS_WAITING,
        postgresql_where=_IS_WAITING,
    )
    op.create_table(
        "totp_guesses",
        *_person("totp_guesses"),
        sa.Column("failures", sa.Integer(), nullable=False),
        _time("failed_at"),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_totp_guesses")),
    )
    op.create_table(
        "recovery_codes",
        sa.Column("id", sa.Uuid(), nullable=False),
        *_person("recovery_codes"),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        _time("created_at"),
        _time("used_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_codes")),
        sa.UniqueConstraint("user_id", "digest", name=op.f("uq_recovery_codes_user_id_digest")),
    )
    op.create_table(
        "remembered_devices",
        sa.Column("id", sa.Uuid(), nullable=False),
        *_person("remembered_devices"),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("user_agent", sa.String(length=256), nullable=True),
        sa.Column("address", sa.String(length=64), nullable=True),
        _time("created_at"),
        _time("last_used_at"),
        _time("expires_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_remembered_devices")),
        sa.UniqueConstraint("digest", name=op.f("uq_remembered_devices_digest")),
    )
    op.create_index("ix_remembered_devices_user_id", "remembered_devices", ["user_id"])
    op.create_index("ix_remembered_devices_expires_at", "remembered_devices", ["expires_at"])
    op.create_table(
        "factor_resets",
        *_person("factor_resets"),
        _time("asked_at"),
        _time("due_at"),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_factor_resets")),
    )
    op.create_index("ix_factor_resets_due_at", "factor_resets", ["due_at"])


def downgrade() -> None:
    """Migrate back. Nobody has a second factor then: who needs one must not go back."""
    for table in _TABLES:
        op.drop_table(table)
