"""Signing off: who, when, and of exactly what; anything that changes undoes it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from cds.assess import load_content
from cds.cli import main
from cds.cohort.catalogue import catalogue_of
from cds.content.bundled import bundled_content
from cds.content.check import check_content
from cds.content.signing import _with_entry
from cds.content.trial_head import SignOff

if TYPE_CHECKING:
    from pathlib import Path

TRIAL = "NCT00000000"
HEAD = """\
# A comment that must stay.
id: NCT00000000
version: "1.0.0"
title: An invented trial
short_title: invented
sponsor: Nobody
url: https://example.org/NCT00000000
recruitment: {status: Recruiting, recruiting: yes, as_of: "2026-03-01"}
target: I01
"""
INCLUSION = """\
criteria:
  - {id: I01, text: Desmoid tumour, reading: r, review: Is it so?}
  - id: I02
    text: Willing
    reading: r
    review: Willing?
    show: [{medication: strong_cyp3a4_inhibitor, when: ever}]
"""
EXCLUSION = "criteria:\n  - {id: E01, text: Unfit, reading: r, review: Unfit?}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a small sound trial, in a site's content after the bundled one."""
    place = tmp_path / "trials" / TRIAL
    place.mkdir(parents=True)
    (place / "trial.yaml").write_text(HEAD, "utf-8")
    (place / "inclusion.yaml").write_text(INCLUSION, "utf-8")
    (place / "exclusion.yaml").write_text(EXCLUSION, "utf-8")
    monkeypatch.setenv("TRIAL_CDS_CONTENT", f"{bundled_content()}:{tmp_path}")
    return place


def write_page() -> None:
    """Write the review page of the trial as it is now."""
    done = CliRunner().invoke(main, ["review", TRIAL, "--write"])
    assert done.exit_code == 0, done.output


def sign(*more: str, name: str = "Dr A. Bee", day: str = "2026-03-02", page: bool = True) -> Result:
    """Sign the trial, after writing its review page; `page` False: as it lies there."""
    if page:
        write_page()
    words = ["sign", TRIAL, "--role", "principal investigator", "--name", name, "--date", day]
    return CliRunner().invoke(main, [*words, *more])


def trial_of(folder: Path) -> bool:
    content = load_content([bundled_content(), folder.parent.parent], only=[TRIAL])
    return content.trials[0].signed_off


def said(folder: Path) -> list[str]:
    return [
        fault.says
        for fault in check_content([bundled_content(), folder.parent.parent], trial=TRIAL)
    ]


def test_a_sign_off_holds_role_name_day_and_digest_until_a_criterion_changes(folder: Path) -> None:
    assert not trial_of(folder)
    done = sign("--yes")
    assert done.exit_code == 0, done.output
    assert "NCT00000000 version 1.0.0, 3 criteria: signed by Dr A. Bee" in done.output
    head = (folder / "trial.yaml").read_text("utf-8")
    assert head.startswith(HEAD)
    assert '  - {role: "principal investigator", by: "Dr A. Bee", date: "2026-03-02"' in head
    assert trial_of(folder)
    assert said(folder) == []

    path = folder / "inclusion.yaml"
    path.write_text(INCLUSION.replace("Willing?", "Willing and able?"), "utf-8")
    assert not trial_of(folder)
    (stale,) = said(folder)
    assert stale == (
        "Criteria not yet reviewed: I02 changed since Dr A. Bee (principal investigator) "
        "on 2026-03-02 signed them."
    )

    path.write_text(INCLUSION, "utf-8")
    assert trial_of(folder), "what was signed stands there again"


def test_codes_the_target_and_the_look_back_are_signed_too(folder: Path) -> None:
    sign("--yes")
    site = folder.parent.parent
    (site / "mappings").mkdir()
    table = (bundled_content() / "mappings" / "drugs.tsv").read_text("utf-8").splitlines()
    header = next(line for line in table if line.startswith("set\t"))
    row = next(line for line in table if line.startswith("strong_cyp3a4_inhibitor\t")).split("\t")
    row[1:5] = ["an invented drug", "review", "", ""]
    lines = "\n".join([header, "\t".join(row)]) + "\n"
    (site / "mappings" / "drugs.tsv").write_text(lines, "utf-8")
    assert "the codes of strong CYP3A4 inhibitor changed since Dr A. Bee" in said(folder)[0]

    shutil.rmtree(site / "mappings")
    head = (folder / "trial.yaml").read_text("utf-8")
    (folder / "trial.yaml").write_text(head.replace("target: I01", "target: I02"), "utf-8")
    assert not trial_of(folder)
    assert "'target' in trial.yaml changed since Dr A. Bee" in said(folder)[0]


