"""Recruitment status from the registry, and the days on which a version is in force."""

from __future__ import annotations

import json
import threading
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from cds.cli import fetching, main
from cds.content.bundled import bundled_content
from cds.content.check import check_content
from cds.content.trial_head import Effective
from cds.content.writing import with_block

if TYPE_CHECKING:
    from collections.abc import Iterator
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
recruitment:
  status: Recruiting
  recruiting: yes
  as_of: "2026-03-01"

target: I01  # and this one
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a small trial in a site's content."""
    place = tmp_path / "trials" / TRIAL
    place.mkdir(parents=True)
    (place / "trial.yaml").write_text(HEAD, "utf-8")
    row = "criteria:\n  - {id: I01, text: Desmoid tumour., reading: r, review: Is it so?}\n"
    (place / "inclusion.yaml").write_text(row, "utf-8")
    (place / "exclusion.yaml").write_text("criteria: []\n", "utf-8")
    monkeypatch.setenv("TRIAL_CDS_CONTENT", f"{bundled_content()}:{tmp_path}")
    return place


def study(folder: Path, status: str, text: str = "Desmoid tumour.", **more: Any) -> Path:
    """A study file as the registry gives it out."""
    said = {
        "protocolSection": {
            "identificationModule": {"nctId": TRIAL},
            "statusModule": {
                "overallStatus": status,
                "lastUpdatePostDateStruct": {"date": "2026-05-04"},
            },
            "eligibilityModule": {"eligibilityCriteria": text},
        },
        **more,
    }
    path = folder.parent.parent / "study.json"
    path.write_text(json.dumps(said), "utf-8")
    return path


def refresh(path: Path) -> Result:
    return CliRunner().invoke(main, ["refresh", "registry", str(path)])


def test_a_new_status_is_taken_over_and_the_rest_of_the_file_stays(folder: Path) -> None:
    done = refresh(study(folder, "ACTIVE_NOT_RECRUITING"))
    assert done.stdout == (
        "NCT00000000: Recruiting (2026-03-01) → Active, not recruiting (2026-05-04)\n"
    )
    assert (folder / "trial.yaml").read_text("utf-8") == HEAD.replace(
        '  status: Recruiting\n  recruiting: yes\n  as_of: "2026-03-01"',
        '  status: "Active, not recruiting"\n  recruiting: no\n  as_of: "2026-05-04"',
    )
    again = refresh(study(folder, "ACTIVE_NOT_RECRUITING"))
    assert again.stdout == "NCT00000000: Active, not recruiting (2026-05-04), as before\n"


def test_the_day_of_the_registry_s_data_counts_before_that_of_the_last_update(folder: Path) -> None:
    derived = {"miscInfoModule": {"versionHolder": "2026-06-07"}}
    done = refresh(study(folder, "RECRUITING", derivedSection=derived))
    assert "→ Recruiting (2026-06-07)" in done.stdout


def test_a_changed_eligibility_text_is_named_for_a_person_to_read(folder: Path) -> None:
    done = refresh(study(folder, "RECRUITING", "Desmoid tumour of the wall. New sentence."))
    assert 'the source study.json does not say "Desmoid tumour."' in done.stdout
    assert 'Nothing claims "New sentence."' in done.stdout


def test_what_to_do_about_changed_words_is_said_once(folder: Path) -> None:
    head = f"{HEAD}not_criteria:\n  - {{text: Words that are gone, reason: heading}}\n"
    (folder / "trial.yaml").write_text(head, "utf-8")
    done = refresh(study(folder, "RECRUITING", "Other words. Still others."))
    lines = done.stdout.splitlines()
    assert sum("does not say" in line for line in lines) > 1
    assert sum("Nothing claims" in line for line in lines) > 1
    assert lines.count("  → Copy the words from the source, letter by letter.") == 1
    assert sum("letter by letter" in line for line in lines) == 1
    assert sum("not_criteria with a reason" in line for line in lines) == 1


