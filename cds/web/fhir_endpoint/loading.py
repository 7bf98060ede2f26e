"""From a folder of stories to a store: reading bundles and moving them to today."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import msgspec
import yaml

from cds.web.fhir_endpoint.dates import Json, JsonObject, shift_dates
from cds.web.fhir_endpoint.store import Store

# Decimal keeps 7.10 as it was written: the digits of a result are part of it.
_DECODER: msgspec.json.Decoder[Json] = msgspec.json.Decoder(float_hook=Decimal)


def load_fixtures(folder: Path, today: date | None) -> Store:
    """Read every `<story>/bundle.json` below a folder into one store.

    With `today` all dates of a bundle are shifted so that the `day` of its `story.yaml` becomes
    today; with None they stay. References to an entry's fullUrl become `Type/id`, as they do
    when a server takes in a transaction. An entry that has no usable resourceType is left out
    (no server could hold it), one without id gets `<story>-<its number>`.

    Raises ValueError, naming the file, where there is no story, a bundle cannot be read, a
    story has no day although one is needed, or two resources have the same type and id.
    """
    paths = sorted(folder.glob("*/bundle.json"))
    if not paths:
        message = f"There is no <story>/bundle.json in {folder}; name the folder of the fixtures."
        raise ValueError(message)
    store = Store()
    for path in paths:
        bundle = _read_bundle(path)
        if today is not None:
            day = story_day(path.with_name("story.yaml"))
            bundle = shift_dates(bundle, (today - day).days, day=day)
        resources = _resources(bundle, path.parent.name)
        patients = [r["id"] for r in resources if r["resourceType"] == "Patient"]
        file_of = patients[0] if patients else ""
        try:
            store.add([(resource, file_of) for resource in resources])
        except ValueError as problem:
            message = f"{path}: {problem}"
            raise ValueError(message) from problem
    return store


def story_day(path: Path) -> date:
    """The day for which a story is written, from its story.yaml.

    Raises ValueError, naming the file, where it is missing or no date.
    """
    try:
        story = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, yaml.YAMLError) as problem:
        message = f"{path} cannot be read; it must be YAML with the story's day."
        raise ValueError(message) from problem
    day = story.get("day") if isinstance(story, dict) else None
    if isinstance(day, date):
        return day  # an unquoted date is one already
    try:
        return date.fromisoformat(str(day))
    except ValueError as problem:
        message = f'{path} names no day; write, say, day: "2026-03-01".'
        raise ValueError(message) from problem


def _read_bundle(path: Path) -> JsonObject:
    try:
        bundle = _DECODER.decode(path.read_bytes())
    except msgspec.DecodeError as problem:
        message = f"{path} is not JSON: {problem}."
        raise ValueError(message) from problem
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        message = f"{path} is not a FHIR Bundle; its resourceType must be Bundle."
        raise ValueError(message)
    return bundle


def _resources(bundle: JsonObject, story: str) -> list[JsonObject]:
    """The resources of a bundle, each with an id, referring to each other as Type/id."""
    resources: list[JsonObject] = []
    known_as: dict[str, str] = {}
    for number, entry in enumerate(bundle.get("entry", []), start=1):
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
            continue
        if not isinstance(resource.get("id"), str):
            resource = resource | {"id": f"{story}-{number}"}
        resources.append(resource)
        if isinstance(entry.get("fullUrl"), str):
            known_as[entry["fullUrl"]] = f"{resource['resourceType']}/{resource['id']}"
    return [_referring(resource, known_as) for resource in resources]


def _referring(part: Json, known_as: dict[str, str]) -> Json:
    """The same JSON with each reference to a fullUrl written as Type/id."""
    if isinstance(part, list):
        return [_referring(member, known_as) for member in part]
    if not isinstance(part, dict):
        return part
    return {
        name: known_as.get(value, value)
        if name == "reference" and isinstance(value, str)
        else _referring(value, known_as)
        for name, value in part.items()
    }
