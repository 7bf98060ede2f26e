"""The tables of the store. Their history, one file for each change, is migrations/versions."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Date,
    DateTime,
    ForeignKey,
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
    Column("patient", String(100), index=True),
    Column("trials", JSON, nullable=False, server_default="[]"),
)
"""What users did with cards. `digest` is of all that a client said about one act, so that the same
report counts once. `client` is the issuer, null where nobody had to prove who they are. `accepted`
are suggestion ids, `reasons` objects with `code` and, where sent, `system` and `display`. Whose
card it was and about which trials is looked up when it comes; null and none for an unknown card."""

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

calls = Table(
    "calls",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("hook_instance", String(64), nullable=False, index=True),
    Column("received", DateTime(timezone=True), nullable=False, index=True),
    Column("client", String(500)),
    Column("patient", String(100), nullable=False, index=True),
    Column("cards", Integer, nullable=False),
    Column("record", Text, nullable=False),
)
"""One row for each hook call that was answered with cards or with none. `id` grows with time.
`patient` is an HMAC under the site key that its prefix names (cds.store.patients). `record` is
JSON: what was asked with which versions, for calls that no determination came of too."""

decisions = Table(
    "decisions",
    metadata,
    Column("call", String(36), ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True),
    Column("trial", String(20), primary_key=True),
    Column("overall", String(30), nullable=False),
    Column("outcome", String(30), nullable=False),
    Column("card", String(100), index=True),
    Column("stands", String(64), nullable=False),
    Column("record", Text, nullable=False),
)
"""One row for each determination. `outcome` is `card`, or why there was none. `card` is the uuid of
the card about it. `stands` is a digest of how the criteria stand: a card that was overridden stays
muted while it is the same. `record` is the decision record, JSON, masked unless a setting says
otherwise."""

inputs = Table(
    "inputs",
    metadata,
    Column("call", String(36), ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)
"""What was read for a call, so that it can be replayed; only where a setting says so. Encrypted
under a site key."""

mutes = Table(
    "mutes",
    metadata,
    Column("patient", String(100), primary_key=True),
    Column("trial", String(20), primary_key=True),
    Column("stands", String(64), nullable=False),
    Column("since", DateTime(timezone=True), nullable=False),
    Column("until", DateTime(timezone=True)),
    Column("reason", String(100)),
)
"""Cards that users overrode: no further one about the trial while the determination `stands` as it
did, at the longest until `until`."""

launches = Table(
    "launches",
    metadata,
    Column("address", String(64), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("expires", BigInteger, nullable=False, index=True),
)
"""Launches under way, and who launched, until they end (Unix seconds). `sealed` can be opened with
the browser's cookie alone, of which `address` is a digest."""

attestations = Table(
    "attestations",
    metadata,
    Column("id", _KEY, primary_key=True),
    Column("patient", String(100), nullable=False, index=True),
    Column("trial", String(20), nullable=False),
    Column("criterion", String(20), nullable=False),
    Column("question", String(64), nullable=False),
    Column("answer", String(12), nullable=False),
    Column("role", String(40), nullable=False),
    Column("name", String(200), nullable=False),
    Column("user", String(500)),
    Column("said", DateTime(timezone=True), nullable=False),
    Column("expires", Date),
)
"""What people answered to criteria that only a human can decide; rows are added, never changed (a
trigger sees to it). The newest row of a patient, trial and criterion counts until the end of the
day `expires`, while `question` is a digest of the criterion's words as they are now. `answer` is
yes, no, not-yet or withdrawn. `user` is who it was as a sign-on said it, null where the name was
typed."""
