"""The file of trusted CDS clients: who they are, whose keys sign for them, what they may name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cds.content.fault import ContentFaults, Fault
from cds.content.strict_yaml import Items, Table, Value, read_yaml
from cds.fhir.addresses import Address, read_address, read_base
from cds.fhir.faults import FhirFault
from cds.settings import is_loopback
from cds.web.jwks import FetchedKeys, KeySet, KeysFault, keys_from_file, read_keys
from cds.web.site_file import SiteFile

if TYPE_CHECKING:
    from pathlib import Path

_MEMBERS = ("iss", "jku", "jwks", "jwks_file", "fhir_bases", "audiences", "dialect")


@dataclass(frozen=True, slots=True)
class Client:
    """One trusted client.

    `keys` are there where the file holds or names them, `fetched` where they are at `jku`.
    `fhir_bases`: the servers it may name; none: what it names is ignored. `audiences` are accepted
    as `aud` in addition to the address of the endpoint.
    """

    issuer: str
    jku: str | None
    keys: KeySet | None
    fetched: FetchedKeys | None
    fhir_bases: frozenset[Address]
    audiences: tuple[str, ...]
    dialect: str | None


def load_clients(path: Path, *, ca_file: str | None = None) -> dict[str, Client]:
    """The clients of a file (YAML or JSON) by issuer.

    Raises:
        ContentFaults: every fault of the file, each with its line.
    """
    root = read_yaml(path)
    name = str(path)
    if not isinstance(root, Table) or not isinstance(root.get("clients"), Items):
        says = "The file must hold one list under 'clients'."
        raise ContentFaults([Fault(name, 1, says, "See docs/security.md for an example.")])
    reading = _Reading(path, ca_file)
    for key in root:
        if key != "clients":
            reading.note(root.line_of(key), f"'{key}' is not known here.", "Only 'clients' is.")
    listed = root["clients"]
    assert isinstance(listed, Items)  # noqa: S101 - checked above, told to mypy
    found = [reading.client(item, line) for item, line in zip(listed, listed.lines, strict=True)]
    clients: dict[str, Client] = {}
    for client, line in zip(found, listed.lines, strict=True):
        if client is not None and client.issuer in clients:
            reading.note(
                line, f"The issuer '{client.issuer}' is listed twice.", "Keep one of them."
            )
        elif client is not None:
            clients[client.issuer] = client
    if not listed:
        reading.note(1, "No client is listed.", "List one, or unset TRIAL_CDS_CLIENTS.")
    if reading.faults:
        raise ContentFaults(reading.faults)
    return clients


class _Reading(SiteFile):
    """One pass over the file, which notes every fault."""

    def __init__(self, path: Path, ca_file: str | None) -> None:
        super().__init__(path)
        self._ca_file = ca_file

    def client(self, item: Value, line: int) -> Client | None:
        before = len(self.faults)
        if not isinstance(item, Table):
            self.note(line, "A client must be a mapping.", "Begin it with '- iss: https://…'.")
            return None
        self.known(item, _MEMBERS, "a client")
        issuer = self.word(item, "iss")
        if issuer is None and "iss" not in item:
            self.note(line, "A client needs an 'iss'.", "Write the issuer of its tokens.")
        jku = self._jku(item)
        client = Client(
            issuer=issuer or "",
            jku=jku,
            keys=self._keys(item, jku),
            fetched=self._fetched(item, jku),
            fhir_bases=self._bases(item),
            audiences=tuple(word for word, _ in self.words(item, "audiences")),
            dialect=self.dialect(item),
        )
        return client if len(self.faults) == before else None

    def _jku(self, item: Table) -> str | None:
        jku = self.word(item, "jku")
        if jku is None:
            return None
        try:
            address = read_address(jku)
        except FhirFault:
            address = None
        if address is None or (address.scheme != "https" and not is_loopback(address.host)):
            cure = "Write it in full, with https unless it is this machine."
            self.note(item.line_of("jku"), "The address of the keys cannot be used.", cure)
            return None
        return jku

    def _fetched(self, item: Table, jku: str | None) -> FetchedKeys | None:
        if jku is None or "jwks" in item or "jwks_file" in item:
            return None
        return FetchedKeys(jku, ca_file=self._ca_file)

    def _keys(self, item: Table, jku: str | None) -> KeySet | None:
        named = [key for key in ("jwks", "jwks_file") if key in item]
        if len(named) > 1:
            self.note(item.line, "'jwks' and 'jwks_file' stand side by side.", "Keep one of them.")
            return None
        if not named:
            if jku is None and "jku" not in item:
                cure = "Write 'jku', 'jwks_file' or 'jwks'."
                self.note(item.line, "Nothing says where the keys of this client are.", cure)
            return None
        key = named[0]
        try:
            if key == "jwks":
                return read_keys(_plain(item[key]))
            word = self.word(item, key)
            return None if word is None else keys_from_file(self.path.parent / word)
        except KeysFault as problem:
            cure = "Write the client's public JWK Set."
            self.note(item.line_of(key), f"'{key}' cannot be used: {problem}.", cure)
            return None

    def _bases(self, item: Table) -> frozenset[Address]:
        bases = set()
        for word, line in self.words(item, "fhir_bases"):
            try:
                bases.add(read_base(word))
            except FhirFault:
                cure = "Write it in full, such as https://fhir.example.org/r4."
                self.note(line, "A FHIR base is no address that can be used.", cure)
        return frozenset(bases)


def _plain(value: Value) -> object:
    """What the YAML reader gives, as JSON's own dicts and lists."""
    if isinstance(value, Table):
        return {key: _plain(child) for key, child in value.items()}
    if isinstance(value, Items):
        return [_plain(child) for child in value]
    return value
