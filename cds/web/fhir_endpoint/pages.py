"""Searchsets, page by page, with next links that say nothing of the search."""

import secrets
from collections import OrderedDict
from dataclasses import dataclass, replace
from threading import Lock

from cds.web.fhir_endpoint.dates import Json, JsonObject
from cds.web.fhir_endpoint.faults import Faults
from cds.web.fhir_endpoint.refusal import Refused, no_results, outcome
from cds.web.fhir_endpoint.searching import Search, included
from cds.web.fhir_endpoint.store import Store

_KEPT_PAGES = 10_000
_ERROR_SAYS = "Part of the data could not be read."


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a search that was carried out.

    `entries` are the entries of all pages (anything at all where a fault is at work), `start`
    counts those before this page, `query` is the search below the FHIR base, for the self link,
    and `token` what the page was asked for with, empty for the first.
    """

    search: Search
    entries: tuple[Json, ...]
    query: str
    start: int = 0
    token: str = ""

    @property
    def matches(self) -> tuple[Json, ...]:
        """The entries of this page."""
        return self.entries[self.start : self.start + self.search.count]

    @property
    def has_next(self) -> bool:
        """Whether entries are left after this page; a count of 0 asks for the total alone."""
        return 0 < self.search.count < len(self.entries) - self.start


class Pages:
    """Pages waiting to be asked for, by token; the oldest are forgotten."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Page] = OrderedDict()
        self._lock = Lock()

    def keep(self, page: Page) -> str:
        """A new token for a page."""
        token = secrets.token_urlsafe(12)
        with self._lock:
            self._kept[token] = replace(page, token=token)
            while len(self._kept) > _KEPT_PAGES:
                self._kept.popitem(last=False)
        return token

    def get(self, token: str) -> Page:
        """The page of a token; Refused (410) where it was never given out or is forgotten."""
        with self._lock:
            page = self._kept.get(token)
        if page is None:
            raise Refused(410, "This page is no longer kept; search again.")
        return page


def searchset(page: Page, pages: Pages, base: str, store: Store, faults: Faults) -> JsonObject:
    """The Bundle of one page; `base` is the FHIR base that its links and fullUrls begin with.

    `faults` are those in force for the page's resource type.
    """
    here = f"{base}?_getpages={page.token}" if page.token else f"{base}/{page.query}"
    links = [{"relation": "self", "url": here}]
    following = _next_link(page, pages, base, faults)
    if following:
        links.append({"relation": "next", "url": following})
    entries = [_addressed(entry, base) for entry in page.matches]
    entries += _include_entries(page, base, store, faults)
    entries += _outcome_entries(page, faults)
    bundle: JsonObject = {"resourceType": "Bundle", "id": secrets.token_hex(8), "type": "searchset"}
    if not faults.no_total:
        bundle["total"] = len(page.entries) + faults.extra_total
    bundle["link"] = links
    if entries:  # FHIR knows no empty list
        bundle["entry"] = entries
    return bundle


def _next_link(page: Page, pages: Pages, base: str, faults: Faults) -> str | None:
    if faults.foreign_next:
        return f"{faults.foreign_next.rstrip('/')}?_getpages={pages.keep(page)}"
    if faults.looping_next:
        return f"{base}?_getpages={page.token or pages.keep(page)}"
    if page.has_next:
        following = replace(page, start=page.start + page.search.count)
        return f"{base}?_getpages={pages.keep(following)}"
    return f"{base}?_getpages={pages.keep(page)}" if faults.endless else None


def _addressed(entry: Json, base: str) -> Json:
    """An entry with its fullUrl, where its resource has a type and an id."""
    resource = entry.get("resource") if isinstance(entry, dict) else None
    if not isinstance(resource, dict) or "id" not in resource:
        return entry
    return {"fullUrl": f"{base}/{resource.get('resourceType')}/{resource['id']}"} | entry


def _include_entries(page: Page, base: str, store: Store, faults: Faults) -> list[JsonObject]:
    if not page.search.include or faults.include == "ignored":
        return []
    resources = [entry.get("resource") for entry in page.matches if isinstance(entry, dict)]
    return [
        {
            "fullUrl": f"{base}/{resource['resourceType']}/{resource['id']}",
            "resource": resource,
            "search": {"mode": "include"},
        }
        for resource in included(page.search, resources, store)
    ]


def _outcome_entries(page: Page, faults: Faults) -> list[JsonObject]:
    found = []
    if faults.error_entry:
        found.append(outcome("error", "exception", _ERROR_SAYS))
    if faults.empty_warning and not page.entries:
        found.append(no_results())
    return [{"resource": one, "search": {"mode": "outcome"}} for one in found]
