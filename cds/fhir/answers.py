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

_STATE = (
    r"(?:pregnant|breast[\s-]?feeding|lactating|detected|detectable|reactive|present|seen|found)"
)
_NEGATIVE = re.compile(
    rf"\b(?:not|non|none|un)(?:[\s-]?(?:currently|presently|now))?[\s-]?{_STATE}\b"
    r"|\bno longer (?:pregnant|breast[\s-]?feeding|lactating)\b"
    r"|\b(?:pregnant|breast[\s-]?feeding|lactating) ?[:=-]? ?no\b"
    r"|\bnegativ(?:e[rsn]?)?\b|\bneg\b|\babsent\b"
    r"|\bno(?: [\w/+'-]+){0,6}? (?:detected|seen|found|present|reactive|evidence)\b"
    r"|\bnicht[\s-]?(?:nachweisbar|nachgewiesen|reaktiv|schwanger)\b"
    r"|阴性|未检出|未见|无反应性|未怀孕|未妊娠"
)
_POSITIVE = re.compile(
    r"\bpositiv(?:e[rsn]?)?\b|\bpos\b|\bdetect(?:ed|able)\b|\bpresent\b|\byes\b|\bpregnant\b"
    r"|\bbreast[\s-]?feeding\b|\blactating\b|\bnachweisbar\b|\bnachgewiesen\b|\bschwanger\b"
    r"|阳性|检出|怀孕|妊娠"
)
_REACTIVE = re.compile(r"\brea[ck]ti(?:ve|v)\b")
_OPEN = re.compile(
    r"\bindeterminate\b|\bequivocal\b|\binconclusive\b|\bborderline\b|\bweak(?:ly)?\b"
    r"|\bgr[ae]y zone\b|\bpreliminary\b|\bpresumptive\b|\bunconfirmed\b|\bpossibl[ey]\b"
    r"|\bprobabl[ey]\b|\bunknown\b|\bgrenzwertig\b|\bfraglich\b|\bschwach\b|弱阳性|可疑|疑似|不确定"
)
_NOT_DONE = re.compile(
    r"\bnot (?:performed|done|tested|available|obtained|collected|recorded|reported|applicable"
    r"|received|measured|determined)\b"
    r"|\bnone (?:available|reported|received|recorded)\b"
    r"|\bno (?:results?|specimens?|samples?|tests?|reports?|data|values?)\b"
    r"|\bcancel+ed\b|\bpending\b|\bqns\b|\bquantity not sufficient\b|\binsufficient\b|\bn/?a\b"
    r"|\bha?emoly[sz]ed\b|\bclotted\b"
    r"|\bnicht (?:durchgeführt|bestimmt|gemessen|erfolgt|untersucht)\b|\bfolgt\b|\bausstehend\b"
    r"|未做|未查|未测|标本不合格|待报告"
)
"""That there is no result; beside a result, that something else of it is missing."""
_DOUBT = re.compile(
    r"\b(?:not|no|non|none|nil|nor|neither|never|cannot|can't|isn't|wasn't|without|false(?:ly)?"
    r"|denie[sd]|stopped|ceased|previous(?:ly)?|past|former(?:ly)?|recent(?:ly)?|history|hx|h/o"
    r"|could|might|may (?:be|have)|if|ruled?[ -]out|r/o|query|queried|suspect(?:ed)?|(?:un)?likely"
    r"|except|await\w*|contaminat\w*|invalid|error|mother|maternal|partner|spouse|father|donor"
    r"|nicht|keine?[nrsm]?|ohne|frühere?[nrsm]?|nie)\b"
    r"|\?|[不非假否曾既往排除无母]"
)
"""Words beside an answer with which a text does not plainly say it, of this patient and now."""
_EXPLAINED = re.compile(
    r"(?:\ban? )?(?:\b(?:negative|non[\s-]?reactive) )?\b(?:results?|tests?|screens?)\b[^.;]*?"
    r"\b(?:(?:does|do|can|should) not|cannot) (?:exclude|rule out|preclude|eliminate)\b[^.;]*"
)
"""What laboratories print below negative results: what they do not prove."""
_NO_AND_NOT = re.compile(r"^\s*no ?[,:-] ?(?=not?\b|non)")
_SENTENCE = re.compile(r"[.;。；](?!\d)")
_WHOLE: Mapping[str, Reading] = {
    "+": POSITIVE,
    "(+)": POSITIVE,
    **dict.fromkeys(("yes", "ja", "是"), POSITIVE),
    **dict.fromkeys(("-", "(-)", "no", "none", "nil", "nein", "否"), NEGATIVE),
}
_DIGIT, _RATIO = re.compile(r"[\d+]"), re.compile(r"\+|\d[:.]\d")
_DATE = re.compile(r"\b\d{4}-\d\d-\d\d\b|\b\d{1,2}[./]\d{1,2}[./]\d{2,4}\b|\b\d\d?:\d\d\b")

_GRADE_RANGE = re.compile(r"(?<![\d.,])(\d)\s*\+?\s*(?:-|to)\s*(\d)\s*\+(?![\d+])")
_GRADE = re.compile(
    r"(?<![\d.,])(\d)\s*(?:\+(?![\d+])|plus\b)|(?<![\d+])\+\s*(\d)(?![\d.,])|(?<!\+)(\+{1,4})(?!\+)"
)
_AMOUNT_AND_SIGN = re.compile(r"\d\d\+(?!\+)|[<>≤≥]")
"""An amount with a sign, which may be a grade or 'and more'; a grade that is a bound only."""
_TRACE = re.compile(r"\btraces?\b|\btr\b|\+\s*/\s*-|±|\(\+\)")

