"""What a prefetch value claims to have read: no more than was asked for, nor than it holds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import Raw

from cds.core.facts import Retrieval
from cds.fhir.record import missing, record_from_prefetch

if TYPE_CHECKING:
    from cds.fhir.record import Record

Json = dict[str, Any]
DONE, CUT, NONE = Retrieval.COMPLETE, Retrieval.CUT_OFF, Retrieval.NOT_RETRIEVED
MINE = {"subject": {"reference": "Patient/p1"}}
SELF = "https://ehr.example/r4"


def resource(kind: str, **fields: Any) -> Json:
    return {"resourceType": kind, "id": f"{kind}-{len(fields)}", "code": {"text": "x"}} | (
        MINE | fields
    )


def entry(kind: str, mode: str | None = None, **fields: Any) -> Json:
    found: Json = {"resource": resource(kind, **fields)}
    return found if mode is None else found | {"search": {"mode": mode}}


def observation(*categories: str) -> Json:
    """An Observation with each of these codes as a category of its own."""
    return entry("Observation", category=[{"coding": [{"code": one}]} for one in categories])


def bundle(*entries: Json, asked: str | None = None, **fields: Any) -> Json:
    """A searchset; `asked` is the search that its own address names."""
    found: Json = {"resourceType": "Bundle", "type": "searchset", "entry": list(entries), **fields}
    link = {"relation": "self", "url": f"{SELF}/{asked}"}
    return found if asked is None else found | {"link": [link]}


def prefetched(**values: Json) -> Record:
    raw = {key: Raw(json.dumps(value).encode()) for key, value in values.items()}
    return record_from_prefetch(raw, "p1")


def state(kind: str, **values: Json) -> Retrieval:
    return prefetched(**values).covered(kind).state


# What came along


@pytest.mark.parametrize("key", ["procedures", "surgeries"])
def test_what_an_include_brings_is_there_and_makes_no_list(key: str) -> None:
    sent = bundle(entry("Procedure", "match"), entry("Condition", "include"))
    record = prefetched(**{key: sent})
    assert record.covered("Procedure").state is DONE
    assert record.covered("Condition").state is NONE
    assert "Condition" in missing(record)
    assert len(record.entries["Condition"]) == 1


def test_an_order_that_came_along_with_a_dose_is_no_list_of_orders() -> None:
    sent = bundle(entry("MedicationAdministration"), entry("MedicationRequest", "include"))
    assert state("MedicationRequest", medadmin=sent) is NONE


@pytest.mark.parametrize(
    "asked", [None, "Procedure?patient=p1&_include=Procedure:reason-reference"]
)
def test_what_came_along_under_a_key_of_ours_without_saying_so_makes_no_list(
    asked: str | None,
) -> None:
    sent = bundle(entry("Procedure"), entry("Condition"), asked=asked)
    assert state("Procedure", procedures=sent) is DONE
    assert state("Condition", procedures=sent) is NONE


def test_a_key_of_ours_is_a_list_of_its_own_type_alone() -> None:
    both = [entry("Procedure", "match"), entry("Observation", "match")]
    states = prefetched(procedures=bundle(*both)).retrieval()
    assert states["Procedure"] is DONE
    assert states["Observation"] is states["Observation:survey"] is NONE


def test_an_include_that_cannot_be_read_makes_no_list_either() -> None:
    broken = entry("Condition", "include") | {"resource": resource("Condition", subject=5)}
    assert state("Condition", procedures=bundle(entry("Procedure"), broken)) is NONE


def test_of_several_types_nobody_knows_which_were_asked_for_unless_it_is_said() -> None:
    both = [entry("MedicationRequest"), entry("MedicationStatement")]
    assert state("MedicationStatement", drugs=bundle(*both)) is CUT
    assert state("MedicationStatement", drugs=bundle(*both, type="collection")) is DONE
    said = [one | {"search": {"mode": "match"}} for one in both]
    assert state("MedicationStatement", drugs=bundle(*said)) is DONE
    assert state("MedicationRequest", drugs=bundle(said[0], both[1])) is DONE
    assert state("MedicationStatement", drugs=bundle(said[0], both[1])) is CUT


WHOLE = (
    entry("Condition"),
    entry("MedicationStatement"),
    observation("laboratory"),
)
OF_WHOLE = ("Condition", "MedicationStatement", "Observation:laboratory")


@pytest.mark.parametrize("kind", ["collection", "document", "transaction", "batch"])
def test_a_bundle_that_answers_no_search_holds_nothing_that_came_along(kind: str) -> None:
    states = prefetched(chart=bundle(*WHOLE, type=kind)).retrieval()
    assert [states[one] for one in OF_WHOLE] == [DONE] * 3


@pytest.mark.parametrize("name", ["$everything", "%24everything", "$everything?_count=500"])
def test_everything_of_this_patient_holds_nothing_that_came_along(name: str) -> None:
    states = prefetched(chart=bundle(*WHOLE, asked=f"Patient/p1/{name}")).retrieval()
    assert [states[one] for one in OF_WHOLE] == [DONE] * 3


@pytest.mark.parametrize(
    "asked",
    [
        "Patient/p2/$everything",
        "Patient/$everything?_id=p1",
        "Patient/p1/$everything?_since=2026-01-01",
        "Patient/p1/$everything?_type=Condition,Observation",
        "Encounter/p1/$everything",
    ],
)
def test_everything_of_another_or_less_than_everything_is_not_whole(asked: str) -> None:
    states = prefetched(chart=bundle(*WHOLE, asked=asked)).retrieval()
    assert [states[one] for one in OF_WHOLE] == [CUT] * 3


def test_a_list_of_another_search_makes_none_of_what_lies_in_it() -> None:
    sent = bundle(entry("Condition"), asked="Encounter?patient=p1&_include=Encounter:diagnosis")
    assert state("Condition", x=sent) is NONE
    assert state("Condition", conditions=sent) is NONE


def test_a_list_that_holds_something_else_than_its_address_says_is_not_complete() -> None:
    sent = bundle(entry("Observation"), asked="Condition?patient=p1")
    assert state("Condition", conditions=sent) is CUT


@pytest.mark.parametrize("asked", ["Fhir", "Prod", "Search/", "Bundle", "Bundle?_count=20"])
def test_an_address_that_ends_in_no_type_leaves_it_to_the_key(asked: str) -> None:
    assert state("Procedure", procedures=bundle(entry("Procedure"), asked=asked)) is DONE
    assert state("Procedure", procedures=bundle(asked=asked)) is DONE
    assert state("Procedure", surgeries=bundle(entry("Procedure"), asked=asked)) is DONE


# What was asked for


@pytest.mark.parametrize(
    "asked",
    [
        "Condition?patient=p1",
        "Condition?patient=Patient/p1&_count=200&_sort=-date&_format=json&_pretty=true",
        "Condition?subject=https%3A%2F%2Fehr.example%2Fr4%2FPatient%2Fp1&_total=accurate",
        "Condition?subject:Patient=p1&_summary=false",
        "Condition?patient=p1&_include:iterate=*&_revinclude=Provenance:target",
        "Condition/_search?patient=p1",
        "Patient/p1/Condition?_count=50",
        "Condition?patient=p0,p1",
        "Condition",
        "Condition?patient=p1&clinical-status=",
        "Condition?patient=p1&_count=200&_page=1",
        "Condition?patient=p1&_offset=0",
        "Condition?patient=p1&_skip=0",
        "Condition?patient=p1&_getpagesoffset=0",
        "Condition?patient=p1&page=1",
        "Condition?patient=p1&_=1763",
        "Condition?patient=p1&_summary=data",
    ],
)
def test_a_search_for_all_of_this_patient_is_complete(asked: str) -> None:
    assert state("Condition", conditions=bundle(asked=asked)) is DONE


@pytest.mark.parametrize(
    "more",
    [
        "category=problem-list-item",
        "_lastUpdated=ge2026-02-28",
        "_filter=code+eq+x",
        "_has:Observation:patient:code=1",
        "_id=c1",
        "_tag=x",
        "_security=R",
        "_profile=x",
        "_list=x",
        "_text=x",
        "_summary=count",
        "_summary=text",
        "_elements=id",
        "_count=0",
        "_offset=20",
        "_offset=1",
        "_page=2",
        "_page=0",
        "_skip=1",
        "page=2",
        "page:not=1",
        "_getpagesoffset=20",
        "_getpages=abc",
        "_contained=true",
        "patient:not=p2",
        "subject.name=x",
        "patient:missing=true",
    ],
)
def test_a_search_for_some_of_them_is_not(more: str) -> None:
    for asked in (f"Condition?patient=p1&{more}", f"Condition/_search?{more}&patient=p1"):
        record = prefetched(conditions=bundle(asked=asked))
        assert record.covered("Condition").state is CUT
        assert "Condition" in missing(record)


@pytest.mark.parametrize(
    ("key", "asked"),
    [
        ("medreq", "MedicationRequest?patient=p1&category=outpatient"),
        ("medreq", "MedicationRequest/_search?patient=p1&status=active"),
        ("medstmt", "MedicationStatement?patient=p1&category=inpatient"),
        ("procedures", "Procedure?patient=p1&category=103693007"),
    ],
)
def test_only_observations_are_known_by_their_category(key: str, asked: str) -> None:
    assert state(asked.partition("?")[0].partition("/")[0], **{key: bundle(asked=asked)}) is CUT


@pytest.mark.parametrize(
    "asked",
    [
        "Condition?patient=p2",
        "Condition?patient=Patient/p2",
        "Condition?subject=Group/p1",
        "Patient/p2/Condition",
        "Condition?patient=p1&patient=p2",
    ],
)
def test_what_was_asked_of_another_patient_says_nothing_of_this_one(asked: str) -> None:
    record = prefetched(conditions=bundle(asked=asked))
    assert record.covered("Condition").state is CUT
    assert "another patient" in record.covered("Condition").why


@pytest.mark.parametrize(
    "more",
    [
        "category:not=laboratory",
        "category=laboratory&category=vital-signs",
        "category=laboratory&_lastUpdated=ge2026-01-01",
    ],
)
def test_a_category_that_is_excluded_or_narrowed_is_not_complete(more: str) -> None:
    sent = bundle(asked=f"Observation?patient=p1&{more}")
    assert state("Observation:laboratory", labs=sent) is not DONE


def test_a_category_that_is_named_twice_is_one() -> None:
    asked = "Observation?patient=p1&category=laboratory&category=laboratory"
    for key in ("labs", "results"):
        assert state("Observation:laboratory", **{key: bundle(asked=asked)}) is DONE


@pytest.mark.parametrize(
    "more",
    [
        "date=le2026-02-01&date=ge2026-01-01",
        "date=ge2026-01-01&date=le2026-02-01",
        "date=ge2026-01-01&_lastUpdated=le2026-02-01",
        "date:missing=ge2026-01-01",
        "date=ge9999-12-31",
    ],
)
def test_a_list_that_ends_somewhere_is_not_complete_since_a_day(more: str) -> None:
    sent = bundle(asked=f"Observation?patient=p1&category=laboratory&{more}")
    covered = prefetched(labs=sent).covered("Observation:laboratory")
    assert (covered.state, covered.since) == (CUT, None)


@pytest.mark.parametrize("asked", ["?_getpages=1&_getpagesoffset=20", "?_type=Condition&status=x"])
def test_an_address_that_names_no_type_may_hide_a_filter(asked: str) -> None:
    assert state("Condition", conditions=bundle(entry("Condition"), asked=asked)) is CUT


# Observations under a name of the site's own


def test_results_under_a_renamed_key_are_a_list_of_their_categories_alone() -> None:
    states = prefetched(
        results=bundle(observation("laboratory"), observation("laboratory"))
    ).retrieval()
    assert states["Observation:laboratory"] is DONE
    for category in ("vital-signs", "exam", "survey", "social-history"):
        assert states[f"Observation:{category}"] is NONE


def test_results_of_several_categories_are_lists_of_each() -> None:
    sent = bundle(observation("laboratory"), observation("vital-signs"), observation("local"))
    states = prefetched(results=sent).retrieval()
    assert states["Observation:laboratory"] is states["Observation:vital-signs"] is DONE
    assert states["Observation:exam"] is NONE


def test_a_result_of_two_categories_does_not_say_for_which_it_was_asked() -> None:
    sent = bundle(observation("laboratory"), observation("laboratory", "exam"))
    states = prefetched(results=sent).retrieval()
    assert states["Observation:laboratory"] is DONE
    assert states["Observation:exam"] is NONE


@pytest.mark.parametrize(
    "category", [None, [], {}, "laboratory", [{"coding": [{"code": ["laboratory"]}]}], [None]]
)
def test_results_without_a_category_are_a_list_of_none(category: Any) -> None:
    sent = bundle(entry("Observation", category=category))
    record = prefetched(results=sent)
    assert len(record.entries["Observation"]) == 1
    assert record.covered("Observation:laboratory").state is NONE


def test_a_category_as_one_object_is_read_as_epic_writes_it() -> None:
    sent = bundle(entry("Observation", category={"coding": [{"code": "exam"}]}))
    assert state("Observation:exam", results=sent) is DONE


def test_all_results_are_a_list_of_every_category_where_the_address_says_so() -> None:
    sent = bundle(observation("laboratory"), asked="Observation?patient=p1")
    assert state("Observation:survey", results=sent) is DONE
