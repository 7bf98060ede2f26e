"""From a study to a trial folder that the check accepts and by which nobody is judged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from click.testing import CliRunner

from cds.cli.draft import draft as draft_command
from cds.content.bundled import bundled_content, bundled_fixtures
from cds.content.cases import load_cases
from cds.content.check import check_content, is_sound
from cds.content.draft import draft, read_study, study_of_json, write_folder
from cds.content.fault import ContentFaults
from cds.content.infos import concept_infos
from cds.content.review import review_page
from cds.content.trials import load_trial

if TYPE_CHECKING:
    from cds.content.draft.lexicon import Lexicon
    from cds.content.trials import TrialFolder

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "examples" / "NCT00000000.txt"
NAME = "NCT00000000"
ELIGIBILITY = (
    "Inclusion Criteria:\n\n* Histologically confirmed desmoid tumor\n* Age \\>= 12 years\n"
    "* ANC \\>= 1.5 x 10\\^9/L\n\nExclusion Criteria:\n\n1. Pregnant or breastfeeding women\n"
    '2. A state with "quotes", colons: and a # sign\n'
)


def answer(**eligibility: Any) -> bytes:
    """A study as the API of the registry gives it, invented."""
    module = {
        "eligibilityCriteria": ELIGIBILITY,
        "healthyVolunteers": False,
        "sex": "ALL",
        "minimumAge": "12 Years",
        "maximumAge": "70 Years",
    }
    module |= eligibility
    protocol = {
        "identificationModule": {"nctId": NAME, "briefTitle": "An invented trial: desmoid tumors"},
        "statusModule": {
            "overallStatus": "RECRUITING",
            "lastUpdatePostDateStruct": {"date": "2026-02-27"},
        },
        "sponsorCollaboratorsModule": {"leadSponsor": {"name": "Nobody & Sons"}},
        "conditionsModule": {"conditions": ["Desmoid Tumor"]},
        "eligibilityModule": {key: value for key, value in module.items() if value is not None},
    }
    return json.dumps({"protocolSection": protocol}).encode()


def loaded(folder: Path, names: Lexicon) -> TrialFolder:
    """The drafted folder as the product reads it."""
    return load_trial(folder, concept_infos(names.terminology), "")


def write(data: bytes, tmp_path: Path, names: Lexicon) -> Path:
    """Draft an answer of the registry into tmp_path/trials."""
    folder = tmp_path / "trials" / NAME
    made = draft(study_of_json(data, "study.json", read="2026-03-01"), names)
    write_folder(made, folder, read="2026-03-01")
    return folder


def test_a_study_of_the_registry_becomes_a_folder_that_the_check_accepts(
    tmp_path: Path, names: Lexicon
) -> None:
    source = tmp_path / "study.json"
    source.write_bytes(answer())
    folder = write(answer(), tmp_path, names)
    faults = check_content([bundled_content(), tmp_path], trial=NAME, source=source)
    assert is_sound(faults), faults
    trial = loaded(folder, names).trial
    assert (trial.id, trial.sponsor, trial.target) == (NAME, "Nobody & Sons", "I01a")
    assert trial.recruitment.recruiting
    assert trial.recruitment.as_of == "2026-02-27"
    assert not any(one.reviewed for one in trial.criteria)


def test_the_invented_page_becomes_a_folder_that_the_check_accepts(
    tmp_path: Path, names: Lexicon
) -> None:
    made = draft(read_study(PAGE, read="2026-03-01"), names)
    write_folder(made, tmp_path / "trials" / NAME, read="2026-03-01")
    faults = check_content([bundled_content(), tmp_path], trial=NAME, source=PAGE)
    assert is_sound(faults), faults
    assert made.counts() == {"proposed": 23, "human": 7}
    assert (made.study.sponsor, made.study.as_of) == ("Invented Hospital", "2026-03-01")


def test_the_review_page_shows_what_is_drafted(tmp_path: Path, names: Lexicon) -> None:
    folder = loaded(write(answer(), tmp_path, names), names)
    cases = load_cases(folder, concept_infos(names.terminology))
    page = review_page(folder, names.terminology, cases)
    assert page.count("**Drafted:** nobody has reviewed this form") == len(folder.trial.criteria)


def test_ages_and_sex_come_from_the_header_where_the_text_is_silent(
    tmp_path: Path, names: Lexicon
) -> None:
    folder = loaded(write(answer(sex="FEMALE", minimumAge="6 Months"), tmp_path, names), names)
    said = {one.text: one.reading for one in folder.trial.criteria}
    assert said["70 Years"] == "Completed years of age are at most 70."
    assert said["FEMALE"] == "The recorded sex is female."
    assert said["6 Months"] == "A human decides."
    assert said["Age \\>= 12 years"].endswith("at least 12.")


def test_a_bound_that_text_and_header_give_alike_is_one_criterion(
    tmp_path: Path, names: Lexicon
) -> None:
    folder = loaded(write(answer(maximumAge=None), tmp_path, names), names)
    aged = [one for one in folder.trial.criteria if "years of age" in one.reading]
    assert [(one.text, one.also) for one in aged] == [("Age \\>= 12 years", ("12 Years",))]


def test_a_folder_that_exists_is_never_written_over(tmp_path: Path, names: Lexicon) -> None:
    folder = write(answer(), tmp_path, names)
    before = (folder / "trial.yaml").read_text("utf-8")
    with pytest.raises(ContentFaults, match="exists already"):
        write(answer(sex="MALE"), tmp_path, names)
    assert (folder / "trial.yaml").read_text("utf-8") == before
    told = CliRunner().invoke(draft_command, [str(PAGE), "--out", str(folder)])
    assert told.exit_code == 2


@pytest.mark.parametrize("data", [b"", b"[]", b'{"protocolSection": {}}', b"\xff\xfe", b"null"])
def test_what_is_no_study_is_refused_with_one_sentence(data: bytes) -> None:
    with pytest.raises(ContentFaults, match="No eligibility criteria are found"):
        study_of_json(data, "study.json", read="2026-03-01")


def test_the_command_says_what_it_made_and_what_comes_next(tmp_path: Path) -> None:
    folder = tmp_path / NAME
    told = CliRunner().invoke(draft_command, [str(PAGE), "--out", str(folder)])
    assert told.exit_code == 0, told.output
    assert "30 criteria, 23 with a proposed form, 7 for a human." in told.output
    assert "Nothing decides yet" in told.output
    assert sorted(path.name for path in folder.iterdir()) == [
        "exclusion.yaml",
        "inclusion.yaml",
        "ledger.tsv",
        "trial.yaml",
    ]


def test_a_folder_must_be_named_as_the_trial_of_the_page(tmp_path: Path) -> None:
    told = CliRunner().invoke(draft_command, [str(PAGE), "--out", str(tmp_path / "mine")])
    assert told.exit_code == 2
    assert "The page is of NCT00000000" in told.output
    assert not (tmp_path / "mine").exists()


def test_without_the_network_the_command_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise requests.ConnectionError

    monkeypatch.setattr(requests, "get", unreachable)
    told = CliRunner().invoke(draft_command, [NAME, "--out", str(tmp_path / NAME)])
    assert told.exit_code == 2
    assert "clinicaltrials.gov cannot be reached from here. Save https://" in told.output


@pytest.mark.parametrize("story", ["desmoid-ready", "desmoid-clarithromycin", "strangers"])
def test_a_drafted_trial_decides_nothing_about_anybody(
    story: str, tmp_path: Path, names: Lexicon, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cds.cli.evaluate import evaluate  # noqa: PLC0415 - after the environment is set

    write(answer(), tmp_path, names)
    monkeypatch.setenv("TRIAL_CDS_CONTENT", f"{bundled_content()}:{tmp_path}")
    bundle = bundled_fixtures() / story / "bundle.json"
    wanted = [str(bundle), "--on", "2026-03-01", "--trial", NAME, "--format", "json"]
    told = CliRunner().invoke(evaluate, wanted)
    assert told.exit_code == 0, told.output
    (trial,) = json.loads(told.stdout)["trials"]
    assert {one["status"] for one in trial["criteria"]} == {"review"}
    assert len(trial["criteria"]) > 1
    assert (trial["overall"], trial["clears_on"]) == ("potentially-eligible", None)


def test_drafted_cases_are_all_that_the_check_asks_for(tmp_path: Path, names: Lexicon) -> None:
    folder = write(answer(), tmp_path, names)
    for name in ("inclusion.yaml", "exclusion.yaml"):
        text = (folder / name).read_text("utf-8")
        (folder / name).write_text(text.replace("status: drafted", "status: reviewed"), "utf-8")
    before = check_content([bundled_content(), tmp_path], trial=NAME)
    assert not is_sound(before)
    told = CliRunner().invoke(draft_command, [str(folder), "--cases"])
    assert told.exit_code == 0, told.output
    after = check_content([bundled_content(), tmp_path], trial=NAME)
    assert is_sound(after), after
    told = CliRunner().invoke(draft_command, [str(folder), "--cases"])
    assert "no case is lacking" in told.output


def test_a_draft_needs_no_cases(tmp_path: Path, names: Lexicon) -> None:
    folder = write(answer(), tmp_path, names)
    told = CliRunner().invoke(draft_command, [str(folder), "--cases"])
    assert "no case is lacking" in told.output
    assert not (folder / "cases").exists()


@pytest.mark.parametrize("wanted", [["page.txt"], ["nowhere", "--cases"]])
def test_what_cannot_be_drafted_is_said_in_one_sentence(wanted: list[str]) -> None:
    told = CliRunner().invoke(draft_command, wanted)
    assert told.exit_code == 2
    assert told.output.count("\n") == 1


def test_a_trial_whose_diagnosis_only_a_human_sees_can_have_cases(
    tmp_path: Path, names: Lexicon
) -> None:
    text = (
        "Inclusion Criteria:\nProven wanderlust\nAge ≥ 18 years\nExclusion Criteria:\nHomesickness"
    )
    folder = write(answer(eligibilityCriteria=text), tmp_path, names)
    path = folder / "inclusion.yaml"
    path.write_text(path.read_text("utf-8").replace("drafted", "reviewed"), "utf-8")
    told = CliRunner().invoke(draft_command, [str(folder), "--cases"])
    assert told.exit_code == 0, told.output
    assert is_sound(check_content([bundled_content(), tmp_path], trial=NAME))


@pytest.mark.parametrize(
    ("sentence", "why"),
    [
        ("QTcF \\> 450 ms.", "its test is none of the concepts in mappings/concepts.tsv"),
        (
            "Potassium between 3.5 and 5.0.",
            "its test is none of the concepts in mappings/concepts.tsv",
        ),
        ("Potassium of the better sort.", "its words do not all fit the grammar"),
    ],
)
def test_what_kept_a_sentence_from_a_form_is_always_said(
    sentence: str, why: str, names: Lexicon
) -> None:
    """Nobody looks for a reason in an empty cell."""
    text = ELIGIBILITY + f"3. {sentence}\n"
    made = draft(
        study_of_json(answer(eligibilityCriteria=text), "s.json", read="2026-03-01"), names
    )
    assert made.ledger[-1].became == "human"
    assert made.ledger[-1].why == why
    assert all(bool(one.why) == (one.became == "human") for one in made.ledger)


def test_the_reading_of_a_test_is_its_form(names: Lexicon) -> None:
    """One positive result at any time counts, not the latest alone."""
    text = ELIGIBILITY + "3. Known HIV infection.\n"
    made = draft(
        study_of_json(answer(eligibilityCriteria=text), "s.json", read="2026-03-01"), names
    )
    (hiv,) = [one for one in made.criteria if "HIV" in one.text]
    assert "any_result" in str(hiv.form)
    assert hiv.reading == "HIV infection, now or earlier, or any HIV test at any time positive."
