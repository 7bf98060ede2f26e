"""What a registry says about a study: from its JSON or from a page saved as text."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cds.content.fault import ContentFaults, Fault
from cds.content.source import read_source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NCT = re.compile(r"\bNCT\d{8}\b")
_AGES = re.compile(
    r"(?P<low>\d{1,3})\s*(?:years?\s*)?(?:-|–|to)\s*(?P<high>\d{1,3})\s*years?(?: of age| old)?"
    r"|(?P<least>\d{1,3})\s*years?(?: of age| old)?\s*(?:and older|or older|and over|\+)"
    r"|(?P<least2>\d{1,3})\s*\+\s*years?(?: of age| old)?"
    r"|(?:up to|until)\s*(?P<most>\d{1,3})\s*years?(?: of age| old)?",
    re.IGNORECASE,
)
_LABEL = re.compile(
    r"(?P<label>ages? eligible for (?:the )?study|age range|ages?|minimum age|maximum age"
    r"|(?:sex(?:es)?|genders?)(?: eligible for (?:the )?study)?|(?:lead |study )?sponsor"
    r"|(?:overall |recruitment )?status)\s*(?::\s*(?P<value>.*))?",
    re.IGNORECASE,
)
_AGE_GROUPS = re.compile(r"\s*\((?:child|adult|older adult|[, ])+\)$", re.IGNORECASE)
_YEARS = re.compile(r"(\d{1,3})\s*years?", re.IGNORECASE)
_SEXES = {
    "all": "any", "both": "any", "any": "any", "female": "female", "male": "male",
    "females": "female", "males": "male", "female only": "female", "male only": "male",
}  # fmt: skip
_OPEN = frozenset({"recruiting", "enrolling by invitation", "enrolling"})
_STATUSES = _OPEN | {
    "not yet recruiting", "not yet enrolling", "non recruiting", "not recruiting",
    "active, not recruiting", "active not recruiting", "completed", "suspended", "terminated",
    "withdrawn", "unknown", "unknown status", "closed",
}  # fmt: skip
_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
)  # fmt: skip
_DATE = re.compile(r"(\d{1,2}) ([A-Za-z]+),? (\d{4})")
_SHORT = 60


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the registry's header: its words on the page, and what it says."""

    words: str
    value: str


@dataclass(frozen=True, slots=True)
class Study:
    """The identity, header and eligibility text of a study.

    `low` and `high` are ages in years; `ages` are the words that say so. `sex` is `any`, `female`
    or `male`. `missing` names what the page does not say and a person must write.
    """

    id: str
    title: str
    sponsor: str
    status: str
    recruiting: bool
    as_of: str
    low: Field | None
    high: Field | None
    other_ages: tuple[str, ...]
    sex: Field | None
    volunteers: str
    conditions: tuple[str, ...]
    eligibility: str
    page: str
    sha256: str
    missing: tuple[str, ...] = field(default=())

    @property
    def short_title(self) -> str:
        """The title, cut where cards would cut it."""
        if len(self.title) <= _SHORT:
            return self.title
        return self.title[: _SHORT - 1].rsplit(" ", 1)[0].rstrip(" ,;:-") + "…"


def read_study(path: Path, *, read: str) -> Study:
    """The study of a file: ClinicalTrials.gov JSON (API version 2), or a page saved as text.

    `read` is the day on which it is read, for pages that carry no date.

    Raises:
        ContentFaults: the file cannot be read or holds no eligibility section.
    """
    if path.suffix.lower() == ".json":
        try:
            data = path.read_bytes()
        except OSError as problem:
            raise _unreadable(path.name, str(problem.strerror)) from None
        return study_of_json(data, path.name, read=read)
    source = read_source(path)
    eligibility = source.text[source.first : source.last]
    outside = source.text[: source.first] + "\n" + source.text[source.last :]
    return _of_page(outside, eligibility, path.name, source.digest, read)


