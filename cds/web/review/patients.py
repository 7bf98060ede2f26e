"""Whom the page asks about: the invented patients, and bundles that the reviewer chose."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from cds.content.strict_yaml import Table, read_yaml
from cds.fhir.record import UnusableInput, record_from_bundle

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cds.fhir.record import Record

_MOST_KEPT = 8


@dataclass(frozen=True, slots=True)
class Chosen:
    """One patient: the key in the address, what the reviewer calls them, and their day if told."""

    key: str
    name: str
    day: date | None
    read: Callable[[], bytes]

    def record(self) -> Record:
        """The record within the bundle.

        Raises:
            UnusableInput: it is no bundle of one patient.
        """
        return record_from_bundle(self.read())


class Patients:
    """The patients of a folder, and the last few bundles that were chosen, in memory only."""

    def __init__(self, folder: Path) -> None:
        """Offer every folder below this one that holds a bundle.json."""
        self._told = {
            path.parent.name: _told(path) for path in sorted(folder.glob("*/bundle.json"))
        }
        self._brought: OrderedDict[str, Chosen] = OrderedDict()
        self._count = 0
        self._lock = threading.Lock()

    def every(self) -> list[Chosen]:
        """All of them, the reviewer's own first."""
        with self._lock:
            return [*reversed(self._brought.values()), *self._told.values()]

    def find(self, key: str) -> Chosen | None:
        """The patient of this key."""
        with self._lock:
            return self._brought.get(key) or self._told.get(key)

    def bring(self, data: bytes) -> Chosen:
        """Keep a bundle until eight newer ones came.

        Raises:
            UnusableInput: it is no bundle of one patient.
        """
        record_from_bundle(data)
        with self._lock:
            self._count += 1
            chosen = Chosen(f"own-{self._count}", f"Your bundle {self._count}", None, lambda: data)
            self._brought[chosen.key] = chosen
            while len(self._brought) > _MOST_KEPT:
                self._brought.popitem(last=False)
        return chosen


def _told(path: Path) -> Chosen:
    """An invented patient with the title and day of the story beside the bundle."""
    story, title, day = path.with_name("story.yaml"), path.parent.name, None
    if story.is_file():
        told = read_yaml(story)
        if isinstance(told, Table):
            title = f"{path.parent.name}: {told.get('title', '')}"
            day = date.fromisoformat(str(told["day"])) if "day" in told else None
    return Chosen(path.parent.name, title, day, path.read_bytes)


__all__ = ["Chosen", "Patients", "UnusableInput"]
