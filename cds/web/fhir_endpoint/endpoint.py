"""The interactions of the FHIR API over the store, free of any web framework."""

from dataclasses import dataclass, field, replace
from http import HTTPStatus
from time import sleep
from typing import TypeAlias
from urllib.parse import parse_qsl, urlencode, urlsplit

from cds.web.fhir_endpoint.capabilities import capability_statement
from cds.web.fhir_endpoint.dates import Json, JsonObject
from cds.web.fhir_endpoint.entries import entries_of
from cds.web.fhir_endpoint.faults import Faults
from cds.web.fhir_endpoint.matching import matches
from cds.web.fhir_endpoint.pages import Page, Pages, searchset
from cds.web.fhir_endpoint.parameters import KNOWN_TYPES, parameters_of
from cds.web.fhir_endpoint.refusal import Refused
from cds.web.fhir_endpoint.searching import carry_out, read_search, without_missing
from cds.web.fhir_endpoint.store import Store

Query: TypeAlias = list[tuple[str, str]]
_PAGE = "_getpages"
_SOUND = Faults()
_FORBIDDEN_CATEGORY = "You may not read Observations of this category."


@dataclass(frozen=True, slots=True)
class Answer:
    """HTTP status, body (a FHIR resource) and headers."""

    status: int
    body: JsonObject
    headers: dict[str, str] = field(default_factory=dict)


