"""What would vanish without a word: misnamed files, ids that tables split, fingerprints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cds.content.bundled import bundled_content
from cds.content.check import check_content
from cds.content.fault import ContentFaults, Fault, Severity
from cds.content.infos import concept_infos
from cds.content.mappings import load_terminology
from cds.content.trials import load_trials

Checked = Callable[..., list[Fault]]
Write = Callable[..., Path]
FOLDER = "trials/NCT00000000"


def wrong(folder: Path, trial: str | None = None) -> list[str]:
    """The faults of the small trial on top of the bundled content, as printed."""
    found = check_content([bundled_content(), folder], trial=trial)
    return [str(fault) for fault in found if fault.severity is Severity.FAULT]


@pytest.mark.parametrize("trial", [None, "NCT00000000"])
@pytest.mark.parametrize("name", ["trial.yml", "Trial.yaml", "trail.yaml"])
def test_a_trial_does_not_vanish_with_the_name_of_its_file(
    write: Write, name: str, trial: str | None
) -> None:
    """Neither for the check, nor for the service that reads the folder."""
    content = write()
    folder = content / FOLDER
    (folder / "trial.yaml").rename(folder / name)
    says = (
        f"{FOLDER}/{name}:1: No file of a trial is called '{name}', so it is not read. "
        "Rename it to trial.yaml."
    )
    assert wrong(content, trial) == [says]
    concepts = concept_infos(load_terminology([bundled_content()]))
    with pytest.raises(ContentFaults, match=f"called '{name}'"):
        load_trials([content], concepts)


def test_a_folder_without_a_trial_file_is_no_trial(write: Write) -> None:
    content = write()
    (content / FOLDER / "trial.yaml").unlink()
    (said,) = wrong(content)
    assert said.startswith(f"{FOLDER}/exclusion.yaml:1: The folder holds no trial.yaml")


def test_files_of_a_trial_outside_of_its_folder(write: Write) -> None:
    content = write()
    (content / "trials" / "trial.yaml").write_text("id: NCT00000001\n", "utf-8")
    (said,) = wrong(content)
    assert said.startswith("trials/trial.yaml:1: The file belongs to no trial.")


def test_cases_that_nobody_would_read(write: Write) -> None:
    content = write()
    cases = content / FOLDER / "cases"
    (cases / "all.yaml").rename(cases / "all.yml")
    assert wrong(content)[0] == (
        f"{FOLDER}/cases/all.yml:1: Cases are read from files that end with .yaml; "
        "this one is not read. Rename it to all.yaml."
    )


def test_other_files_may_lie_beside_a_trial(write: Write) -> None:
    """Notes, the saved page, the ledger; and a folder of drafts that is no trial yet."""
    content = write()
    (content / FOLDER / "notes.yaml").write_text("a: b\n", "utf-8")
    (content / FOLDER / "source.txt").write_text("Inclusion Criteria:\n", "utf-8")
    (content / "trials" / "README.md").write_text("Ours.\n", "utf-8")
    (content / "trials" / "empty").mkdir()
    assert wrong(content) == []


def test_an_id_with_a_space_would_be_two_in_a_table(faults: Checked) -> None:
    found = [str(one) for one in faults(inclusion=("id: I02", "id: I 02"))]
    assert found[0] == (
        f"{FOLDER}/inclusion.yaml:7: 'I 02' is no id of a criterion. "
        "Write it without spaces, such as 'I02'."
    )


def test_a_short_title_that_no_card_has_room_for(faults: Checked) -> None:
    title = "invented drug for desmoid tumour"
    found = [
        str(one) for one in faults(trial=(f"short_title: {title}", f"short_title: {'x' * 61}"))
    ]
    assert found[0] == (
        f"{FOLDER}/trial.yaml:4: 'short_title' has 61 characters; cards have room for 60. "
        "Say the drug and the disease; the full title stands in 'title'."
    )
    sixty = faults(trial=(f"short_title: {title}", f"short_title: {'x' * 60}"))
    assert all(one.severity is Severity.NOTICE for one in sixty)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "it is no JSON"),
        ("[]", "it holds something else"),
        ('{"sha256:1": "I02"}', "it holds something else"),
        ('{"sha256:1": {"criteria": []}}', "it holds something else"),
    ],
)
def test_fingerprints_that_cannot_be_read(write: Write, text: str, why: str) -> None:
    """Or else a stale signature could no longer say what must be read again."""
    content = write()
    (content / FOLDER / "signed.json").write_text(text, "utf-8")
    (said,) = wrong(content, "NCT00000000")
    assert said.startswith(
        f"{FOLDER}/signed.json:1: What was signed cannot be read: {why}. Restore"
    )
