"""Launches from the EHR's menu; what people answered to the questions of trials."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels: None = None
depends_on: None = None

_SQLITE = """
CREATE TRIGGER attestations_stay BEFORE UPDATE ON attestations
BEGIN SELECT RAISE(ABORT, 'attestations are never changed'); END
"""
_POSTGRESQL = (
    """
CREATE FUNCTION attestations_stay() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'attestations are never changed'; END $$
""",
    """
CREATE TRIGGER attestations_stay BEFORE UPDATE ON attestations
FOR EACH ROW EXECUTE FUNCTION attestations_stay()
""",
)


def upgrade() -> None:
    """Make the tables; rows of attestations cannot be changed."""
    op.create_table(
        "launches",
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("expires", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("address", name="pk_launches"),
    )
    op.create_index("ix_launches_expires", "launches", ["expires"])
    op.create_table(
        "attestations",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("patient", sa.String(100), nullable=False),
        sa.Column("trial", sa.String(20), nullable=False),
        sa.Column("criterion", sa.String(20), nullable=False),
        sa.Column("question", sa.String(64), nullable=False),
        sa.Column("answer", sa.String(12), nullable=False),
        sa.Column("role", sa.String(40), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("user", sa.String(500)),
        sa.Column("said", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires", sa.Date),
        sa.PrimaryKeyConstraint("id", name="pk_attestations"),
    )
    op.create_index("ix_attestations_patient", "attestations", ["patient"])
    if op.get_bind().dialect.name == "postgresql":
        for statement in _POSTGRESQL:
            op.execute(statement)
    else:
        op.execute(_SQLITE)


def downgrade() -> None:
    """Drop both tables."""
    op.drop_table("attestations")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION attestations_stay()")
    op.drop_table("launches")
