"""One patient as normalised, dated, coded statements; every engine answer is made from these.

A `Facts` object is read-only once built. Its mappings go from concept key to entries, may compute
an entry on first use, and hold nothing for a concept that the record does not mention.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any

import msgspec

from cds.core.answer import Gap
from cds.core.truth import Truth
from cds.core.when import Age, When

if TYPE_CHECKING:
    from datetime import date

    from cds.core.when import Evaluation


class Patient(msgspec.Struct, frozen=True, gc=False):
    """Who is asked about. `sex` is FHIR's administrative gender; `birth` may be a year only."""

    reference: str
    birth: When | None = None
    sex: str | None = None
    deceased: bool = False
    birth_text: str | None = None


class Reading(msgspec.Struct, frozen=True, gc=False):
    """A usable value of a result, in the concept's canonical unit.

    Numbers are an interval: an exact value has `low == high`; `<0.5` is (None, 0.5 open); a graded
    "positive" without its grade is [1, None). `presence` is MET for positive, NOT_MET for
    negative, None where the result is not of that kind.
    """

    low: Decimal | None = None
    high: Decimal | None = None
    low_open: bool = False
    high_open: bool = False
    presence: Truth | None = None


class ReferenceRange(msgspec.Struct, frozen=True, gc=False):
    """The upper limit of one reference range, in the concept's canonical unit.

    `sex` is the administrative gender it applies to (None: any), ages are the first and the last
    that it is for (None: unbounded). `high` None: the unit of the limit could not be converted.
    """

    high: Decimal | None
    sex: str | None = None
    age_low: Age | None = None
    age_high: Age | None = None

    @property
    def is_for_some(self) -> bool:
        """Whether it is for one sex or some ages only."""
        return not (self.sex is None and self.age_low is None and self.age_high is None)


class Result(msgspec.Struct, frozen=True, gc=False):
    """One Observation (or component) of a lab, vital or score concept.

    Exactly one of these holds: `reading` is there (usable); `unusable` names why a value that is
    there cannot be used; `skipped` says in words why the entry is passed over and only mentioned
    ("preliminary", "no value: not performed").
    `when` is None where the date is missing or unreadable. `display` is the value as received.
    """

    reference: str
    when: When | None
    display: str
    reading: Reading | None = None
    unusable: Gap | None = None
    skipped: str | None = None
    issued: int | None = None
    ranges: tuple[ReferenceRange, ...] = ()
    has_high: bool = False


class Mark(msgspec.Struct, frozen=True, gc=False):
    """How an entry belongs to a concept.

    `decides` False: the membership is not verified, known by text only, or the concept's list says
    review; such evidence never decides. `history`: the code says that it happened, never that it
    is active, and its dates are those of the entry. `ingredient`: the drug that gave membership.
    """

    decides: bool = True
    history: bool = False
    ingredient: str = ""


class Clinical(Enum):
    """Condition.clinicalStatus in the classes that criteria tell apart.

    NOT_STATED: there is none, and the end of the condition says whether it is over. UNCLEAR: there
    is one that nobody can read, and nothing else decides.
    """

    ACTIVE = "active"
    INACTIVE = "inactive"
    NOT_STATED = "not stated"
    UNCLEAR = "unclear"


class Condition(msgspec.Struct, frozen=True, gc=False):
    """One Condition that is neither refuted nor entered in error.

    `doubtful`: verificationStatus is unconfirmed, provisional or differential. `event` is the
    onset, else the recorded date; None where there is none or it cannot be read. `ended` is the
    abatement (`ended_unreadable`: there is one that cannot be read). `concepts` are all concept
    keys that any of its codes or names meets; of the `uncertain` ones no code decides. `names`: of
    an entry without a known code, what each name in its words stands for, each word used once.
    """

    reference: str
    display: str
    clinical: Clinical = Clinical.NOT_STATED
    doubtful: bool = False
    event: When | None = None
    ended: When | None = None
    ended_unreadable: bool = False
    concepts: frozenset[str] = frozenset()
    uncertain: frozenset[str] = frozenset()
    names: tuple[frozenset[str], ...] = ()

    def over(self, end: int) -> Truth:
        """Whether it is over at the instant `end` (microseconds as in `When`).

        Its status says so, else its abatement: one that lies after `end` is no fact yet, and one
        of which nobody knows on which side it lies leaves it open.
        """
        if self.clinical is not Clinical.NOT_STATED:
            return Truth.MET if self.clinical is Clinical.INACTIVE else Truth.NOT_MET
        if self.ended is None:
            return Truth.UNKNOWN if self.ended_unreadable else Truth.NOT_MET
        if self.ended.end <= end:
            return Truth.MET
        return Truth.NOT_MET if self.ended.start > end else Truth.UNKNOWN


class Procedure(msgspec.Struct, frozen=True, gc=False):
    """One Procedure that was or is being done. `running`: in progress, without an end.

    `start` and `end` are the same for what was done on one day; `end` None: not recorded.

    `doubtful`: its status does not say whether it was done. `concepts` and `uncertain` as of a
    `Condition`.
    """

    reference: str
    display: str
    start: When | None = None
    end: When | None = None
    running: bool = False
    doubtful: bool = False
    concepts: frozenset[str] = frozenset()
    uncertain: frozenset[str] = frozenset()


class Course(Enum):
    """How a medication entry stands, by its status alone."""

    ACTIVE = "active"
    PAST = "past"
    UNCERTAIN = "uncertain"
    INTENDED = "intended"


