"""Answers that are no measured numbers: positive or not, graded, scored, pregnant or not.

Codes are those of LOINC answer lists, SNOMED CT qualifiers and HL7 interpretations; words are read
as whole answers. What does not say one thing clearly is no answer.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from typing import TYPE_CHECKING

from cds.core.facts import Reading
from cds.core.truth import Truth

if TYPE_CHECKING:
    from collections.abc import Mapping

_ONE = Decimal(1)
_ZERO = Decimal(0)


def graded(grade: Decimal) -> Reading:
    """A strip's own grade: 0 negative, 1 for +, 2 for ++, and so on."""
    return Reading(grade, grade, presence=Truth.MET if grade else Truth.NOT_MET)


POSITIVE = Reading(low=_ONE, presence=Truth.MET)
"""Positive, the grade not said."""
NEGATIVE = Reading(_ZERO, _ZERO, presence=Truth.NOT_MET)
OPEN = Reading(presence=Truth.UNKNOWN)
"""An answer that does not settle it: indeterminate, or reactive where that is not enough."""
TRACE = Reading(_ZERO, _ONE, low_open=True, high_open=True, presence=Truth.UNKNOWN)
DETECTED = Reading(low=_ZERO, low_open=True, presence=Truth.MET)
"""Something was found, how much is not said."""

REACTIVE = "reactive"
"""Some tests count a reactive screening result as positive, HIV tests do not."""

_LOINC: Mapping[str, Reading | str] = {
    "LA6576-8": POSITIVE,
    "LA6577-6": NEGATIVE,
    "LA11882-0": POSITIVE,
    "LA11883-8": NEGATIVE,
    "LA15255-5": REACTIVE,
    "LA15256-3": NEGATIVE,
    "LA11885-3": OPEN,
    "LA9663-1": OPEN,
    "LA4259-3": OPEN,
    "LA11832-5": TRACE,
    "LA11841-6": graded(_ONE),
    "LA11842-4": graded(Decimal(2)),
    "LA11843-2": graded(Decimal(3)),
    "LA11844-0": graded(Decimal(4)),
    "LA15173-0": POSITIVE,
    "LA26683-5": NEGATIVE,
    "LA33-6": POSITIVE,
    "LA32-8": NEGATIVE,
    "LA4489-6": OPEN,
}
_SNOMED: Mapping[str, Reading | str] = {
    "10828004": POSITIVE,
    "260385009": NEGATIVE,
    "260373001": POSITIVE,
    "260415000": NEGATIVE,
    "52101004": POSITIVE,
    "2667000": NEGATIVE,
    "11214006": REACTIVE,
    "131194007": NEGATIVE,
    "82334004": OPEN,
    "260405006": TRACE,
    "260347006": graded(_ONE),
    "260348001": graded(Decimal(2)),
    "260349009": graded(Decimal(3)),
    "260350009": graded(Decimal(4)),
    "77386006": POSITIVE,
    "60001007": NEGATIVE,
}
_CODES: Mapping[str, Mapping[str, Reading | str]] = {"LOINC": _LOINC, "SNOMED CT": _SNOMED}
_INTERPRETATIONS: Mapping[str, Reading | str] = {
    "POS": POSITIVE,
    "NEG": NEGATIVE,
    "DET": POSITIVE,
    "ND": NEGATIVE,
    "RR": REACTIVE,
    "NR": NEGATIVE,
    "WR": OPEN,
    "IND": OPEN,
    "E": OPEN,
}
NOTHING_SAID = frozenset(
    {"UNK", "NI", "NA", "ASKU", "NASK", "NAV", "MSK", "unknown", "not-performed"}
)
"""Codes of null flavours and data-absent reasons that some feeds send as the value."""

