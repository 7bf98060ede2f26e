"""A trial held against the page or protocol that it was read from.

Each quote must occur in the source; each piece of its eligibility section must be claimed by a
criterion (`text`, `also`) or by `not_criteria`; bare list numbers claim nothing and need no claim.
White space and typography (dashes, quotes, ×) do not matter; letters, digits and signs do.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cds.content.fault import ContentFaults, Fault, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cds.content.trials import TrialFolder

_SAME = str.maketrans(
    {
        "\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2010": "-", "\u2011": "-",
        "\u2012": "-", "\u2013": "-", "\u2014": "-", "\u2212": "-", "\u00d7": "x",
        "\u00b5": "\u03bc", "\uff1b": ";", "\uff0c": ",", "\uff08": "(", "\uff09": ")",
        "\uff1a": ":", "\u2267": "\u2265", "\u2266": "\u2264", "\u2a7e": "\u2265",
        "\u2a7d": "\u2264",
    }
)  # fmt: skip
_HEADING = re.compile(
    r"\s*(?:eligibility(?: criteria)?|inclusion (?:and|&) exclusion criteria)\s*:?\s*",
    re.IGNORECASE,
)
_FIRST_LIST = re.compile(
    r"\s*(?:(?:key|main|major|general|principal) )?inclusion criteria\b", re.IGNORECASE
)
_HEADER_FIELD = re.compile(
    r"\s*(?:description|(?:minimum|maximum) age|ages? (?:eligible|range)|ages?|sex(?:es)?|genders?"
    r"|accepts healthy volunteers|healthy volunteers)"
    r"(?: eligible for (?:the )?study)?\s*(?::[^\n]*)?\s*",
    re.IGNORECASE,
)
_END = re.compile(
    r"\s*(?:(?:study|trial) (?:details|design|plan|locations|contacts and locations)|locations?"
    r"|contacts(?: and locations)?|faqs|outcome measures|references"
    r"|(?:ages?|sex(?:es)?|genders?) eligible for (?:the )?study|accepts healthy volunteers"
    r"|sponsors?(?: and collaborators)?)\s*:?\s*",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?<=[.;])(?=\s+\S)|\n\s*\n")
LIST_NUMBER = re.compile(r"\W*(?:\d{1,2}|[A-Za-z])[.)]\W*")


@dataclass(frozen=True, slots=True)
class Source:
    """The text of a registry page or protocol, and the lines of its eligibility section.

    `first` and `last` are offsets into `text`; `digest` is the sha256 of the file.
    """

    name: str
    text: str
    first: int
    last: int
    digest: str

    def line_at(self, offset: int) -> int:
        """The line, counted from 1, on which an offset lies."""
        return self.text.count("\n", 0, offset) + 1


def read_source(path: Path) -> Source:
    """Read a registry page saved as text, or a ClinicalTrials.gov study as JSON.

    Raises:
        ContentFaults: the file cannot be read, or has no eligibility section.
    """
    try:
        data = path.read_bytes()
        text = data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        cure = "Save the page as UTF-8 text."
        raise ContentFaults([Fault(path.name, 1, f"Cannot be read: {problem}.", cure)]) from None
    digest = hashlib.sha256(data).hexdigest()
    if path.suffix == ".json":
        return _from_study(path.name, text, digest)
    first, last = _section(path.name, text)
    return Source(path.name, text, first, last, digest)


def source_faults(loaded: TrialFolder, source: Source) -> list[Fault]:
    """Quotes that the source does not hold, and pieces of it that nothing claims."""
    whole = PlainText(source.text)
    faults = list(_other_version(loaded, source))
    claimed: list[tuple[int, int]] = []
    for file, line, what, quote in _quotes(loaded):
        places = whole.places(quote)
        claimed += places
        if not places:
            says = f'{what}: the source {source.name} does not say "{_short(quote)}".'
            faults.append(
                Fault(file, line, says, "Copy the words from the source, letter by letter.")
            )
    cure = "Add it to a criterion (text or also), or to not_criteria with a reason."
    for offset, piece in unclaimed(source, claimed):
        says = f'Nothing claims "{_short(piece)}".'
        faults.append(Fault(source.name, source.line_at(offset), says, cure))
    return faults


def _other_version(loaded: TrialFolder, source: Source) -> Iterator[Fault]:
    read = loaded.source.get("sha256", "")
    if read != source.digest:
        says = f"{source.name} is not the file that the trial was read from."
        cure = f"If the trial fits it, write 'sha256: {source.digest}' under source."
        yield Fault(_head(loaded), 1, says, cure, Severity.NOTICE)


def _quotes(loaded: TrialFolder) -> Iterator[tuple[str, int, str, str]]:
    """(file, line, what, quote) of everything that a trial says the source says."""
    for criterion in loaded.trial.criteria:
        file, line = loaded.lines[criterion.id]
        for quote in (criterion.text, *criterion.also):
            yield file, line, criterion.id, quote
    for item in loaded.not_criteria:
        if not LIST_NUMBER.fullmatch(item.text):
            yield _head(loaded), 1, "not_criteria", item.text


def _head(loaded: TrialFolder) -> str:
    return f"trials/{loaded.trial.id}/trial.yaml"


class PlainText:
    """A text in which white space and typography do not matter, with offsets into the original."""

    def __init__(self, text: str) -> None:
        plain = text.translate(_SAME)
        self._offsets = [i for i, letter in enumerate(plain) if not letter.isspace()]
        self._letters = "".join(plain[i] for i in self._offsets)

    def places(self, quote: str) -> list[tuple[int, int]]:
        """(first, behind last) of each place where the quote stands as whole words."""
        wanted = "".join(quote.translate(_SAME).split())
        found: list[tuple[int, int]] = []
        at = self._letters.find(wanted) if wanted else -1
        while at >= 0:
            first, last = self._offsets[at], self._offsets[at + len(wanted) - 1] + 1
            if not self._cuts_a_word(at, at + len(wanted)):
                found.append((first, last))
            at = self._letters.find(wanted, at + 1)
        return found

    def _cuts_a_word(self, first: int, last: int) -> bool:
        return self._joined(first - 1) or self._joined(last - 1)

    def _joined(self, index: int) -> bool:
        """Whether the letters at index and index + 1 belong to one word."""
        if index < 0 or index + 1 >= len(self._letters):
            return False
        touching = self._offsets[index] + 1 == self._offsets[index + 1]
        return touching and self._letters[index : index + 2].isalnum()


def unclaimed(source: Source, claimed: list[tuple[int, int]]) -> Iterator[tuple[int, str]]:
    """(offset, text) of each run of the eligibility section that no quote covers, by sentence."""
    at = source.first
    for first, last in [*sorted(claimed), (source.last, source.last)]:
        if first > at:
            yield from pieces(source.text, at, min(first, source.last))
        at = max(at, last)
        if at >= source.last:
            return


def pieces(text: str, first: int, last: int) -> Iterator[tuple[int, str]]:
    """(offset, words) of each sentence between two offsets; bare list numbers are left out."""
    at = first
    for piece in _SENTENCE.split(text[first:last]):
        offset = text.index(piece, at)
        at = offset + len(piece)
        letters = any(letter.isalnum() for letter in piece)
        if letters and not LIST_NUMBER.fullmatch(piece):
            yield offset + len(piece) - len(piece.lstrip()), " ".join(piece.split())


def _section(name: str, text: str) -> tuple[int, int]:
    """Where the eligibility section of a page begins and ends."""
    first: int | None = None
    offset = 0
    in_header = False  # ages and sex between the heading and the lists
    for line in text.splitlines(keepends=True):
        if in_header and (not line.strip() or _HEADER_FIELD.fullmatch(line)):
            first = offset + len(line)
            offset += len(line)
            continue
        in_header = False
        if first is None and _HEADING.fullmatch(line):
            first = offset + len(line)
            in_header = True
        elif first is None and _FIRST_LIST.match(line):
            first = offset
        elif first is not None and _END.fullmatch(line):
            return first, offset
        offset += len(line)
    if first is None:
        cure = "It should begin with a line 'Eligibility' or 'Inclusion Criteria:'."
        raise ContentFaults([Fault(name, 1, "No eligibility section is found.", cure)])
    return first, offset


def _from_study(name: str, text: str, digest: str) -> Source:
    """The eligibility text of a ClinicalTrials.gov API v2 study, with the rest of its fields."""
    try:
        study = json.loads(text)
        criteria = study["protocolSection"]["eligibilityModule"]["eligibilityCriteria"]
    except (ValueError, KeyError, TypeError):
        cure = "Save the study as JSON of the API, version 2."
        raise ContentFaults([Fault(name, 1, "No eligibility criteria are found.", cure)]) from None
    rest = "\n".join(_texts(study))
    return Source(name, f"{criteria}\n\n{rest}", 0, len(str(criteria)), digest)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif value is not None:
        yield str(value)


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= _SHOWN else f"{words[:_SHOWN]}…"


_SHOWN = 120
