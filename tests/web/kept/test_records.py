"""Every answer of the hook leaves a record that says what was decided, and of nobody."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from cds.store.calls import find_calls
from cds.web.app import store_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Json = dict[str, Any]


def records(call: Any) -> dict[str, Json]:
    """Trial → its record."""
    return {one.trial: json.loads(one.record) for one in call.decided}


def test_each_trial_of_each_call_has_a_record_that_the_answer_names(
    service: Callable[..., Any],
) -> None:
    running = service()
    answer = running.fire("desmoid-ready")
    call = running.call(answer)
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-.{12}", call.id)
    found = records(call)
    assert set(found) == {"NCT05490667", "NCT07137884"}
    (card,) = answer.get_json()["cards"]
    said = card["extension"]["org.trial-cds.assessment"]
    record = found["NCT05490667"]
    assert record["outcome"] == "card"
    assert record["card"] == card["uuid"]
    assert record["overall"] == said["overall"]
    by_status = {
        status: {c["id"] for c in said["criteria"] if c["status"] == status}
        for status in ("pass", "fail", "unknown", "review")
    }
    assert {status: set(record[status]) for status in by_status} == by_status


def test_a_record_names_software_content_and_entries_by_digest_and_reference(
    service: Callable[..., Any], content: Any
) -> None:
    running = service()
    record = records(running.call(running.fire()))["NCT05490667"]
    for name in ("software_digest", "trial_digest", "mappings_digest", "input_digest"):
        assert re.fullmatch(r"sha256:[0-9a-f]{64}", record[name]), name
    assert record["trial_digest"].endswith(content.trials[0].digest.removeprefix("sha256:"))
    anc = record["evidence"]["I07b"]
    assert anc
    assert all(re.fullmatch(r"Observation/\S+", reference) for reference in anc)


def test_a_record_is_masked_and_says_what_is_missing(
    service: Callable[..., Any], tmp_path: Path
) -> None:
    running = service()
    answer = running.fire()
    call = running.call(answer)
    record = records(call)["NCT05490667"]
    assert record["masked"] == ["/patient", "/result"]
    assert record["patient"] is None
    store_of(running.app).close()
    written = b"".join(file.read_bytes() for file in tmp_path.glob("store.db*"))
    patient = running_patient(answer)
    for secret in (f"Patient/{patient}", "birthDate", "Samplesia", " 10*9/L"):
        assert secret.encode() not in written
    assert re.fullmatch(r"k1\.[0-9a-f]{64}", call.patient)


def running_patient(answer: Any) -> str:
    (card,) = answer.get_json()["cards"]
    reference: str = card["extension"]["org.trial-cds.assessment"]["patient"]
    return reference.removeprefix("Patient/")


def test_a_setting_unmasks_records(service: Callable[..., Any]) -> None:
    running = service(unmasked_records=True)
    answer = running.fire()
    record = records(running.call(answer))["NCT05490667"]
    (card,) = answer.get_json()["cards"]
    assert record["masked"] == []
    assert record["result"] == card["extension"]["org.trial-cds.assessment"]


def test_an_empty_answer_leaves_a_record_that_says_why(service: Callable[..., Any]) -> None:
    running = service()
    nothing = {"conditions": {"resourceType": "Bundle", "type": "searchset", "total": 0}}
    answer = running.fire(prefetch=nothing)
    assert answer.get_json()["cards"] == []
    call = running.call(answer)
    assert {one.outcome for one in call.decided} == {"no-diagnosis"}
    said = json.loads(call.record)
    assert (said["trials"], said["recorded"], said["cards"]) == (2, 2, 0)


def test_a_deceased_patient_leaves_the_call_alone(service: Callable[..., Any]) -> None:
    running = service()
    answer = running.fire(
        prefetch={
            "patient": {"resourceType": "Patient", "id": "p", "deceasedBoolean": True},
        }
    )
    call = running.call(answer)
    assert call.decided == ()
    assert json.loads(call.record)["trials"] == 2


def test_conditions_that_were_not_read_are_recorded_with_the_card_that_says_so(
    service: Callable[..., Any],
) -> None:
    running = service()
    outcome = {"resourceType": "OperationOutcome", "issue": []}
    answer = running.fire(prefetch={"conditions": outcome})
    (card,) = answer.get_json()["cards"]
    call = running.call(answer)
    assert {(one.outcome, one.card) for one in call.decided} == {("not-read", card["uuid"])}
    assert json.loads(call.record)["problems"]["not-retrieved"] >= 1


@pytest.mark.parametrize(
    ("settings", "outcome"),
    [({"trials_off": ("NCT05490667",)}, "off"), ({"near_days": 30}, "card")],
)
def test_the_record_says_why_a_trial_gave_no_card(
    settings: Json, outcome: str, service: Callable[..., Any]
) -> None:
    running = service(**settings)
    call = running.call(running.fire())
    assert {one.trial: one.outcome for one in call.decided}["NCT05490667"] == outcome


def test_a_call_is_found_by_the_hook_instance_of_the_ehr(service: Callable[..., Any]) -> None:
    running = service()
    name = "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"
    first = running.fire(hookInstance=name).headers["Trial-CDS-Decision"]
    second = running.fire(hookInstance=name).headers["Trial-CDS-Decision"]
    assert [call.id for call in find_calls(store_of(running.app), name)] == [first, second]


def test_the_same_chart_has_the_same_digests_and_another_value_another(
    service: Callable[..., Any],
) -> None:
    running = service()
    one, same = (records(running.call(running.fire()))["NCT05490667"] for _ in range(2))
    other = records(running.call(running.fire("desmoid-anc-cells")))["NCT05490667"]
    assert one["determination"] != same["determination"]
    for name in ("input_digest", "result_digest"):
        assert one[name] == same[name] != other[name]


def test_the_chart_is_kept_only_where_a_setting_says_so_and_then_sealed(
    service: Callable[..., Any], tmp_path: Path
) -> None:
    running = service()
    assert running.call(running.fire()).sealed is None
    keeping = service(keep_inputs=True)
    sealed = keeping.call(keeping.fire()).sealed
    assert sealed is not None
    assert b"Patient" not in sealed
    assert (tmp_path / "site-keys").exists()