def study_of_json(data: bytes, name: str, *, read: str) -> Study:
    """The study of a ClinicalTrials.gov API answer, version 2.

    Raises:
        ContentFaults: it is no such answer.
    """
    try:
        protocol = json.loads(data.decode("utf-8-sig"))["protocolSection"]
        module = protocol["eligibilityModule"]
        eligibility = module["eligibilityCriteria"]
    except (ValueError, KeyError, TypeError, RecursionError):
        cure = "Save the study as JSON of the ClinicalTrials.gov API, version 2, or as text."
        raise ContentFaults([Fault(name, 1, "No eligibility criteria are found.", cure)]) from None
    if not isinstance(eligibility, str) or not eligibility.strip():
        cure = "Look at the study on the registry."
        raise ContentFaults([Fault(name, 1, "The eligibility criteria are empty.", cure)])
    return _of_protocol(protocol, module, _writable(eligibility), name, data, read)


def _of_protocol(  # noqa: PLR0913 - what one answer consists of
    protocol: Any,  # noqa: ANN401 - JSON
    module: Any,  # noqa: ANN401 - JSON
    eligibility: str,
    name: str,
    data: bytes,
    read: str,
) -> Study:
    said = {
        key: _writable(_text(protocol, *path))
        for key, path in {
            "id": ("identificationModule", "nctId"),
            "title": ("identificationModule", "briefTitle"),
            "sponsor": ("sponsorCollaboratorsModule", "leadSponsor", "name"),
            "status": ("statusModule", "overallStatus"),
            "updated": ("statusModule", "lastUpdatePostDateStruct", "date"),
            "verified": ("statusModule", "statusVerifiedDate"),
        }.items()
    }
    low, high = (_age(_text(module, key)) for key in ("minimumAge", "maximumAge"))
    others = tuple(
        _writable(text)
        for key in ("minimumAge", "maximumAge")
        if (text := _text(module, key)) and _age(text) is None
    )
    sex = _text(module, "sex")
    status = said["status"].replace("_", " ").capitalize()
    volunteers = module.get("healthyVolunteers")
    conditions = protocol.get("conditionsModule")
    named = conditions.get("conditions") if isinstance(conditions, dict) else None
    return Study(
        id=said["id"],
        title=said["title"] or "Title not stated",
        sponsor=said["sponsor"] or "not stated",
        status=status or "not stated",
        recruiting=status.casefold() in _OPEN,
        as_of=said["updated"] or said["verified"] or read,
        low=low,
        high=high,
        other_ages=others,
        sex=Field(sex, _SEXES[sex.casefold()]) if sex.casefold() in _SEXES else None,
        volunteers="" if volunteers is None else str(volunteers),
        conditions=tuple(_writable(str(one)) for one in named) if isinstance(named, list) else (),
        eligibility=eligibility,
        page=f"{name}, ClinicalTrials.gov API version 2",
        sha256=hashlib.sha256(data).hexdigest(),
        missing=tuple(key for key in ("title", "sponsor", "status") if not said[key]),
    )


def _text(value: Any, *path: str) -> str:  # noqa: ANN401 - JSON
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value.strip() if isinstance(value, str) else ""


def _age(text: str) -> Field | None:
    years = _YEARS.fullmatch(text)
    return Field(text, years[1]) if years else None


def _of_page(outside: str, eligibility: str, name: str, digest: str, read: str) -> Study:
    lines = [" ".join(line.split()) for line in outside.splitlines()]
    lines = [line for line in lines if line]
    labelled = _labelled(lines)
    named = _NCT.search(outside) or _NCT.search(eligibility)
    title = max((line for line in lines[:_TOP] if not line.endswith(".")), key=len, default="")
    status = labelled.get("status", Field("", "")).value
    if status.casefold() not in _STATUSES:
        status = next((line for line in lines if line.casefold() in _STATUSES), "")
    low, high = _ages(lines, labelled)
    sponsor = labelled.get("sponsor", Field("", "")).value or _sponsor(lines)
    found = {"title": title, "sponsor": sponsor, "status": status}
    return Study(
        id=named[0] if named else "",
        title=title or "Title not stated",
        sponsor=sponsor or "not stated",
        status=status or "not stated",
        recruiting=status.casefold() in _OPEN,
        as_of=_dated(lines) or read,
        low=low,
        high=high,
        other_ages=_other_ages(labelled, low, high),
        sex=_sex(lines, labelled),
        volunteers=next((line for line in lines if line in _VOLUNTEERS), ""),
        conditions=(),
        eligibility=eligibility,
        page=name,
        sha256=digest,
        missing=tuple(key for key, value in found.items() if not value),
    )


