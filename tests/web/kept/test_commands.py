"""The commands that look into the store, as the people use them who run the service."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from cds.cli import main
from cds.content.bundled import bundled_fixtures
from cds.settings import FhirBase
from cds.store.calls import Calls, find_calls
from cds.web.app import keeper_of, store_of
from cds.web.fhir_endpoint import (
    Faults,
    create_fhir_app,
    endpoint_of,
    load_fixtures,
    serving,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Json = dict[str, Any]
Run = subprocess.CompletedProcess[str]


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., Run]:
    """Runs a command over the store of the test's services."""

    def run(*arguments: str, **settings: str) -> Run:
        own: dict[str, str | None] = {
            name: None for name in os.environ if name[:10] == "TRIAL_CDS_"
        }
        own["TRIAL_CDS_DATABASE_URL"] = f"sqlite:///{tmp_path / 'store.db'}"
        own |= {f"TRIAL_CDS_{name}": value for name, value in settings.items()}
        done = CliRunner().invoke(main, list(arguments), env=own)
        return Run(list(arguments), done.exit_code, done.stdout, done.stderr)

    return run


@pytest.fixture
def request_file(tmp_path: Path, chart: Callable[[str], Json]) -> Path:
    """The hook request of a whole chart, as its EHR sent it."""
    return write_request(tmp_path, chart("desmoid-ready"))


def write_request(folder: Path, prefetch: Json) -> Path:
    file = folder / "request.json"
    request = {
        "hook": "patient-view",
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": {"userId": "Practitioner/a", "patientId": prefetch["patient"]["id"]},
        "prefetch": prefetch,
    }
    file.write_bytes(json.dumps(request).encode())
    return file


def send(running: Any, file: Path) -> str:
    """Fire the hook with the very bytes of a file; gives the call's id."""
    answer = running.app.test_client().post(
        "/cds-services/trial-eligibility",
        data=file.read_bytes(),
        content_type="application/json",
    )
    assert answer.status_code == 200
    name: str = answer.headers["Trial-CDS-Decision"]
    return name


def test_no_card_did_it_run_is_answered_by_the_hook_instance(
    service: Callable[..., Any], command: Callable[..., Run]
) -> None:
    running = service(trials_off=("NCT05490667",))
    name = "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"
    assert running.cards(hookInstance=name) == []
    said = command("decision", name)
    assert said.returncode == 0
    assert "cards given: 0" in said.stdout
    assert "no card: the trial is switched off" in said.stdout
    assert "NCT07137884 1" in said.stdout


def test_a_call_that_did_not_run_is_said_so(
    service: Callable[..., Any], command: Callable[..., Run]
) -> None:
    service().cards()
    said = command("decision", "00000000-0000-4000-8000-000000000000")
    assert said.returncode == 2
    assert "was not answered with 200 here" in said.stderr


def test_a_record_and_its_request_make_the_same_determination_byte_for_byte(
    service: Callable[..., Any], command: Callable[..., Run], request_file: Path, tmp_path: Path
) -> None:
    name = send(service(), request_file)
    lines = command("decision", name, "--format", "json").stdout
    records = tmp_path / "record.json"
    records.write_text(lines)
    done = command("replay", str(records), "--input", str(request_file))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("the same, byte for byte") == 2
    assert "another input" not in done.stdout


