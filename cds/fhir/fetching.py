"""All searches of one call: begun in the order of their use, page by page, as far as time allows.

Where the server takes batches their first pages come in one request. What a batch does not answer,
and every further page, is asked for by itself, in parallel.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from typing import TYPE_CHECKING

from cds.core.facts import Retrieval
from cds.fhir.batch import parts_of
from cds.fhir.faults import FhirFault, Why
from cds.fhir.pages import holds_dates
from cds.fhir.search import (
    Fetched,
    Progress,
    Search,
    by_categories,
    one_by_one,
    only_recent,
    only_undated,
    without_category,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cds.fhir.outbound import Deadline, GuardedSession
    from cds.fhir.pages import Page
    from cds.fhir.server import FhirConnection, FhirServers

NO_BATCH = "takes no batches after all"
NO_PARTS = "cannot tell which Observations are recent, or have no date, after all"
BY_CATEGORY = "refuses Observations without a category"
_FEWEST = 3
"""A batch must save two requests: its answer comes whole or not at all."""
_NOT_FOR_BATCHES = frozenset(
    {
        Why.REFUSED,
        Why.NOT_FOUND,
        Why.FORBIDDEN,
        Why.NOT_FHIR,
        Why.FAILED,
        Why.TIMEOUT,
        Why.TOO_LARGE,
    }
)
NOT_TOLD = frozenset({Why.REFUSED, Why.NOT_FOUND, Why.FORBIDDEN, Why.NOT_FHIR, Why.FAILED})
"""Why a part of a list may be refused where the list is not."""
_SHORT_LIST = 3
"""Pages of a list that are followed sooner than its parts are asked for: that takes three."""
_TELLS_LITTLE = frozenset(
    {Why.REFUSED, Why.FORBIDDEN, Why.OUTCOME, Why.TRUNCATED, Why.TOO_MANY_PAGES}
)
"""Why a search for all Observations may fall short where those for some categories do not."""


class Reading:
    """One search, or one Medication to be read, and how far it is."""

    def __init__(
        self, search: Search, medication: str | None = None, part_of: Reading | None = None
    ) -> None:
        """`part_of`: the long list of which this search is to bring a part."""
        self.progress = Progress(search)
        self.medication = medication
        self.part_of = part_of
        self.pages: list[Page] = []
        self.seen: set[str] = set()
        self.parts: list[Reading] = []
        """The searches by category that followed this one for all."""
        self.newest: Reading | None = None
        """The search for the recent part of this long list."""
        self.undated: Reading | None = None
        """The search for what has no date, where that and the recent part suffice."""
        self.goes_on = False
        """Whether its pages are followed although a part of it was to suffice."""

    @property
    def search(self) -> Search:
        """What was asked."""
        return self.progress.search

    def take(self, body: bytes, page: Page) -> None:
        """Add a page; whether the search has ended is seen from it."""
        self.progress.bodies.append(body)
        self.pages.append(page)
        if page.next_url is None:
            self.end(_what_is_missing(self.pages))

    def end(self, why: Why | None) -> None:
        """It is over: whole, or for a reason."""
        self.progress.why = why
        self.progress.ended = True

    @property
    def came_whole(self) -> bool:
        """Whether it ended with nothing missing."""
        return self.progress.ended and self.progress.why is None

    def refused_category(self) -> bool:
        """Whether the server may know Observations, but no categories."""
        progress = self.progress
        return self.search.by_category and not progress.bodies and progress.why is Why.REFUSED


class Fetching:
    """One call of `FhirConnection.fetch`."""

    def __init__(
        self,
        connection: FhirConnection,
        servers: FhirServers,
        patient_id: str,
        wanted: Sequence[Search],
    ) -> None:
        self._connection = connection
        self._servers = servers
        self._patient_id = patient_id
        if servers.by_category or connection.is_known(BY_CATEGORY):
            wanted = by_categories(wanted)
        self._top = [Reading(one) for one in wanted if not one.reference]
        self._references = [one.reference for one in wanted if one.reference]
        for reading in self._top:
            if reading.search.resource_type in servers.not_kept:
                reading.progress.not_kept = True
                reading.end(Why.NOT_FOUND)
        self._reads: dict[str, Reading] = {}
        self._reads_left_out = False
        self._unfiltered: Reading | None = None
        self._waiting: deque[Reading] = deque()
        self._reads_waiting: deque[Reading] = deque()
        self._under_way: dict[Future[None], tuple[Reading, ...]] = {}

    def run(self, deadline: Deadline, session: GuardedSession) -> list[Fetched]:
        """Ask, and give the answers in the order of what was wanted."""
        open_ones = [one for one in self._top if not one.progress.ended]
        pool = ThreadPoolExecutor(self._servers.limits.parallel, thread_name_prefix="fhir")
        if len(open_ones) >= _FEWEST and self._connection.takes_batches():
            self._submit(pool, self._batch, *open_ones)
        else:
            self._waiting.extend(open_ones)
        for medication in self._connection.medications_of(self._references):
            self._read_medication(medication)
        while True:
            self._begin(pool, deadline, session)
            if not self._under_way:
                break
            done, _ = wait(self._under_way, timeout=deadline.left, return_when=FIRST_COMPLETED)
            if not done:
                session.end()
                break
            for one in done:
                readings = self._under_way.pop(one)
                one.result()
                for reading in readings:
                    self._go_on(reading)
        pool.shutdown(wait=False, cancel_futures=True)
        return self._answers() + self._medications()

    def _begin(self, pool: ThreadPoolExecutor, deadline: Deadline, session: GuardedSession) -> None:
        """Send what waits, as far as requests may be under way and there is time for an answer."""
        while len(self._under_way) < self._servers.limits.parallel:
            reading = self._next()
            if reading is None:
                return
            if deadline.left < session.quickest:
                reading.end(Why.NO_TIME)
            else:
                self._submit(pool, self._step, reading)

    def _next(self) -> Reading | None:
        """What to send next: pages of lists before Medications, each of which is one entry's name.

        While lists are under way Medications take half of the requests at most, so that slow ones
        keep no list waiting.
        """
        if self._waiting:
            return self._waiting.popleft()
        if not self._reads_waiting:
            return None
        reads = sum(one.medication is not None for (one, *_) in self._under_way.values())
        if reads < len(self._under_way) and reads >= self._servers.limits.parallel // 2:
            return None
        return self._reads_waiting.popleft()

    def _submit(
        self, pool: ThreadPoolExecutor, task: Callable[..., None], *readings: Reading
    ) -> None:
        self._under_way[pool.submit(task, *readings)] = readings

    def _batch(self, *readings: Reading) -> None:
        """The first page of each in one request; what it leaves open is asked for later."""
        paths = [self._connection.path_of(one.search, self._patient_id) for one in readings]
        try:
            body = self._connection.batch(paths)
            parts = parts_of(body, [one.search.resource_type for one in readings])
        except FhirFault as fault:
            if fault.why in _NOT_FOR_BATCHES:
                self._connection.note(NO_BATCH)
            return
        for reading, part in zip(readings, parts, strict=True):
            if part.page is not None:
                reading.take(part.body, part.page)
            elif part.why is not None:
                self._fail(reading, part.why)

    def _step(self, reading: Reading) -> None:
        """The next page of a search, or the one resource that is read."""
        try:
            if reading.medication is not None:
                body = self._connection.read_medication(reading.medication)
                reading.progress.bodies.append(body)
                reading.end(None)
            elif reading.search.resource_type == "Patient":
                reading.progress.bodies.append(self._connection.read_patient(self._patient_id))
                reading.end(None)
            elif not reading.pages:
                reading.take(*self._connection.first_page(reading.search, self._patient_id))
            else:
                self._next_page(reading)
        except FhirFault as fault:
            self._fail(reading, fault.why)

    def _next_page(self, reading: Reading) -> None:
        if len(reading.pages) >= self._servers.limits.max_pages:
            raise FhirFault(Why.TOO_MANY_PAGES)
        url = self._connection.admit(reading.pages[-1].next_url or "")
        if url in reading.seen:
            raise FhirFault(Why.LOOP)
        reading.seen.add(url)
        reading.take(*self._connection.page(url, reading.search))

    def _fail(self, reading: Reading, why: Why) -> None:
        progress = reading.progress
        if not progress.bodies:
            progress.not_kept = self._connection.is_not_kept(reading.search.resource_type, why)
        reading.end(why)

    def _go_on(self, reading: Reading) -> None:
        """Queue what follows from a page, or from the end of a search."""
        if reading.part_of is not None:
            self._go_on_with_parts(reading.part_of)
        if not reading.progress.ended:
            self._go_on_with_pages(reading)
            return
        for medication in self._connection.not_included(reading.pages):
            self._read_medication(medication)
        search, why = reading.search, reading.progress.why
        if search.codes and why in NOT_TOLD:
            self._connection.note(NO_PARTS)
        if search.is_unfiltered and why in _TELLS_LITTLE and reading is not self._unfiltered:
            if why is Why.REFUSED:
                self._connection.note(BY_CATEGORY)
            reading.parts = [Reading(one) for one in one_by_one(search)]
            self._waiting.extend(reading.parts)
        elif self._unfiltered is None and reading in self._top and reading.refused_category():
            self._unfiltered = Reading(without_category(search))
            self._waiting.append(self._unfiltered)

    def _go_on_with_pages(self, reading: Reading) -> None:
        """Queue the next page; after the first, what may matter more, or stand in for the rest."""
        if len(reading.pages) == 1 and reading.search.recent is not None:
            reading.newest = Reading(only_recent(reading.search), part_of=reading)
            self._waiting.appendleft(reading.newest)
            if self._is_worth_narrowing(reading):
                reading.undated = Reading(only_undated(reading.search), part_of=reading)
                self._waiting.appendleft(reading.undated)
                return
        self._waiting.append(reading)

    def _is_worth_narrowing(self, reading: Reading) -> bool:
        """Whether a part of a list will do that is longer than what asking for parts costs."""
        first = reading.pages[0]
        few = first.total is not None and first.total <= _SHORT_LIST * len(first.ids)
        wanted = reading.search.suffices and not few and not first.left_out
        return wanted and self._connection.narrows()

    def _go_on_with_parts(self, whole: Reading) -> None:
        """End a list whose parts came, or follow its pages after all where one was refused."""
        recent, undated = whole.newest, whole.undated
        if recent is None or undated is None or whole.goes_on or whole.progress.ended:
            return
        parts = [part for part in (recent, undated) if part.progress.ended]
        untold = any(part.progress.why in NOT_TOLD for part in parts)
        if untold or any(holds_dates(body) for body in undated.progress.bodies):
            self._connection.note(NO_PARTS)
        elif len(parts) < 2:  # noqa: PLR2004 - there are two of them
            return
        elif recent.came_whole and undated.came_whole:
            whole.progress.since = whole.search.recent
            whole.end(None)
            return
        whole.goes_on = True
        self._waiting.append(whole)

    def _read_medication(self, medication: str) -> None:
        if medication in self._reads:
            return
        if len(self._reads) >= self._servers.limits.max_reads:
            self._reads_left_out = True
            return
        self._reads[medication] = Reading(Search("Medication", covers="Medication"), medication)
        self._reads_waiting.append(self._reads[medication])

    def _answers(self) -> list[Fetched]:
        """The answers in order; one for all Observations in place of categories not known."""
        wide = [] if self._unfiltered is None else _answers(self._unfiltered)
        replaced = any(one.bodies for one in wide)
        readings = [one for one in self._top if not (replaced and one.refused_category())]
        found = [one for reading in readings for one in _answers(reading)]
        return found + (wide if replaced else [])

    def _medications(self) -> list[Fetched]:
        """One answer for all Medications that were read by themselves."""
        if not self._reads:
            elsewhere = Search("Medication", covers="Medication")
            why = Why.OUTSIDE  # every one that was asked for is another server's
            answer = Fetched(elsewhere, Retrieval.NOT_RETRIEVED, (), why)
            return [answer] if self._references else []
        reads = [one.progress.fetched(Why.DEADLINE) for one in self._reads.values()]
        missing = next((one.why for one in reads if one.why is not None), None)
        if missing is None and self._reads_left_out:
            missing = Why.TOO_MANY_REQUESTS
        bodies = tuple(body for one in reads for body in one.bodies)
        state = Retrieval.COMPLETE
        if missing is not None:
            state = Retrieval.PARTIAL if bodies else Retrieval.NOT_RETRIEVED
        return [Fetched(Search("Medication", covers="Medication"), state, bodies, missing)]


def _what_is_missing(pages: Sequence[Page]) -> Why | None:
    """Why a search that ended is incomplete all the same."""
    if any(page.left_out for page in pages):
        return Why.OUTCOME
    if any(page.strange for page in pages):
        return Why.STRANGE
    ids = [one for page in pages for one in page.ids]
    came = len({one for one in ids if one}) + ids.count("")
    total = max((page.total for page in pages if page.total is not None), default=0)
    if total > came:
        return Why.TRUNCATED
    return Why.UNCLEAR if any(page.unclear for page in pages) else None


def _answers(reading: Reading) -> list[Fetched]:
    """What came of one search: with its recent part where its end is missing, or by category."""
    whole = reading.progress.fetched(Why.DEADLINE)
    if reading.newest is not None and (whole.state is Retrieval.CUT_OFF or whole.since is not None):
        found = [one for one in (reading.newest, reading.undated) if one is not None]
        bodies = [body for one in found for body in one.progress.bodies]
        since = reading.search.recent if reading.newest.came_whole else None
        whole = replace(whole, bodies=(*whole.bodies, *bodies), since=since)
    parts = [one for part in reading.parts for one in _answers(part)]
    if parts and not whole.bodies:
        return parts
    return [whole, *parts]
