"""The sentences in which reasons, evidence and windows are said, for languages other than English.

The engine says them in English; here stands how they are built, so that catalogs can translate
them. Names from the record, values and questions of the trial stay as they are. What no sentence
fits stays English, marked so.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from cds.cards.words import readable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def _(text: str) -> str:
    """Mark a sentence for the catalogs."""
    return text


_DAY = r"\d{4}(?:-\d\d(?:-\d\d(?:T\S+?)?)?)?|no readable date"
_AGE = r"[\d.]+ (?:hour|day|week|month|year)s?"
_PLACES = {
    "day": rf"(?:{_DAY})(?: to (?:{_DAY}))?|at {_AGE} of age",
    "count": r"\d+",
    "unknown": r"\d+",
    "number": r"[\d.]+",
    "first": _DAY,
    "last": _DAY,
    "span": r"\d+ (?:day|month|year)s?",
    "age_then": _AGE,
    "sex": r"male|female|other|unknown",
    "needs": r"(?:[\d.]+ × ULN, )?(?:needs|excluded if) .+?",
}
"""What may stand in a place of a sentence; any words where it is not named here."""

SENTENCES = (
    _("no %(what)s recorded (%(count)s %(entries)s read, %(unknown)s not recognised)"),
    _("no %(what)s recorded (%(needs)s)"),
    _("no %(what)s recorded"),
    _("no usable %(what)s"),
    _("no %(what)s with a value (%(why)s)"),
    _("results could not be read completely"),
    _("%(types)s could not be read completely"),
    _("newest usable: %(result)s on %(day)s"),
    _("passed over: %(list)s"),
    _("%(result)s on %(day)s is older than %(span)s (%(needs)s)"),
    _("%(result)s on %(day)s is older than %(span)s"),
    _("%(result)s on %(day)s is the newest that was read (%(needs)s)"),
    _("not all results could be read, a newer one may exist"),
    _("%(result)s on %(day)s may be older than %(span)s or not yet due"),
    _("%(result)s on %(day)s may be of a later day"),
    _("%(result)s on %(day)s cannot be used (%(why)s)"),
    _("%(result)s on %(day)s (%(needs)s): %(number)s short"),
    _("%(result)s on %(day)s (%(needs)s): %(number)s over"),
    _("%(result)s on %(day)s (%(needs)s): %(why)s"),
    _("%(result)s on %(day)s (%(needs)s)"),
    _("%(result)s on %(day)s"),
    _("age %(age)s (born %(day)s; %(needs)s)"),
    _("no date of birth (%(needs)s)"),
    _("date of birth cannot be read (%(needs)s)"),
    _("sex %(sex)s (any sex)"),
    _("sex %(sex)s"),
    _("sex not recorded (any sex)"),
    _("sex not recorded"),
    _('"%(name)s" is not recognised'),
    _("'%(name)s' is not recognised"),
    _("'%(name)s' is not in any list"),
    _("%(count)s current %(what)s(s)"),
    _("%(count)s %(what)s(s) for certain"),
    _("%(count)s different %(what)ss: %(list)s"),
    _("it is not this patient's and was not used"),
    _("it does not say whose it is and was not used"),
    _("%(number)s × ULN, needs %(bound)s"),
    _("%(number)s × ULN, excluded if %(bound)s"),
    _("needs %(bound)s"),
    _("excluded if %(bound)s"),
    _("its unit is not one that we can compare"),
    _("its magnitude is not plausible"),
    _("it has no readable date"),
    _("it has no value that can be read"),
    _("its value does not settle it"),
    _("it carries no upper limit of normal that fits the patient"),
    _("its reference ranges contradict one another"),
    _("it says two different things"),
    _("its value does not settle it, a human must say"),
    _("the sex is not recorded"),
    _("within %(span)s"),
    _("less than %(span)s ago"),
)
"""The first that fits is taken."""

STATES = (
    _("active"),
    _("resolved"),
    _("resolved or inactive"),
    _("status not stated"),
    _("clinical status not stated"),
    _("status unclear"),
    _("clinical status unclear"),
    _("history of"),
    _("%(first)s to %(last)s"),
    _("at %(age_then)s of age"),
    _("ended %(day)s"),
    _("to end %(day)s"),
    _("ended or to end %(day)s"),
    _("end %(day)s"),
    _("its end cannot be read"),
    _("not confirmed"),
    _("not confirmed by its code"),
    _("by its words it may not count"),
    _("last taken %(day)s"),
    _("current since %(day)s"),
    _("current"),
    _("on hold or status unknown since %(day)s"),
    _("on hold or status unknown"),
    _("stopped or completed"),
    _("stopped"),
    _("ordered %(day)s"),
    _("begun %(day)s"),
    _("last use not recorded"),
    _("supply until at the latest %(day)s"),
    _("from %(day)s"),
    _("to %(day)s"),
    _("a date cannot be read"),
    _("for local use"),
    _("for local use only"),
    _("a flush or lock strength"),
    _("membership of the class not verified"),
    _("route not recorded"),
    _("not in any list of drugs"),
    _("in progress since %(day)s"),
    _("in progress"),
    _("not certain to count"),
    _("it is not certain that it was done"),
    _("recorded as a condition, the procedure's date is not known"),
    _("known by its text, or by a code that nobody has verified"),
    _("the code says that it happened, not that it is active"),
    _("positive"),
    _("negative"),
    _("preliminary"),
    _("cancelled"),
    _("entered-in-error"),
    _("registered"),
    _("not about the patient"),
)
"""What is said of an entry in brackets after its name, piece by piece; days stand there too."""

WORDS = (
    _("or"),
    _("and"),
    _("male"),
    _("female"),
    _("other"),
    _("unknown"),
    _("no readable date"),
    _("conditions"),
    _("procedures"),
    _("procedures and conditions"),
    _("medication entries"),
    _("echocardiogram (LVEF)"),
    _("12-lead ECG (QTc)"),
    _("age"),
    _("sex"),
)
SPANS = (
    _("%(count)s hour"),
    _("%(count)s hours"),
    _("%(count)s week"),
    _("%(count)s weeks"),
    _("%(count)s day"),
    _("%(count)s days"),
    _("%(count)s month"),
    _("%(count)s months"),
    _("%(count)s year"),
    _("%(count)s years"),
)

_IN_BRACKETS = re.compile(r"(?P<name>.+) \((?P<states>[^()]*(?:\([^()]*\)[^()]*)*)\)", re.DOTALL)
_WORD = re.compile(r"\b(?:or|and|male|female|positive)\b")
_ISO = re.compile(r"\b\d{4}-\d\d(?:-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d)?)?)?(?![\w-])")


def _pattern(sentence: str) -> re.Pattern[str]:
    parts = re.split(r"%\((\w+)\)s", sentence)
    made = [
        re.escape(part) if number % 2 == 0 else f"(?P<{part}>{_PLACES.get(part, '.+?')})"
        for number, part in enumerate(parts)
    ]
    return re.compile("".join(made), re.DOTALL)


def _patterns(sentences: tuple[str, ...]) -> list[tuple[str, re.Pattern[str]]]:
    return [(sentence, _pattern(sentence)) for sentence in sentences]


_SENTENCES, _STATES, _SPANS = _patterns(SENTENCES), _patterns(STATES), _patterns(SPANS)
_UNDIVIDED = [pair for pair in _SENTENCES if "; " in pair[0]]
_ONE_DAY = re.compile(_DAY)


class Speaker:
    """Says in another language what the engine says in English.

    `translated` gives the catalog's words, or what it was given; `day` says a day that is known.
    """

    def __init__(self, translated: Callable[[str], str], day: Callable[[str], str]) -> None:
        self._translated = translated
        self._day = day

    def __call__(self, text: str) -> Markup:
        """HTML of a reason, a state, a bound or a name of a concept.

        What stays English stands in an element that says so.
        """
        whole = self._sentence(text, _UNDIVIDED)
        if whole is not None:
            return whole
        return Markup("；").join(self._part(part) for part in text.split("; "))

    def bound(self, text: str) -> Markup:
        """HTML of a bound: '≥ 450 ms (male) or ≥ 470 ms (female)'."""
        return self._listed(text)

    def _part(self, text: str) -> Markup:
        for said in self._ways(text):
            if said is not None:
                return said
        return _english(text)

    def _ways(self, text: str) -> Iterator[Markup | None]:
        yield self._label(text)
        yield self._states(text)
        yield self._sentence(text, _SENTENCES)
        found = _IN_BRACKETS.fullmatch(text)
        if found is not None and (states := self._states(found["states"])) is not None:
            yield Markup("{}（{}）").format(_english(found["name"]), states)
        counted = text.partition(": ")
        if counted[1] and (label := self._label(counted[2])) is not None:
            yield Markup("{}：{}").format(_english(counted[0]), label)

    def _sentence(self, text: str, among: list[tuple[str, re.Pattern[str]]]) -> Markup | None:
        for sentence, pattern in among:
            found = pattern.fullmatch(text)
            if found is None:
                continue
            translated = self._translated(sentence)
            if translated == sentence:
                return None
            places = {name: self._place(name, said) for name, said in found.groupdict().items()}
            return Markup(translated) % places  # noqa: S704 - the catalog is ours
        return None

    def _place(self, name: str, said: str) -> Markup:
        """One place of a sentence, in this language as far as it has words."""
        ways: dict[str, Callable[[str], Markup]] = {
            "day": self._days,
            "first": self._days,
            "last": self._days,
            "age_then": lambda text: self._sentence(text, _SPANS) or _english(text),
            "span": lambda text: self._sentence(text, _SPANS) or _english(text),
            "what": self._labels,
            "entries": self._labels,
            "result": self._result,
            "needs": self._inner,
            "why": self._inner,
        }
        listed = ("bound", "age", "sex", "list", "count", "unknown", "number")
        return {**dict.fromkeys(listed, self._listed), **ways}.get(name, _english)(said)

    def _inner(self, text: str) -> Markup:
        return self._sentence(text, _SENTENCES) or self._listed(text)

    def _days(self, text: str) -> Markup:
        """A day, the first and the last of several, or an age."""
        if _ONE_DAY.fullmatch(text):
            return escape(self._dated(text))
        return self._sentence(text, _STATES) or _english(text)

    def _dated(self, text: str) -> str:
        """The days in a text; a number that stands alone is a year."""
        if re.fullmatch(r"\d{4}", text):
            return self._day(text)
        return _ISO.sub(lambda found: self._day(found[0]), self._translated(text))

    def _listed(self, text: str) -> Markup:
        """Bounds and lists: numbers stay, the words between them are translated."""
        dated = _ISO.sub(lambda found: self._day(found[0]), text)
        said = _WORD.sub(lambda found: self._translated(found[0]), dated)
        return escape(readable(said))

    def _label(self, text: str) -> Markup | None:
        """The name of a concept, in this language."""
        said = self._translated(text)
        return None if said == text else escape(said)

    def _labels(self, text: str) -> Markup:
        """'stroke or TIA': names of concepts, each translated where the catalog has it."""
        whole = self._label(text)
        if whole is not None:
            return whole
        names = (self._label(name) or _english(name) for name in text.split(" or "))
        return escape(self._translated("or")).join(names)

    def _result(self, text: str) -> Markup:
        """'ANC 1.4 10*9/L': the name of the test, then its value."""
        words = text.split(" ")
        for end in range(len(words), 0, -1):
            label = self._label(" ".join(words[:end]))
            if label is not None:
                value = self._listed(" ".join(words[end:]))
                return Markup("{} {}").format(label, value)
        return _english(text)

    def _states(self, text: str) -> Markup | None:
        """'active, 2025-03, not confirmed': every piece must be known; some have commas."""
        pieces = text.split(", ")
        said: list[Markup] = []
        while pieces:
            for end in range(len(pieces), 0, -1):
                state = self._state(", ".join(pieces[:end]))
                if state is not None:
                    said.append(state)
                    pieces = pieces[end:]
                    break
            else:
                return None
        return Markup("，").join(said)

    def _state(self, text: str) -> Markup | None:
        if _ONE_DAY.fullmatch(text):
            return escape(self._dated(text))
        return self._sentence(text, _STATES)


def _english(text: str) -> Markup:
    return Markup('<span lang="en">{}</span>').format(readable(text))
