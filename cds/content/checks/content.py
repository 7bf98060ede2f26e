"""What the checks look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from cds.content.cases import Case
    from cds.content.trials import TrialFolder
    from cds.core.criterion import Criterion
    from cds.core.terminology import Terminology


@dataclass(frozen=True, slots=True)
class Content:
    """Mappings, the trials to check, and the cases of each by trial id.

    `whole`: these are all trials of the content folders, not a selection. `day` is the day of the
    check, where it matters.
    """

    terminology: Terminology
    trials: Sequence[TrialFolder]
    cases: Mapping[str, Sequence[Case]]
    whole: bool = True
    day: date | None = None

    def criteria(self) -> Iterator[tuple[TrialFolder, Criterion, str, int]]:
        """Every criterion with its trial, file and line."""
        for loaded in self.trials:
            for criterion in loaded.trial.criteria:
                yield loaded, criterion, *loaded.lines[criterion.id]
