"""A reader of values that remembers: the charts of a cohort repeat one another."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from cds.fhir.values import ValueReader

if TYPE_CHECKING:
    from cds.core.terminology import LabCode, Terminology
    from cds.fhir.resources import Valued
    from cds.fhir.units import Units
    from cds.fhir.values import Ranges, Value

_MOST = 100_000
"""Different values, and different ranges, that are remembered before all are forgotten."""

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


class RememberingReader(ValueReader):
    """Reads each value once for each code; the charts after the first that has it need not."""

    __slots__ = ("_labs", "_values")

    def __init__(self, terminology: Terminology, units: Units) -> None:
        """Read with these."""
        super().__init__(terminology, units)
        self._values: dict[tuple[int, bytes], Value] = {}
        self._labs: dict[int, LabCode] = {}

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

    def ranges(self, valued: Valued, lab: LabCode) -> Ranges:
        """The reference ranges of a result, and whether it has any upper limit at all."""
        if len(self._ranges) >= _MOST:
            self._ranges.clear()
        return super().ranges(valued, lab)
