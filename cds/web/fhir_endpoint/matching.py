"""Whether a stored resource matches one search value: tokens, references, dates, strings.

https://hl7.org/fhir/R4/search.html, without the modifiers and chains that the service never uses.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from cds.web.fhir_endpoint.dates import Json, JsonObject
from cds.web.fhir_endpoint.parameters import Parameter
from cds.web.fhir_endpoint.refusal import Refused

_PREFIXES = ("eq", "ne", "ge", "le", "gt", "lt", "sa", "eb")
_WHEN = re.compile(
    r"(?P<year>\d{4})(-(?P<month>\d{2})(-(?P<day>\d{2})"
    r"(T(?P<hour>\d{2}):(?P<minute>\d{2})(:(?P<second>\d{2})(?P<fraction>\.\d+)?)?"
    r"(?P<zone>Z|[+-]\d{2}:\d{2})?)?)?)?"
)
_COMMA = re.compile(r"(?<!\\),")
_BAR = re.compile(r"(?<!\\)\|")
_UNESCAPED = re.compile(r"\\([\\,|$])")
_ALWAYS_BEFORE = datetime.min.replace(tzinfo=UTC)
_ALWAYS_AFTER = datetime.max.replace(tzinfo=UTC)
_CHOICE = "[x]"


class Span(NamedTuple):
    """What a date known to some precision covers: from `start` up to, not including, `end`."""

    start: datetime
    end: datetime


def matches(resource: JsonObject, parameter: Parameter, name: str, wanted: str) -> bool:
    """Whether a resource has one of the values, joined by commas, that a search asks for.

    Raises Refused (400) naming the parameter where a value cannot be read.
    """
    present = list(values(resource, parameter))
    for one in _COMMA.split(wanted):
        if parameter.kind == "date":
            prefix, asked = _read_date(name, one)
            met = any(_in_time(prefix, span, asked) for span in map(span_of, present) if span)
        elif parameter.kind == "reference":
            met = any(reference_key(value) == _asked_reference(name, one) for value in present)
        elif parameter.kind == "string":
            start = _UNESCAPED.sub(r"\1", one).casefold()
            met = any(str(value).casefold().startswith(start) for value in present)
        else:
            met = any(_has_token(value, one) for value in present)
        if met:
            return True
    return False


def values(resource: JsonObject, parameter: Parameter) -> Iterator[Json]:
    """Every value that a resource holds where the parameter looks."""
    for element in parameter.elements:
        yield from _at(resource, element.split("."))


def _at(part: Json, path: list[str]) -> Iterator[Json]:
    if isinstance(part, list):
        for member in part:
            yield from _at(member, path)
    elif not path:
        yield part
    elif isinstance(part, dict):
        name, rest = path[0], path[1:]
        if name.endswith(_CHOICE):
            stem = name.removesuffix(_CHOICE)
            for key, value in part.items():
                if key.startswith(stem) and key[len(stem) : len(stem) + 1].isupper():
                    yield from _at(value, rest)
        elif name in part:
            yield from _at(part[name], rest)


def _has_token(value: Json, wanted: str) -> bool:
    """`code`, `system|code`, `|code` (no system) or `system|` (any code of it)."""
    system, code = _halves(wanted)
    return any(
        (system is None or system == (has_system or "")) and (not code or code == has_code)
        for has_system, has_code in _tokens(value)
    )


def _halves(wanted: str) -> tuple[str | None, str]:
    """System (None: any; empty: none) and code of a token that a search names."""
    parts = [_UNESCAPED.sub(r"\1", part) for part in _BAR.split(wanted, maxsplit=1)]
    return (None, parts[0]) if len(parts) == 1 else (parts[0], parts[1])


def _tokens(value: Json) -> Iterator[tuple[Json, Json]]:
    """System and code of a code, Coding, CodeableConcept or Identifier."""
    if not isinstance(value, dict):
        yield None, value
    elif isinstance(value.get("coding"), list):
        for coding in value["coding"]:
            if isinstance(coding, dict):
                yield coding.get("system"), coding.get("code")
    else:
        yield value.get("system"), value.get("code", value.get("value"))


def reference_key(value: Json) -> tuple[str, str] | None:
    """Type and id of what a Reference (or its text) names, relative, absolute or versioned."""
    written = value.get("reference") if isinstance(value, dict) else value
    if not isinstance(written, str):
        return None
    parts = written.split("/_history/")[0].split("/")
    return (parts[-2], parts[-1]) if len(parts) > 1 else None


def _asked_reference(name: str, wanted: str) -> tuple[str, str]:
    """Type and id that a search names; a bare id is a Patient's, or a Medication's."""
    found = reference_key(wanted)
    if found is not None:
        return found
    if not wanted:
        raise Refused(400, f"The parameter '{name}' is empty; give an id.")
    return ("Medication" if name == "medication" else "Patient"), wanted


def _read_date(name: str, wanted: str) -> tuple[str, Span]:
    prefix = wanted[:2] if wanted[:2] in _PREFIXES else "eq"
    asked = span_of(wanted.removeprefix(prefix))
    if asked is None:
        raise Refused(
            400, f"The parameter '{name}' holds no date; write, say, ge2026-01-31 or 2026-01."
        )
    return prefix, asked


def _in_time(prefix: str, has: Span, asked: Span) -> bool:
    """The comparison of two ranges that each prefix stands for (R4 search, 3.1.1.4.5)."""
    inside = asked.start <= has.start and has.end <= asked.end
    outcomes = {
        "eq": inside,
        "ne": not inside,
        "gt": has.end > asked.end,
        "ge": has.end > asked.end or inside,
        "lt": has.start < asked.start,
        "le": has.start < asked.start or inside,
        "sa": has.start >= asked.end,
        "eb": has.end <= asked.start,
    }
    return outcomes[prefix]


def span_of(value: Json) -> Span | None:
    """What a date, dateTime, instant, Period or Timing covers; None where it holds no date.

    A time without zone is read as UTC. A Period without start or end is open on that side. A Timing
    goes from its first event to its last.
    """
    if isinstance(value, dict) and isinstance(value.get("event"), list):
        spans = [span for span in map(span_of, value["event"]) if span is not None]
        if spans:
            return Span(min(one.start for one in spans), max(one.end for one in spans))
    if isinstance(value, dict):
        start, end = span_of(value.get("start")), span_of(value.get("end"))
        if start is None and end is None:
            return None
        return Span(start.start if start else _ALWAYS_BEFORE, end.end if end else _ALWAYS_AFTER)
    found = _WHEN.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    try:
        return _span(found)
    except (ValueError, OverflowError):
        return None  # no such day or hour


def _span(found: re.Match[str]) -> Span:
    year, month, day = (int(found[part] or 1) for part in ("year", "month", "day"))
    if found["hour"] is None:
        start = datetime(year, month, day, tzinfo=UTC)
        if found["day"]:
            return Span(start, start + timedelta(days=1))
        if found["month"]:
            return Span(start, datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC))
        return Span(start, datetime(year + 1, 1, 1, tzinfo=UTC))
    start = datetime.fromisoformat(found[0])
    if start.tzinfo is None:
        start = start.replace(tzinfo=UTC)
    if found["fraction"]:
        width = timedelta(microseconds=1)
    else:
        width = timedelta(seconds=1) if found["second"] else timedelta(minutes=1)
    return Span(start, start + width)
