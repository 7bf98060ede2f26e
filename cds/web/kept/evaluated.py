"""Decision records of what was decided without a hook call: of a Bundle on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cds.store.calls import new_call_id
from cds.web.kept.record import Circumstances, digest_of, record_of
from cds.web.kept.versions import versions_of

if TYPE_CHECKING:
    from datetime import datetime

    from cds.assess import Content
    from cds.core.assessment import Assessment
    from cds.core.when import Evaluation
    from cds.web.kept.record import DecisionRecord


def records_of(  # noqa: PLR0913 - what a record is made of
    bundle: bytes,
    assessment: Assessment,
    content: Content,
    asked: Evaluation,
    received: datetime,
    *,
    masked: bool,
) -> list[DecisionRecord]:
    """One record for each determination; `received` is in UTC."""
    of = Circumstances(
        new_call_id(received),
        None,
        received.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        str(asked.zone),
        (),
        digest_of(bundle),
    )
    versions = versions_of(content)
    return [
        record_of(of, assessment, one, versions, outcome="evaluated", card=None, masked=masked)
        for one in assessment.determinations
    ]
