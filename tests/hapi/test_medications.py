"""Drugs that stand in a Medication: contained, brought along by _include, or read by themselves."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import requests
from flask import Flask, Response, request

from cds.settings import FhirBase
from cds.web.fhir_endpoint import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]
STORY = "desmoid-clarithromycin"
ENCODER = msgspec.json.Encoder(decimal_format="number")
KINDS = ("MedicationRequest", "MedicationStatement")


def referring(bundle: Json, name: str, how: str) -> list[Json]:
    """The story's resources under another name, each drug in a Medication of its own."""
    found: list[Json] = []
    for entry in bundle["entry"]:
        resource = renamed(entry["resource"], name)
        if resource["resourceType"] not in KINDS or "medicationCodeableConcept" not in resource:
            found.append(resource)
            continue
        drug = {"resourceType": "Medication", "code": resource.pop("medicationCodeableConcept")}
        if how == "contained":
            resource["contained"] = [drug | {"id": "product"}]
            reference = "#product"
        else:
            found.append(drug | {"id": f"{resource['id']}-drug"})
            reference = f"Medication/{resource['id']}-drug"
        found.append(resource | {"medicationReference": {"reference": reference}})
    return found


def renamed(resource: Json, name: str) -> Json:
    """Every id and reference of the story under another name."""

    def new(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: new(one) for key, one in value.items()}
        if isinstance(value, list):
            return [new(one) for one in value]
        return value.replace(STORY, name) if isinstance(value, str) else value

    found: Json = new(resource)
    return found


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Ends what a test began."""
    with ExitStack() as stack:
        yield stack


def without_include(stack: ExitStack, server: Any) -> FhirBase:
    """A gateway before the server that drops `_include`, as some do; gives what may be called."""
    app = Flask("gateway")

    @app.get("/fhir")
    @app.get("/fhir/<path:path>")
    def forward(path: str = "") -> Response:
        query = [(k, v) for k, v in request.args.items(multi=True) if k != "_include"]
        answer = requests.get(f"{server.base}/{path}".rstrip("/"), params=query, timeout=60)
        return Response(answer.content, answer.status_code, content_type="application/fhir+json")

    return FhirBase(f"{stack.enter_context(serving(app))}/fhir", server.alias or server.base)


@pytest.mark.parametrize("how", ["contained", "included", "read one by one"])
@pytest.mark.parametrize("batch", ["yes", "no"])
def test_a_drug_counts_wherever_its_medication_stands(  # noqa: PLR0913 - fixtures
    stack: ExitStack,
    how: str,
    batch: str,
    server: Any,
    stories: Any,
    from_file: Any,
    from_server: Any,
) -> None:
    story = stories[STORY]
    name = f"{STORY}-{how.split(maxsplit=1)[0]}"
    resources = referring(story.bundle, name, how)
    assert any("medicationReference" in one for one in resources if one["resourceType"] == KINDS[1])
    server.keep(resources)
    allowed = without_include(stack, server) if how == "read one by one" else server.allowed()
    said = from_server(allowed, name, story.asked, fhir_batch=batch)
    assert said == from_file(in_bundle(resources), story.asked)
    expected = from_file(story.as_a_server_gives_it(), story.asked)
    assert statuses(said) == statuses(expected)
    assert said["problems"] == []


def in_bundle(resources: list[Json]) -> bytes:
    """The resources as a file."""
    entries = [{"resource": one} for one in resources]
    return ENCODER.encode({"resourceType": "Bundle", "type": "collection", "entry": entries})


def statuses(said: Json) -> list[list[str]]:
    """The status of each criterion of each trial."""
    return [[one["status"] for one in trial["criteria"]] for trial in said["trials"]]
