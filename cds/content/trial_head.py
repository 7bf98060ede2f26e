"""What trial.yaml says beside the criteria: recruitment, source, dates, sign-offs, other words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from cds.content.fault import Fault, did_you_mean
from cds.content.strict_yaml import Items, Table, Value
from cds.core.criterion import Recruitment
from cds.core.when import Span, read_span

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

TRIAL_KEYS = frozenset(
    {
        "id", "version", "title", "short_title", "sponsor", "url", "source", "recruitment",
        "target", "look_back", "not_criteria", "sign_off", "effective",
        "may_be_target",
    }
)  # fmt: skip
REQUIRED_KEYS = ("id", "version", "title", "short_title", "sponsor", "url", "target")
SOURCE_KEYS = frozenset({"page", "read", "sha256"})
RECRUITMENT_KEYS = frozenset({"status", "recruiting", "as_of"})
EFFECTIVE_KEYS = frozenset({"from", "until"})
MAY_BE_TARGET_KEYS = frozenset({"findings", "except", "source"})
SIGN_OFF_KEYS = ("role", "by", "date", "digest")
TRIAL_ID = r"[A-Za-z0-9._-]+"
SHORT_TITLE = 60
"""So many characters of a short title stand on a card."""
VERSION = r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?"
_NOT_CRITERION_KEYS = frozenset({"text", "reason"})


@dataclass(frozen=True, slots=True)
class NotCriterion:
    """A sentence or header field of the protocol that is no criterion, and why."""

    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class SignOff:
    """Who reviewed the criteria: role, name, date, and the digest of what they saw."""

    role: str
    by: str
    date: str
    digest: str


@dataclass(frozen=True, slots=True)
class Effective:
    """The days on which a version of the protocol is in force; no end: it goes on."""

    first: date
    last: date | None = None

    def covers(self, day: date) -> bool:
        """Whether it is in force on this day."""
        return self.first <= day and (self.last is None or day <= self.last)

    def __str__(self) -> str:
        """`from 2026-06-01` or `2026-06-01 to 2027-01-31`."""
        return f"from {self.first}" if self.last is None else f"{self.first} to {self.last}"


@dataclass(frozen=True, slots=True)
class MayBeTarget:
    """Findings that leave open whether they are the target diagnosis; `source` says why.

    An entry that is also one of `excluding` is known to be something else. It decides no
    criterion: a screening lists who has such a finding, so that the right patient is looked at.
    """

    findings: tuple[str, ...] = ()
    excluding: tuple[str, ...] = ()
    source: str = ""


NO_FINDINGS = MayBeTarget()


@dataclass(slots=True)
class HeadReader:
    """Reads the parts of one trial.yaml; faults are collected, never raised one by one."""

    file: str
    faults: list[Fault]

    def known(self, table: Table, keys: Collection[str], what: str) -> None:
        """Every key of a table is one that is read."""
        for key in table:
            if key not in keys:
                cure = did_you_mean(key, keys) or f"Known: {', '.join(sorted(keys))}."
                self.fault(table.line_of(key), f"{what} has no '{key}'.", cure)

    def fault(self, line: int, says: str, cure: str) -> None:
        """Note one fault of this file."""
        self.faults.append(Fault(self.file, line, says, cure))

    def text(self, table: Table, key: str) -> str:
        """A text that must be there."""
        value = table.get(key)
        if isinstance(value, str) and value.strip():
            return value
        says = f"'{key}' is missing or no text."
        self.fault(table.line_of(key), says, f"Write '{key}: …'.")
        return ""

    def version(self, head: Table) -> str:
        """The version of the criteria, three numbers with dots."""
        text = self.text(head, "version")
        if text and not re.fullmatch(VERSION, text, re.ASCII):
            says = f"'{text}' is no version."
            cure = (
                'Write version: "1.0.0"; raise the first number when other patients can enrol, '
                "the second for anything else that can change an answer, the third for words."
            )
            self.fault(head.line_of("version"), says, cure)
        return text

    def fits_on_a_card(self, head: Table, short_title: str) -> None:
        """The short title is no longer than the cards that show it have room for."""
        if len(short_title) > SHORT_TITLE:
            says = f"'short_title' has {len(short_title)} characters; cards have room for"
            cure = "Say the drug and the disease; the full title stands in 'title'."
            self.fault(head.line_of("short_title"), f"{says} {SHORT_TITLE}.", cure)

    def look_back(self, head: Table) -> Span | None:
        """How long results count where a criterion does not say; None: it must say."""
        if "look_back" not in head:
            return None
        try:
            return read_span(str(head["look_back"]))
        except ValueError as problem:
            self.fault(head.line_of("look_back"), str(problem), "Write 'look_back: 28 days'.")
            return None

    def recruitment(self, head: Table) -> Recruitment:
        """What the registry says about recruitment, and when."""
        table = head.get("recruitment")
        if not isinstance(table, Table):
            cure = "Give status, recruiting, as_of."
            self.fault(head.line_of("recruitment"), "'recruitment' is missing.", cure)
            return Recruitment("", recruiting=False, as_of="")
        self.known(table, RECRUITMENT_KEYS, "A recruitment")
        recruiting = self.text(table, "recruiting")
        if recruiting and recruiting not in {"yes", "no", "true", "false"}:
            line = table.line_of("recruiting")
            self.fault(line, f"'recruiting: {recruiting}' is not understood.", "Write yes or no.")
        as_of = self.text(table, "as_of")
        self._day(as_of, table.line_of("as_of"))
        return Recruitment(
            self.text(table, "status"), recruiting=recruiting in {"yes", "true"}, as_of=as_of
        )

    def source(self, head: Table) -> Mapping[str, str]:
        """Where the text was read, when, and its digest."""
        table = head.get("source")
        if not isinstance(table, Table):
            return {}
        self.known(table, SOURCE_KEYS, "A source")
        return {key: str(value) for key, value in table.items()}

    def effective(self, head: Table) -> Effective | None:
        """The days on which this version is in force; None: nobody said."""
        if "effective" not in head:
            return None
        table, line = head["effective"], head.line_of("effective")
        if not isinstance(table, Table):
            self.fault(line, "'effective' is a set of keys.", _WRITE_EFFECTIVE)
            return None
        self.known(table, EFFECTIVE_KEYS, "'effective'")
        first = self._day(table.get("from"), table.line_of("from"))
        last = self._day(table["until"], table.line_of("until")) if "until" in table else None
        if first and last and last < first:
            self.fault(table.line_of("until"), f"{last} is before {first}.", "Correct one.")
        return None if first is None else Effective(first, last)

    def may_be_target(self, head: Table, domains: Mapping[str, str]) -> MayBeTarget:
        """What leaves the target diagnosis open; `domains`: every concept with its domain."""
        if "may_be_target" not in head:
            return NO_FINDINGS
        value = head["may_be_target"]
        if not isinstance(value, Table):
            line = head.line_of("may_be_target")
            self.fault(line, "'may_be_target' is a set of keys.", _WRITE_MAY_BE)
            return NO_FINDINGS
        self.known(value, MAY_BE_TARGET_KEYS, "'may_be_target'")
        return MayBeTarget(
            self._findings(value, "findings", domains),
            self._findings(value, "except", domains) if "except" in value else (),
            self.text(value, "source"),
        )

    def _findings(self, table: Table, key: str, domains: Mapping[str, str]) -> tuple[str, ...]:
        """Names of concepts that are findings."""
        names, line = table.get(key), table.line_of(key)
        if not isinstance(names, Items) or not names:
            self.fault(line, f"'{key}' must be a list of findings.", _WRITE_MAY_BE)
            return ()
        for name in names:
            if domains.get(str(name)) != "finding":
                findings = [one for one, domain in domains.items() if domain == "finding"]
                cure = did_you_mean(str(name), findings) or "mappings/concepts.tsv lists them."
                self.fault(line, f"No finding is called '{name}'.", cure)
        return tuple(str(name) for name in names)

    def not_criteria(self, head: Table) -> Iterator[NotCriterion]:
        """The words of the page that ask nothing."""
        for row in self._rows(head, "not_criteria", "- {text: …, reason: …}"):
            self.known(row, _NOT_CRITERION_KEYS, "An entry of not_criteria")
            yield NotCriterion(str(row.get("text") or ""), str(row.get("reason") or ""))

    def sign_offs(self, head: Table) -> Iterator[SignOff]:
        """Who signed; whether an entry is whole, the check of the sign-offs says."""
        for row in self._rows(head, "sign_off", "- {role: …, by: …, date: …, digest: …}"):
            self.known(row, SIGN_OFF_KEYS, "A sign-off")
            yield SignOff(*(str(row.get(key) or "") for key in SIGN_OFF_KEYS))

    def _rows(self, head: Table, key: str, write: str) -> Iterator[Table]:
        value: Value = head.get(key)
        if value is None:
            return
        if not isinstance(value, Items):
            self.fault(head.line_of(key), f"'{key}' must be a list.", f"Write '{write}' under it.")
            return
        for row, line in zip(value, value.lines, strict=True):
            if isinstance(row, Table):
                yield row
            else:
                self.fault(line, f"An entry of {key} is a set of keys.", f"Write '{write}'.")

    def _day(self, value: Value, line: int) -> date | None:
        try:
            return date.fromisoformat(str(value))
        except ValueError:
            if value != "":
                self.fault(line, f"'{value or ''}' is no date.", "Write it as 2026-03-01.")
            return None


_WRITE_EFFECTIVE = 'Write effective: {from: "2026-03-01"}, and until where it ends.'
_WRITE_MAY_BE = "Write may_be_target: {findings: [...], source: ...}."