def test_a_kept_chart_needs_the_id_alone(
    service: Callable[..., Any], command: Callable[..., Run], request_file: Path
) -> None:
    running = service(keep_inputs=True, unmasked_records=True)
    name = send(running, request_file)
    done = command("replay", f"{name}.NCT05490667", "--format", "json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["same"]
    (kept,) = find_calls(store_of(running.app), name, trial="NCT05490667")
    assert answer["result"] == json.loads(kept.decided[0].record)["result"]


def test_a_chart_that_a_fhir_server_gave_in_part_is_replayed_as_it_was_read(
    service: Callable[..., Any], command: Callable[..., Run], content: Any
) -> None:
    del content
    app = create_fhir_app(load_fixtures(bundled_fixtures(), None))
    forbidden = frozenset({"MedicationRequest"})
    endpoint_of(app).faults = Faults(forbidden_types=forbidden)
    with serving(app) as base:
        running = service(keep_inputs=True, fhir_allow=(FhirBase(base),))
        answer = running.app.test_client().post(
            "/cds-services/trial-eligibility",
            json={
                "hook": "patient-view",
                "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
                "context": {"userId": "Practitioner/a", "patientId": "desmoid-ready"},
                "fhirServer": base,
            },
        )
    (card,) = answer.get_json()["cards"]
    said = card["extension"]["org.trial-cds.assessment"]
    assert {"not-retrieved"} == {one["kind"] for one in said["problems"]}
    name = answer.headers["Trial-CDS-Decision"]
    done = command("replay", f"{name}.NCT05490667", "--format", "json")
    assert json.loads(done.stdout)["same"], done.stdout
    assert json.loads(done.stdout)["result"] == said


def test_another_chart_is_told_and_which_criteria_stand_otherwise(
    service: Callable[..., Any],
    command: Callable[..., Run],
    request_file: Path,
    tmp_path: Path,
    chart: Callable[[str], Json],
) -> None:
    name = send(service(), request_file)
    other = chart("desmoid-ready")
    other["conditions"] = {"resourceType": "Bundle", "type": "searchset", "total": 0}
    (tmp_path / "other").mkdir()
    file = write_request(tmp_path / "other", other)
    done = command("replay", f"{name}.NCT05490667", "--input", str(file))
    assert done.returncode == 1
    assert "not the same" in done.stdout
    assert "another input: it was sha256:" in done.stdout
    assert "was pass, is fail" in done.stdout


def test_other_content_is_told_by_its_digest(
    service: Callable[..., Any], command: Callable[..., Run], request_file: Path, tmp_path: Path
) -> None:
    name = send(service(), request_file)
    line = command("decision", f"{name}.NCT05490667", "--format", "json").stdout.splitlines()[1]
    record = json.loads(line) | {"software": "0.0.1", "mappings_digest": f"sha256:{'0' * 64}"}
    file = tmp_path / "record.json"
    file.write_text(json.dumps(record))
    done = command("replay", str(file), "--input", str(request_file))
    assert done.returncode == 0
    assert "another software: it was 0.0.1 " in done.stdout
    assert "another mappings: it was sha256:000000000000" in done.stdout


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("not json", "line 1 is no decision record"),
        ("{}", "line 1 is no decision record"),
        ("", "holds no decision record"),
    ],
)
def test_a_file_that_is_no_record_is_refused_with_one_sentence(
    text: str, says: str, command: Callable[..., Run], tmp_path: Path
) -> None:
    file = tmp_path / "record.json"
    file.write_text(text)
    done = command("replay", str(file))
    assert done.returncode == 2
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_without_a_kept_chart_it_says_what_to_give(
    service: Callable[..., Any], command: Callable[..., Run], request_file: Path
) -> None:
    name = send(service(), request_file)
    done = command("replay", name)
    assert done.returncode == 2
    assert "give it with --input" in done.stderr


def test_what_evaluate_records_is_replayed_from_the_bundle_alone(
    command: Callable[..., Run], tmp_path: Path
) -> None:
    bundle = bundled_fixtures() / "desmoid-clarithromycin" / "bundle.json"
    records = tmp_path / "records.jsonl"
    for _ in range(2):
        done = command("evaluate", str(bundle), "--on", "2026-03-01", "--record", str(records))
        assert done.returncode == 0, done.stderr
    assert len(records.read_text().splitlines()) == 4
    assert "Patient/" not in records.read_text()
    again = command("replay", str(records), "--input", str(bundle))
    assert again.returncode == 0
    assert again.stdout.count("the same, byte for byte") == 4
    refused = command("evaluate", "--fhir", "https://x", "--patient", "p", "--record", "r")
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)