def test_the_registry_s_status_may_change_without_a_new_signature(folder: Path) -> None:
    sign("--yes")
    head = (folder / "trial.yaml").read_text("utf-8")
    (folder / "trial.yaml").write_text(head.replace("Recruiting", "Completed"), "utf-8")
    assert trial_of(folder)


def test_the_report_of_a_screening_names_only_who_signed_today_s_criteria(folder: Path) -> None:
    def reviewers() -> list[str]:
        content = load_content([bundled_content(), folder.parent.parent], only=[TRIAL])
        return [one.by for trial in catalogue_of(content).trials for one in trial.signed_off]

    sign("--yes")
    assert reviewers() == ["Dr A. Bee"]
    path = folder / "inclusion.yaml"
    path.write_text(INCLUSION.replace("Willing?", "Willing and able?"), "utf-8")
    assert reviewers() == []


def test_two_people_may_sign_and_a_page_that_is_kept_names_both(folder: Path) -> None:
    sign("--yes")
    done = sign("--yes", name="Ms C. Dee", page=False)
    assert done.exit_code == 0, done.output
    page = (folder / "README.md").read_text("utf-8")
    assert "Reviewed: the criteria and value sets are those that were signed." in page
    assert page.index("Dr A. Bee") < page.index("Ms C. Dee")
    again = sign("--yes", name="Ms C. Dee", page=False)
    assert (again.exit_code, again.stderr) == (
        2, "trial-cds: this sign-off stands there already.\n",
    )  # fmt: skip


def test_nobody_signs_without_saying_that_the_page_was_read(folder: Path) -> None:
    write_page()
    done = CliRunner().invoke(
        main, ["sign", TRIAL, "--role", "pharmacist", "--name", "Dr A. Bee"], input="n\n"
    )
    assert done.exit_code == 130
    assert (folder / "trial.yaml").read_text("utf-8") == HEAD


@pytest.mark.parametrize(
    ("page", "wrong"),
    [(None, "is not there"), (b"\xff", "cannot be read"), (b"# NCT00000000", "is not the one of")],
)
def test_nobody_signs_what_another_page_showed(
    folder: Path, page: bytes | None, wrong: str
) -> None:
    """Neither by --yes, nor is it asked whether a page was read that is not there."""
    if page is not None:
        (folder / "README.md").write_bytes(page)
    for done in (sign("--yes", page=False), sign(page=False)):
        assert (done.exit_code, done.stdout) == (2, "")
        assert f"the review page {folder / 'README.md'} {wrong}" in done.stderr
        assert f"; write it with 'trial-cds review {TRIAL} --write'" in done.stderr
        assert "Did Dr A. Bee" not in done.stderr
    assert (folder / "trial.yaml").read_text("utf-8") == HEAD
    assert (folder / "README.md").is_file() == (page is not None)


def test_a_form_that_changed_after_the_page_was_written_is_not_signed(folder: Path) -> None:
    write_page()
    path = folder / "inclusion.yaml"
    path.write_text(INCLUSION.replace("Willing?", "Willing and able?"), "utf-8")
    assert "is not the one of today's criteria" in sign("--yes", page=False).stderr
    write_page()
    assert sign("--yes", page=False).exit_code == 0


def test_drafts_and_faults_cannot_be_signed(folder: Path) -> None:
    path = folder / "exclusion.yaml"
    path.write_text(EXCLUSION.replace("reading: r", "reading: r, status: drafted"), "utf-8")
    assert "1 criteria are drafts (E01); nobody can sign them." in sign("--yes").stderr
    path.write_text(EXCLUSION.replace("review: Unfit?", "finding: dvtt, when: ever"), "utf-8")
    told = sign("--yes", page=False).stderr
    assert "No concept is called 'dvtt'. Did you mean 'dvt'?" in told
    assert not (folder / "signed.json").exists()


ENTRY = SignOff("r", "b", "2026-03-02", "d")
LINE = '  - {role: "r", by: "b", date: "2026-03-02", digest: "d"}'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("id: x\n", f"id: x\n\nsign_off:\n{LINE}\n"),
        ("id: x\nsign_off: []\n", f"id: x\nsign_off:\n{LINE}\n"),
        (
            "sign_off:\n  - {role: a}\n\n# end\nid: x\n",
            f"sign_off:\n  - {{role: a}}\n{LINE}\n\n# end\nid: x\n",
        ),
        (
            "sign_off:\n- role: a\n  by: c\nid: x\n",
            f"sign_off:\n- role: a\n  by: c\n{LINE[2:]}\nid: x\n",
        ),
    ],
)
def test_the_rest_of_the_file_stays_letter_by_letter(before: str, after: str) -> None:
    assert _with_entry(before, ENTRY) == after
