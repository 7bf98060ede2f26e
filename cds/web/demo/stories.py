"""The stories behind the invented patients: who they are in a sentence, and what to try."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from pathlib import Path

_TRY = {
    "desmoid-itraconazole": "Move today forward by three days and watch the washout run out.",
    "desmoid-ready": "Add an ANC of 1.2 and see the trial ruled out; then add a better one.",
    "long-chart": "Accept the suggested order, then add the TSH that comes back.",
    "rms-after-chemo": "Two washouts run at once: move today a week ahead.",
    "text-drugs": "A medicine nobody can recognise: read the card, then dismiss it with a reason.",
    "desmoid-bare": "Only a diagnosis: see what is missing, and what only a human can judge.",
}
"""Stories to begin with, in this order, each with something to try."""


@dataclass(frozen=True, slots=True)
class Story:
    """One invented patient: the folder's name, the Patient's id, a sentence, what to try."""

    name: str
    patient: str
    title: str
    hint: str


def read_stories(folder: Path) -> tuple[Story, ...]:
    """The stories of a fixtures folder, those with something to try first.

    Raises:
        ValueError: a story.yaml has no title or patient; the file is named.
    """
    stories = [_read(path) for path in sorted(folder.glob("*/story.yaml"))]
    order = list(_TRY)
    return tuple(sorted(stories, key=lambda s: order.index(s.name) if s.hint else len(order)))


def _read(path: Path) -> Story:
    told = yaml.safe_load(path.read_text("utf-8"))
    try:
        name = path.parent.name
        return Story(name, str(told["patient"]), str(told["title"]), _TRY.get(name, ""))
    except (KeyError, TypeError):
        message = f"{path} needs a title and the id of its patient."
        raise ValueError(message) from None
