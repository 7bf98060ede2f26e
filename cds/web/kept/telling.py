"""A call in words: that it ran, and why there was a card or none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from cds.web.kept.record import CallRecord, DecisionRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cds.store.calls import Call

_WHY = {
    "card": "card {card}",
    "page": "shown on the page of a launch",
    "not-read": "no card of its own: the conditions could not be read, which card {card} says",
    "no-diagnosis": "no card: its target diagnosis is not recorded",
    "ineligible": "no card: ineligible, and not clearing soon",
    "muted": "no card: a user overrode it, and nothing has changed since",
    "off": "no card: the trial is switched off",
    "joined": "no card: the patient has joined the trial",
    "refused": "no card: the patient refuses research",
    "attested": "no card: a person answered a question of the trial against it",
    "client": "no card: the trial is switched to other clients",
    "role": "no card: the trial is switched to other roles, or the role could not be read",
    "department": "no card: the trial is switched to other departments, or it could not be read",
    "shadow": "no card: this client is in its shadow phase",
}


def in_words(call: Call) -> Iterator[str]:
    """Lines for a person."""
    whole = msgspec.json.decode(call.record, type=CallRecord)
    yield f"Call {whole.call} ran at {whole.received}, for {whole.on} ({whole.timezone})."
    yield f"  hookInstance {whole.hook_instance}"
    yield f"  trials asked: {whole.trials}, recorded: {whole.recorded}, cards given: {whole.cards}"
    if whole.problems:
        problems = ", ".join(f"{kind} {count}" for kind, count in whole.problems.items())
        yield f"  problems with the record: {problems}"
    yield f"  software {whole.software}, {whole.software_digest}"
    yield f"  content {whole.content_digest}"
    yield f"  input {whole.input_digest}"
    for one in call.decided:
        yield from _determination(msgspec.json.decode(one.record, type=DecisionRecord))


def _determination(record: DecisionRecord) -> Iterator[str]:
    why = _WHY.get(record.outcome, f"no card: {record.outcome}").format(card=record.card)
    yield f"{record.trial} {record.version}: {record.overall}; {why}"
    counts = {
        "pass": len(record.passed),
        "fail": " ".join(record.fail),
        "unknown": ", ".join(_with(record.unknown)),
        "review": " ".join(record.review),
    }
    for status, said in counts.items():
        if said:
            yield f"  {status}: {said}"


def _with(gaps: dict[str, list[str]]) -> Iterator[str]:
    for criterion, missing in gaps.items():
        yield f"{criterion} ({'; '.join(missing)})" if missing else criterion
