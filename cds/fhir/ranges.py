"""Reference ranges: only those that may be used, with whom they apply to."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

from cds.core.facts import ReferenceRange
from cds.core.when import Age
from cds.fhir import lazily
from cds.fhir.dates import age_of
from cds.fhir.lazily import Lost, there

if TYPE_CHECKING:
    from collections.abc import Callable

    from msgspec import Raw

    from cds.core.terminology import LabCode
    from cds.fhir.resources import CodeableConcept
    from cds.fhir.units import Conversion

    Converting = Callable[[lazily.Quantity, LabCode], Conversion | None]

_NORMAL = frozenset({"normal", "reference range", "normal range"})
_SEXES = {
    "male": "male", "m": "male", "248153007": "male", "men": "male", "man": "male", "boys": "male",
    "males": "male", "boy": "male",
    "female": "female", "f": "female", "248152002": "female", "women": "female",
    "woman": "female", "girls": "female", "females": "female", "girl": "female",
}  # fmt: skip
_ADULT = frozenset({"adult", "adults"})
_CHILD = frozenset({"child", "children", "pediatric", "paediatric", "boys", "girls", "boy", "girl"})
_ANYBODY = frozenset({"normal", "general", "population", "all", "any", "patients"})
_ADULT_FROM, _CHILD_UNTIL = Age(Decimal(18)), Age(Decimal(17))
_WORD = re.compile(r"[a-z0-9]+")


def ranges_of(
    raw: Raw, lab: LabCode, conversion: Converting
) -> tuple[tuple[ReferenceRange, ...], bool]:
    """The upper limits of a result's ranges in its canonical unit, and whether it has any at all.

    Left out are ranges of another type than normal, and those for people whom we cannot tell from
    the patient's sex and age (a trimester, an ancestry). A limit whose unit does not convert, or
    has none, is kept without its number.
    """
    given = lazily.readable(lazily.reference_ranges, raw)
    if given is None:
        rows = lazily.readable(lazily.items, raw) or ()
        read = [lazily.readable(lazily.reference_range, row) for row in rows]
        given = tuple(row for row in read if row is not None)
    found = [
        made
        for row in given
        if there(row.high) and (made := _usable(row, lab, conversion)) is not None
    ]
    return tuple(found), any(there(row.high) for row in given)


def _usable(
    row: lazily.ReferenceRange, lab: LabCode, conversion: Converting
) -> ReferenceRange | None:
    if row.type is not None and not _is_normal(row.type):
        return None
    sex: str | None = None
    age_low, age_high = _ages(row.age)
    for group in row.applies_to or ():
        applies = _applies(group)
        if applies is None:
            return None
        group_sex, adult, child = applies
        if group_sex and sex and group_sex != sex:
            return None
        sex = group_sex or sex
        if adult and age_low is None:
            age_low = _ADULT_FROM
        if child and age_high is None:
            age_high = _CHILD_UNTIL
    high = _high(row.high, lab, conversion)
    if high is not None and not _is_plausible(high, lab):
        return None
    return ReferenceRange(high, sex, age_low, age_high)


def _is_plausible(high: Decimal, lab: LabCode) -> bool:
    """Whether a limit may be one; some systems write 0, -1 or 9999 where there is none."""
    least, most = lab.analyte.plausible_min, lab.analyte.plausible_max
    return (least is None or high >= least) and (most is None or high <= most)


def _high(raw: Raw, lab: LabCode, conversion: Converting) -> Decimal | None:
    high = lazily.read(lazily.quantity, raw)
    if isinstance(high, Lost) or high is None or high.value is None or high.comparator:
        return None
    converted = conversion(high, lab)
    return None if converted is None else converted.apply(high.value)


def _is_normal(kind: CodeableConcept) -> bool:
    said = [
        kind.text,
        *(c.code for c in kind.coding or ()),
        *(c.display for c in kind.coding or ()),
    ]
    texts = {text.strip().lower() for text in said if text and text.strip()}
    return not texts or not _NORMAL.isdisjoint(texts)


def _applies(group: CodeableConcept) -> tuple[str | None, bool, bool] | None:
    """Sex, adults, children of one group of people; None for a group that we cannot tell."""
    said = [group.text, *(c.display for c in group.coding or ())]
    words = {word for text in said if text for word in _WORD.findall(text.lower())}
    codes = {c.code.lower() for c in group.coding or () if c.code}
    sexes = {_SEXES[word] for word in words | codes if word in _SEXES}
    if len(sexes) > 1:
        return None
    strange = words - set(_SEXES) - _ADULT - _CHILD - _ANYBODY
    known = bool(sexes) or bool(words & (_ADULT | _CHILD | _ANYBODY)) or "normal" in codes
    if strange or not known:
        return None
    return (sexes.pop() if sexes else None, bool(words & _ADULT), bool(words & _CHILD))


def _ages(age: lazily.Range | None) -> tuple[Age | None, Age | None]:
    """First and last age. A bound that is there and has no readable unit excludes everybody."""
    if age is None:
        return None, None
    low, high = age_of(age.low), age_of(age.high)
    if (age.low is not None and age.low.value is not None and low is None) or (
        age.high is not None and age.high.value is not None and high is None
    ):
        return _NOBODY, _NOBODY
    return low, high


_NOBODY = Age(Decimal(-1))
