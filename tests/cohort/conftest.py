"""The invented patients as an export, and a screening of it."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from cds.assess import Content, load_content
from cds.cohort.catalogue import catalogue_of
from cds.cohort.order import Order
from cds.cohort.progress import Silent
from cds.cohort.screen import screen
from cds.content.bundled import bundled_content, bundled_fixtures

if TYPE_CHECKING:
    from collections.abc import Callable

    from cds.cohort.finishing import Finished

DAY = date(2026, 3, 1)
ALL_TYPES = (
    "Condition",
    "MedicationAdministration",
    "MedicationRequest",
    "MedicationStatement",
    "Observation",
    "Procedure",
)


def bundles() -> dict[str, list[dict[str, Any]]]:
    """The resources of every story, with references as a server's export writes them."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(bundled_fixtures().glob("*/bundle.json")):
        text = path.read_text("utf-8")
        for entry in json.loads(text)["entry"]:
            resource = entry["resource"]
            name = f"{resource['resourceType']}/{resource.get('id')}"
            text = text.replace(f'"{entry.get("fullUrl")}"', f'"{name}"')
        found[path.parent.name] = [entry["resource"] for entry in json.loads(text)["entry"]]
    return found


def by_type(resources: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Resources sorted into their types."""
    found: dict[str, list[dict[str, Any]]] = {}
    for resource in resources:
        found.setdefault(resource["resourceType"], []).append(resource)
    return found


def ndjson(resources: list[dict[str, Any]]) -> str:
    """One line for each resource."""
    return "".join(json.dumps(resource, ensure_ascii=False) + "\n" for resource in resources)


def told_of(resource: dict[str, Any], stories: dict[str, Any]) -> bool:
    """Whether an export has the resource: a line that names no patient of ours is nobody's."""
    if resource["resourceType"] not in ALL_TYPES:
        return bool(resource["resourceType"] != "OperationOutcome")
    subject = resource.get("subject")
    reference = str(subject.get("reference", "")) if isinstance(subject, dict) else ""
    return bool(reference.rpartition("Patient/")[2] in stories)


@pytest.fixture(scope="session")
def content() -> Content:
    """Both trials and all mappings."""
    return load_content([bundled_content()])


@pytest.fixture(scope="session")
def stories() -> dict[str, list[dict[str, Any]]]:
    """Every story's resources, as far as they are that patient's."""
    every = bundles()
    return {
        name: [resource for resource in resources if told_of(resource, every)]
        for name, resources in every.items()
    }


@pytest.fixture
def export(tmp_path: Path, stories: dict[str, list[dict[str, Any]]]) -> Path:
    """All stories as one NDJSON file for each type."""
    folder = tmp_path / "export"
    folder.mkdir()
    every = [resource for resources in stories.values() for resource in resources]
    for kind, resources in by_type(every).items():
        (folder / f"{kind}.ndjson").write_text(ndjson(resources), "utf-8")
    return folder


@dataclass
class Screening:
    """Screens folders of one test."""

    content: Content
    folder: Path
    count: int = 0

    def order(self, source: Path, **changes: Any) -> Order:
        """What a screening of `source` into a new folder is asked for."""
        self.count += 1
        given: dict[str, Any] = {
            "source": str(source),
            "out": str(self.folder / f"out-{self.count}"),
            "on": DAY,
            "zone": "UTC",
            "content_folders": (str(bundled_content()),),
            "catalogue": catalogue_of(self.content),
            "complete": ALL_TYPES,
        }
        return Order(**given | changes)

    def run(self, source: Path, **changes: Any) -> tuple[Finished, Path]:
        """Screen, and say where the results are."""
        order = self.order(source, **changes)
        return screen(order, Silent()), Path(order.out)


@pytest.fixture
def screening(content: Content, tmp_path: Path) -> Screening:
    """Screens into folders of this test."""
    return Screening(content, tmp_path)


@pytest.fixture(scope="session")
def trial_cds() -> Path:
    """The installed command."""
    return Path(sys.executable).with_name("trial-cds")


@pytest.fixture
def rows() -> Callable[..., list[tuple[Any, ...]]]:
    """Runs an SQL query over result files: `rows("from read_parquet(?)", path)`."""

    def run(query: str, *files: Path) -> list[tuple[Any, ...]]:
        with duckdb.connect() as base:
            return base.execute(query, [str(file) for file in files]).fetchall()

    return run
