"""The tables of the store. Their history, one file for each change, is migrations/versions."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_KEY = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up INTEGER keys only

feedback = Table(
    "feedback",
    metadata,
    Column("id", _KEY, primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("received", DateTime(timezone=True), nullable=False),
    Column("client", String(500)),
    Column("service", String(100), nullable=False),
    Column("card", String(100), nullable=False, index=True),
    Column("outcome", String(20), nullable=False),
    Column("outcome_at", DateTime(timezone=True), nullable=False),
    Column("accepted", JSON, nullable=False),
    Column("reasons", JSON, nullable=False),
    Column("comment", Text),
)
"""What users did with cards. `digest` is of all that a client said about one act, so that the same
report counts once. `client` is the issuer, null where nobody had to prove who they are. `accepted`
are suggestion ids, `reasons` objects with `code` and, where sent, `system` and `display`."""

seen_tokens = Table(
    "seen_tokens",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("expires", BigInteger, nullable=False, index=True),
)
"""Tokens that were used, by a digest of issuer and `jti`, until they expire (Unix seconds)."""

pages = Table(
    "pages",
    metadata,
    Column("address", String(64), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("expires", BigInteger, nullable=False, index=True),
    Column("reader", String(64)),
)
"""Determination pages until their links end (Unix seconds). `sealed` can be opened with the link
alone, of which `address` is a digest. `reader` is a digest of who opened it first."""
