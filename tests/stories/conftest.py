"""The invented patients, the bundled content, and what every story shares."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from cds.assess import Content, assess, load_content
from cds.content.bundled import bundled_content, bundled_fixtures
from cds.core.when import Evaluation
from cds.fhir.record import record_from_bundle

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cds.core.assessment import Assessment


@dataclass(frozen=True)
class Story:
    """One invented patient: the folder, and what story.yaml says."""

    folder: Path
    told: dict[str, Any]

    @property
    def bundle(self) -> bytes:
        """The FHIR Bundle as it lies on disk."""
        return (self.folder / "bundle.json").read_bytes()

    @property
    def day(self) -> date:
        """The evaluation day of the story."""
        return date.fromisoformat(self.told["day"])

    @property
    def asked(self) -> Evaluation:
        """The evaluation that the story is about."""
        return Evaluation.of(self.day)


def stories() -> Iterator[Story]:
    """Every story, sorted by name."""
    for path in sorted(bundled_fixtures().glob("*/story.yaml")):
        yield Story(path.parent, yaml.safe_load(path.read_text("utf-8")))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `story` runs once for each."""
    if "story" in metafunc.fixturenames:
        every = list(stories())
        metafunc.parametrize("story", every, ids=[story.folder.name for story in every])


@pytest.fixture(autouse=True, scope="session")
def _no_store_of_the_users(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """These tests leave the store of whoever runs them alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="session")
def content() -> Content:
    """Both trials and all mappings."""
    return load_content([bundled_content()])


@pytest.fixture
def assessment(story: Story, content: Content) -> Assessment:
    """What `evaluate FILE` says about the story."""
    return assess(record_from_bundle(story.bundle), content, story.asked)
