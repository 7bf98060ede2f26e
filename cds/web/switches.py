"""What a site switches without a deploy: shadow mode, trials off or for some only, whom to call.

The file is read again when it changes. One that has a fault is not taken: what was in force stays
so, and `/readyz` says it.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cds.content.fault import ContentFaults, did_you_mean
from cds.content.strict_yaml import Table, read_yaml
from cds.web.site_file import SiteFile

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from pathlib import Path

    from cds.web.place import Place

_log = logging.getLogger("trial-cds")
_MEMBERS = ("shadow", "trials")
_TRIAL = ("off", "clients", "roles", "departments", "contacts")
_CONTACT = ("says", "clients")
_YES, _NO = frozenset({"yes", "true", "on"}), frozenset({"no", "false", "off"})
_MOST_LETTERS = 300
_EVERYBODY = "all"


@dataclass(frozen=True, slots=True)
class Contact:
    """Whom to call about a trial; `clients` are the issuers for whose users that is (none: all)."""

    says: str
    clients: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class TrialSwitch:
    """What is switched for one trial; empty sets stand for everybody."""

    off: bool = False
    clients: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    departments: frozenset[str] = frozenset()
    contacts: tuple[Contact, ...] = ()


@dataclass(frozen=True, slots=True)
class Switches:
    """All that is switched. `shadow` are issuers, or "all"."""

    shadow: frozenset[str] = frozenset()
    trials: Mapping[str, TrialSwitch] = field(default_factory=dict)

    def in_shadow(self, issuer: str | None) -> bool:
        """Whether a client is shown nothing yet; what would be shown is kept all the same."""
        return _EVERYBODY in self.shadow or issuer in self.shadow

    def off(self, issuer: str | None) -> dict[str, str]:
        """Trial → why this client's users get no card about it: off, client."""
        found = {}
        for trial, switch in self.trials.items():
            if switch.off:
                found[trial] = "off"
            elif switch.clients and issuer not in switch.clients:
                found[trial] = "client"
        return found

    def elsewhere(self, place: Callable[[], Place], trials: Iterable[str]) -> dict[str, str]:
        """Trial → why there is no card here: role, department.

        `place` finds out who asks and where; it is called only where that matters. What it does
        not know fits nothing.
        """
        some = {
            trial: switch
            for trial in trials
            if (switch := self.trials.get(trial)) and (switch.roles or switch.departments)
        }
        if not some:
            return {}
        here, found = place(), {}
        for trial, switch in some.items():
            if switch.roles and switch.roles.isdisjoint(here.roles):
                found[trial] = "role"
            elif switch.departments and switch.departments.isdisjoint(here.departments):
                found[trial] = "department"
        return found

    def contacts(self, issuer: str | None) -> dict[str, tuple[str, ...]]:
        """Trial → lines for its card that say whom to call at this client's site."""
        found = {
            trial: tuple(
                f"Study contact: {contact.says}"
                for contact in switch.contacts
                if not contact.clients or issuer in contact.clients
            )
            for trial, switch in self.trials.items()
        }
        return {trial: lines for trial, lines in found.items() if lines}


def load_switches(
    path: Path, trials: Collection[str], issuers: Collection[str] | None = None
) -> Switches:
    """The switches of a file.

    `trials` are the ids that there are, `issuers` the trusted clients (None: nobody is listed).

    Raises:
        ContentFaults: every fault of the file, each with its line.
    """
    root = read_yaml(path)
    reading = _Reading(path, trials, issuers)
    found = reading.switches(root if isinstance(root, Table) else None)
    if root is not None and not isinstance(root, Table):
        reading.note(1, "The file must be a mapping.", "See docs/governance.md for an example.")
    if reading.faults:
        raise ContentFaults(reading.faults)
    return found


