"""A reader of values that remembers: the charts of a cohort repeat one another."""

from __future__ import annotations

import re
from operator import attrgetter
from typing import TYPE_CHECKING

from cds.core.answer import Gap
from cds.fhir.resources import ABSENT
from cds.fhir.values import ValueReader

if TYPE_CHECKING:
    from cds.core.terminology import LabCode, Terminology
    from cds.fhir.resources import Valued
    from cds.fhir.units import Units
    from cds.fhir.values import Value

_MOST = 25_000
"""Different values that are remembered before all are forgotten."""

_DECIDES = attrgetter(
    "value_quantity",
    "value_codeable_concept",
    "value_string",
    "value_integer",
    "value_range",
    "value_boolean",
    "value_ratio",
    "value_sampled_data",
    "value_time",
    "value_date_time",
    "value_period",
    "data_absent_reason",
    "interpretation",
)
"""Everything of a result that its value is read from."""
_number_first = re.compile(rb'\{"value":[-.0-9]+(,.*)', re.DOTALL).fullmatch
"""Parts a Quantity that begins with its number into that and the rest, which tells the unit."""


class RememberingReader(ValueReader):
    """Reads each value once for each code; the charts after the first that has it need not."""

    __slots__ = ("_labs", "_unitless", "_values")

    def __init__(self, terminology: Terminology, units: Units) -> None:
        """Read with these."""
        super().__init__(terminology, units)
        self._values: dict[tuple[int, bytes], Value] = {}
        self._labs: dict[int, LabCode] = {}
        self._unitless: dict[tuple[int, bytes], bool] = {}

    def value(self, valued: Valued, lab: LabCode) -> Value:
        """The value of an observation or component for what its code measures."""
        # No JSON holds a zero byte: what is joined by it could be taken apart again.
        key = id(lab), b"\0".join(_DECIDES(valued))
        found = self._values.get(key)
        if found is None:
            if len(self._values) >= _MOST:
                self._values.clear()
            self._labs[key[0]] = lab  # kept, so that no other object gets its id
            found = self._values[key] = super().value(valued, lab)
        return found

    def may_lack(self, gap: Gap, valued: Valued, lab: LabCode) -> bool:
        """Whether a value may be unusable for one reason.

        A unit is one for a code, or is none, whatever the number is. So most results of a chart,
        which no criterion asks for, need not be read to find the units that nobody understands.
        """
        number = _number_first(valued.value_quantity)
        if number is None or gap is not Gap.UNIT or _says_more(valued):
            return True
        key = id(lab), number[1]
        found = self._unitless.get(key)
        if found is None:
            if len(self._unitless) >= _MOST:
                self._unitless.clear()
            self._labs[key[0]] = lab
            found = self._unitless[key] = self.value(valued, lab).unusable is Gap.UNIT
        return found


def _says_more(valued: Valued) -> bool:
    """Whether a result has another value beside a Quantity, or says why it has none."""
    return not (
        valued.value_codeable_concept
        is valued.value_string
        is valued.value_integer
        is valued.value_range
        is valued.value_boolean
        is valued.value_ratio
        is valued.value_sampled_data
        is valued.value_time
        is valued.value_date_time
        is valued.value_period
        is valued.data_absent_reason
        is ABSENT
    )
