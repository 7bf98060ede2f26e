"""Equal statements of all trials as one object each, so that each is decided once for a record.

Trials of one disease ask the same things: of two trials every seventh statement stands twice, and
an added trial often brings few new ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from cds.engine.group import AllOf, AnyOf, Not
from cds.engine.judgement import Judgement

if TYPE_CHECKING:
    from cds.core.criterion import Characteristic, Trial


class Sharing:
    """Gives the first of all statements that are equal."""

    def __init__(self) -> None:
        """Nothing was seen yet."""
        self._seen: dict[Characteristic, Characteristic] = {}

    def trial(self, trial: Trial) -> Trial:
        """The same trial, its statements shared with the trials before it."""
        criteria = tuple(
            msgspec.structs.replace(criterion, form=self._form(criterion.form))
            for criterion in trial.criteria
        )
        return msgspec.structs.replace(trial, criteria=criteria)

    def _form(self, form: Characteristic) -> Characteristic:
        if isinstance(form, AllOf | AnyOf):
            parts = tuple(self._form(part) for part in form.of)
            form = msgspec.structs.replace(form, of=parts)
        elif isinstance(form, Not):
            form = msgspec.structs.replace(form, of=self._form(form.of))
        elif isinstance(form, Judgement):
            shown = tuple(self._form(one) for one in form.showing)
            form = msgspec.structs.replace(form, showing=shown)
        return self._seen.setdefault(form, form)