class Endpoint:
    """A FHIR API over a store. `faults` may be replaced while it serves."""

    def __init__(
        self, store: Store, *, faults: Faults, writable: bool, page_size: int, max_count: int
    ) -> None:
        self.store = store
        self.faults = faults
        self._writable = writable
        self._page_size = page_size
        self._max_count = max_count
        self._pages = Pages()

    def faults_for(self, path: str, query: Query) -> Faults:
        """The faults in force for a request, those limited to other types left out."""
        resource_type = path.split("/", maxsplit=1)[0]
        token = dict(query).get(_PAGE)
        if not path and token:
            resource_type = self._pages.get(token).search.resource_type
        return self._faults_about(resource_type)

    def _faults_about(self, resource_type: str) -> Faults:
        faults = self.faults
        if faults.strike(resource_type):
            return faults
        return replace(
            _SOUND,
            slow_types=faults.slow_types,
            forbidden_types=faults.forbidden_types,
            forbidden_categories=faults.forbidden_categories,
            needs_category=faults.needs_category,
            no_batch=faults.no_batch,
            fhir_version=faults.fhir_version,
        )

    def answer(self, method: str, path: str, query: Query, body: Json, base: str) -> Answer:
        """Carry out one request.

        `path` is what follows the FHIR base, without slashes at its ends; `body` is the JSON
        that came, None without one; `base` begins the links of the answer. Raises Refused.
        """
        match method, path.split("/"):
            case "GET", parts:
                return self._get(parts, query, base)
            case "POST", parts:
                return self._post(parts, query, body, base)
            case "PUT", [resource_type, key]:
                return self._update(resource_type, key, body)
        raise _nothing_here()

    def _get(self, parts: list[str], query: Query, base: str) -> Answer:
        match parts:
            case ["metadata"]:
                return self._metadata()
            case [""] if dict(query).get(_PAGE):
                return self._page(self._pages.get(dict(query)[_PAGE]), base)
            case [resource_type] if resource_type:
                return self._search(resource_type, query, base)
            case [resource_type, key]:
                return self._read(resource_type, key)
        raise _nothing_here()

    def _post(self, parts: list[str], query: Query, body: Json, base: str) -> Answer:
        match parts:
            case [""]:
                return self._batch(body, base)
            case [resource_type]:
                return self._create(resource_type, body, base)
            case [resource_type, "_search"]:
                return self._search(resource_type, query, base)
        raise _nothing_here()

    def _metadata(self) -> Answer:
        types = self.store.types()
        return Answer(200, capability_statement(types, writable=self._writable, faults=self.faults))

    def _admit(self, resource_type: str) -> None:
        """Refuse a type that is unknown or forbidden, after the time that it takes."""
        sleep(self.faults.slow_types.get(resource_type, 0))
        if resource_type not in KNOWN_TYPES and resource_type not in self.store.types():
            raise Refused(404, "This server has no such resource type; see metadata.")
        if resource_type in self.faults.forbidden_types:
            raise Refused(403, f"You may not read {resource_type}.")

    def _read(self, resource_type: str, key: str) -> Answer:
        self._admit(resource_type)
        resource = self.store.read(resource_type, key)
        if resource is None:
            raise Refused(404, f"There is no {resource_type} with this id.")
        forbidden = ",".join(sorted(self.faults.forbidden_categories))
        if resource_type == "Observation" and forbidden:
            category = parameters_of(resource_type)["category"]
            if matches(resource, category, "category", forbidden):
                raise Refused(403, _FORBIDDEN_CATEGORY)
        return Answer(200, resource)

    def _search(self, resource_type: str, query: Query, base: str) -> Answer:
        self._admit(resource_type)
        faults = self._faults_about(resource_type)
        search = read_search(
            resource_type, query, page_size=self._page_size, max_count=self._max_count
        )
        if search.include and faults.include == "refused":
            raise Refused(400, "This server does not support '_include'.")
        search = without_missing(search, faults.missing)
        if faults.no_combo_code and search.asked("combo-code"):
            raise Refused(400, f"{resource_type} has no search parameter 'combo-code' here.")
        if resource_type == "Observation":
            _judge_categories(search.asked("category"), search.asked("_id"), faults)
        entries = entries_of(search, carry_out(search, self.store), self.store, faults)
        asked = f"{resource_type}?{urlencode(query)}" if query else resource_type
        return self._page(Page(search, tuple(entries), asked), base)

    def _page(self, page: Page, base: str) -> Answer:
        faults = self._faults_about(page.search.resource_type)
        return Answer(200, searchset(page, self._pages, base, self.store, faults))

    def _create(self, resource_type: str, body: Json, base: str) -> Answer:
        kept = self.store.create(self._writing(resource_type, body))
        return Answer(201, kept, {"Location": f"{base}/{resource_type}/{kept['id']}"})

    def _update(self, resource_type: str, key: str, body: Json) -> Answer:
        resource = self._writing(resource_type, body)
        if resource.get("id") != key:
            raise Refused(400, "The resource's id must be the one in the address.")
        return Answer(201 if self.store.put(resource) else 200, resource)

    def _writing(self, resource_type: str, body: Json) -> JsonObject:
        """The resource to write; Refused where it may not be written here."""
        if not self._writable:
            raise Refused(405, "This server is read-only.")
        if resource_type in self.faults.forbidden_types:
            raise Refused(403, f"You may not write {resource_type}.")
        if not isinstance(body, dict) or body.get("resourceType") != resource_type:
            raise Refused(400, f"The body must be one {resource_type} in JSON.")
        return body

    def _batch(self, body: Json, base: str) -> Answer:
        if self.faults.no_batch:
            raise Refused(405, "This server does not take batches.")
        if not isinstance(body, dict) or body.get("resourceType") != "Bundle":
            raise Refused(400, "The body must be a Bundle.")
        entries = body.get("entry", [])
        if body.get("type") != "batch" or not isinstance(entries, list):
            raise Refused(400, "The Bundle must be of type batch, with a list of entries.")
        answers = [self._batch_entry(entry, base) for entry in entries]
        bundle: JsonObject = {"resourceType": "Bundle", "type": "batch-response"}
        return Answer(200, bundle | ({"entry": answers} if answers else {}))

    def _batch_entry(self, entry: Json, base: str) -> JsonObject:
        """The answer to one request of a batch; one that fails leaves the others alone."""
        try:
            answer = self.answer(*_batch_request(entry, base), base)
        except Refused as refused:
            status = _status_line(refused.status)
            return {"response": {"status": status, "outcome": refused.outcome()}}
        response = {"status": _status_line(answer.status)}
        if "Location" in answer.headers:
            response["location"] = answer.headers["Location"]
        return {"resource": answer.body, "response": response}


def _batch_request(entry: Json, base: str) -> tuple[str, str, Query, Json]:
    """Method, path, query and body of one entry of a batch."""
    asked = entry.get("request") if isinstance(entry, dict) else None
    if not isinstance(asked, dict) or not isinstance(asked.get("url"), str):
        raise Refused(400, "Each entry of a batch needs a request with method and url.")
    url = urlsplit(asked["url"].removeprefix(base).strip("/"))
    if not url.path:
        raise Refused(400, "A batch cannot ask for a batch or a page.")
    query = parse_qsl(url.query, keep_blank_values=True)
    return str(asked.get("method")), url.path, query, entry.get("resource")


def _nothing_here() -> Refused:
    return Refused(404, "There is nothing at this address; read Type/id or search Type?…")


def _judge_categories(categories: list[str], ids: list[str], faults: Faults) -> None:
    """Refuse a search for Observations of a category that may not be read, or of all."""
    named = {category.split("|")[-1] for category in categories}
    if faults.needs_category and not named and not ids:
        raise Refused(400, "An Observation search needs a category here.")
    if faults.forbidden_categories and (not named or named & faults.forbidden_categories):
        raise Refused(403, _FORBIDDEN_CATEGORY)


def _status_line(status: int) -> str:
    return f"{status} {HTTPStatus(status).phrase}"
