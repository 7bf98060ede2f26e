"""Records from bundles, prefetch and servers: what was read, whose it is, what is missing."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from msgspec import Raw

from cds.core.facts import Retrieval
from cds.fhir.prefetch import TEMPLATES
from cds.fhir.record import (
    UnusableInput,
    Whole,
    merge,
    missing,
    record_from_bundle,
    record_from_fetched,
    record_from_prefetch,
    record_from_resources,
)
from cds.fhir.retrieved import COMPLETE
from cds.fhir.search import Fetched, Search

if TYPE_CHECKING:
    from cds.fhir.record import Record

Json = dict[str, Any]
WHO: Json = {"resourceType": "Patient", "id": "p1"}
CONDITION: Json = {
    "resourceType": "Condition",
    "id": "c1",
    "code": {"text": "x"},
    "subject": {"reference": "Patient/p1"},
}
DONE, PART, NONE = Retrieval.COMPLETE, Retrieval.PARTIAL, Retrieval.NOT_RETRIEVED
CUT = Retrieval.CUT_OFF


def bundle(*resources: Any, **fields: Any) -> Json:
    return {
        "resourceType": "Bundle",
        "type": "searchset",
        "entry": [{"resource": resource} for resource in resources],
        **fields,
    }


def read(*resources: Any, **fields: Any) -> Record:
    return record_from_bundle(json.dumps(bundle(*resources, **fields)).encode())


def prefetched(**values: Any) -> Record:
    raw = {key: Raw(json.dumps(value).encode()) for key, value in values.items()}
    return record_from_prefetch(raw, "p1")


def outcome(severity: str, code: str = "processing") -> Json:
    return {"resourceType": "OperationOutcome", "issue": [{"severity": severity, "code": code}]}


def kinds(record: Record) -> list[str]:
    return [problem.kind for problem in record.all_problems()]


# Input that cannot be used


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not JSON"),
        (b"hello", "not JSON"),
        (b'{"resourceType": "Bundle"', "not JSON"),
        (b'{"resourceType": "Bundle", "id": "\xff"}', "Patient"),
        (b"\xff\xfe{}", "not JSON"),
        (b"[]", "not a JSON object"),
        (b"7", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b"{}", "no resourceType"),
        (b'{"resourceType": 5}', "no resourceType"),
        (b'{"resourceType": "Patient", "id": "p1"}', "Patient, not a Bundle"),
        (b'{"resourceType": "Observation", "id": 7}', "Observation, not a Bundle"),
        (b'{"resourceType": "Bundle"}', "no Patient"),
        (b'{"resourceType": "Bundle", "entry": null}', "no Patient"),
        (b'{"resourceType": "Bundle", "entry": {}}', "no Patient"),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
    ],
)
def test_input_that_is_no_bundle_of_a_patient_is_refused_with_one_sentence(
    data: bytes, says: str
) -> None:
    with pytest.raises(UnusableInput) as refusal:
        record_from_bundle(data)
    assert says in str(refusal.value)
    assert str(refusal.value).count(".") == 1
    assert "\n" not in str(refusal.value)


def test_a_bundle_of_several_patients_is_refused() -> None:
    with pytest.raises(UnusableInput, match="several Patients"):
        read(WHO, {"resourceType": "Patient", "id": "p2"})


def test_a_patient_to_whom_nothing_can_refer_is_refused() -> None:
    with pytest.raises(UnusableInput, match="neither an id nor a fullUrl"):
        read({"resourceType": "Patient"}, CONDITION)


@pytest.mark.parametrize(
    ("resource", "version"),
    [
        ({"resourceType": "MedicationOrder", "id": "m"}, "DSTU2"),
        ({"resourceType": "ProcedureRequest", "id": "m"}, "STU3"),
        ({"resourceType": "MedicationUsage", "id": "m"}, "R5"),
        (CONDITION | {"clinicalStatus": "active"}, "STU3 or DSTU2"),
        (CONDITION | {"verificationStatus": "confirmed"}, "STU3 or DSTU2"),
        (
            {"resourceType": "Condition", "patient": {"reference": "Patient/p1"}, "code": {}},
            "DSTU2",
        ),
        (
            {
                "resourceType": "MedicationStatement",
                "taken": "y",
                "subject": {"reference": "Patient/p1"},
            },
            "STU3",
        ),
        (
            {
                "resourceType": "MedicationStatement",
                "wasNotTaken": False,
                "patient": {"reference": "Patient/p1"},
            },
            "DSTU2",
        ),
        (
            {
                "resourceType": "MedicationRequest",
                "context": {"reference": "Encounter/1"},
                "subject": {"reference": "Patient/p1"},
            },
            "STU3",
        ),
        (
            {
                "resourceType": "MedicationStatement",
                "medication": {"concept": {"text": "x"}},
                "subject": {"reference": "Patient/p1"},
            },
            "R5",
        ),
        (
            {
                "resourceType": "Procedure",
                "occurrenceDateTime": "2020",
                "subject": {"reference": "Patient/p1"},
            },
            "R5",
        ),
        (
            {
                "resourceType": "Procedure",
                "notDone": False,
                "subject": {"reference": "Patient/p1"},
            },
            "STU3",
        ),
    ],
)
def test_another_fhir_version_is_recognised_and_refused(resource: Json, version: str) -> None:
    with pytest.raises(UnusableInput, match=f"FHIR {version} record"):
        read(WHO, resource)


def test_one_old_fashioned_field_among_many_entries_is_forgiven() -> None:
    other = CONDITION | {"id": "c2", "clinicalStatus": {"coding": [{"code": "active"}]}}
    record = read(WHO, CONDITION | {"clinicalStatus": "active"}, other)
    assert len(record.entries["Condition"]) == 2


# Bundles


@pytest.mark.parametrize(
    "kind", ["collection", "searchset", "transaction", "batch", "document", "message", None, 7]
)
def test_a_bundle_of_any_type_is_the_whole_record(kind: Any) -> None:
    record = read(WHO, CONDITION, type=kind)
    assert len(record.entries["Condition"]) == 1
    assert set(record.retrieval().values()) == {DONE}
    assert record.all_problems() == ()
    assert missing(record) == frozenset()


def test_a_byte_order_mark_does_no_harm() -> None:
    assert record_from_bundle(b"\xef\xbb\xbf" + json.dumps(bundle(WHO)).encode()).patient


def test_other_types_of_resources_are_left_aside() -> None:
    record = read(WHO, {"resourceType": "Encounter", "status": 7}, {"resourceType": "Unheard"})
    assert record.all_problems() == ()


def test_a_bundle_that_goes_on_elsewhere_is_incomplete() -> None:
    for fields in (
        {"link": [{"relation": "next", "url": "x"}]},
        {"total": 9},
        {"total": "many"},
        {"link": 5},
    ):
        record = read(WHO, CONDITION, **fields)
        assert set(record.retrieval().values()) == {CUT}
        assert set(kinds(record)) == {"incomplete"}


def test_a_total_that_is_reached_is_complete() -> None:
    assert kinds(read(WHO, CONDITION, total=2)) == []
    assert kinds(read(WHO, CONDITION, total=1)) == []


def test_an_included_entry_does_not_count_towards_the_total() -> None:
    entries = [
        {"resource": WHO, "search": {"mode": "include"}},
        {"resource": CONDITION, "search": {"mode": "match"}},
    ]
    assert kinds(read(entry=entries, total=2)) == ["incomplete"] * 9
    assert kinds(read(entry=entries, total=1)) == []


@pytest.mark.parametrize(
    ("severity", "code", "state"),
    [
        ("error", "processing", CUT),
        ("fatal", "exception", CUT),
        ("warning", "not-found", DONE),
        ("information", "informational", DONE),
        ("warning", "suppressed", CUT),
        ("warning", "timeout", CUT),
        ("unheard", "processing", CUT),
    ],
)
def test_an_outcome_among_the_entries_counts_only_if_something_is_missing(
    severity: str, code: str, state: Retrieval
) -> None:
    record = read(WHO, outcome(severity, code))
    assert record.retrieval()["Condition"] is state


def test_bundles_inside_a_bundle_are_read_one_level_deep() -> None:
    inner = bundle(CONDITION, link=[{"relation": "next", "url": "x"}])
    record = read(WHO, inner)
    assert len(record.entries["Condition"]) == 1
    assert record.retrieval()["Condition"] is CUT
    assert record.retrieval()["Procedure"] is DONE


def test_an_answer_of_a_batch_that_failed_leaves_everything_incomplete() -> None:
    entries = [{"resource": WHO}, {"response": {"status": "403 Forbidden"}}]
    assert read(entry=entries).retrieval()["Condition"] is CUT
    entries[1] = {"response": {"status": "201"}}
    assert read(entry=entries).retrieval()["Condition"] is DONE


# Whose entries


@pytest.mark.parametrize(
    "reference",
    [
        "Patient/p1",
        "https://ehr.example/fhir/Patient/p1",
        "http://localhost:8080/fhir/Patient/p1/_history/4",
        "Patient/p1/_history/2",
        "urn:uuid:0b7d8d5e-0001-4000-8000-000000000001",
    ],
)
def test_this_patient_may_be_referred_to_in_every_way(reference: str) -> None:
    entries = [
        {"fullUrl": "urn:uuid:0b7d8d5e-0001-4000-8000-000000000001", "resource": WHO},
        {"resource": CONDITION | {"subject": {"reference": reference}}},
    ]
    record = read(entry=entries)
    assert len(record.entries["Condition"]) == 1
    assert record.problems == ()


@pytest.mark.parametrize(
    "reference",
    ["Patient/p2", "Patient/P1", "Group/p1", "https://ehr.example/fhir/Patient/p11", "urn:uuid:2"],
)
def test_another_subjects_entry_is_reported_and_not_used(reference: str) -> None:
    entries = [
        {"fullUrl": "urn:uuid:1", "resource": WHO},
        {"resource": CONDITION | {"subject": {"reference": reference}}},
    ]
    record = read(entry=entries)
    assert record.entries["Condition"] == ()
    assert [(p.kind, p.reference) for p in record.problems] == [("other-patient", "Condition/c1")]
    assert record.retrieval()["Condition"] is DONE


@pytest.mark.parametrize(
    "subject",
    [
        None,
        {},
        {"reference": "#p1"},
        {"reference": "Patient?identifier=1"},
        {"reference": "urn:uuid:1"},
        {"reference": ""},
        {"identifier": {"value": "1"}},
        {"display": "Somebody"},
    ],
)
def test_an_entry_of_nobody_leaves_its_type_incomplete(subject: Json | None) -> None:
    record = read(WHO, CONDITION | {"subject": subject})
    assert record.entries["Condition"] == ()
    assert [p.reference for p in record.problems] == ["Condition/c1"]
    assert record.retrieval()["Condition"] is PART
    assert record.retrieval()["Procedure"] is DONE


def test_no_problem_quotes_the_other_patient() -> None:
    record = read(WHO, CONDITION | {"subject": {"reference": "Patient/secret-name"}})
    assert "secret" not in str(record.all_problems())


# Several versions of one resource


def test_of_several_versions_the_one_updated_last_is_used() -> None:
    new = CONDITION | {"meta": {"lastUpdated": "2026-02-02T00:00:00Z"}, "code": {"text": "new"}}
    old = CONDITION | {"meta": {"lastUpdated": "2026-02-01T00:00:00Z"}, "code": {"text": "old"}}
    for resources in ([new, old], [old, new], [CONDITION, new], [new, CONDITION]):
        (entry,) = read(WHO, *resources).entries["Condition"]
        assert entry.resource.code.text == "new"  # type: ignore[union-attr]


def test_without_dates_the_version_number_decides_else_the_last_one() -> None:
    second = CONDITION | {"meta": {"versionId": "2"}, "code": {"text": "2"}}
    tenth = CONDITION | {"meta": {"versionId": "10"}, "code": {"text": "10"}}
    (entry,) = read(WHO, tenth, second).entries["Condition"]
    assert entry.resource.code.text == "10"  # type: ignore[union-attr]
    (entry,) = read(WHO, CONDITION, CONDITION | {"code": {"text": "last"}}).entries["Condition"]
    assert entry.resource.code.text == "last"  # type: ignore[union-attr]


def test_entries_without_ids_are_all_kept() -> None:
    nameless = {name: value for name, value in CONDITION.items() if name != "id"}
    assert len(read(WHO, nameless, nameless).entries["Condition"]) == 2


# Prefetch


def test_a_full_prefetch_leaves_nothing_to_ask() -> None:
    values = {key: bundle() for key in TEMPLATES} | {
        "patient": WHO,
        "conditions": bundle(CONDITION),
    }
    record = prefetched(**values)
    assert record.patient is not None
    assert len(record.entries["Condition"]) == 1
    assert missing(record) == frozenset()
    assert record.all_problems() == ()


def test_the_five_states_of_a_prefetch_key_are_five_things() -> None:
    record = prefetched(
        patient=WHO,
        labs=None,
        vitals=bundle(),
        medreq=outcome("error"),
        medstmt=bundle(outcome("error")),
        procedures=bundle(total=3),
        exam=bundle(outcome("warning", "not-found"), total=0),
    )
    states = record.retrieval()
    assert states["Condition"] is NONE
    assert states["Observation:laboratory"] is DONE
    assert states["Observation:vital-signs"] is DONE
    assert states["Observation:exam"] is DONE
    assert states["Observation:survey"] is NONE
    assert states["Observation"] is NONE
    assert states["MedicationRequest"] is NONE
    assert states["MedicationStatement"] is CUT
    assert states["Procedure"] is CUT
    assert missing(record) == {
        "Condition",
        "Observation:survey",
        "Observation:social-history",
        "MedicationRequest",
        "MedicationStatement",
        "MedicationAdministration",
        "Procedure",
    }


def test_an_empty_prefetch_asks_for_everything() -> None:
    record = prefetched()
    assert record.patient is None
    assert "Patient" in missing(record)
    assert {"Condition", "Observation:laboratory", "MedicationRequest"} <= missing(record)


def test_a_renamed_key_is_known_by_what_it_holds() -> None:
    record = prefetched(**{"my-problems": bundle(CONDITION), "who": WHO})
    assert record.retrieval()["Condition"] is DONE
    assert record.patient is not None


def test_a_renamed_empty_list_is_known_by_its_own_address_only() -> None:
    self_link = [{"relation": "self", "url": "https://ehr/fhir/Procedure?patient=p1&_count=50"}]
    assert prefetched(x=bundle(link=self_link)).retrieval()["Procedure"] is DONE
    assert prefetched(x=bundle()).retrieval()["Procedure"] is NONE
    assert prefetched(x=None).retrieval()["Procedure"] is NONE


def test_unfiltered_observations_cover_every_category() -> None:
    observation = {
        "resourceType": "Observation",
        "code": {},
        "subject": {"reference": "Patient/p1"},
    }
    link = [{"relation": "self", "url": "https://ehr/fhir/Observation?patient=p1"}]
    states = prefetched(observations=bundle(observation, link=link)).retrieval()
    assert states["Observation"] is DONE
    assert states["Observation:survey"] is DONE


def test_observations_of_a_category_cover_only_that() -> None:
    link = [{"relation": "self", "url": "x/Observation?patient=p1&category=system|laboratory"}]
    states = prefetched(observations=bundle(link=link)).retrieval()
    assert states["Observation:laboratory"] is DONE
    assert states["Observation:survey"] is NONE


@pytest.mark.parametrize(
    "query", ["status=active", "date=ge2026-01-01", "clinical-status=active", "category=problem"]
)
def test_a_filtered_list_is_never_complete(query: str) -> None:
    link = [{"relation": "self", "url": f"https://ehr/fhir/Condition?patient=p1&{query}"}]
    record = prefetched(conditions=bundle(CONDITION, link=link))
    assert record.retrieval()["Condition"] is CUT
    assert "Condition" in missing(record)


def test_a_single_resource_in_place_of_a_list_is_there_but_not_all() -> None:
    record = prefetched(conditions=CONDITION)
    assert len(record.entries["Condition"]) == 1
    assert record.retrieval()["Condition"] is CUT


@pytest.mark.parametrize(
    ("query", "since"),
    [
        ("date=ge2026-01-01", date(2026, 1, 2)),
        ("date=gt2026-01-01T08:00:00Z&_count=50", date(2026, 1, 2)),
        ("date=ge2026-01-01&status=final", None),
        ("date=le2026-01-01", None),
        ("date=ge2026", None),
        ("date=ge2026-02-30", None),
    ],
)
def test_of_a_list_filtered_by_date_everything_since_that_day_came(
    query: str, since: date | None
) -> None:
    link = [{"relation": "self", "url": f"https://ehr/Observation?category=laboratory&{query}"}]
    record = prefetched(labs=bundle(link=link))
    assert record.covered("Observation:laboratory").state is CUT
    assert record.covered("Observation:laboratory").since == since
    assert record.whole_since() == ({"Observation:laboratory": since} if since else {})
    goes_on = prefetched(labs=bundle(link=[*link, {"relation": "next", "url": "x"}]))
    assert goes_on.covered("Observation:laboratory").since is None


def test_an_entry_that_cannot_be_read_and_a_list_that_goes_on_are_two_things() -> None:
    unreadable = CONDITION | {"code": 5}
    goes_on = [{"relation": "next", "url": "x"}]
    assert read(WHO, unreadable).retrieval()["Condition"] is PART
    assert read(WHO, unreadable, link=goes_on).retrieval()["Condition"] is CUT
    assert prefetched(conditions=bundle(unreadable, total=3)).retrieval()["Condition"] is CUT


def test_of_two_lists_that_were_cut_off_the_one_counts_of_which_more_came_whole() -> None:
    def cut_off(*days: date | None) -> Record:
        answers = [Fetched(Search("Observation"), CUT, (), None, day) for day in days]
        return record_from_fetched(answers, "p1")

    first, second = date(2026, 1, 1), date(2026, 2, 1)
    for days in ((first, second, None), (None, second, first)):
        assert cut_off(*days).covered("Observation:laboratory").since == first
        merged = merge(cut_off(*days[:1]), cut_off(*days[1:]))
        assert merged.whole_since()["Observation:laboratory"] == first


def test_another_patient_in_prefetch_is_refused() -> None:
    with pytest.raises(UnusableInput, match=r"context\.patientId"):
        prefetched(patient=WHO | {"id": "p2"})


def test_another_patients_resource_in_a_list_is_reported() -> None:
    record = prefetched(patient=WHO, conditions=bundle(CONDITION, WHO | {"id": "p2"}))
    assert [p.reference for p in record.problems] == ["Patient/p2"]


THEIRS = CONDITION | {"id": "c2", "subject": {"reference": "Patient/p2"}}


def test_a_list_of_another_patient_alone_shows_nothing_of_this_one() -> None:
    record = prefetched(patient=WHO, conditions=bundle(THEIRS, THEIRS | {"id": "c3"}))
    assert record.covered("Condition").state is CUT
    assert "Condition" in missing(record)
    assert kinds(record).count("other-patient") == 2
    assert "incomplete" in kinds(record)
    mixed = prefetched(conditions=bundle(THEIRS, CONDITION))
    assert mixed.covered("Condition").state is DONE
    assert prefetched(conditions=bundle()).covered("Condition").state is DONE


def test_entries_that_do_not_say_whose_they_are_are_not_called_another_patients() -> None:
    nobodys = {name: value for name, value in CONDITION.items() if name != "subject"}
    record = prefetched(conditions=bundle(nobodys, nobodys | {"id": "c3"}))
    covered = record.covered("Condition")
    assert (covered.state, covered.why) == (PART, "an entry does not say whose it is")
    assert "other-patient" not in kinds(record)
    assert prefetched(conditions=bundle(nobodys, THEIRS)).covered("Condition").state is CUT


def test_another_list_of_the_type_makes_up_for_it() -> None:
    record = prefetched(conditions=bundle(CONDITION), encounter=bundle(THEIRS))
    assert record.covered("Condition").state is DONE


def test_a_server_that_answers_with_another_patients_list_has_shown_nothing() -> None:
    answers = [Fetched(Search("Condition"), DONE, (json.dumps(bundle(THEIRS)).encode(),))]
    assert record_from_fetched(answers, "p1").covered("Condition").state is CUT
    pages = [json.dumps(bundle(one)).encode() for one in (THEIRS, CONDITION)]
    answers = [Fetched(Search("Condition"), DONE, tuple(pages))]
    assert record_from_fetched(answers, "p1").covered("Condition").state is DONE


def test_a_file_is_the_whole_record_whatever_else_lies_in_it() -> None:
    assert read(WHO, THEIRS).covered("Condition").state is DONE


def test_a_prefetch_value_that_is_no_fhir_is_refused_by_its_key() -> None:
    with pytest.raises(UnusableInput, match="'labs'"):
        prefetched(labs=[1])
    with pytest.raises(UnusableInput, match="FHIR STU3"):
        prefetched(x=bundle({"resourceType": "ProcedureRequest"}))


def test_no_template_filters_by_status_or_repeats_a_parameter() -> None:
    for query in TEMPLATES.values():
        assert "status" not in query
        names = [pair.split("=")[0] for pair in query.partition("?")[2].split("&") if pair]
        assert len(names) == len(set(names))
        assert "context.patientId" in query


# What a server adds


def fetched(kind: str, state: Retrieval, *bodies: Json, covers: str = "") -> Fetched:
    encoded = tuple(json.dumps(body).encode() for body in bodies)
    return Fetched(Search(kind, covers=covers), state, encoded)


def test_pages_are_one_answer_whose_end_the_fetcher_has_judged() -> None:
    pages = [
        bundle(CONDITION, total=2, link=[{"relation": "next", "url": "x"}]),
        bundle(CONDITION | {"id": "c2"}, total=2),
    ]
    record = record_from_fetched([fetched("Condition", DONE, *pages)], "p1")
    assert len(record.entries["Condition"]) == 2
    assert record.retrieval()["Condition"] is DONE


def test_a_broken_entry_on_one_page_leaves_the_whole_answer_incomplete() -> None:
    pages = [bundle(CONDITION, {"resourceType": "Condition", "code": 5}), bundle()]
    record = record_from_fetched([fetched("Condition", DONE, *pages)], "p1")
    assert record.retrieval()["Condition"] is PART


def test_a_server_completes_what_prefetch_left_out() -> None:
    record = prefetched(patient=WHO, labs=bundle())
    server = record_from_fetched(
        [
            fetched("Condition", DONE, bundle(CONDITION)),
            fetched("Observation", NONE, covers="Observation:survey"),
            fetched("MedicationStatement", Retrieval.NOT_KEPT),
            fetched("MedicationRequest", PART, bundle()),
        ],
        "p1",
    )
    merged = merge(record, server)
    states = merged.retrieval()
    assert states["Condition"] is DONE
    assert states["Observation:laboratory"] is DONE
    assert states["Observation:survey"] is NONE
    assert states["MedicationStatement"] is Retrieval.NOT_KEPT
    assert states["MedicationRequest"] is PART
    assert len(merged.entries["Condition"]) == 1
    assert merged.patient is not None


def test_what_both_have_is_taken_once_in_its_newest_version() -> None:
    newer = CONDITION | {"meta": {"lastUpdated": "2026-02-02T00:00:00Z"}, "code": {"text": "new"}}
    older = CONDITION | {"meta": {"lastUpdated": "2026-02-01T00:00:00Z"}, "code": {"text": "old"}}
    for ours, theirs, text in ((newer, older, "new"), (older, newer, "new")):
        record = prefetched(patient=WHO, conditions=bundle(ours))
        server = record_from_fetched([fetched("Condition", DONE, bundle(theirs))], "p1")
        (entry,) = merge(record, server).entries["Condition"]
        assert entry.resource.code.text == text  # type: ignore[union-attr]
    record = prefetched(patient=WHO, conditions=bundle(CONDITION))
    theirs = CONDITION | {"code": {"text": "server"}}
    server = record_from_fetched([fetched("Condition", DONE, bundle(theirs))], "p1")
    (entry,) = merge(record, server).entries["Condition"]
    assert entry.resource.code.text == "server"  # type: ignore[union-attr]


def test_resources_of_an_export_make_a_record_of_what_was_asked_for() -> None:
    lines = [json.dumps(WHO).encode(), json.dumps(CONDITION).encode(), b"{broken"]
    record = record_from_resources(lines, {"Condition": COMPLETE})
    assert len(record.entries["Condition"]) == 1
    assert record.retrieval()["Condition"] is PART
    assert record.retrieval()["Procedure"] is NONE
    assert [p.kind for p in record.problems] == ["not-read"]


@pytest.mark.parametrize(
    ("lines", "problems"),
    [
        ([json.dumps(CONDITION) * 2], 1),
        ([json.dumps(CONDITION) * 2, "   "], 2),
        (['{"resourceType":"Condition","contained":[{"a":1}', '{"b":2}]}'], 2),
        ([json.dumps(CONDITION) * 2, '{"resourceType":"Basic","x":[{"a":1}', '{"b":2}]}'], 3),
    ],
)
def test_each_line_of_an_export_is_one_resource_and_never_part_of_another(
    lines: list[str], problems: int
) -> None:
    """Lines that only make sense together are broken, each for itself."""
    data = [json.dumps(WHO).encode(), *(line.encode() for line in lines)]
    record = record_from_resources(data, {"Condition": COMPLETE})
    assert not record.entries.get("Condition")
    assert record.retrieval()["Condition"] is PART
    assert [p.kind for p in record.problems] == ["not-read"] * problems


def test_values_decoded_at_once_give_the_same_record_as_undecoded_ones() -> None:
    values = {"patient": WHO, "conditions": bundle(CONDITION), "labs": None, "medreq": bundle()}
    body = json.dumps(values).encode()
    whole = record_from_prefetch(msgspec.json.decode(body, type=dict[str, Whole | None]), "p1")
    raw = record_from_prefetch(msgspec.json.decode(body, type=dict[str, Raw]), "p1")
    assert whole.coverage == raw.coverage
    assert whole.retrieval() == raw.retrieval()
    assert len(whole.entries["Condition"]) == len(raw.entries["Condition"]) == 1
