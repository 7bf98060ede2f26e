"""Decision records, what was read for them, muted cards; whose card a feedback is about."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels: None = None
depends_on: None = None


def upgrade() -> None:
    """Make the tables and columns."""
    op.create_table(
        "calls",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("hook_instance", sa.String(64), nullable=False),
        sa.Column("received", sa.DateTime(timezone=True), nullable=False),
        sa.Column("client", sa.String(500)),
        sa.Column("patient", sa.String(100), nullable=False),
        sa.Column("cards", sa.Integer, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_calls"),
    )
    for column in ("hook_instance", "received", "patient"):
        op.create_index(f"ix_calls_{column}", "calls", [column])
    op.create_table(
        "decisions",
        sa.Column("call", sa.String(36), nullable=False),
        sa.Column("trial", sa.String(20), nullable=False),
        sa.Column("overall", sa.String(30), nullable=False),
        sa.Column("outcome", sa.String(30), nullable=False),
        sa.Column("card", sa.String(100)),
        sa.Column("stands", sa.String(64), nullable=False),
        sa.Column("record", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["call"], ["calls.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("call", "trial", name="pk_decisions"),
    )
    op.create_index("ix_decisions_card", "decisions", ["card"])
    op.create_table(
        "inputs",
        sa.Column("call", sa.String(36), nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.ForeignKeyConstraint(["call"], ["calls.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("call", name="pk_inputs"),
    )
    op.create_table(
        "mutes",
        sa.Column("patient", sa.String(100), nullable=False),
        sa.Column("trial", sa.String(20), nullable=False),
        sa.Column("stands", sa.String(64), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True)),
        sa.Column("reason", sa.String(100)),
        sa.PrimaryKeyConstraint("patient", "trial", name="pk_mutes"),
    )
    op.add_column("feedback", sa.Column("patient", sa.String(100)))
    op.add_column(
        "feedback", sa.Column("trials", sa.JSON, nullable=False, server_default=sa.text("'[]'"))
    )
    op.create_index("ix_feedback_patient", "feedback", ["patient"])


def downgrade() -> None:
    """Drop them."""
    op.drop_index("ix_feedback_patient", "feedback")
    with op.batch_alter_table("feedback") as table:
        table.drop_column("trials")
        table.drop_column("patient")
    for table_name in ("mutes", "inputs", "decisions", "calls"):
        op.drop_table(table_name)
