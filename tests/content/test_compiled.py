"""Compiled trials are the trials of the folders, no others and never older ones."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from cds.content.bundled import bundled_content
from cds.content.compiled import CompiledTrials, open_compiled, write_compiled
from cds.content.fault import ContentFaults
from cds.content.infos import concept_infos
from cds.content.mappings import load_terminology
from cds.content.trials import load_trials
from cds.engine.silence import with_silence

TERMINOLOGY = load_terminology([bundled_content()])
CONCEPTS = concept_infos(TERMINOLOGY)


@pytest.fixture
def site(tmp_path: Path) -> list[Path]:
    """A content folder of the site's own, holding the bundled trials."""
    shutil.copytree(bundled_content() / "trials", tmp_path / "site" / "trials")
    return [tmp_path / "site"]


def opened(compiled: Path, folders: list[Path]) -> CompiledTrials | None:
    return open_compiled(compiled, folders, CONCEPTS, TERMINOLOGY.digest)


def test_compiled_trials_are_the_trials_of_the_folders(site: list[Path], tmp_path: Path) -> None:
    write_compiled(site, TERMINOLOGY.digest, tmp_path)
    compiled = opened(tmp_path, site)
    assert compiled is not None
    # What is known beforehand of their criteria is worked out of them, not read.
    read = load_trials(site, CONCEPTS, TERMINOLOGY.digest)
    assert list(compiled) == [
        dataclasses.replace(folder, trial=with_silence(folder.trial)) for folder in read
    ]


def test_a_head_holds_the_target_diagnosis_age_and_sex_of_its_trial(
    site: list[Path], tmp_path: Path
) -> None:
    write_compiled(site, TERMINOLOGY.digest, tmp_path)
    compiled = opened(tmp_path, site)
    assert compiled is not None
    heads = {head.id: [criterion.id for criterion in head.criteria] for head in compiled.heads}
    assert heads == {
        "NCT05490667": ["I01a", "I03a", "I03b", "I10"],
        "NCT07137884": ["I01a", "I01b", "I01c", "I04a"],
    }
    whole = {folder.trial.id: folder.trial for folder in compiled}
    for head in compiled.heads:
        assert (head.digest, head.version) == (whole[head.id].digest, whole[head.id].version)
        assert set(with_silence(head).criteria) <= set(whole[head.id].criteria)


@pytest.mark.parametrize("name", ["trial.yaml", "inclusion.yaml", "exclusion.yaml"])
def test_a_changed_file_is_never_answered_from_what_was_compiled_before(
    site: list[Path], tmp_path: Path, name: str
) -> None:
    write_compiled(site, TERMINOLOGY.digest, tmp_path)
    changed = site[0] / "trials" / "NCT05490667" / name
    changed.write_text(changed.read_text("utf-8") + "\n# a comment\n", "utf-8")
    assert opened(tmp_path, site) is None


def test_other_mappings_are_never_joined_with_what_was_compiled_before(
    site: list[Path], tmp_path: Path
) -> None:
    write_compiled(site, "other mappings", tmp_path)
    assert opened(tmp_path, site) is None


def test_a_damaged_file_is_refused_with_its_cure(site: list[Path], tmp_path: Path) -> None:
    path = write_compiled(site, TERMINOLOGY.digest, tmp_path)
    data = bytearray(path.read_bytes())
    data[200] ^= 1
    path.write_bytes(data)
    with pytest.raises(ContentFaults) as refused:
        opened(tmp_path, site)
    assert "damaged" in refused.value.faults[0].says
    assert "check --compile" in refused.value.faults[0].try_this


def test_a_writer_that_was_stopped_half_way_leaves_nothing_to_read(
    site: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(self: Path, target: Path) -> Path:
        del self, target
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", stopped)
    with pytest.raises(KeyboardInterrupt):
        write_compiled(site, TERMINOLOGY.digest, tmp_path)
    assert opened(tmp_path, site) is None