def _labelled(lines: list[str]) -> dict[str, Field]:
    """Fields such as "Minimum Age: 18 Years", or with the value on the line below.

    Keyed by `ages`, `minimum age`, `maximum age`, `sex`, `sponsor` and `status`; the first counts.
    """
    found: dict[str, Field] = {}
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        said = _LABEL.fullmatch(line)
        if said is None:
            continue
        label = said["label"].casefold()
        key = next((name for name in _LABELS if name in label), "ages")
        value, words = (said["value"], line) if said["value"] else (after, after)
        found.setdefault(_LABELS.get(key, key), Field(words, value))
    return found


def _sex(lines: list[str], labelled: dict[str, Field]) -> Field | None:
    said = labelled.get("sex")
    if said is not None and said.value.casefold() in _SEXES:
        return Field(said.words, _SEXES[said.value.casefold()])
    return next((Field(line, _SEXES[line.casefold()]) for line in lines if _is_sex(line)), None)


def _is_sex(line: str) -> bool:
    return line.casefold() in _SEXES and line[0].isupper()


def _ages(lines: list[str], labelled: dict[str, Field]) -> tuple[Field | None, Field | None]:
    """The lowest and highest age of a labelled field, else of a line that holds only ages."""
    ends = [labelled.get(key) for key in ("minimum age", "maximum age")]
    if any(ends):
        low, high = (end and _YEARS.fullmatch(end.value) and end for end in ends)
        return (
            Field(low.words, _YEARS.findall(low.value)[0]) if low else None,
            Field(high.words, _YEARS.findall(high.value)[0]) if high else None,
        )
    named = [labelled["ages"]] if "ages" in labelled else []
    for words, value in ((one.words, one.value) for one in (*named, *(Field(x, x) for x in lines))):
        said = _AGES.fullmatch(_AGE_GROUPS.sub("", value))
        if said:
            low_age = said["low"] or said["least"] or said["least2"]
            high_age = said["high"] or said["most"]
            return (
                Field(words, low_age) if low_age else None,
                Field(words, high_age) if high_age else None,
            )
    return None, None


def _other_ages(
    labelled: dict[str, Field], low: Field | None, high: Field | None
) -> tuple[str, ...]:
    """The labelled ages that are not in years, for a human."""
    read = {field.words for field in (low, high) if field is not None}
    said = (labelled.get(key) for key in ("ages", "minimum age", "maximum age"))
    return tuple(
        field.words
        for field in said
        if field is not None and field.words not in read
        if any(letter.isdigit() for letter in field.value)
    )


def _sponsor(lines: list[str]) -> str:
    """The line whose logo is named, or the one below the trial's number."""
    for line in lines:
        if line.endswith(" logo") and line.removesuffix(" logo") in lines:
            return line.removesuffix(" logo")
    for number, line in enumerate(lines[:-1]):
        if _NCT.fullmatch(line):
            after = lines[number + 1]
            if len(after.split()) > 1 and after[0].isupper() and not any(map(str.isdigit, after)):
                return after
    return ""


def _dated(lines: list[str]) -> str:
    """The date of a line that is nothing but a date, as ISO 8601."""
    for line in lines:
        said = _DATE.fullmatch(line)
        if said and said[2].casefold() in _MONTHS and 1 <= int(said[1]) <= _LAST_DAY:
            month = _MONTHS.index(said[2].casefold()) + 1
            return f"{said[3]}-{month:02}-{int(said[1]):02}"
    return ""


def _writable(text: str) -> str:
    """A text without halves of surrogate pairs, which no file can hold."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def words_outside(study: Study) -> Iterator[str]:
    """Words of the header that ask nothing of a patient."""
    if study.sex is not None and study.sex.value == "any":
        yield study.sex.words


def _unreadable(name: str, why: str) -> ContentFaults:
    says = f"Cannot be read: {why}."
    return ContentFaults([Fault(name, 1, says, "Give a file, or an id such as NCT01234567.")])


_LABELS = {
    "minimum age": "minimum age",
    "maximum age": "maximum age",
    "sex": "sex",
    "gender": "sex",
    "sponsor": "sponsor",
    "status": "status",
}
_TOP = 12
_LAST_DAY = 31
_VOLUNTEERS = frozenset(
    {"No Healthy Volunteers", "Healthy Volunteers", "Accepts Healthy Volunteers"}
)
