"""The file of EHRs that may launch the page: their FHIR base, and as whom we are known there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cds.content.fault import ContentFaults
from cds.content.strict_yaml import Table, read_yaml
from cds.fhir.addresses import Address, read_base
from cds.fhir.backend import BackendClient, SignInFault, read_client
from cds.fhir.faults import FhirFault
from cds.settings import is_loopback
from cds.web.site_file import SiteFile

if TYPE_CHECKING:
    from pathlib import Path

_MEMBERS = (
    "iss",
    "client_id",
    "client_secret_file",
    "client_key_file",
    "key_id",
    "scopes",
    "dialect",
)


@dataclass(frozen=True, slots=True)
class Ehr:
    """One EHR that may launch. `iss` is its FHIR base, spelt as it was written.

    We are a public client, or a confidential one with a `secret` or a `key`. `scopes`: what to ask
    for in place of the usual.
    """

    iss: str
    base: Address
    client_id: str
    secret: str | None = field(default=None, repr=False)
    key: BackendClient | None = None
    scopes: str | None = None
    dialect: str | None = None


class Ehrs:
    """The allow-list of launches."""

    def __init__(self, listed: tuple[Ehr, ...]) -> None:
        """Take the EHRs, each with a base of its own."""
        self._by_base = {ehr.base: ehr for ehr in listed}

    @property
    def listed(self) -> tuple[Ehr, ...]:
        """All of them, as in the file."""
        return tuple(self._by_base.values())

    def find(self, iss: str) -> Ehr | None:
        """The EHR that a launch names; None for one that is not listed."""
        try:
            return self._by_base.get(read_base(iss))
        except FhirFault:
            return None


def load_ehrs(path: Path) -> Ehrs:
    """The EHRs of a file (YAML or JSON).

    Raises:
        ContentFaults: every fault of the file, each with its line.
    """
    root = read_yaml(path)
    reading = _Reading(path)
    if isinstance(root, Table):
        reading.known(root, ("ehrs",), "this file")
    items = reading.tables(root, "ehrs", "an EHR")
    if not items and not reading.faults:
        reading.note(1, "No EHR is listed under 'ehrs'.", "See docs/smart-launch.md.")
    found: dict[Address, Ehr] = {}
    for item in items:
        ehr = reading.ehr(item)
        if ehr is not None and ehr.base in found:
            reading.note(item.line, f"The iss '{ehr.iss}' is listed twice.", "Keep one of them.")
        elif ehr is not None:
            found[ehr.base] = ehr
    if reading.faults:
        raise ContentFaults(reading.faults)
    return Ehrs(tuple(found.values()))


class _Reading(SiteFile):
    def ehr(self, item: Table) -> Ehr | None:
        before = len(self.faults)
        self.known(item, _MEMBERS, "an EHR")
        for needed in ("iss", "client_id"):
            if needed not in item:
                says = f"An EHR needs '{needed}'."
                self.note(item.line, says, "Write what its administrators gave you.")
        iss = self.word(item, "iss")
        base = self._base(item, iss)
        ehr = Ehr(
            iss=iss or "",
            base=base or Address("https", "", 0, ""),
            client_id=self.word(item, "client_id") or "",
            secret=self._secret(item),
            key=self._key(item),
            scopes=self._scopes(item),
            dialect=self.dialect(item),
        )
        return ehr if len(self.faults) == before else None

    def _base(self, item: Table, iss: str | None) -> Address | None:
        if iss is None:
            return None
        try:
            base = read_base(iss)
        except FhirFault:
            base = None
        if base is None or (base.scheme != "https" and not is_loopback(base.host)):
            cure = "Write its FHIR base in full, with https unless it is this machine."
            self.note(item.line_of("iss"), "The iss is no address that can be used.", cure)
            return None
        return base

    def _secret(self, item: Table) -> str | None:
        if "client_secret_file" in item and "client_key_file" in item:
            says = "'client_secret_file' and 'client_key_file' stand side by side."
            self.note(item.line, says, "Keep the one that is registered.")
        content = self._read(item, "client_secret_file")
        if content is None:
            return None
        secret = content.decode("utf-8", "replace").strip()
        if not secret or not secret.isascii() or len(secret.split()) != 1:
            line = item.line_of("client_secret_file")
            self.note(line, "The file does not hold one secret alone.", "Write it on one line.")
            return None
        return secret

    def _key(self, item: Table) -> BackendClient | None:
        content = self._read(item, "client_key_file")
        if content is None:
            return None
        try:
            return read_client(
                self.word(item, "client_id") or "", content, self.word(item, "key_id")
            )
        except SignInFault as problem:
            line = item.line_of("client_key_file")
            self.note(line, f"'client_key_file' cannot be used: {problem}", "")
            return None

    def _scopes(self, item: Table) -> str | None:
        words = [word for word, _ in self.words(item, "scopes")]
        if words and "launch" not in words:
            cure = "Add '- launch'."
            self.note(item.line_of("scopes"), "Without the scope 'launch' nobody is told.", cure)
        return " ".join(words) or None

    def _read(self, item: Table, key: str) -> bytes | None:
        name = self.word(item, key)
        if name is None:
            return None
        try:
            return (self.path.parent / name).read_bytes()
        except OSError as problem:
            why = (problem.strerror or "unknown reason").lower()
            self.note(item.line_of(key), f"'{key}' cannot be read: {why}.", "")
            return None
