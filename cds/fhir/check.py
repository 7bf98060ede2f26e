"""What a FHIR server supports of what trial-cds asks, what each gap means, and what to set.

Read off its CapabilityStatement; where a patient is named, also tried out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

import msgspec

from cds.core.facts import Retrieval
from cds.fhir.addresses import read_base
from cds.fhir.backend import CONFIGURATION, SignInFault, smart_configuration
from cds.fhir.batch import parts_of
from cds.fhir.faults import FhirFault, Why
from cds.fhir.pages import Page, holds_dates, read_page
from cds.fhir.record import Record, missing
from cds.fhir.search import MEDICATION_TYPES, NARROWING, Search, only_undated, searches

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from cds.fhir.backend import SmartConfiguration
    from cds.fhir.search import Fetched
    from cds.fhir.server import FhirConnection

_SEARCHED = (
    "Condition",
    "Observation",
    "Procedure",
    "MedicationRequest",
    "MedicationStatement",
)
_RESEARCH = ("ResearchSubject", "Consent", "Flag")
_READABLE_VERSIONS = ("4.0", "4.3")
_ALGORITHMS = frozenset({"RS384", "ES384"})


class Verdict(Enum):
    """How a finding bears on the answers."""

    FINE = "ok"
    GAP = "gap"
    STOP = "STOP"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the table: what was looked at, what was found, what follows, what to set."""

    what: str
    verdict: Verdict
    found: str
    means: str = ""
    setting: str = ""


def check_server(
    connection: FhirConnection, base: str, aliases: Collection[str], patient_id: str | None
) -> list[Finding]:
    """Everything that can be told about a server; with a patient every search is tried.

    `aliases` are the addresses by which the settings know it besides `base`.
    """
    try:
        statement = _statement(connection.read("metadata"))
    except FhirFault as fault:
        means = "nothing can be told before that; check the address and the token"
        return [Finding("CapabilityStatement", Verdict.STOP, fault.why.value, means)]
    findings = [_version(statement), _address(statement, base, aliases)]
    resources = {str(one.get("type")): one for one in _resources(statement)}
    findings += _reads(resources)
    findings += [_search(name, resources.get(name)) for name in _SEARCHED]
    findings += [_categories(resources.get("Observation")), _includes(resources)]
    findings += [_parts(resources.get("Observation")), _batches(statement)]
    findings += _research(resources)
    findings.append(_sign_in(connection))
    if patient_id is not None:
        fetched = connection.fetch(
            patient_id, searches(missing(Record(patient_id, None, {}, {}, {})))
        )
        findings += [_tried(one) for one in fetched]
        findings += _whole_or_by_category(connection, fetched)
        findings += [_paging(connection, base, patient_id), _undated(connection, patient_id)]
        findings.append(_batch(connection, patient_id))
    return findings


def _statement(body: bytes) -> dict[str, Any]:
    try:
        statement = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        statement = None
    if not isinstance(statement, dict) or statement.get("resourceType") != "CapabilityStatement":
        raise FhirFault(Why.NOT_FHIR)
    return statement


