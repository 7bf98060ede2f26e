"""Making a recorded determination again, from the same input, and comparing byte for byte."""

from __future__ import annotations

import zlib
from datetime import date
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec

from cds.core.assessment import Assessment
from cds.core.criterion import Status
from cds.core.when import Evaluation
from cds.engine.evaluate import decide_target, determine, target_alone
from cds.fhir.facts import facts_from
from cds.fhir.record import (
    UnusableInput,
    is_lacking,
    record_from_bundle,
    record_from_prefetch,
)
from cds.web.chart import completed_chart
from cds.web.errors import Refused
from cds.web.fetch import without_lists
from cds.web.kept.inputs import Input, Telling, unpacked
from cds.web.kept.record import DecisionRecord, digest_of
from cds.web.kept.versions import versions_of
from cds.web.request import read_request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cds.assess import Content
    from cds.fhir.record import Record

_MOST_RESOURCES = 10_000_000


class ReplayFault(Exception):  # noqa: N818 - the word for what is wrong with files too
    """It cannot be made again; the text is one sentence: why, and what to do."""


class Replayed(msgspec.Struct, frozen=True):
    """What came out. `same`: every byte of the determination is as it was.

    `differences` are sentences: other software, content or input, and which criteria now stand
    otherwise.
    """

    determination: str
    same: bool
    differences: list[str]
    result: msgspec.Raw


def read_records(data: bytes) -> list[DecisionRecord]:
    """The decision records in a file of JSON lines; lines about whole calls are passed over.

    Raises:
        ReplayFault: a line is none, or there is no record at all.
    """
    found = []
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        try:
            kind = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
            if "determination" in kind:
                found.append(msgspec.json.decode(line, type=DecisionRecord))
            elif "call" not in kind:
                message = f"line {number} is no decision record"
                raise ReplayFault(message)
        except (msgspec.DecodeError, UnicodeDecodeError) as problem:
            message = f"line {number} is no decision record: {problem}"
            raise ReplayFault(message) from None
    if not found:
        message = "it holds no decision record; 'trial-cds decision ID --format json' writes some"
        raise ReplayFault(message)
    return found


def read_input(data: bytes, record: DecisionRecord) -> Input | bytes:
    """The chart of a record: a hook request as its EHR sent it, or a FHIR Bundle.

    Raises:
        ReplayFault: it is neither.
    """
    try:
        members = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        if "hook" not in members:
            return data
        request = read_request(data, max_resources=_MOST_RESOURCES)
    except (msgspec.DecodeError, UnicodeDecodeError):
        message = "it is no JSON object; give the hook request, or a FHIR Bundle"
        raise ReplayFault(message) from None
    except Refused as problem:
        raise ReplayFault(problem.says) from None
    return Input(request.patient_id, request.prefetch or {}, tuple(record.not_kept))


def read_kept(data: bytes) -> Input:
    """A chart that the service kept.

    Raises:
        ReplayFault: it is damaged.
    """
    try:
        return unpacked(data)
    except (msgspec.DecodeError, zlib.error):
        message = "what was kept of the call cannot be read"
        raise ReplayFault(message) from None


def replay(record: DecisionRecord, chart: Input | bytes, content: Content) -> Replayed:
    """Make the determination again with the software and content that are here.

    Raises:
        ReplayFault: the chart cannot be used, or the content has no such trial.
    """
    asked = Evaluation.of(date.fromisoformat(record.on), ZoneInfo(record.timezone))
    try:
        facts = facts_from(
            _read(chart, content, asked), content.terminology, asked.zone, content.units
        )
    except UnusableInput as problem:
        message = f"the chart cannot be used: {problem}"
        raise ReplayFault(message) from None
    place = next((n for n, head in enumerate(content.heads) if head.id == record.trial), None)
    if place is None:
        message = f"the content that is here has no trial {record.trial}"
        raise ReplayFault(message)
    head = content.heads[place]
    first = decide_target(head, facts, asked)
    # Where the target diagnosis settles whether there is a card, the hook decides nothing else.
    alone = first.status is Status.FAIL or set(record.statuses()) == {head.target}
    if alone:
        determination = target_alone(head, first)
    else:
        determination = determine(content.folders[place].trial, facts, asked, first)
    assessment = Assessment(
        facts.patient.reference, asked.on, tuple(facts.problems), (determination,)
    )
    result = assessment.said(determination)
    same = f"sha256:{result.digest}" == record.result_digest
    stands = {d.criterion.id: d.status.value for d in determination.decisions}
    differences = [*_versions(record, chart, content), *([] if same else _moved(record, stands))]
    return Replayed(record.determination, same, differences, msgspec.Raw(result.data))


def _read(chart: Input | bytes, content: Content, asked: Evaluation) -> Record:
    if isinstance(chart, bytes):
        return record_from_bundle(chart)
    record = record_from_prefetch(chart.prefetch, chart.patient)
    record = without_lists(record, frozenset(chart.not_kept))
    if chart.asked and is_lacking(record):
        telling = Telling(chart.heard)
        record = completed_chart(record, telling.fetch, content, asked, chart.near_days)
    if record.patient is None:
        message = "the chart cannot be used: it holds no Patient"
        raise ReplayFault(message)
    return record


def _versions(record: DecisionRecord, chart: Input | bytes, content: Content) -> Iterator[str]:
    here = versions_of(content)
    if (record.software, record.software_digest) != (here.software, here.software_digest):
        yield _other(
            "software", f"{record.software} ", record.software_digest, here.software_digest
        )
    pairs = {
        f"trial {record.trial}": (record.trial_digest, here.trial_digests[record.trial]),
        "mappings": (record.mappings_digest, here.mappings_digest),
        "input": (
            record.input_digest,
            digest_of(chart) if isinstance(chart, bytes) else chart.digest(),
        ),
    }
    for name, (then, now) in pairs.items():
        if then != now:
            yield _other(name, "", then, now)


def _other(name: str, version: str, then: str, now: str) -> str:
    return f"another {name}: it was {version}{_short(then)}, this is {_short(now)}"


def _short(digest: str) -> str:
    return digest[: len("sha256:") + 12]


def _moved(record: DecisionRecord, stands: dict[str, str]) -> Iterator[str]:
    """Which criteria stand otherwise; if none does, words, values or dates differ."""
    before = record.statuses()
    moved = [
        f"{criterion} was {before.get(criterion, 'not decided')}, "
        f"is {stands.get(criterion, 'not decided')}"
        for criterion in sorted(before.keys() | stands.keys())
        if before.get(criterion) != stands.get(criterion)
    ]
    yield from moved or ["every criterion stands as it did; words, values or problems differ"]
