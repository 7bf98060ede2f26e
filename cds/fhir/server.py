"""Fetching from a FHIR server what the prefetch did not bring.

fhirclient carries the requests, through a guarded session of ours; nothing of its models is used.
`FhirServers` lives as long as the process, a `FhirConnection` as long as one hook call.
"""

from __future__ import annotations

import re
import time
from threading import Thread
from typing import TYPE_CHECKING, Self

import requests
from fhirclient.server import FHIRServer

from cds.core.facts import Retrieval
from cds.fhir.addresses import AllowedBase, AllowList
from cds.fhir.batch import batch_of
from cds.fhir.breaker import Breaker
from cds.fhir.faults import FhirFault, Why
from cds.fhir.fetching import NO_BATCH, NO_PARTS, Fetching
from cds.fhir.learnt import Learnt, Statement
from cds.fhir.outbound import Deadline, GuardedSession, Limits, PooledAdapter
from cds.fhir.pages import (
    Page,
    kept_types,
    read_page,
    read_resource,
    search_params,
    takes_batches,
)
from cds.fhir.search import MEDICATION_TYPES, NARROWING, Fetched, Search, by_categories

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import TracebackType

_FHIR_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}", re.ASCII)
_MEDICATION = re.compile(r"(?P<base>.*/)?Medication/(?P<id>[A-Za-z0-9\-.]{1,64})(/_history/[^/]+)?")
_ASK_METADATA = frozenset({Why.NOT_FOUND, Why.REFUSED, Why.FORBIDDEN})
_METADATA_SECONDS = 10.0  # in the background: nobody waits for it
_ASKED = "was asked for its CapabilityStatement"
_ASK_AGAIN_SECONDS = 600.0