_NEGATIVE = re.compile(
    r"\b(?:not|non|none|un)[\s-]?(?:detected|detectable|reactive|present|seen|found|pregnant|"
    r"breast[\s-]?feeding|lactating)\b|\bnegative\b|\bneg\b|\babsent\b|\bnil\b|\bnone\b"
    r"|\bno\b(?:[^.;]{0,60}\b(?:detected|seen|found|present|reactive|evidence)\b)?"
)
_POSITIVE = re.compile(
    r"\bpositive\b|\bpos\b|\bdetected\b|\bpresent\b|\byes\b|\bpregnant\b|\bbreast[\s-]?feeding\b"
    r"|\blactating\b"
)
_REACTIVE = re.compile(r"\breactive\b")
_OPEN = re.compile(
    r"\bindeterminate\b|\bequivocal\b|\binconclusive\b|\bborderline\b|\bweak(?:ly)?\b"
    r"|\bgr[ae]y zone\b|\bpreliminary\b|\bpresumptive\b|\bunconfirmed\b|\bpossibl[ey]\b"
    r"|\bprobabl[ey]\b|\bunknown\b"
)
_NOT_DONE = re.compile(
    r"\bnot (?:performed|done|tested|available|obtained|collected|recorded|reported|applicable)\b"
    r"|\bcancel+ed\b|\bpending\b|\bqns\b|\bquantity not sufficient\b|\binsufficient\b|\bn/?a\b"
)
_GRADE = re.compile(r"(?:(\d)\s*\+|\+\s*(\d)|(\+{1,4}))")
_TRACE = re.compile(r"\btraces?\b|\btr\b|\+\s*/\s*-|±|\(\+\)")
_SCORE = re.compile(
    r"(?:ecog|zubrod|who|ps|nyha|grade|class|score|status|stage)\W{0,3}(\d|iv|i{1,3})\b(?![.,]\d)",
    re.ASCII,
)
_LEADING = re.compile(r"(\d|iv|i{1,3})(?![\w.,/%]|\s*[-/]\s*\d)", re.ASCII)
_SCORE_RANGE = re.compile(r"\W{0,3}(?:to|or|-)\W{0,2}(?:[0-5](?!\d)|iv\b|i{1,3}\b)", re.ASCII)
_OTHER_SCALES = re.compile(r"karnofsky|lansky|kps\b")
_SIGNS = {"+": POSITIVE, "(+)": POSITIVE, "-": NEGATIVE}
_ROMAN = {"i": 1, "ii": 2, "iii": 3, "iv": 4}


def folded(text: str) -> str:
    """A text as answers are compared: one case, plain signs, single spaces."""
    plain = unicodedata.normalize("NFKC", text).casefold().replace("−", "-").replace("–", "-")
    return " ".join(plain.split())


def coded_answer(system: str | None, code: str | None) -> Reading | str | None:
    """The answer of a code, given the short name of its system; None for one that is none."""
    return _CODES.get(system or "", {}).get(code or "")


def interpretation_answer(code: str) -> Reading | str | None:
    """The answer of an HL7 interpretation code; None for high, low, normal and the like."""
    return _INTERPRETATIONS.get(code)


def not_done(text: str) -> bool:
    """Whether a text says that there is no result."""
    return bool(_NOT_DONE.search(folded(text)))


def presence(text: str) -> Reading | str | None:
    """Positive, negative, open or REACTIVE; None where the text says none or several of these."""
    said = folded(text)
    if said in _SIGNS:
        return _SIGNS[said]
    if _OPEN.search(said):
        return OPEN
    rest = _NEGATIVE.sub(" ", said)
    positive, reactive = bool(_POSITIVE.search(rest)), bool(_REACTIVE.search(rest))
    if rest != said:
        return None if positive or reactive else NEGATIVE
    if positive:
        return POSITIVE
    return REACTIVE if reactive else None


def grade(text: str) -> Reading | None:
    """A strip's grade: '2+', '++', '+2', 'trace', 'negative', 'positive' without its grade."""
    said = folded(text)
    if _TRACE.search(said):
        return TRACE
    found = {
        int(digit or behind or 0) or len(signs) for digit, behind, signs in _GRADE.findall(said)
    }
    if len(found) == 1:
        number = found.pop()
        return graded(Decimal(number))
    if found:
        return Reading(Decimal(min(found)), Decimal(max(found)), presence=Truth.MET)
    answer = presence(text)
    return answer if isinstance(answer, Reading) else None


def score(text: str) -> Reading | None:
    """A score or class: 'ECOG 1', 'ECOG PS: 1', '1 - restricted …', 'NYHA II'; else None."""
    said = folded(text)
    if _OTHER_SCALES.search(said):
        return None
    named = list(_SCORE.finditer(said))
    matches = named or ([first] if (first := _LEADING.match(said)) else [])
    if any(_SCORE_RANGE.match(said, match.end()) for match in matches):
        return None
    found = {_ROMAN.get(match[1]) or int(match[1]) for match in matches}
    if len(found) != 1:
        return None
    number = Decimal(found.pop())
    return Reading(number, number)