class WatchedSwitches:
    """The switches of a file as it is now; shared by the threads of a process."""

    def __init__(
        self, path: Path | None, trials: Collection[str], issuers: Collection[str] | None
    ) -> None:
        """Read the file for the first time; without one nothing is switched.

        Raises:
            ContentFaults: it cannot be used.
        """
        self._path = path
        self._trials = trials
        self._issuers = issuers
        self._lock = threading.Lock()
        self._seen = self._stamp()
        self._taken = True
        self._current = Switches() if path is None else load_switches(path, trials, issuers)

    @property
    def is_taken(self) -> bool:
        """Whether the file as it is now is in force; False: it has a fault, an earlier one is."""
        self.current()
        return self._taken

    def current(self) -> Switches:
        """The switches in force."""
        stamp = self._stamp()
        if self._path is not None and stamp != self._seen:
            with self._lock:
                if stamp != self._seen:
                    self._read(self._path, stamp)
        return self._current

    def _read(self, path: Path, stamp: tuple[int, int, int] | None) -> None:
        try:
            self._current = load_switches(path, self._trials, self._issuers)
            self._taken = True
            _log.warning("the switches were changed")
        except ContentFaults:
            self._taken = False
            _log.error("the switches file has a fault, the earlier ones stay in force")
        self._seen = stamp

    def _stamp(self) -> tuple[int, int, int] | None:
        if self._path is None:
            return None
        try:
            now = self._path.stat()
        except OSError:
            return None
        return now.st_mtime_ns, now.st_size, now.st_ino


class _Reading(SiteFile):
    def __init__(
        self, path: Path, trials: Collection[str], issuers: Collection[str] | None
    ) -> None:
        super().__init__(path)
        self._trials = trials
        self._issuers = issuers

    def switches(self, root: Table | None) -> Switches:
        if root is None:
            return Switches()
        self.known(root, _MEMBERS, "this file")
        shadow = (
            frozenset({_EVERYBODY})
            if root.get("shadow") == _EVERYBODY
            else self._clients(root, "shadow")
        )
        return Switches(shadow, self._by_trial(root))

    def _by_trial(self, root: Table) -> dict[str, TrialSwitch]:
        listed = root.get("trials")
        if listed is None:
            return {}
        if not isinstance(listed, Table):
            self.note(root.line_of("trials"), "'trials' must be a mapping.", "Begin with 'NCT…:'.")
            return {}
        found = {}
        for trial, item in listed.items():
            if trial not in self._trials:
                cure = did_you_mean(trial, self._trials) or f"There are {_few(self._trials)}."
                self.note(listed.line_of(trial), f"No trial is called '{trial}'.", cure)
            elif isinstance(item, Table):
                found[trial] = self._trial(item)
            else:
                cure = f"Known are {', '.join(_TRIAL)}."
                self.note(listed.line_of(trial), f"'{trial}' must be a mapping.", cure)
        return found

    def _trial(self, item: Table) -> TrialSwitch:
        self.known(item, _TRIAL, "a trial")
        return TrialSwitch(
            self._switch(item, "off"),
            self._clients(item, "clients"),
            frozenset(word.casefold() for word, _ in self.words(item, "roles")),
            frozenset(word.casefold() for word, _ in self.words(item, "departments")),
            tuple(self._contact(one) for one in self.tables(item, "contacts", "a contact")),
        )

    def _contact(self, item: Table) -> Contact:
        self.known(item, _CONTACT, "a contact")
        says = self.word(item, "says") or ""
        if "says" not in item:
            self.note(item.line, "A contact needs 'says'.", "Write a name and a number.")
        elif len(says) > _MOST_LETTERS:
            self.note(item.line_of("says"), "A contact is too long for a card.", "Shorten it.")
        return Contact(says, self._clients(item, "clients"))

    def _clients(self, item: Table, key: str) -> frozenset[str]:
        found = self.words(item, key)
        for word, line in found:
            if self._issuers is not None and word not in self._issuers:
                cure = did_you_mean(word, self._issuers) or "Write its iss, letter by letter."
                self.note(line, f"No trusted client is called '{word}'.", cure)
        return frozenset(word for word, _ in found)

    def _switch(self, item: Table, key: str) -> bool:
        word = (self.word(item, key) or "no").lower()
        if word not in _YES | _NO:
            self.note(item.line_of(key), f"'{key}' is neither yes nor no.", "Write yes or no.")
        return word in _YES


def _few(trials: Collection[str]) -> str:
    names = sorted(trials)[:3]
    return ", ".join(names) + (", …" if len(trials) > len(names) else "")