_NUMBER = r"(?P<n>\d|iv|i{1,3})(?![a-z\d_])(?![.,]\d|\s*%)"
_FILLERS = (
    r"(?:\s*(?:\b(?:performance|functional|status|score|scale|grade|class|klasse|ps|of|is)\b"
    r"|评分|分级|[:=(\[-]))*"
)
_NAMED = re.compile(rf"(?:\b(?:ecog|zubrod|who|nyha|ps)|心功能){_FILLERS}\s*{_NUMBER}", re.ASCII)
_LEADING = re.compile(rf"{_NUMBER}", re.ASCII)
_BARELY_NAMED = re.compile(
    rf"(?:functional |performance )?(?:grade|class|score|status){_FILLERS}\s*{_NUMBER}", re.ASCII
)
_ANOTHER = re.compile(
    r"\s*(?:[^\s\w]{0,2}|\S{1,4})\s*(?:(?:ecog|nyha|grade|class) )?(?:[0-5](?![\d])|iv\b|i{1,3}\b)"
    r"|\s*(?:or|and) (?:more|greater|higher|worse|above|less|lower|better|below)\b|\s*\+",
    re.ASCII,
)
"""What follows a score that is one of several, or a bound only."""
_BOUND = re.compile(r"[<>≤≥~≈]")
_PERCENT = re.compile(r"[<>≤≥~≈]?\s*\d+\s*%")
"""Of the day: 'in bed more than 50 % of waking hours'."""
_OTHER_SCALES = re.compile(r"\b(?:karnofsky|lansky|kps|lps)\b[^;,)]*")
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


def not_done(text: str, *, numbers: bool = True) -> bool:
    """Whether a text says that there is no result, and no result beside it.

    `numbers`: a number is a result; in the name of a test that is answered by words it is none,
    unless it is a titre or a ratio.
    """
    said = folded(text)
    rest = _NOT_DONE.sub(" ", said)
    if rest == said or any(words.search(rest) for words in (_POSITIVE, _NEGATIVE, _REACTIVE)):
        return False
    return not (_DIGIT if numbers else _RATIO).search(_DATE.sub(" ", rest))


def presence(text: str) -> Reading | str | None:
    """Positive, negative, open or REACTIVE; None where the text says none or several of these.

    So it is where a word beside the answer casts doubt on it, or says that a part is missing.
    """
    said = folded(text)
    whole = _WHOLE.get(said.rstrip(". "))
    if whole is not None:
        return whole
    said = _EXPLAINED.sub(" ", said)
    if _OPEN.search(said):
        return OPEN
    if _NOT_DONE.search(said):
        return None
    found = [answer for part in _SENTENCE.split(said) for answer in _answers_in(part)]
    return found[0] if found and all(answer is found[0] for answer in found) else None


def _answers_in(sentence: str) -> list[Reading | str | None]:
    """What a sentence answers: nothing, one thing, several, or None where it is not plain."""
    sentence = _NO_AND_NOT.sub("", sentence)
    rest = _NEGATIVE.sub(" ", sentence)
    found: list[Reading | str | None] = []
    if rest != sentence:
        found.append(NEGATIVE)
    if _POSITIVE.search(rest):
        found.append(POSITIVE)
    elif _REACTIVE.search(rest):
        found.append(REACTIVE)
    return [None] if found and _DOUBT.search(rest) else found


def grade(text: str) -> Reading | None:
    """A strip's grade: '2+', '++', '+2', 'trace', 'negative', 'positive' without its grade."""
    said = re.sub(r"\+\s+(?=\+)", "+", folded(text))
    if _AMOUNT_AND_SIGN.search(said) or _NOT_DONE.search(said):
        return None
    trace = bool(_TRACE.search(said))
    said = _GRADE_RANGE.sub(r"\1+ \2+", _TRACE.sub(" ", said))
    found = {
        int(digit or behind or 0) or len(signs) for digit, behind, signs in _GRADE.findall(said)
    }
    if found:
        return None if _DOUBT.search(said) else _of_grades(found, trace=trace)
    answer = TRACE if trace else presence(text)
    return answer if isinstance(answer, Reading) else None


def _of_grades(found: set[int], *, trace: bool) -> Reading:
    """The reading of one grade, or of several between which it lies; a trace is above none."""
    most = Decimal(max(found))
    if trace:
        return Reading(_ZERO, most, low_open=True, presence=Truth.UNKNOWN)
    if len(found) == 1:
        return graded(most)
    return Reading(Decimal(min(found)), most, presence=Truth.MET)


def score(text: str) -> Reading | None:
    """A score or class: 'ECOG 1', 'ECOG PS: 1', '1 - restricted …', 'NYHA II'; else None."""
    said = _PERCENT.sub(" ", folded(text))
    if _BOUND.search(said) or _OPEN.search(said):
        return None
    if _OTHER_SCALES.search(said):
        said = _OTHER_SCALES.sub(" ", said)
        if not _NAMED.search(said):
            return None
    matches = list(_NAMED.finditer(said))
    matches += [first] if (first := _LEADING.match(said)) else []
    matches = matches or ([first] if (first := _BARELY_NAMED.match(said)) else [])
    if any(_ANOTHER.match(said, match.end()) for match in matches):
        return None
    found = {_ROMAN.get(match["n"]) or int(match["n"]) for match in matches}
    if len(found) != 1:
        return None
    number = Decimal(found.pop())
    return Reading(number, number)
