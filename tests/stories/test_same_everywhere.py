"""The same determinations from a file, from prefetch, from a FHIR server, and half from each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import requests

from cds.assess import assess
from cds.content.bundled import bundled_fixtures
from cds.core.assessment import assessment_json
from cds.core.facts import Retrieval
from cds.fhir.prefetch import TEMPLATES
from cds.fhir.record import record_from_bundle
from cds.fhir.retrieved import Coverage
from cds.settings import load_settings
from cds.web.app import create_app
from cds.web.fhir_endpoint import Faults, create_fhir_app, load_fixtures, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flask import Flask

    from cds.assess import Content
    from cds.core.assessment import Assessment

_EVERY_CARD = {"TRIAL_CDS_SHOW_ALL": "yes"}


@pytest.fixture(scope="module")
def fhir_base() -> Iterator[str]:
    """The embedded endpoint over all stories, other people's stray entries included."""
    store = load_fixtures(bundled_fixtures(), None)
    app = create_fhir_app(store, faults=Faults(strays=True), page_size=1000, max_count=1000)
    with serving(app) as base:
        yield base


@pytest.fixture
def fire(story: Any, content: Content, fhir_base: str) -> Callable[..., dict[str, Any]]:
    """Fires the hook for the story and gives the assessment of each card, by trial."""
    settings = {"TRIAL_CDS_FHIR_ALLOW": fhir_base, **_EVERY_CARD}

    def fire(prefetch: dict[str, msgspec.Raw], *, with_server: bool) -> dict[str, Any]:
        app = create_app(load_settings(settings), content, lambda: story.day)
        return _assessments(app, story, prefetch, fhir_base if with_server else None)

    return fire


def _assessments(
    app: Flask, story: Any, prefetch: dict[str, msgspec.Raw], base: str | None
) -> dict[str, Any]:
    request: dict[str, Any] = {
        "hook": "patient-view",
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": {"userId": "Practitioner/x", "patientId": story.told["patient"]},
        "prefetch": prefetch,
    }
    if base is not None:
        request["fhirServer"] = base
    answer = app.test_client().post(
        "/cds-services/trial-eligibility",
        data=msgspec.json.encode(request),
        content_type="application/json",
    )
    assert answer.status_code == 200, answer.get_data(as_text=True)
    found = [card["extension"]["org.trial-cds.assessment"] for card in answer.get_json()["cards"]]
    return {one["trial"]: one for one in found}


def _prefetch(story: Any, base: str) -> dict[str, msgspec.Raw]:
    """What an EHR sends: the templates of discovery, filled in and asked of its FHIR server.

    A story whose Observations do not all say whose they are is sent as one list of Observations:
    only then does the gap concern the same categories as in a file.
    """
    patient = story.told["patient"]
    queries = {k: q.replace("{{context.patientId}}", patient) for k, q in TEMPLATES.items()}
    if "not_this_patient" in story.told:
        queries = {key: q for key, q in queries.items() if "category=" not in q}
        queries["observations"] = f"Observation?patient={patient}"
    return {key: msgspec.Raw(_get(f"{base}/{query}")) for key, query in queries.items()}


def _get(url: str) -> bytes:
    answer = requests.get(url, timeout=10)
    answer.raise_for_status()
    return answer.content


def _expected(assessment: Assessment) -> dict[str, Any]:
    """What `evaluate FILE` says of the trials that give a card."""
    head = assessment_json(assessment)
    shown = {
        d.trial.id for d in assessment.determinations if d.target.status.value in {"pass", "review"}
    }
    return {one["trial"]: one["criteria"] for one in head["trials"] if one["trial"] in shown}


def _listed(story: Any, content: Content) -> Assessment:
    """What `evaluate FILE` would say if it knew which types hold nothing but another patient's."""
    record = record_from_bundle(story.bundle)
    others = [p.reference or "" for p in record.problems if p.kind == "other-patient"]
    kinds = {one.partition("/")[0] for one in others}
    lost = {kind for kind in kinds if not record.entries.get(kind)}
    unread = dict.fromkeys(lost, Coverage(Retrieval.CUT_OFF))
    coverage = dict(record.coverage) | unread
    return assess(msgspec.structs.replace(record, coverage=coverage), content, story.asked)


def _criteria(found: dict[str, Any]) -> dict[str, Any]:
    return {trial: one["criteria"] for trial, one in found.items()}


def _statuses(criteria: dict[str, Any]) -> dict[str, Any]:
    """Everything that a determination says, but for how many entries were read."""
    return {
        trial: [{key: value for key, value in one.items() if key != "reason"} for one in decisions]
        for trial, decisions in criteria.items()
    }


@pytest.mark.parametrize("way", ["prefetch", "server", "half and half"])
def test_the_way_in_changes_no_determination(
    way: str,
    story: Any,
    content: Content,
    fire: Callable[..., dict[str, Any]],
    fhir_base: str,
) -> None:
    """Status, evidence, gaps and dates of every criterion are those of `evaluate`.

    But for a list of another patient's entries alone, which in a file is nothing of this patient's
    and as an answer does not show that there is nothing.
    """
    sent = _prefetch(story, fhir_base)
    if way == "server":
        sent = {}
    elif way == "half and half":
        kept = ("patient", "labs", "observations", "medreq", "conditions")
        sent = {key: value for key, value in sent.items() if key in kept}
    found = fire(sent, with_server=way != "prefetch")
    assert _statuses(_criteria(found)) == _statuses(_expected(_listed(story, content)))