class Exposure(msgspec.Struct, frozen=True, gc=False):
    """One medication entry that counts as taken or ordered.

    `start`, `end`: first and last possible use (None: not stated, or `dates_unreadable`).
    `assumed_end`: for a request that is not active and has no end, the latest day that its supply
    allows, at most 12 months after it was written. `local`: for local use only. `flush`: a flush
    or lock strength. `route_stated` False: the reason says "route not recorded".
    `recognised` False: nobody could say which drug it is.
    """

    reference: str
    display: str
    course: Course
    start: When | None = None
    end: When | None = None
    assumed_end: When | None = None
    local: bool = False
    flush: bool = False
    route_stated: bool = True
    recognised: bool = True
    dates_unreadable: bool = False


class Retrieval(Enum):
    """How much of one resource type was read.

    PARTIAL: the list came whole, but an entry of it could not be used. CUT_OFF: entries may exist
    that nobody saw, newer ones among them.
    """

    COMPLETE = "complete"
    PARTIAL = "partial"
    CUT_OFF = "cut off"
    NOT_RETRIEVED = "not retrieved"
    NOT_KEPT = "not kept there"


class Problem(msgspec.Struct, frozen=True, gc=False):
    """Something the reader must know about the record; `kind` is one of the contract's words."""

    kind: str
    reference: str | None
    says: str


class LazyResults(Mapping[str, Sequence[Result]]):
    """Results by concept that need not be read before somebody asks for them."""

    @abstractmethod
    def latest(self, concept: str, end: int) -> Sequence[Result]:
        """Enough of a concept's results to know the newest ones with a value, in their order.

        Left out are only results that surely lie before one with a value that is not after `end`
        (microseconds as in `When`); all of them where there is none.
        """


class Facts:
    """What is known of one patient, by concept key.

    `retrieval` is keyed by resource type, and for Observation also by `Observation:<category>`
    (laboratory, vital-signs, exam, survey …) where categories were asked for one by one.
    `whole_since`, keyed alike, is the day since when a list came whole that was cut off, or of
    which no more was asked for; all results of `whole_concepts` came, of whatever day.
    `unrecognised` counts, per resource type, the entries that nobody could recognise.
    """

    __slots__ = (
        "_day",
        "_lazy",
        "_worked_out",
        "bounded",
        "conditions",
        "exposures",
        "patient",
        "problems",
        "procedures",
        "results",
        "retrieval",
        "totals",
        "unrecognised",
        "unrecognised_drugs",
        "whole_concepts",
        "whole_since",
    )

    def __init__(  # noqa: PLR0913 - a record of everything that is known
        self,
        patient: Patient,
        *,
        results: Mapping[str, Sequence[Result]] | None = None,
        conditions: Mapping[str, Sequence[tuple[Condition, Mark]]] | None = None,
        procedures: Mapping[str, Sequence[tuple[Procedure, Mark]]] | None = None,
        exposures: Mapping[str, Sequence[tuple[Exposure, Mark]]] | None = None,
        unrecognised_drugs: Sequence[Exposure] = (),
        unrecognised: Mapping[str, int] | None = None,
        totals: Mapping[str, int] | None = None,
        retrieval: Mapping[str, Retrieval] | None = None,
        whole_since: Mapping[str, date] | None = None,
        whole_concepts: Iterable[str] = (),
        problems: Sequence[Problem] = (),
    ) -> None:
        """Hold the entries; a missing mapping is empty, a missing retrieval complete."""
        self.patient = patient
        self.results = results if results is not None else {}
        self._lazy = results if isinstance(results, LazyResults) else None
        self._day: Evaluation | None = None
        self._worked_out: dict[Any, Any] = {}
        self.conditions = conditions if conditions is not None else {}
        self.procedures = procedures if procedures is not None else {}
        self.exposures = exposures if exposures is not None else {}
        self.unrecognised_drugs = unrecognised_drugs
        self.unrecognised = unrecognised or {}
        self.totals = totals or {}
        self.retrieval = retrieval or {}
        self.whole_since = whole_since or {}
        self.whole_concepts = frozenset(whole_concepts)
        self.bounded = bool(whole_since) or Retrieval.CUT_OFF in self.retrieval.values()
        self.problems = problems

    def latest(self, concept: str, end: int) -> Sequence[Result]:
        """Results of a concept among which are the newest with a value (see `LazyResults`)."""
        if self._lazy is not None:
            return self._lazy.latest(concept, end)
        return self.results.get(concept, ())

    def worked_out(self, asked: Evaluation) -> dict[Any, Any]:
        """What the engine has worked out of these facts for one day, so that it does so once.

        Criteria ask for the same results and entries again and again. Whoever keeps something here
        chooses a key that is its own.
        """
        if self._day is not asked:
            self._day, self._worked_out = asked, {}
        return self._worked_out

    def retrieved(self, resource_type: str, category: str | None = None) -> Retrieval:
        """How much of a resource type (of a category of it) was read; complete if not said."""
        if category is not None:
            by_category = self.retrieval.get(f"{resource_type}:{category}")
            if by_category is not None:
                return by_category
        return self.retrieval.get(resource_type, Retrieval.COMPLETE)

    def came_since(self, resource_type: str, category: str, since: date | None) -> bool:
        """Whether every entry dated on or after `since` (None: of any date) came."""
        name = f"{resource_type}:{category}"
        whole = self.whole_since.get(name if name in self.retrieval else resource_type)
        if whole is None:
            return self.retrieved(resource_type, category) is not Retrieval.CUT_OFF
        return since is not None and whole <= since
