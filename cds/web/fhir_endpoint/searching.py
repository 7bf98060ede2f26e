"""A search, read from its query string and carried out over the store."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from cds.web.fhir_endpoint.dates import JsonObject
from cds.web.fhir_endpoint.matching import matches, reference_key, span_of, values
from cds.web.fhir_endpoint.parameters import Parameter, parameters_of
from cds.web.fhir_endpoint.refusal import Refused
from cds.web.fhir_endpoint.store import Store

_NOT_FILTERS = frozenset({"_pretty", "_total"})
_MISSING = "missing"
_BOOLEANS = frozenset({"true", "false"})
_JSON = frozenset({"json", "application/json", "application/fhir+json"})


@dataclass(frozen=True, slots=True)
class Search:
    """What is asked of one resource type.

    `filters` must all hold; `include` names reference parameters; `count` is the page size;
    `sort` names date parameters, with a leading minus for newest first.
    """

    resource_type: str
    count: int
    filters: tuple[tuple[str, str], ...] = ()
    include: tuple[str, ...] = ()
    sort: tuple[str, ...] = ()

    def asked(self, name: str) -> list[str]:
        """The values of a filter, those joined by commas one by one."""
        return [part for key, value in self.filters if key == name for part in value.split(",")]

    @property
    def patient(self) -> str | None:
        """The id of the one patient whose resources are asked for, or None."""
        named = {*self.asked("patient"), *self.asked("subject")}
        keys = {reference_key(value) or ("Patient", value) for value in named}
        if len(keys) != 1:
            return None
        resource_type, key = keys.pop()
        return key if resource_type == "Patient" else None


def read_search(
    resource_type: str, query: Iterable[tuple[str, str]], *, page_size: int, max_count: int
) -> Search:
    """Read a query; Refused (400) where a parameter is unknown, unsupported or empty."""
    known = parameters_of(resource_type)
    search = Search(resource_type, count=min(page_size, max_count))
    for name, value in query:
        if not value:
            raise Refused(400, f"The parameter '{name}' is empty; leave it out or give a value.")
        if name == "_count":
            search = replace(search, count=_read_count(value, max_count))
        elif name == "_include":
            search = replace(search, include=(*search.include, _read_include(value, search, known)))
        elif name == "_sort":
            search = replace(search, sort=_read_sort(value, resource_type, known))
        elif name == "_format":
            if value not in _JSON:
                raise Refused(400, "This server writes JSON only; leave '_format' out.")
        elif name not in _NOT_FILTERS:
            one = _read_filter(name, value, resource_type, known)
            search = replace(search, filters=(*search.filters, one))
    return search


def _read_count(value: str, max_count: int) -> int:
    if not value.isascii() or not value.isdigit():
        raise Refused(400, "The parameter '_count' must be a whole number, 0 or more.")
    return min(int(value), max_count)


def _read_include(value: str, search: Search, known: dict[str, Parameter]) -> str:
    """The name of the reference parameter in `Type:parameter` or `Type:parameter:Target`."""
    source, _, rest = value.partition(":")
    name = rest.split(":")[0]
    parameter = known.get(name)
    if source != search.resource_type or parameter is None or parameter.kind != "reference":
        says = f"'_include' must name a reference of {search.resource_type} that this server knows."
        raise Refused(400, says)
    return name


def _read_sort(value: str, resource_type: str, known: dict[str, Parameter]) -> tuple[str, ...]:
    names = tuple(value.split(","))
    for name in names:
        parameter = known.get(name.removeprefix("-"))
        if parameter is None or parameter.kind != "date":
            says = f"'_sort' on {resource_type} must name one of its date parameters."
            raise Refused(400, says)
    return names


def _read_filter(
    name: str, value: str, resource_type: str, known: dict[str, Parameter]
) -> tuple[str, str]:
    plain, _, modifier = name.partition(":")
    parameter = known.get(plain)
    if parameter is None:
        says = f"{resource_type} has no search parameter '{plain}' here."
        raise Refused(400, f"{says} Known: {', '.join(sorted(known))}.")
    if not modifier:
        return plain, value
    if modifier == _MISSING:
        if value not in _BOOLEANS:
            raise Refused(400, f"The parameter '{name}' must be true or false.")
        return name, value
    if parameter.kind == "reference" and modifier.isalpha() and modifier[0].isupper():
        return plain, ",".join(f"{modifier}/{one}" for one in value.split(","))
    raise Refused(400, f"The modifier of '{name}' is not supported here.")


def without_missing(search: Search, how: str) -> Search:
    """The same search on a server that does not know `:missing`.

    `how`: it is honoured after all, ignored, or refused (400).
    """
    kept = tuple(one for one in search.filters if not one[0].endswith(f":{_MISSING}"))
    if how == "honoured" or kept == search.filters:
        return search
    if how == "refused":
        raise Refused(400, f"The modifier ':{_MISSING}' is not supported here.")
    return replace(search, filters=kept)


def carry_out(search: Search, store: Store) -> list[JsonObject]:
    """The resources that match, sorted as asked, else in the order in which they came."""
    known = parameters_of(search.resource_type)
    if search.patient is None:
        found = store.of_type(search.resource_type)
    else:
        found = store.of_patient(search.resource_type, search.patient)
    for name, value in search.filters:
        found = [one for one in found if _holds(one, known, name, value)]
    if not found:
        _try_values(search, known)
    for name in reversed(search.sort):
        found = _sorted_by_date(
            found, known[name.removeprefix("-")], newest_first=name.startswith("-")
        )
    return found


def _try_values(search: Search, known: dict[str, Parameter]) -> None:
    """Refuse a value that cannot be read even where nothing was left to compare it with."""
    for name, value in search.filters:
        _holds({}, known, name, value)


def _holds(resource: JsonObject, known: dict[str, Parameter], name: str, value: str) -> bool:
    """Whether a filter holds for a resource: by its values, or by its having none."""
    plain, _, modifier = name.partition(":")
    if modifier == _MISSING:
        return (next(values(resource, known[plain]), None) is None) is (value == "true")
    return matches(resource, known[plain], name, value)


def _sorted_by_date(
    found: list[JsonObject], parameter: Parameter, *, newest_first: bool
) -> list[JsonObject]:
    """Stable order by the start of the first date; what has no date comes last."""
    dated: list[tuple[datetime, JsonObject]] = []
    undated: list[JsonObject] = []
    for one in found:
        spans = [span for span in map(span_of, values(one, parameter)) if span is not None]
        if spans:
            dated.append((spans[0].start, one))
        else:
            undated.append(one)
    dated.sort(key=lambda pair: pair[0].astimezone(UTC), reverse=newest_first)
    return [one for _, one in dated] + undated


def included(search: Search, matched: Iterable[object], store: Store) -> list[JsonObject]:
    """What the matches of one page refer to by the parameters of `_include`, each once."""
    known = parameters_of(search.resource_type)
    found: dict[tuple[str, str], JsonObject] = {}
    for one in matched:
        if not isinstance(one, dict):
            continue
        for name in search.include:
            for reference in values(one, known[name]):
                target = store.resolve(reference)
                if target is not None:
                    found[target["resourceType"], target["id"]] = target
    return list(found.values())
