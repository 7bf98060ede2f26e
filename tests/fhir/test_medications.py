"""criteria/README's "Medications", as far as one entry decides them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cds.core.facts import Course, Exposure, Mark

if TYPE_CHECKING:
    from collections.abc import Callable

    from cds.core.facts import Facts

    FactsOf = Callable[..., Facts]

RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
ATC = "http://www.whocc.no/atc"
SNOMED = "http://snomed.info/sct"
INHIBITOR = "strong_cyp3a4_inhibitor"
CLARITHROMYCIN = {"coding": [{"system": RXNORM, "code": "21212", "display": "clarithromycin"}]}
Json = dict[str, Any]


def statement(drug: Json | None = CLARITHROMYCIN, **fields: Any) -> Json:
    made = {"resourceType": "MedicationStatement", "status": "active", **fields}
    return made if drug is None else {"medicationCodeableConcept": drug, **made}


def request(drug: Json | None = CLARITHROMYCIN, **fields: Any) -> Json:
    made = {"resourceType": "MedicationRequest", "status": "active", "intent": "order", **fields}
    return made if drug is None else {"medicationCodeableConcept": drug, **made}


def given(**fields: Any) -> Json:
    return {
        "resourceType": "MedicationAdministration",
        "status": "completed",
        "medicationCodeableConcept": CLARITHROMYCIN,
        **fields,
    }


def exposures(
    facts_of: FactsOf, *entries: Json, concept: str = INHIBITOR
) -> list[tuple[Exposure, Mark]]:
    return list(facts_of(*entries).exposures.get(concept, ()))


def only(facts_of: FactsOf, *entries: Json, concept: str = INHIBITOR) -> tuple[Exposure, Mark]:
    (pair,) = exposures(facts_of, *entries, concept=concept)
    return pair


def said(exposure: Exposure) -> tuple[str | None, str | None, str | None]:
    return (
        exposure.start.text if exposure.start else None,
        exposure.end.text if exposure.end else None,
        exposure.assumed_end.text if exposure.assumed_end else None,
    )


# Which entries count


@pytest.mark.parametrize(
    ("entry", "course"),
    [
        (statement(status="active"), Course.ACTIVE),
        (statement(status="completed"), Course.PAST),
        (statement(status="stopped"), Course.PAST),
        (statement(status="on-hold"), Course.UNCERTAIN),
        (statement(status="unknown"), Course.UNCERTAIN),
        (statement(status="intended", effectivePeriod={"start": "2026-01-01"}), Course.INTENDED),
        (request(status="active"), Course.ACTIVE),
        (request(status="completed"), Course.PAST),
        (request(status="stopped"), Course.PAST),
        (request(status="on-hold"), Course.UNCERTAIN),
        (request(intent="original-order"), Course.ACTIVE),
        (request(intent="instance-order"), Course.ACTIVE),
        (request(intent="filler-order"), Course.ACTIVE),
        (request(intent="reflex-order"), Course.ACTIVE),
        (given(status="in-progress"), Course.ACTIVE),
        (given(status="completed"), Course.PAST),
        (given(status="stopped"), Course.PAST),
    ],
)
def test_what_was_taken_ordered_or_given_counts(
    facts_of: FactsOf, entry: Json, course: Course
) -> None:
    exposure, mark = only(facts_of, entry)
    assert exposure.course is course
    assert mark.decides
    assert mark.ingredient == "clarithromycin"


@pytest.mark.parametrize(
    "entry",
    [
        statement(status="entered-in-error"),
        statement(status="not-taken"),
        statement(status="intended"),
        request(status="entered-in-error"),
        request(status="cancelled"),
        request(status="draft"),
        request(intent="proposal"),
        request(intent="plan"),
        request(intent="option"),
        request(doNotPerform=True),
        given(status="not-done"),
        given(status="entered-in-error"),
    ],
)
def test_what_was_not_taken_or_only_considered_does_not_count(
    facts_of: FactsOf, entry: Json
) -> None:
    assert exposures(facts_of, entry) == []


@pytest.mark.parametrize(
    "entry",
    [
        statement(status=None),
        statement(status=7),
        statement(status="sometimes"),
        request(status="unknown"),
        request(intent=None),
        request(intent="wish"),
        given(status="on-hold"),
        request(intent="plan", reportedBoolean=True),
    ],
)
def test_a_status_or_intent_that_does_not_say_is_for_a_human(
    facts_of: FactsOf, entry: Json
) -> None:
    _, mark = only(facts_of, entry)
    assert not mark.decides


# When


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (
            statement(effectivePeriod={"start": "2026-01-01", "end": "2026-01-09"}),
            ("2026-01-01", "2026-01-09", None),
        ),
        (statement(effectivePeriod={"start": "2026-01-01"}), ("2026-01-01", None, None)),
        (statement(effectivePeriod={"end": "2026-01-09"}), (None, "2026-01-09", None)),
        (statement(effectiveDateTime="2026-01-05"), ("2026-01-05", "2026-01-05", None)),
        (statement(status="stopped"), (None, None, None)),
        (given(effectiveDateTime="2026-01-05T08:00:00Z"), ("2026-01-05T08:00:00Z",) * 2 + (None,)),
        (request(authoredOn="2026-01-05"), ("2026-01-05", None, None)),
        (
            request(
                authoredOn="2026-01-05",
                dispenseRequest={"validityPeriod": {"start": "2026-01-06", "end": "2026-02-06"}},
            ),
            ("2026-01-06", "2026-02-06", None),
        ),
    ],
)
def test_an_exposure_lasts_as_its_entry_says(
    facts_of: FactsOf, entry: Json, expected: tuple[str | None, ...]
) -> None:
    exposure, _ = only(facts_of, entry)
    assert said(exposure) == expected
    assert not exposure.dates_unreadable


@pytest.mark.parametrize(
    ("dispense", "assumed"),
    [
        ({"expectedSupplyDuration": {"value": 30, "code": "d"}}, "2026-02-04"),
        (
            {
                "expectedSupplyDuration": {"value": 30, "code": "d"},
                "numberOfRepeatsAllowed": 2,
            },
            "2026-04-05",
        ),
        ({"expectedSupplyDuration": {"value": 2, "unit": "weeks"}}, "2026-01-19"),
        ({"expectedSupplyDuration": {"value": 1.5, "code": "d"}}, "2026-01-07"),
        ({"expectedSupplyDuration": {"value": 3, "code": "mo"}}, "2026-04-05"),
        (
            {
                "expectedSupplyDuration": {"value": 90, "code": "d"},
                "numberOfRepeatsAllowed": 11,
            },
            "2027-01-05",
        ),
        ({"expectedSupplyDuration": {"value": 30, "code": "boxes"}}, "2027-01-05"),
        (
            {
                "expectedSupplyDuration": {"value": 30, "code": "d"},
                "numberOfRepeatsAllowed": "some",
            },
            "2027-01-05",
        ),
        ({}, "2027-01-05"),
    ],
)
def test_an_order_that_is_over_ends_with_its_supply_within_twelve_months(
    facts_of: FactsOf, dispense: Json, assumed: str
) -> None:
    order = request(status="completed", authoredOn="2026-01-05", dispenseRequest=dispense)
    exposure, _ = only(facts_of, order)
    assert said(exposure) == ("2026-01-05", None, assumed)


def test_an_order_that_runs_has_no_assumed_end(facts_of: FactsOf) -> None:
    supply = {"expectedSupplyDuration": {"value": 30, "code": "d"}}
    exposure, _ = only(facts_of, request(authoredOn="2026-01-05", dispenseRequest=supply))
    assert said(exposure) == ("2026-01-05", None, None)


def test_an_order_that_is_over_ends_with_the_period_of_its_dosage(facts_of: FactsOf) -> None:
    timing = {"repeat": {"boundsPeriod": {"start": "2026-01-05", "end": "2026-01-12"}}}
    order = request(
        status="completed", authoredOn="2026-01-05", dosageInstruction=[{"timing": timing}]
    )
    assert said(only(facts_of, order)[0]) == ("2026-01-05", "2026-01-12", None)


@pytest.mark.parametrize(
    "entry",
    [
        statement(effectivePeriod={"start": "2026-01-01", "end": "?"}),
        statement(effectiveDateTime=5),
        statement(effectivePeriod={"start": "2026-02-01", "end": "2026-01-01"}),
        request(authoredOn="lately"),
        request(authoredOn="2026-01-01", dispenseRequest={"validityPeriod": 5}),
        request(authoredOn="2026-01-01", dispenseRequest=5),
        given(effectivePeriod="x"),
    ],
)
def test_a_date_that_cannot_be_read_is_remembered(facts_of: FactsOf, entry: Json) -> None:
    assert only(facts_of, entry)[0].dates_unreadable


# Which drug


@pytest.mark.parametrize(
    "drug",
    [
        CLARITHROMYCIN,
        {"coding": [{"system": RXNORM, "code": "197516"}]},
        {"coding": [{"system": ATC, "code": "J01FA09"}]},
        {"coding": [{"system": "urn:oid:1.2", "code": "X"}, {"system": RXNORM, "code": "21212"}]},
        {"coding": [{"system": "urn:oid:1.2", "code": "X", "display": "Clarithromycin 500 mg"}]},
        {"text": "clarithromycin 500 mg po bid"},
    ],
)
def test_a_drug_is_found_by_any_code_else_by_its_name(facts_of: FactsOf, drug: Json) -> None:
    exposure, mark = only(facts_of, statement(drug))
    assert mark.decides
    assert exposure.recognised


def test_several_codes_of_one_drug_are_one_exposure(facts_of: FactsOf) -> None:
    both = {
        "coding": [{"system": RXNORM, "code": "21212"}, {"system": RXNORM, "code": "197516"}],
        "text": "clarithromycin",
    }
    assert len(exposures(facts_of, statement(both))) == 1


def test_a_combination_is_an_exposure_to_each_ingredient(facts_of: FactsOf) -> None:
    kaletra = {"coding": [{"system": RXNORM, "code": "847741"}]}
    pairs = exposures(facts_of, statement(kaletra))
    assert "ritonavir" in {mark.ingredient for _, mark in pairs}
    assert len({exposure.reference for exposure, _ in pairs}) == 1


def test_a_name_is_never_found_inside_another(facts_of: FactsOf) -> None:
    inducers = exposures(
        facts_of, statement({"text": "rifaximin 550 mg"}), concept="strong_cyp3a4_inducer"
    )
    assert inducers == []


def test_a_name_beside_the_code_of_another_drug_is_for_a_human(facts_of: FactsOf) -> None:
    odd = {"coding": [{"system": RXNORM, "code": "9384"}], "text": "rifampin, not clarithromycin"}
    _, mark = only(facts_of, statement(odd))
    assert not mark.decides


PRODUCT = {"resourceType": "Medication", "id": "m1", "code": CLARITHROMYCIN}


def test_a_contained_medication_is_found(facts_of: FactsOf) -> None:
    entry = statement(None, contained=[PRODUCT, 7], medicationReference={"reference": "#m1"})
    assert only(facts_of, entry)[1].decides


def test_a_medication_in_the_same_bundle_is_found(facts_of: FactsOf) -> None:
    for reference in ("Medication/m1", "https://ehr.example/fhir/Medication/m1/_history/3"):
        entry = statement(None, medicationReference={"reference": reference})
        assert only(facts_of, PRODUCT, entry)[1].decides


def test_a_medication_known_by_its_ingredients_is_found(facts_of: FactsOf) -> None:
    other = {"resourceType": "Medication", "id": "m2", "code": CLARITHROMYCIN}
    product = {
        "resourceType": "Medication",
        "id": "m1",
        "ingredient": [
            {"itemCodeableConcept": {"text": "itraconazole"}},
            {"itemReference": {"reference": "Medication/m2"}},
        ],
    }
    entry = request(None, medicationReference={"reference": "Medication/m1"})
    names = {mark.ingredient for _, mark in exposures(facts_of, product, other, entry)}
    assert names == {"itraconazole", "clarithromycin"}


def test_products_that_contain_each_other_end(facts_of: FactsOf) -> None:
    loop = PRODUCT | {"ingredient": [{"itemReference": {"reference": "Medication/m1"}}]}
    entry = statement(None, medicationReference={"reference": "Medication/m1"})
    assert only(facts_of, loop, entry)[1].decides


def test_a_medication_that_did_not_come_is_known_by_its_name(facts_of: FactsOf) -> None:
    entry = statement(
        None, medicationReference={"reference": "Medication/x", "display": "Clarithromycin"}
    )
    assert only(facts_of, entry)[1].decides


@pytest.mark.parametrize(
    "drug",
    [
        {"text": "Dr. Faux's Jade Spring pills"},
        {"coding": [{"system": RXNORM, "code": "99999999"}]},
        {"coding": [{"system": "urn:oid:1.2", "code": "X"}]},
        {"coding": [{"system": SNOMED, "code": "1", "display": "something unheard of"}]},
        {},
    ],
)
def test_a_drug_that_nobody_recognises_is_listed(facts_of: FactsOf, drug: Json) -> None:
    facts = facts_of(statement(drug))
    (exposure,) = facts.unrecognised_drugs
    assert not exposure.recognised
    (problem,) = facts.problems
    assert problem.kind == "not-recognised"
    assert problem.reference == "MedicationStatement/r0"


@pytest.mark.parametrize(
    "drug",
    [
        {"coding": [{"system": RXNORM, "code": "99999999", "display": "frobnicol 5 MG Tablet"}]},
        {"coding": [{"system": ATC, "code": "A10BA02"}], "text": "Metformin"},
        {"text": "metformin 500 mg"},
        CLARITHROMYCIN,
    ],
)
def test_a_drug_with_a_drug_code_and_a_name_or_on_a_list_is_recognised(
    facts_of: FactsOf, drug: Json
) -> None:
    facts = facts_of(statement(drug))
    assert facts.unrecognised_drugs == ()
    assert facts.problems == ()


def test_what_does_not_count_is_not_reported_as_unrecognised(facts_of: FactsOf) -> None:
    facts = facts_of(statement({"text": "unheard of"}, status="not-taken"))
    assert facts.unrecognised_drugs == ()


# Which route


def route(code: str | None = None, text: str | None = None) -> Json:
    concept: Json = {} if code is None else {"coding": [{"system": SNOMED, "code": code}]}
    return {"route": concept | ({"text": text} if text else {})}


@pytest.mark.parametrize(
    ("fields", "local", "stated"),
    [
        ({}, False, False),
        ({"dosage": [route("26643006")]}, False, True),
        ({"dosage": [route(text="topical")]}, True, True),
        ({"dosage": [route(text="topical"), route("26643006")]}, False, True),
        ({"dosage": [route(text="by a way unheard of")]}, False, True),
        ({"dosage": [{"text": "twice daily"}]}, False, False),
        ({"dosage": [7, route(text="topical")]}, True, True),
        ({"dosage": "x"}, False, False),
    ],
)
def test_a_stated_local_route_makes_an_entry_local(
    facts_of: FactsOf,
    fields: Json,
    local: bool,  # noqa: FBT001 - a row of the table
    stated: bool,  # noqa: FBT001 - a row of the table
) -> None:
    exposure, _ = only(facts_of, statement(**fields))
    assert exposure.local is local
    assert exposure.route_stated is stated


def test_an_order_and_a_dose_have_their_route_in_other_places(facts_of: FactsOf) -> None:
    assert only(facts_of, request(dosageInstruction=[route(text="topical")]))[0].local
    assert only(facts_of, given(dosage=route(text="topical")))[0].local


def test_without_a_route_the_product_says_how_it_is_used(facts_of: FactsOf) -> None:
    shampoo = {"coding": [{"system": RXNORM, "code": "206978"}]}
    exposure, _ = only(facts_of, statement(shampoo))
    assert exposure.local
    assert exposure.route_stated
    assert only(facts_of, statement({"text": "ketoconazole 2% shampoo"}))[0].local
    tablet = {"coding": [{"system": RXNORM, "code": "197516"}]}
    systemic, _ = only(facts_of, statement(tablet))
    assert not systemic.local
    assert systemic.route_stated


def test_a_stated_route_wins_over_the_product(facts_of: FactsOf) -> None:
    shampoo = {"coding": [{"system": RXNORM, "code": "206978"}]}
    assert not only(facts_of, statement(shampoo, dosage=[route("26643006")]))[0].local


def test_the_dose_form_of_a_referenced_product_counts(facts_of: FactsOf) -> None:
    cream = PRODUCT | {"code": {"text": "ketoconazole"}, "form": {"text": "cream"}}
    entry = statement(None, medicationReference={"reference": "Medication/m1"})
    assert only(facts_of, cream, entry)[0].local


def test_a_flush_is_marked_as_one(facts_of: FactsOf) -> None:
    flush = {"text": "heparin lock flush 10 units/mL"}
    assert only(facts_of, statement(flush), concept="anticoagulant")[0].flush
    assert not only(facts_of, statement({"text": "heparin"}), concept="anticoagulant")[0].flush