def test_feedback_is_reported_by_trial_and_reason(
    service: Callable[..., Any], command: Callable[..., Run]
) -> None:
    running = service(mute_overridden=False)
    (first,) = running.cards()
    (second,) = running.cards("desmoid-anc-cells")
    running.say(first, "accepted")
    running.say(first, "overridden", "not-suitable", at="10:00:00")
    running.say(second, "overridden", "patient-declined", at="11:00:00")
    running.say({"uuid": "of-another-time"}, "overridden")
    assert command("feedback").stdout.splitlines() == [
        "NCT05490667: 2 cards shown, 2 answered; 1 accepted, 33% of what was said, 2 overridden",
        "       1  not-suitable",
        "       1  patient-declined",
        "unknown card: 0 cards shown, 1 answered; 0 accepted, 0% of what was said, 1 overridden",
        "       1  no reason given",
    ]
    rows = list(csv.DictReader(io.StringIO(command("feedback", "--format", "csv").stdout)))
    assert next((row["trial"], row["reason"], row["count"]) for row in rows) == (
        "NCT05490667",
        "not-suitable",
        "1",
    )
    first_line = command("feedback", "--format", "json").stdout.splitlines()[0]
    assert json.loads(first_line)["rate"] == pytest.approx(1 / 3)
    assert "No card was shown" in command("feedback", "--since", "2999-01-01").stdout


def test_everything_about_a_patient_can_be_thrown_away(
    service: Callable[..., Any], command: Callable[..., Run], tmp_path: Path
) -> None:
    running = service(keep_inputs=True)
    base = "https://fhir.example.org/r4"
    (card,) = running.cards(fhirServer=base)
    running.say(card, "overridden")
    running.cards("desmoid-anc-cells", fhirServer=base)
    keys = tmp_path / "site-keys"
    keys.write_text(f"k2 {'ab' * 32}\n{keys.read_text()}")  # older rows are found all the same
    done = command("forget", "desmoid-ready", "--fhir", base)
    assert done.stdout == (
        "Thrown away: 1 calls with their decision records, 1 feedback, 1 muted cards, 0 answers.\n"
    )
    with store_of(running.app).read() as connection:
        counts = {
            table: connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one()  # noqa: S608
            for table in ("calls", "decisions", "inputs", "feedback", "mutes")
        }
    assert counts == {"calls": 1, "decisions": 2, "inputs": 1, "feedback": 0, "mutes": 0}
    again = command("forget", "desmoid-ready", "--fhir", "https://other.example.org")
    assert "Nothing was kept" in again.stderr


def test_what_is_too_old_is_thrown_away_by_the_command_and_by_the_service(
    service: Callable[..., Any],
    command: Callable[..., Run],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    running = service(retention_days=90)
    monkeypatch.setattr("cds.web.hook.now", lambda: datetime.now(UTC) - timedelta(days=91))
    old = running.fire().headers["Trial-CDS-Decision"]
    monkeypatch.undo()
    running.fire()
    assert len(find_calls(store_of(running.app), old)) == 1
    done = command("retention", RETENTION_DAYS="90")
    assert "1 calls" in done.stdout
    assert find_calls(store_of(running.app), old) == []
    assert command("retention", RETENTION_DAYS="0").returncode == 2


def test_the_service_throws_away_what_is_too_old_by_itself(
    service: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    running = service(retention_days=90)
    monkeypatch.setattr("cds.web.hook.now", lambda: datetime.now(UTC) - timedelta(days=91))
    old = running.fire().headers["Trial-CDS-Decision"]
    monkeypatch.undo()
    restarted = service(retention_days=90)
    restarted.fire()
    assert find_calls(store_of(running.app), old) == []
    assert isinstance(keeper_of(restarted.app)._calls, Calls)
