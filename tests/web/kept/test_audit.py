"""Each access to a chart is one FHIR AuditEvent in a file of its own, or there is no answer."""

from __future__ import annotations

import json
import logging
import threading
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from fhir.resources.R4B.auditevent import AuditEvent

from cds.web.errors import Refused
from cds.web.seen.audit import Access, AuditTrail

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Json = dict[str, Any]
MARKER = "zzmarkerzz"


def events(file: Path) -> list[Json]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "audit.ndjson"


def test_a_hook_call_says_who_asked_about_whom_and_which_decision(
    service: Callable[..., Any], file: Path
) -> None:
    running = service(audit_file=file)
    name = str(uuid.uuid4())
    answer = running.fire(hookInstance=name, fhirServer="https://fhir.example.org/r4")
    (event,) = events(file)
    AuditEvent.model_validate(event)
    assert event["action"] == "E"
    assert event["outcome"] == "0"
    assert event["agent"][0] == {"who": {"reference": "Practitioner/a"}, "requestor": True}
    (entity,) = event["entity"]
    assert entity["what"] == {"reference": "https://fhir.example.org/r4/Patient/desmoid-ready"}
    assert {one["type"]: one["valueString"] for one in entity["detail"]} == {
        "hookInstance": name,
        "decision": answer.headers["Trial-CDS-Decision"],
    }


def test_reading_the_page_behind_a_card_is_an_access_too(
    service: Callable[..., Any], file: Path
) -> None:
    running = service(audit_file=file, page_sign_on="X-Remote-User")
    (card,) = running.cards()
    page = next(link["url"] for link in card["links"] if "/determinations/" in link["url"])
    path = page.removeprefix("http://127.0.0.1:8080")
    browser = running.app.test_client()
    assert browser.get(path, headers={"X-Remote-User": "anna"}).status_code == 200
    _, event = events(file)
    AuditEvent.model_validate(event)
    assert event["action"] == "R"
    assert event["agent"][0]["who"] == {"display": "anna"}
    assert event["entity"][0]["what"] == {"reference": "Patient/desmoid-ready"}
    assert browser.get(path, headers={"X-Remote-User": "bert"}).status_code == 403
    assert len(events(file)) == 2


def test_a_call_that_is_refused_is_an_access_that_failed(
    service: Callable[..., Any], file: Path
) -> None:
    running = service(audit_file=file)
    answer = running.app.test_client().post(
        "/cds-services/trial-eligibility",
        json={
            "hook": "patient-view",
            "hookInstance": str(uuid.uuid4()),
            "context": {"userId": {"odd": 1}, "patientId": "p"},
        },
    )
    assert answer.status_code == 412
    (event,) = events(file)
    AuditEvent.model_validate(event)
    assert event["outcome"] == "4"
    assert event["agent"][0]["who"] == {"display": "not said"}


def test_an_access_that_cannot_be_audited_gets_no_answer(
    service: Callable[..., Any], tmp_path: Path
) -> None:
    answer = service(audit_file=tmp_path / "gone" / "audit.ndjson").fire()
    assert answer.status_code == 503
    assert "cannot be audited" in answer.get_data(as_text=True)
    assert "cards" not in answer.get_json()


def test_a_full_disk_is_no_audited_access() -> None:
    from pathlib import Path  # noqa: PLC0415 - one test needs it

    with pytest.raises(Refused, match="cannot be audited"):
        AuditTrail(Path("/dev/full")).write(Access("page", "p"))


def test_lines_of_many_threads_do_not_mix_and_a_rotated_file_is_left(file: Path) -> None:
    trail = AuditTrail(file)
    access = Access("patient-view", "p", "Practitioner/" + "x" * 60)

    def write() -> None:
        for _ in range(50):
            trail.write(access)

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(events(file)) == 400
    file.rename(file.with_suffix(".1"))
    trail.write(access)
    assert len(events(file)) == 1
    assert file.stat().st_mode & 0o777 == 0o600


def test_without_the_setting_nothing_is_written(service: Callable[..., Any], file: Path) -> None:
    service().cards()
    assert not file.exists()


def test_what_fails_on_our_side_is_audited_and_logged_by_its_kind_alone(
    service: Callable[..., Any],
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(*_: object) -> None:
        raise ValueError(MARKER)

    running = service(audit_file=file)
    monkeypatch.setattr("cds.web.hook.assess_for_cards", broken)
    with caplog.at_level(logging.DEBUG):
        answer = running.fire()
    assert answer.status_code == 500
    assert MARKER not in answer.get_data(as_text=True)
    assert MARKER not in caplog.text
    (line,) = [json.loads(one.message) for one in caplog.records if "ValueError" in one.message]
    assert (line["event"], line["kind"]) == ("unexpected", "ValueError")
    assert "hook_instance" in line
    (event,) = events(file)
    assert event["outcome"] == "8"
