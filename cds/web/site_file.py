"""Reading a file that a site's administrators write: every fault is noted, each with its line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cds.content.fault import Fault, did_you_mean
from cds.content.strict_yaml import Items, Table, Value
from cds.settings import DIALECTS

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path


class SiteFile:
    """One pass over such a file; `faults` are what was found wrong so far."""

    def __init__(self, path: Path) -> None:
        """Begin with nothing wrong."""
        self.path = path
        self.faults: list[Fault] = []

    def note(self, line: int, says: str, try_this: str) -> None:
        """Something is wrong on a line, and what to do about it."""
        self.faults.append(Fault(str(self.path), line, says, try_this))

    def known(self, item: Table, members: Collection[str], owner: str) -> None:
        """Note every member that is none of `members`; `owner` is what they belong to."""
        for key in item:
            if key not in members:
                cure = did_you_mean(key, members) or f"Known are {', '.join(members)}."
                self.note(item.line_of(key), f"'{key}' is not known of {owner}.", cure)

    def word(self, item: Table, key: str) -> str | None:
        """One text; None where it is left out or wrong."""
        if key not in item:
            return None
        value = item[key]
        if isinstance(value, str) and value and value == value.strip():
            return value
        self.note(item.line_of(key), f"'{key}' must be one text.", "Write it on the same line.")
        return None

    def words(self, item: Table, key: str) -> list[tuple[str, int]]:
        """A list of texts, each with its line; empty where it is left out or wrong."""
        if key not in item:
            return []
        value = item[key]
        if isinstance(value, Items) and value and all(isinstance(word, str) for word in value):
            pairs = zip(value, value.lines, strict=True)
            return [(word, line) for word, line in pairs if isinstance(word, str)]
        self.note(item.line_of(key), f"'{key}' must be a list of texts.", "Begin each with '- '.")
        return []

    def tables(self, root: Value, key: str, owner: str) -> list[Table]:
        """The list of mappings under a key; what is none is noted."""
        if not isinstance(root, Table) or key not in root:
            return []
        listed = root[key]
        if not isinstance(listed, Items):
            self.note(root.line_of(key), f"'{key}' must be a list.", "Begin each with '- '.")
            return []
        found = []
        for item, line in zip(listed, listed.lines, strict=True):
            if isinstance(item, Table):
                found.append(item)
            else:
                self.note(line, f"{owner.capitalize()} must be a mapping.", "See the docs.")
        return found

    def dialect(self, item: Table) -> str | None:
        """One of the EHRs whose habits are known."""
        word = self.word(item, "dialect")
        if word is None or word in DIALECTS:
            return word
        cure = f"Write one of {', '.join(DIALECTS)}."
        self.note(item.line_of("dialect"), f"No dialect is called '{word}'.", cure)
        return None