@pytest.fixture
def registry(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A registry on this machine that knows the invented trial and no other."""
    data = study(folder, "COMPLETED").read_bytes()

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path == f"/{TRIAL}"
            self.send_response(200 if known else 404)
            self.end_headers()
            self.wfile.write(data if known else b"")

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        monkeypatch.setattr(fetching, "REGISTRY", f"http://127.0.0.1:{server.server_port}/")
        yield
        server.shutdown()
        thread.join()


@pytest.mark.usefixtures("registry")
def test_a_study_is_fetched_by_its_id_where_the_network_allows() -> None:
    done = CliRunner().invoke(main, ["refresh", "registry", TRIAL])
    assert "Recruiting (2026-03-01) → Completed (2026-05-04)" in done.stdout
    done = CliRunner().invoke(main, ["refresh", "registry", "NCT99999999"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "clinicaltrials.gov answers 404 for NCT99999999. Save http" in done.stderr


def test_what_is_neither_a_file_nor_an_id_is_refused() -> None:
    done = CliRunner().invoke(main, ["refresh", "registry", "no-such-file.json"])
    assert done.exit_code == 2
    assert "no-such-file.json is neither a file nor a trial's id" in done.stderr


@pytest.mark.parametrize("text", ["{}", "no JSON", '{"protocolSection": []}'])
def test_what_is_no_study_is_refused_in_one_sentence(folder: Path, text: str) -> None:
    path = study(folder, "RECRUITING")
    path.write_text(text, "utf-8")
    done = refresh(path)
    assert done.exit_code == 2
    assert "study.json:1: This is no study with a number, a status and a date." in done.stderr
    assert (folder / "trial.yaml").read_text("utf-8") == HEAD


@pytest.mark.parametrize(
    ("dates", "day", "says"),
    [
        ('{from: "2026-06-01"}', "2026-05-31", "Version 1.0.0 is in force from 2026-06-01, not on"),
        ('{from: "2026-06-01"}', "2026-06-01", ""),
        ('{from: "2026-01-01", until: "2026-05-31"}', "2026-05-31", ""),
        (
            '{from: "2026-01-01", until: "2026-05-31"}',
            "2026-06-01",
            "Version 1.0.0 is in force 2026-01-01 to 2026-05-31, not on 2026-06-01.",
        ),
    ],
)
def test_a_version_that_is_not_in_force_is_noticed(
    folder: Path, dates: str, day: str, says: str
) -> None:
    (folder / "trial.yaml").write_text(f"{HEAD}effective: {dates}\n", "utf-8")
    found = check_content(
        [bundled_content(), folder.parent.parent], trial=TRIAL, day=date.fromisoformat(day)
    )
    noticed = [fault.says for fault in found if "in force" in fault.says]
    assert [one.startswith(says) for one in noticed] == ([True] if says else [])


@pytest.mark.parametrize(
    ("dates", "says"),
    [
        ("soon", "'effective' is a set of keys."),
        ('{from: "soon"}', "'soon' is no date."),
        ('{from: "2026-06-01", until: "2026-01-01"}', "2026-01-01 is before 2026-06-01."),
        ('{form: "2026-06-01"}', "'effective' has no 'form'."),
    ],
)
def test_dates_that_cannot_be_meant_are_faults(folder: Path, dates: str, says: str) -> None:
    (folder / "trial.yaml").write_text(f"{HEAD}effective: {dates}\n", "utf-8")
    found = check_content([bundled_content(), folder.parent.parent], trial=TRIAL)
    assert says in [fault.says for fault in found]


def test_a_day_on_either_end_is_inside() -> None:
    dates = Effective(date(2026, 1, 1), date(2026, 1, 31))
    assert dates.covers(date(2026, 1, 1))
    assert dates.covers(date(2026, 1, 31))
    assert not dates.covers(date(2026, 2, 1))


def test_a_block_that_is_not_there_yet_is_added_at_the_end() -> None:
    assert with_block("id: x\n", "a", ["a: 1"]) == "id: x\n\na: 1\n"
    assert with_block("a:\n  b: 1\n# end\nc: 2\n", "a", ["a: 3"]) == "a: 3\n# end\nc: 2\n"