class FhirServers:
    """The FHIR servers that may be called: one object for a process, shared by its threads.

    `allow` are pairs of base and alias (None: no alias). Shared are the pooled connections, the
    breaker, and what is learnt of a server; never a token or anything of a patient.
    """

    def __init__(  # noqa: PLR0913 - each is one switch, by keyword
        self,
        allow: Iterable[tuple[str, str | None]],
        *,
        limits: Limits | None = None,
        not_kept: Iterable[str] = (),
        pause: float = 30.0,
        ca_file: str | None = None,
        batch: bool | None = False,
        narrow: bool | None = False,
        by_category: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the allow-list and limits.

        `batch`: whether searches are put into one request; None: where a server's
        CapabilityStatement offers it. `narrow`: whether of a long list of Observations only a part
        is asked for, where that suffices; None: where its CapabilityStatement names what that
        needs. `by_category`: these servers refuse a search for
        Observations that names no category.

        Raises:
            FhirFault: BAD_ADDRESS, where a listed base is no sound address.
        """
        self._allow = AllowList(allow)
        self.limits = limits or Limits()
        self.not_kept = frozenset(not_kept)
        self.breaker = Breaker(pause=pause, clock=clock)
        self._adapter = PooledAdapter()
        self._ca_file = ca_file
        self._batch = batch
        self._narrow = narrow
        self.by_category = by_category
        self.learnt = Learnt(clock)

    def connect(self, base: str, token: str | None, deadline: Deadline) -> FhirConnection:
        """A connection to a listed base for one hook call; nothing is sent yet.

        Raises:
            FhirFault: NOT_LISTED or BAD_ADDRESS.
        """
        return self._connected(self._allow.find(base), token, deadline)

    def _connected(
        self, allowed: AllowedBase, token: str | None, deadline: Deadline
    ) -> FhirConnection:
        session = GuardedSession(
            allowed,
            token=token,
            deadline=deadline,
            limits=self.limits,
            adapter=self._adapter,
            breaker=self.breaker,
            ca_file=self._ca_file,
        )
        return FhirConnection(self, allowed, session, deadline)

    def takes_batches(self, allowed: AllowedBase) -> bool:
        """Whether searches may be put into one batch for this server."""
        return self._does(allowed, self._batch, NO_BATCH, lambda said: said.batches)

    def narrows(self, allowed: AllowedBase) -> bool:
        """Whether this server can be asked for a part of the Observations."""
        needed = frozenset(NARROWING)
        return self._does(allowed, self._narrow, NO_PARTS, lambda said: needed <= said.observation)

    def _does(
        self,
        allowed: AllowedBase,
        setting: bool | None,  # noqa: FBT001 - what the settings say
        disproved: str,
        offered: Callable[[Statement], bool],
    ) -> bool:
        """Whether a server does something, by the settings, by what was seen, by what it says.

        Where its CapabilityStatement shall tell and nobody has read it lately, it is read in the
        background, without any token, for the calls to come; meanwhile what it last said holds.
        """
        server = str(allowed.base)
        if setting is False or self.learnt.holds(server, disproved):
            return False
        if setting is True:
            return True
        said, fresh = self.learnt.last_statement(server)
        if not fresh and self.learnt.note(server, _ASKED, _ASK_AGAIN_SECONDS):
            Thread(target=self._learn, args=(allowed,), name="fhir-metadata", daemon=True).start()
        return said is not None and offered(said)

    def _learn(self, allowed: AllowedBase) -> None:
        deadline = Deadline.after(_METADATA_SECONDS)
        with self._connected(allowed, None, deadline) as connection:
            connection.kept_types()


class FhirConnection:
    """One hook call's way to one FHIR server: its base, its token, its deadline."""

    def __init__(
        self,
        servers: FhirServers,
        allowed: AllowedBase,
        session: GuardedSession,
        deadline: Deadline,
    ) -> None:
        """Made by `FhirServers.connect`."""
        self._servers = servers
        self._allowed = allowed
        self._base = str(allowed.base)
        self._session = session
        self._deadline = deadline
        self._server = FHIRServer(None, base_uri=self._base)
        self._server.session.close()
        self._server.session = session

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._session.end()

    @property
    def by_category(self) -> bool:
        """Whether the settings say that this server wants a category with each such search."""
        return self._servers.by_category

    @property
    def bytes_received(self) -> int:
        """How many bytes of answers this hook call has read so far."""
        return self._session.received

    @property
    def requests_sent(self) -> int:
        """How many requests this hook call has sent so far, repeated ones among them."""
        return self._session.sent

    def read(self, path: str) -> bytes:
        """The body of one GET, relative to the base or absolute within it.

        Raises:
            FhirFault: whatever kept it away.
        """
        try:
            body = self._server.request_data(path)
        except requests.RequestException:
            body = None  # an address that requests could not even prepare
        if not isinstance(body, bytes):
            raise FhirFault(Why.BAD_ADDRESS)
        return body

    def read_medication(self, medication_id: str) -> bytes:
        """One Medication by its id.

        Raises:
            FhirFault: whatever kept it away; NOT_FHIR where something else came.
        """
        body = self.read(f"Medication/{medication_id}")
        if read_resource(body) != ("Medication", medication_id):
            raise FhirFault(Why.NOT_FHIR)
        return body

    def read_patient(self, patient_id: str) -> bytes:
        """The Patient by its id.

        Raises:
            FhirFault: whatever kept it away; WRONG_PATIENT where somebody else came.
        """
        body = self.read(f"Patient/{patient_id}")
        if read_resource(body) != ("Patient", patient_id):
            raise FhirFault(Why.WRONG_PATIENT)
        return body

    def kept_types(self) -> frozenset[str] | None:
        """The types that the server's CapabilityStatement names; None where it does not say."""
        said = self._servers.learnt.statement(self._base)
        if said is None:
            try:
                body = self.read("metadata")
                observation = search_params(body, "Observation")
                said = Statement(kept_types(body), takes_batches(body), observation)
            except FhirFault:
                return None  # it does not say now; the next call may ask again
            self._servers.learnt.note_statement(self._base, said)
        return said.types

    def takes_batches(self) -> bool:
        """Whether searches may be put into one batch."""
        return self._servers.takes_batches(self._allowed)

    def narrows(self) -> bool:
        """Whether a part of the Observations can be asked for."""
        return self._servers.narrows(self._allowed)

    def is_known(self, what: str) -> bool:
        """Whether something was noted of this server lately."""
        return self._servers.learnt.holds(self._base, what)

    def note(self, what: str) -> None:
        """Note something of this server for the calls to come."""
        self._servers.learnt.note(self._base, what)

    def fetch(self, patient_id: str, wanted: Sequence[Search]) -> list[Fetched]:
        """Ask, the first of `wanted` first; what has not come by the deadline is not waited for.

        The answers stand in the order of `wanted`. Where the one search for all Observations is
        refused or falls short, those for its categories follow it; where a server does not know
        categories, one answer for all follows. Medications that MedicationRequests and the like
        refer to are the last answer, read one by one where the server does not include them, and so
        are those that are wanted by themselves.
        """
        if not _FHIR_ID.fullmatch(patient_id):
            return [Fetched(one, Retrieval.NOT_RETRIEVED, (), Why.BAD_ADDRESS) for one in wanted]
        fetching = Fetching(self, self._servers, patient_id, wanted)
        return fetching.run(self._deadline, self._session)

    def batch(self, paths: Sequence[str]) -> bytes:
        """The answer to one batch of searches.

        Raises:
            FhirFault: whatever kept it away.
        """
        answer: requests.Response = self._server.post_json("", batch_of(paths))
        return answer.content

    def path_of(self, search: Search, patient_id: str) -> str:
        """The address of a search's first page, relative to the base."""
        size = self._servers.limits.page_size
        return search.path(patient_id, size, include=search.includes)

    def first_page(self, search: Search, patient_id: str) -> tuple[bytes, Page]:
        """The first page of a search, without `_include` where the server does not know it.

        Raises:
            FhirFault: whatever kept it away.
        """
        try:
            return self.page(self.path_of(search, patient_id), search)
        except FhirFault as fault:
            if not search.includes or fault.why is not Why.REFUSED:
                raise
        return self.page(search.path(patient_id, self._servers.limits.page_size), search)

    def page(self, url: str, search: Search) -> tuple[bytes, Page]:
        """One page of a search.

        Raises:
            FhirFault: whatever kept it away.
        """
        body = self.read(url)
        return body, read_page(body, search.resource_type)

    def admit(self, url: str) -> str:
        """The address to call for a link of this server's.

        Raises:
            FhirFault: it leads outside.
        """
        return self._allowed.admit(url)

    def is_not_kept(self, resource_type: str, why: Why) -> bool:
        """Whether a search may have failed because this server never has such resources."""
        if resource_type not in MEDICATION_TYPES or why not in _ASK_METADATA:
            return False
        kept = self.kept_types()
        return kept is not None and resource_type not in kept

    def not_included(self, pages: Sequence[Page]) -> list[str]:
        """Ids of this server's Medications that are referred to but did not come along."""
        came = {one for page in pages for one in page.included}
        wanted = self.medications_of(one for page in pages for one in page.medications)
        return [one for one in wanted if one not in came]

    def medications_of(self, references: Iterable[str]) -> list[str]:
        """Ids of the Medications that references name on this server, each once."""
        wanted: dict[str, None] = {}
        for reference in references:
            found = _MEDICATION.fullmatch(reference)
            if found and self._is_ours(found["base"]):
                wanted[found["id"]] = None
        return list(wanted)

    def _is_ours(self, base: str | None) -> bool:
        if base is None:
            return True
        try:
            return self._allowed.admit(base.rstrip("/")) == self._base
        except FhirFault:
            return False


class OneCall:
    """Everything that one call asks of one FHIR server about one patient.

    Connected when something is first asked, so that requests are counted and time is measured for
    all of it together. A base that may not be called is no error: what is asked is not retrieved.
    """

    def __init__(  # noqa: PLR0913 - what one hook call knows
        self,
        servers: FhirServers,
        base: str,
        token: str | None,
        patient_id: str,
        deadline: Deadline,
        *,
        by_category: bool = False,
    ) -> None:
        """Nothing is sent yet. `by_category`: no search shall ask for all Observations."""
        self._by_category = by_category
        self._servers = servers
        self._asks = (base, token, deadline)
        self._patient_id = patient_id
        self._connection: FhirConnection | None = None
        self.waited = 0.0
        """Seconds in which answers were waited for."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._connection is not None:
            self._connection.__exit__(kind, problem, trace)

    def fetch(self, wanted: Sequence[Search]) -> list[Fetched]:
        """The answers, as `FhirConnection.fetch` gives them."""
        if self._by_category:
            wanted = by_categories(wanted)
        if self._connection is None:
            try:
                self._connection = self._servers.connect(*self._asks)
            except FhirFault as fault:
                return [Fetched(one, Retrieval.NOT_RETRIEVED, (), fault.why) for one in wanted]
        began = time.monotonic()
        try:
            return self._connection.fetch(self._patient_id, wanted)
        finally:
            self.waited += time.monotonic() - began


def fetch_missing(  # noqa: PLR0913 - what one hook call knows
    servers: FhirServers,
    base: str,
    token: str | None,
    patient_id: str,
    wanted: Sequence[Search],
    deadline: Deadline,
) -> list[Fetched]:
    """Connect, fetch, and let go, for callers that ask only once."""
    with OneCall(servers, base, token, patient_id, deadline) as call:
        return call.fetch(wanted)
