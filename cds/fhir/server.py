"""Fetching from a FHIR server what the prefetch did not bring.

fhirclient carries the requests, through a guarded session of ours; nothing of its models is used.
`FhirServers` lives as long as the process, a `FhirConnection` as long as one hook call.
"""

from __future__ import annotations

import re
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from threading import Lock
from typing import TYPE_CHECKING, Self

import requests
from fhirclient.server import FHIRServer

from cds.core.facts import Retrieval
from cds.fhir.addresses import AllowedBase, AllowList
from cds.fhir.breaker import Breaker
from cds.fhir.faults import FhirFault, Why
from cds.fhir.outbound import Deadline, GuardedSession, Limits, PooledAdapter
from cds.fhir.pages import Page, kept_types, read_page, read_resource
from cds.fhir.search import MEDICATION_TYPES, Fetched, Progress, Search, without_category

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import TracebackType

_FHIR_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}", re.ASCII)
_MEDICATION = re.compile(r"(?P<base>.*/)?Medication/(?P<id>[A-Za-z0-9\-.]{1,64})(/_history/[^/]+)?")
_ASK_METADATA = frozenset({Why.NOT_FOUND, Why.REFUSED, Why.FORBIDDEN})
_METADATA_SECONDS = 3_600.0


class FhirServers:
    """The FHIR servers that may be called: one object for a process, shared by its threads.

    `allow` are pairs of base and alias (None: no alias). Shared are the pooled connections, the
    breaker, and which types a server says it keeps; never a token or anything of a patient.
    """

    def __init__(  # noqa: PLR0913 - each is one switch, by keyword
        self,
        allow: Iterable[tuple[str, str | None]],
        *,
        limits: Limits | None = None,
        not_kept: Iterable[str] = (),
        pause: float = 30.0,
        ca_file: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the allow-list and limits.

        Raises:
            FhirFault: BAD_ADDRESS, where a listed base is no sound address.
        """
        self._allow = AllowList(allow)
        self.limits = limits or Limits()
        self.not_kept = frozenset(not_kept)
        self.breaker = Breaker(pause=pause, clock=clock)
        self._adapter = PooledAdapter()
        self._ca_file = ca_file
        self._clock = clock
        self._kept: dict[str, tuple[float, frozenset[str] | None]] = {}
        self._lock = Lock()

    def connect(self, base: str, token: str | None, deadline: Deadline) -> FhirConnection:
        """A connection to a listed base for one hook call; nothing is sent yet.

        Raises:
            FhirFault: NOT_LISTED or BAD_ADDRESS.
        """
        allowed = self._allow.find(base)
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

    def remembered_types(self, server: str) -> tuple[bool, frozenset[str] | None]:
        """Whether a server's CapabilityStatement was read lately, and which types it names."""
        with self._lock:
            when, types = self._kept.get(server, (float("-inf"), None))
        return self._clock() - when < _METADATA_SECONDS, types

    def remember_types(self, server: str, types: frozenset[str] | None) -> None:
        """Keep what a server's CapabilityStatement says for an hour."""
        with self._lock:
            self._kept[server] = (self._clock(), types)


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

    def kept_types(self) -> frozenset[str] | None:
        """The types that the server's CapabilityStatement names; None where it does not say."""
        known, types = self._servers.remembered_types(self._base)
        if not known:
            try:
                types = kept_types(self.read("metadata"))
            except FhirFault:
                return None  # it does not say now; the next call may ask again
            self._servers.remember_types(self._base, types)
        return types

    def fetch(self, patient_id: str, wanted: Sequence[Search]) -> list[Fetched]:
        """Ask everything in parallel; what has not come by the deadline is not waited for.

        The answers stand in the order of `wanted`. Medications that MedicationRequests and the
        like refer to follow as one answer of their own, read one by one where the server does not
        include them. Where a server does not know Observation categories, one answer for
        `Observation` stands in place of those for its categories.
        """
        if not _FHIR_ID.fullmatch(patient_id):
            return [Fetched(one, Retrieval.NOT_RETRIEVED, (), Why.BAD_ADDRESS) for one in wanted]
        return _Fetch(self, self._servers, patient_id, wanted).run(self._deadline, self._session)

    def follow(self, progress: Progress, patient_id: str) -> list[str]:
        """Read a search to its end into `progress`; gives Medications that did not come along."""
        pages: list[Page] = []
        try:
            if progress.search.resource_type == "Patient":
                self._read_patient(progress, patient_id)
            else:
                self._read_pages(progress, patient_id, pages)
        except FhirFault as fault:
            progress.why = fault.why
            progress.not_kept = self._is_not_kept(progress)
        progress.ended = True
        return self._not_included(pages)  # of an incomplete search too: what came counts

    def _is_not_kept(self, progress: Progress) -> bool:
        """Whether a medication search failed because this server never has such resources."""
        resource_type = progress.search.resource_type
        asked = resource_type in MEDICATION_TYPES and not progress.bodies
        if not asked or progress.why not in _ASK_METADATA:
            return False
        kept = self.kept_types()
        return kept is not None and resource_type not in kept

    def _read_patient(self, progress: Progress, patient_id: str) -> None:
        body = self.read(progress.search.path(patient_id, 1))
        if read_resource(body) != ("Patient", patient_id):
            raise FhirFault(Why.WRONG_PATIENT)
        progress.bodies.append(body)

    def _read_pages(self, progress: Progress, patient_id: str, pages: list[Page]) -> None:
        search, limits = progress.search, self._servers.limits
        page = self._first_page(progress, patient_id)
        pages.append(page)
        seen: set[str] = set()
        while page.next_url is not None:
            if len(pages) >= limits.max_pages:
                raise FhirFault(Why.TOO_MANY_PAGES)
            url = self._allowed.admit(page.next_url)
            if url in seen:
                raise FhirFault(Why.LOOP)
            seen.add(url)
            body = self.read(url)
            page = read_page(body, search.resource_type)
            progress.bodies.append(body)
            pages.append(page)
        progress.why = _what_is_missing(pages)

    def _first_page(self, progress: Progress, patient_id: str) -> Page:
        search, size = progress.search, self._servers.limits.page_size
        include = search.resource_type in MEDICATION_TYPES
        try:
            body = self.read(search.path(patient_id, size, include=include))
        except FhirFault as fault:
            if not include or fault.why is not Why.REFUSED:
                raise
            body = b""
        if not body:  # the server may know the search but not _include
            body = self.read(search.path(patient_id, size))
        page = read_page(body, search.resource_type)
        progress.bodies.append(body)
        return page

    def _not_included(self, pages: Sequence[Page]) -> list[str]:
        """Ids of this server's Medications that are referred to but did not come along."""
        came = {one for page in pages for one in page.included}
        wanted: dict[str, None] = {}
        for reference in (one for page in pages for one in page.medications):
            found = _MEDICATION.fullmatch(reference)
            if found and found["id"] not in came and self._is_ours(found["base"]):
                wanted[found["id"]] = None
        return list(wanted)

    def _is_ours(self, base: str | None) -> bool:
        if base is None:
            return True
        try:
            return self._allowed.admit(base.rstrip("/")) == self._base
        except FhirFault:
            return False


def _what_is_missing(pages: Sequence[Page]) -> Why | None:
    """Why a search that ended is incomplete all the same."""
    if any(page.left_out for page in pages):
        return Why.OUTCOME
    ids = [one for page in pages for one in page.ids]
    came = len({one for one in ids if one}) + ids.count("")
    total = max((page.total for page in pages if page.total is not None), default=0)
    return Why.TRUNCATED if total > came else None


class _Fetch:
    """All searches of one call of `fetch`, and the further requests that their answers ask for."""

    def __init__(
        self,
        connection: FhirConnection,
        servers: FhirServers,
        patient_id: str,
        wanted: Sequence[Search],
    ) -> None:
        self._connection = connection
        self._limits = servers.limits
        self._patient_id = patient_id
        self._under_way = [self._start(one, servers.not_kept) for one in wanted]
        self._reads: dict[str, Progress] = {}
        self._reads_left_out = False
        self._unfiltered: Progress | None = None

    @staticmethod
    def _start(search: Search, not_kept: frozenset[str]) -> Progress:
        progress = Progress(search)
        if search.resource_type in not_kept:
            progress.ended = progress.not_kept = True
            progress.why = Why.NOT_FOUND
        return progress

    def run(self, deadline: Deadline, session: GuardedSession) -> list[Fetched]:
        pool = ThreadPoolExecutor(self._limits.parallel, thread_name_prefix="fhir")
        pending = {pool.submit(self._follow, one): one for one in self._under_way if not one.ended}
        while pending:
            done, _ = wait(pending, timeout=deadline.left, return_when=FIRST_COMPLETED)
            if not done:
                session.end()
                break
            for one in done:
                pending |= self._more(pool, pending.pop(one), one.result())
        pool.shutdown(wait=False, cancel_futures=True)
        return self._answers()

    def _follow(self, progress: Progress) -> list[str]:
        return self._connection.follow(progress, self._patient_id)

    def _read(self, progress: Progress, medication: str) -> list[str]:
        """Read one Medication; what cannot be read stays a reference that nobody recognises."""
        try:
            progress.bodies.append(self._connection.read_medication(medication))
        except FhirFault as fault:
            progress.why = fault.why
        progress.ended = True
        return []

    def _more(
        self, pool: ThreadPoolExecutor, progress: Progress, medications: Sequence[str]
    ) -> dict[Future[list[str]], Progress]:
        """The requests that one answer asks for: Medications to read, a search to widen."""
        more: dict[Future[list[str]], Progress] = {}
        for medication in medications:
            if medication in self._reads:
                continue
            if len(self._reads) >= self._limits.max_reads:
                self._reads_left_out = True
                continue
            read = self._reads[medication] = Progress(Search("Medication", covers="Medication"))
            more[pool.submit(self._read, read, medication)] = read
        if self._unfiltered is None and _category_not_understood(progress):
            self._unfiltered = Progress(without_category(progress.search))
            more[pool.submit(self._follow, self._unfiltered)] = self._unfiltered
        return more

    def _answers(self) -> list[Fetched]:
        answers = [one.fetched(Why.DEADLINE) for one in self._under_way]
        if self._unfiltered is not None:
            wide = self._unfiltered.fetched(Why.DEADLINE)
            if wide.bodies:
                refused = {
                    id(one.search) for one in self._under_way if _category_not_understood(one)
                }
                answers = [one for one in answers if id(one.search) not in refused] + [wide]
        return answers + self._medications()

    def _medications(self) -> list[Fetched]:
        if not self._reads:
            return []
        reads = [one.fetched(Why.DEADLINE) for one in self._reads.values()]
        missing = next((one.why for one in reads if one.why is not None), None)
        if missing is None and self._reads_left_out:
            missing = Why.TOO_MANY_REQUESTS
        bodies = tuple(body for one in reads for body in one.bodies)
        state = Retrieval.COMPLETE
        if missing is not None:
            state = Retrieval.PARTIAL if bodies else Retrieval.NOT_RETRIEVED
        return [Fetched(Search("Medication", covers="Medication"), state, bodies, missing)]


def _category_not_understood(progress: Progress) -> bool:
    """A 400 to a search by category: the server may know Observations without it."""
    by_category = any(name == "category" for name, _ in progress.search.params)
    return by_category and not progress.bodies and progress.why is Why.REFUSED


def fetch_missing(  # noqa: PLR0913 - what one hook call knows
    servers: FhirServers,
    base: str,
    token: str | None,
    patient_id: str,
    wanted: Sequence[Search],
    deadline: Deadline,
) -> list[Fetched]:
    """Connect, fetch, and let go: `FhirConnection.fetch` for callers that ask only once.

    A base that may not be called is no error: everything wanted then is not retrieved.
    """
    try:
        connection = servers.connect(base, token, deadline)
    except FhirFault as fault:
        return [Fetched(one, Retrieval.NOT_RETRIEVED, (), fault.why) for one in wanted]
    with connection:
        return connection.fetch(patient_id, wanted)
