"""Determination pages, kept until their links end."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels: None = None
depends_on: None = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "pages",
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("expires", sa.BigInteger, nullable=False),
        sa.Column("reader", sa.String(64)),
        sa.PrimaryKeyConstraint("address", name="pk_pages"),
    )
    op.create_index("ix_pages_expires", "pages", ["expires"])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("pages")