def _objects(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _resources(statement: dict[str, Any]) -> list[dict[str, Any]]:
    rests = _objects(statement.get("rest"))
    return [one for rest in rests for one in _objects(rest.get("resource"))]


def _version(statement: dict[str, Any]) -> Finding:
    version = str(statement.get("fhirVersion", "not said"))
    if version.startswith(_READABLE_VERSIONS):
        return Finding("FHIR version", Verdict.FINE, version)
    means = "only R4 and R4B are read; charts of other versions are refused in one sentence"
    return Finding("FHIR version", Verdict.STOP, version, means, "name the server's R4 base")


def _address(statement: dict[str, Any], base: str, aliases: Collection[str]) -> Finding:
    """Where the server thinks that it is: its links will lead there."""
    implementation = statement.get("implementation")
    own = implementation.get("url") if isinstance(implementation, dict) else None
    allow = f"TRIAL_CDS_FHIR_ALLOW={base}"
    try:
        address = read_base(own) if isinstance(own, str) else None
    except FhirFault:
        address = None  # a remark and no address: the links will tell
    if address is None or address == read_base(base):
        return Finding("own address", Verdict.FINE, "as called, or not said", setting=allow)
    if address in {read_base(alias) for alias in aliases}:
        return Finding("own address", Verdict.FINE, f"{own}, which the settings know")
    means = "its next links lead there, so that all but first pages are lost without an alias"
    return Finding("own address", Verdict.GAP, str(own), means, f"{allow}={own}")


def _reads(resources: dict[str, dict[str, Any]]) -> Iterator[Finding]:
    can = _can(resources.get("Patient"), "read")
    means = "" if can else "without the Patient nothing can be evaluated: send it as prefetch"
    yield Finding(
        "Patient read", Verdict.FINE if can else Verdict.GAP, "yes" if can else "not listed", means
    )


def _can(resource: dict[str, Any] | None, interaction: str) -> bool:
    """Whether an interaction is listed; a resource that lists none may have all."""
    if resource is None:
        return False
    codes = {str(one.get("code")) for one in _objects(resource.get("interaction"))}
    return not codes or interaction in codes


def _parameters(resource: dict[str, Any] | None) -> set[str]:
    return {str(one.get("name")) for one in _objects((resource or {}).get("searchParam"))}


def _search(name: str, resource: dict[str, Any] | None) -> Finding:
    what = f"{name}?patient="
    if _can(resource, "search-type") and "patient" in _parameters(resource):
        return Finding(what, Verdict.FINE, "yes")
    found = "no such type" if resource is None else "not listed"
    if resource is None and name in MEDICATION_TYPES:
        means = "the other medication list must then be complete; this one is not waited for"
        return Finding(what, Verdict.GAP, found, means, f"TRIAL_CDS_NOT_KEPT={name}")
    if name == "Condition":
        means = "no target diagnosis can be told: one card says so for all trials"
    else:
        means = "criteria that need it are unknown unless it comes as prefetch"
    return Finding(what, Verdict.GAP, found, means, "send it as prefetch")


def _categories(resource: dict[str, Any] | None) -> Finding:
    what = "Observation?category="
    if "category" in _parameters(resource):
        return Finding(what, Verdict.FINE, "yes")
    means = "if a search for all Observations is refused, there are none"
    return Finding(what, Verdict.GAP, "not listed", means)


def _includes(resources: dict[str, dict[str, Any]]) -> Finding:
    what = "_include of Medications"
    kept = [name for name in MEDICATION_TYPES[:2] if name in resources]
    if not kept:
        return Finding(what, Verdict.FINE, "no medication list")
    offers = {name: set(map(str, resources[name].get("searchInclude") or ())) for name in kept}
    if all(offers[name] & {"*", f"{name}:medication", f"{name}:*"} for name in kept):
        return Finding(what, Verdict.FINE, "yes")
    if _can(resources.get("Medication"), "read"):
        means = "Medications are read one by one, up to 40 in one call; drugs beyond are unknown"
    else:
        means = "drugs that a Medication names, and not the order, are not recognised: review"
    return Finding(what, Verdict.GAP, "not listed", means)


def _parts(resource: dict[str, Any] | None) -> Finding:
    """Whether a long list of results need not be read whole."""
    what = "Observation by date and code"
    lacking = sorted(set(NARROWING) - _parameters(resource))
    if lacking:
        means = "long lists are read whole; nothing is lost by that but time"
        return Finding(what, Verdict.FINE, f"{', '.join(lacking)} not listed", means)
    means = "of lists of more than three pages only what matters is read"
    return Finding(what, Verdict.FINE, "yes", means, "TRIAL_CDS_FHIR_PARTS=no to read them whole")


def _batches(statement: dict[str, Any]) -> Finding:
    """Whether several searches can be sent in one request."""
    what = "batch of searches"
    rests = _objects(statement.get("rest"))
    offered = {str(one.get("code")) for rest in rests for one in _objects(rest.get("interaction"))}
    if offered & {"batch", "transaction"}:
        means = "after Patient and Conditions all searches go in one request"
        found = "yes" if "batch" in offered else "transactions are listed"
        return Finding(what, Verdict.FINE, found, means, "TRIAL_CDS_FHIR_BATCH=no if it is slow")
    means = "searches are sent in parallel; nothing is lost by that"
    return Finding(what, Verdict.FINE, "not listed", means)


def _research(resources: dict[str, dict[str, Any]]) -> Iterator[Finding]:
    """Whether the server can say who takes part in research already, or refuses it."""
    kept = [name for name in _RESEARCH if _can(resources.get(name), "search-type")]
    what = "research records"
    if kept:
        setting = "TRIAL_CDS_RESEARCH_RECORDS=yes if the site keeps them"
        yield Finding(what, Verdict.FINE, ", ".join(kept), "", setting)
    else:
        means = "cards also for patients who take part already, or refuse research"
        yield Finding(what, Verdict.FINE, "none", means)


def _sign_in(connection: FhirConnection) -> Finding:
    what = "SMART Backend Services"
    try:
        configuration = smart_configuration(connection.read(CONFIGURATION))
    except (FhirFault, SignInFault):
        configuration = None
    if configuration is None or not _for_backends(configuration):
        means = "evaluate --fhir needs --token-file where a token is needed; hooks bring their own"
        return Finding(what, Verdict.FINE, "not offered", means)
    offered = configuration.token_endpoint_auth_signing_alg_values_supported
    if offered is None or _ALGORITHMS & set(offered):
        setting = "evaluate --client-id … --key-file …"
        return Finding(what, Verdict.FINE, ", ".join(offered or ["offered"]), "", setting)
    means = "evaluate --fhir signs with RS384 or ES384; use --token-file"
    return Finding(what, Verdict.GAP, ", ".join(offered), means)


def _for_backends(configuration: SmartConfiguration) -> bool:
    """Whether a program may sign in by itself with a key; what a server leaves out it may do.

    The page is also there where only people sign in, such as for launches from the EHR.
    """
    grants = configuration.grant_types_supported
    methods = configuration.token_endpoint_auth_methods_supported
    return (grants is None or "client_credentials" in grants) and (
        methods is None or "private_key_jwt" in methods
    )


def _tried(fetched: Fetched) -> Finding:
    what = f"tried: {fetched.covers.replace(':', ' ')}"
    if fetched.covers == "Patient" and fetched.why is None:
        return Finding(what, Verdict.FINE, "read")
    entries, pages = _count(fetched)
    found = f"{_number(entries, 'entry', 'entries')} on {_number(pages, 'page', 'pages')}"
    if fetched.state is Retrieval.COMPLETE:
        return Finding(what, Verdict.FINE, found)
    why = fetched.why.value if fetched.why is not None else "not said why"
    if fetched.state is Retrieval.NOT_KEPT:
        return Finding(what, Verdict.GAP, "no such type", "it is not waited for")
    if fetched.covers == "Patient":
        return Finding(what, Verdict.STOP, why, "name a patient whom this token may read")
    setting = "add =<its own address> to TRIAL_CDS_FHIR_ALLOW" if fetched.why is Why.OUTSIDE else ""
    if fetched.bodies:
        means = "what came counts, absence is unknown"
        if fetched.search.resource_type == "Observation":
            means += ", and so is what only the newest result decides"
        return Finding(what, Verdict.GAP, f"{found}, then: {why}", means, setting)
    return Finding(what, Verdict.GAP, why, "criteria that need it are unknown", setting)


def _whole_or_by_category(
    connection: FhirConnection, fetched: Collection[Fetched]
) -> Iterator[Finding]:
    """A line where the search for all Observations was tried and did not do."""
    if not connection.by_category and any(one.search.by_category for one in fetched):
        means = "each category is asked for by itself; results without a category are not found"
        setting = "TRIAL_CDS_DIALECT=epic saves the attempt, if it is a 400"
        yield Finding("tried: all Observations", Verdict.GAP, "not in one search", means, setting)


def _paging(connection: FhirConnection, base: str, patient_id: str) -> Finding:
    """Whether the second page of a search can be had: by Observations, one a page."""
    what = "tried: second page"
    try:
        page = _one_a_page(connection, patient_id)
    except FhirFault as fault:
        return Finding(what, Verdict.GAP, fault.why.value, "what came counts, absence is unknown")
    if page.next_url is None:
        return Finding(what, Verdict.FINE, "none needed: no more than one Observation, or all came")
    try:
        read_page(connection.read(connection.admit(page.next_url)), "Observation")
    except FhirFault as fault:
        means = "all but first pages are lost: what came counts, absence is unknown"
        alias = f"TRIAL_CDS_FHIR_ALLOW={base}=<the address that its next links name>"
        setting = alias if fault.why is Why.OUTSIDE else ""
        return Finding(what, Verdict.GAP, fault.why.value, means, setting)
    return Finding(what, Verdict.FINE, "read")


def _one_a_page(connection: FhirConnection, patient_id: str) -> Page:
    path = f"Observation?patient=Patient/{patient_id}&_count=1"
    try:
        return read_page(connection.read(path), "Observation")
    except FhirFault as fault:
        if fault.why is not Why.REFUSED:
            raise
    return read_page(connection.read(f"{path}&category=laboratory"), "Observation")


def _undated(connection: FhirConnection, patient_id: str) -> Finding:
    """Whether results without a date can be told from the others."""
    what = "tried: results without a date"
    means = "long lists are read whole; nothing is lost by that but time"
    setting = "TRIAL_CDS_FHIR_PARTS=no saves the attempt"
    search = only_undated(Search("Observation"))
    try:
        body = connection.read(search.path(patient_id, 1))
        read_page(body, "Observation")
    except FhirFault as fault:
        return Finding(what, Verdict.FINE, fault.why.value, means, setting)
    if holds_dates(body):
        return Finding(what, Verdict.FINE, "the others came too", means, setting)
    return Finding(what, Verdict.FINE, "told from the others")


def _batch(connection: FhirConnection, patient_id: str) -> Finding:
    """Whether a batch of searches is answered as it must be."""
    what = "tried: batch"
    kinds = ("Condition", "Procedure")
    try:
        body = connection.batch([f"{one}?patient=Patient/{patient_id}&_count=1" for one in kinds])
        parts_of(body, kinds)
    except FhirFault as fault:
        means = "searches are sent in parallel; nothing is lost by that"
        setting = "TRIAL_CDS_FHIR_BATCH=no saves the attempt"
        return Finding(what, Verdict.FINE, fault.why.value, means, setting)
    return Finding(what, Verdict.FINE, "answered")


def _count(fetched: Fetched) -> tuple[int, int]:
    entries = 0
    for body in fetched.bodies:
        try:
            entries += len(read_page(body, fetched.search.resource_type).ids)
        except FhirFault:
            continue  # a single resource, or what a page was cut short by
    return entries, len(fetched.bodies)


def _number(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def table(findings: Iterable[Finding]) -> str:
    """The findings as text: one line each, what follows and what to set indented below."""
    rows = list(findings)
    width = max(len(row.what) for row in rows)
    lines: list[str] = []
    for row in rows:
        lines.append(f"{row.verdict.value:<4}  {row.what:<{width}}  {row.found}")
        lines += [f"{'':<6}{'':<{width}}  → {row.means}"] if row.means else []
        lines += [f"{'':<6}{'':<{width}}    {row.setting}"] if row.setting else []
    return "\n".join(lines)


def may_be_used(findings: Iterable[Finding]) -> bool:
    """Whether nothing stands in the way altogether."""
    return all(row.verdict is not Verdict.STOP for row in findings)
