"""Three-valued truth: strong Kleene logic, as in CQL's logical operators."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterable


class Truth(Enum):
    """What the chart lets us say about one statement."""

    MET = "met"
    NOT_MET = "not met"
    UNKNOWN = "unknown"

    def __bool__(self) -> NoReturn:
        """Refuse `if truth:`, which would quietly read UNKNOWN as true."""
        message = "A Truth has three values; compare it with `is Truth.MET`."
        raise TypeError(message)


def negate(truth: Truth) -> Truth:
    """MET and NOT_MET change places; UNKNOWN stays."""
    if truth is Truth.MET:
        return Truth.NOT_MET
    return Truth.MET if truth is Truth.NOT_MET else Truth.UNKNOWN


def all_of(truths: Iterable[Truth]) -> Truth:
    """NOT_MET as soon as one is NOT_MET, else UNKNOWN as soon as one is UNKNOWN."""
    answer = Truth.MET
    for truth in truths:
        if truth is Truth.NOT_MET:
            return Truth.NOT_MET
        if truth is Truth.UNKNOWN:
            answer = Truth.UNKNOWN
    return answer


def any_of(truths: Iterable[Truth]) -> Truth:
    """MET as soon as one is MET, else UNKNOWN as soon as one is UNKNOWN."""
    answer = Truth.NOT_MET
    for truth in truths:
        if truth is Truth.MET:
            return Truth.MET
        if truth is Truth.UNKNOWN:
            answer = Truth.UNKNOWN
    return answer


def truth_of(condition: bool) -> Truth:  # noqa: FBT001 - the one bridge from two values to three
    """MET for True, NOT_MET for False."""
    return Truth.MET if condition else Truth.NOT_MET
