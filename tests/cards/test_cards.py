"""What a card says, and which trials give one: contracts.md section 3."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from cds.cards.card import CardSettings, cards_for
from cds.cards.orders import CONSENT_FIRST, Orderable
from cds.cards.silence import without_card
from cds.cards.words import plain, readable, shortened
from cds.core.assessment import Assessment
from cds.core.criterion import Criterion, Kind, Recruitment, Trial
from cds.core.facts import (
    Clinical,
    Condition,
    Course,
    Exposure,
    Facts,
    Mark,
    Patient,
    Problem,
    Reading,
    Result,
    Retrieval,
)
from cds.core.when import Evaluation, Span, read_when
from cds.engine.evaluate import determine
from cds.engine.finding import Finding
from cds.engine.judgement import Judgement
from cds.engine.lab import Bound, Lab, Sign
from cds.engine.medication import Medication, Time
from cds.engine.window import Window

ON = date(2026, 3, 1)
SETTINGS = CardSettings(
    labels={"anc": "ANC", "hiv_test": "HIV test"},
    orderable={
        "anc": Orderable("ANC", "751-8", "Neutrophils [#/volume] in Blood by Automated count"),
        "hiv_test": Orderable("HIV test", "56888-1", "HIV 1+2 Ab+HIV1 p24 Ag"),
    },
)


def lab(concept: str, label: str) -> Lab:
    """At least 1.5 within 28 days."""
    bound = (Bound(Decimal("1.5")),)
    return Lab(
        (concept,), label, "10*9/L", ("laboratory",), Sign.AT_LEAST, bound, look_back=Span(28)
    )


TRIAL = Trial(
    id="NCT00000001",
    version="1.0.0",
    title="An invented trial",
    short_title="invented drug for tumour",
    sponsor="Invented Hospital",
    url="https://clinicaltrials.gov/study/NCT00000001",
    recruitment=Recruitment("Recruiting", recruiting=True, as_of="2026-02-01"),
    target="I01",
    criteria=(
        Criterion("I01", Kind.INCLUSION, "Tumour.", "The record holds the tumour.",
                  Finding(("tumour",), "tumour", active=True)),
        Criterion("I02", Kind.INCLUSION, "ANC ≥ 1.5", "ANC is at least 1.5.", lab("anc", "ANC")),
        Criterion("I03", Kind.INCLUSION, "HIV", "An HIV value.", lab("hiv_test", "HIV test")),
        Criterion("I04", Kind.INCLUSION, "Consent", "Consent.", Judgement("Consent?", "I04")),
        Criterion("E01", Kind.EXCLUSION, "Inhibitor", "A strong inhibitor within 7 days.",
                  Medication(("d",), "inhibitor", Time.WINDOW, Window(Span(7)))),
    ),
    routine_tests=("anc",),
)  # fmt: skip


def result(value: str) -> Result:
    """A result of last week."""
    reading = Reading(Decimal(value), Decimal(value))
    return Result("Observation/o", read_when("2026-02-25"), f"{value} 10*9/L", reading)


def cards(
    settings: CardSettings = SETTINGS, problems: tuple[Problem, ...] = (), **facts: Any
) -> list[dict[str, Any]]:
    """The cards of a patient with the tumour and these facts."""
    tumour = Condition("Condition/t", "tumour", Clinical.ACTIVE)
    facts.setdefault("conditions", {"tumour": [(tumour, Mark())]})
    determined = determine(TRIAL, Facts(Patient("Patient/p1"), **facts), Evaluation.of(ON))
    return cards_for(Assessment("Patient/p1", ON, problems, (determined,)), settings)


GOOD = {"anc": [result("2")], "hiv_test": [result("2")]}


def taken(until: str) -> dict[str, Any]:
    """Clarithromycin until a day."""
    exposure = Exposure(
        "MedicationStatement/m", "clarithromycin", Course.PAST, end=read_when(until)
    )
    return {"d": [(exposure, Mark())]}


def empties(value: Any, path: str = "") -> list[str]:
    """Where null, an empty text, object or list stands."""
    if value is None or value in ("", {}, []):
        return [path]
    if isinstance(value, dict):
        return [p for key, part in value.items() for p in empties(part, f"{path}/{key}")]
    if isinstance(value, list):
        return [p for number, part in enumerate(value) for p in empties(part, f"{path}/{number}")]
    return []


@pytest.mark.parametrize("results", [GOOD, {}, {"anc": [result("1")]}])
def test_a_card_keeps_every_invariant_of_cds_hooks(results: dict[str, Any]) -> None:
    """Summary under 140 characters, indicator info, nothing empty outside the assessment."""
    for card in cards(
        CardSettings(labels={}, orderable=SETTINGS.orderable, show_all=True), results=results
    ):
        assert 0 < len(card["summary"]) < 140
        assert card["indicator"] == "info"
        assert card["source"]["label"]
        assert "selectionBehavior" in card or "suggestions" not in card
        # The assessment is the contract's own shape, which has null dates and empty lists.
        outside = {key: value for key, value in card.items() if key != "extension"}
        assert empties(outside) == []


def test_nothing_against_says_what_is_left_to_confirm() -> None:
    """The verdict, the trial and the number of open questions in one line."""
    (card,) = cards(results=GOOD)
    assert (
        card["summary"]
        == "May suit trial, 1 point to confirm: invented drug for tumour (NCT00000001)"
    )
    assert "suggestions" not in card


def test_a_diagnosis_that_is_only_suspected_is_said_before_everything_else() -> None:
    """All the rest hangs on it."""
    suspected = Condition("Condition/t", "suspected tumour", Clinical.ACTIVE, doubtful=True)
    known = {"tumour": [(suspected, Mark())]}
    (card,) = cards(conditions=known, results=GOOD)
    assert card["summary"].startswith("May suit trial if the diagnosis holds, 2 points to confirm")
    assert "| ☐ To judge | suspected tumour" in card["detail"]
    (card,) = cards(conditions=known)
    assert card["summary"].startswith("Possible trial if the diagnosis holds, needs ANC and")


def test_a_missing_routine_test_can_be_ordered_and_nothing_else() -> None:
    """An order for the ANC, none for the HIV test; consent is spoken of."""
    (card,) = cards()
    labels = [suggestion["label"] for suggestion in card["suggestions"]]
    assert labels == ["Order ANC"]
    resource = card["suggestions"][0]["actions"][0]["resource"]
    assert resource["status"] == "draft"
    assert resource["subject"] == {"reference": "Patient/p1"}
    assert resource["code"]["coding"][0]["code"] == "751-8"
    assert CONSENT_FIRST in card["detail"]
    assert card["summary"].startswith("Possible trial, needs ANC and HIV test: ")
    assert card["detail"].startswith("**Next: order ANC.** Ask for or look up HIV test.")


def lacking(*criteria: Criterion, settings: CardSettings, **facts: Any) -> dict[str, Any]:
    """The card of a trial that asks for the tumour and for these, each routine."""
    trial = msgspec.structs.replace(
        TRIAL,
        criteria=(TRIAL.criteria[0], *criteria),
        routine_tests=tuple(settings.orderable),
    )
    tumour = Condition("Condition/t", "tumour", Clinical.ACTIVE)
    known = Facts(Patient("Patient/p1"), conditions={"tumour": [(tumour, Mark())]}, **facts)
    determined = determine(trial, known, Evaluation.of(ON))
    (card,) = cards_for(Assessment("Patient/p1", ON, (), (determined,)), settings)
    return card


def criterion(concept: str, label: str) -> Criterion:
    return Criterion(concept, Kind.INCLUSION, label, f"{label} is there.", lab(concept, label))


BEDSIDE = CardSettings(
    labels={"systolic_bp": "systolic blood pressure", "ecog": "ECOG", "lvef": "LVEF", "anc": "ANC"},
    orderable={
        "systolic_bp": Orderable("systolic blood pressure", "8480-6", "Systolic", "vital-signs"),
        "diastolic_bp": Orderable("diastolic blood pressure", "8462-4", "Diastolic", "vital-signs"),
        "ecog": Orderable("ECOG", "89247-1", "ECOG performance status score", "survey"),
        "lvef": Orderable("LVEF", "10230-1", "Left ventricular Ejection fraction", "exam"),
        "anc": SETTINGS.orderable["anc"],
    },
)


def test_a_blood_pressure_is_measured_a_score_assessed_and_a_test_ordered() -> None:
    """Nobody orders a blood pressure; both of its numbers are one measurement."""
    card = lacking(
        criterion("systolic_bp", "systolic blood pressure"),
        criterion("diastolic_bp", "diastolic blood pressure"),
        criterion("ecog", "ECOG"),
        criterion("lvef", "LVEF"),
        criterion("anc", "ANC"),
        settings=BEDSIDE,
    )
    assert card["detail"].startswith(
        "**Next: order echocardiogram \\(LVEF\\) and ANC.** Measure blood pressure. Assess ECOG. "
    )
    labels = [suggestion["label"] for suggestion in card["suggestions"]]
    assert labels == ["Order echocardiogram (LVEF)", "Order ANC"]
    described = card["suggestions"][0]["actions"][0]["description"]
    assert described.startswith("Order echocardiogram (LVEF): could settle NCT00000001.")
    assert CONSENT_FIRST in described


def test_tests_never_done_and_tests_too_old_are_said_in_a_line_each() -> None:
    """Ten rows that differ in a name are no table."""
    names = ("albumin", "alt", "ast", "inr", "pt", "tsh")
    card = lacking(*(criterion(name, name) for name in names), settings=SETTINGS)
    assert "| ? Missing | not recorded: albumin, alt, ast, inr, pt and tsh |" in card["detail"]
    old = Reading(Decimal(2), Decimal(2))
    dated = {"alt": "2026-01-14", "ast": "2026-01-14", "inr": "2025-12-30"}
    results = {
        name: [Result(f"Observation/{name}", read_when(day), "2", old)]
        for name, day in dated.items()
    }
    card = lacking(*(criterion(name, name) for name in dated), settings=SETTINGS, results=results)
    said = (
        "older than 28 days: alt 2 ×10⁹/L, ast 2 ×10⁹/L \\(14 Jan 2026\\), "
        "inr 2 ×10⁹/L \\(30 Dec 2025\\)"
    )
    assert said in card["detail"]


def test_what_could_not_be_read_is_to_be_looked_up_not_ordered_again() -> None:
    """The result may be there."""
    card = lacking(
        criterion("anc", "ANC"),
        criterion("hiv_test", "HIV test"),
        settings=SETTINGS,
        retrieval={"Observation": Retrieval.NOT_RETRIEVED},
    )
    assert card["detail"].startswith(
        "**Next: look up in the chart what could not be read: ANC and HIV test.**"
    )
    assert "could not be read: ANC and HIV test |" in card["detail"]
    assert "suggestions" not in card


def test_a_card_says_for_which_diagnosis_it_is_there_and_until_when_its_results_count() -> None:
    """The ANC of 25 February is within 28 days until 25 March."""
    (card,) = cards(results=GOOD)
    assert "| ✓ Met | tumour" in card["detail"]
    assert "Its results count until 25 Mar 2026 (ANC runs out first)." in card["detail"]


def test_other_peoples_entries_are_spoken_of_in_the_clinicians_words() -> None:
    """Not by the name of a FHIR resource."""
    says = "it is not this patient's and was not used"
    problems = (
        Problem("other-patient", "Observation/1", says),
        Problem("other-patient", "Observation/2", says),
        Problem("other-patient", "MedicationRequest/3", says),
    )
    (card,) = cards(results=GOOD, problems=problems)
    assert "- A result is not this patient's and was not used \\(×2\\)" in card["detail"]
    assert "- A prescription is not this patient's" in card["detail"]


def test_no_card_for_a_trial_that_concerns_the_patient_has_its_reason() -> None:
    """An empty list without a reason means: read, and no target diagnosis."""
    tumour = Condition("Condition/t", "tumour", Clinical.ACTIVE)
    low = {"anc": [result("1")]}
    facts = Facts(Patient("Patient/p"), conditions={"tumour": [(tumour, Mark())]}, results=low)
    ruled_out = determine(TRIAL, facts, Evaluation.of(ON))
    other = determine(msgspec.structs.replace(TRIAL, id="NCT00000002"), facts, Evaluation.of(ON))
    nothing = determine(TRIAL, Facts(Patient("Patient/p")), Evaluation.of(ON))
    both = Assessment("Patient/p", ON, (), (ruled_out, other))
    assert without_card(both, (), {"NCT00000002": "joined"}) == [
        {"trial": "NCT00000001", "because": "ruled-out"},
        {"trial": "NCT00000002", "because": "joined"},
    ]
    assert without_card(both, ("NCT00000001", "NCT00000002"), {}) == []
    assert without_card(Assessment("Patient/p", ON, (), (nothing,)), (), {}) == []
    dead = Assessment("Patient/p", ON, (), (), deceased=True)
    assert without_card(dead, (), {}) == [{"because": "deceased"}]


def test_where_conditions_cannot_be_read_few_trials_are_named_and_many_are_counted() -> None:
    """A thousand ids would bury the sentence."""
    unread = Facts(Patient("Patient/p"), retrieval={"Condition": Retrieval.NOT_RETRIEVED})
    for count, named in ((2, "NCT00000000, NCT00000001 ask for"), (1000, "the 1,000 trials ask")):
        untold = tuple(
            determine(msgspec.structs.replace(TRIAL, id=f"NCT{n:08d}"), unread, Evaluation.of(ON))
            for n in range(count)
        )
        (card,) = cards_for(Assessment("Patient/p", ON, (), untold), CardSettings())
        assert f"one of the diagnoses that {named}" in card["detail"]


def test_no_test_is_ordered_where_something_else_rules_the_trial_out() -> None:
    """No needle for nothing."""
    (card,) = cards(exposures=taken("2026-02-25"))
    assert "suggestions" not in card


def test_what_clears_soon_gives_a_card_that_says_when() -> None:
    """Within 7 days of 25 February clears on 5 March."""
    (card,) = cards(results=GOOD, exposures=taken("2026-02-25"))
    assert card["summary"].startswith("Not yet, possible from 5 Mar 2026 (clarithromycin): ")
    assert cards(CardSettings(near_days=3), results=GOOD, exposures=taken("2026-02-25")) == []


def test_what_is_ruled_out_for_good_gives_no_card_unless_all_are_wanted() -> None:
    """A low ANC never clears by itself."""
    low = {"anc": [result("1")]}
    assert cards(results=low) == []
    (card,) = cards(CardSettings(show_all=True), results=low)
    assert card["summary"].startswith("Does not fit, ANC 1 ×10⁹/L on 25 Feb 2026 (needs ≥ 1.5")
    (card,) = cards(CardSettings(show_all=True), results=low, exposures=taken("2026-02-25"))
    assert card["summary"].startswith("Does not fit, 2 criteria against: ")


def test_a_near_miss_says_by_how_much() -> None:
    """One value, one limit: the distance between them."""
    (card,) = cards(CardSettings(show_all=True), results={"anc": [result("1.4")]})
    said = "ANC 1.4 ×10⁹/L on 25 Feb 2026 \\(needs ≥ 1.5 ×10⁹/L\\): 0.1 short"
    assert said in card["detail"]


def test_no_target_diagnosis_no_card() -> None:
    """An empty list means: read, and no target diagnosis."""
    assert cards(conditions={}) == []


def test_conditions_that_could_not_be_read_give_the_one_card_that_says_so() -> None:
    """Never silence because something broke."""
    problem = Problem("not-retrieved", None, "Condition could not be read (403)")
    (card,) = cards(
        conditions={}, retrieval={"Condition": Retrieval.NOT_RETRIEVED}, problems=(problem,)
    )
    assert "could not be read" in card["summary"]
    assert "Condition could not be read (403)" in card["detail"]
    assert "extension" not in card
    assert empties(card) == []


def test_a_trial_switched_off_gives_no_card() -> None:
    """One setting, whatever the determination."""
    assert cards(CardSettings(trials_off=frozenset({TRIAL.id})), results=GOOD) == []


def test_ids_are_stable_for_the_same_determination_and_change_with_it() -> None:
    """Feedback and dismissals attach to them."""
    first, again, other = cards()[0], cards()[0], cards(results=GOOD)[0]
    assert first == again
    assert first["uuid"] != other["uuid"]
    assert first["suggestions"][0]["uuid"] == again["suggestions"][0]["uuid"]
    assert first["source"]["topic"]["code"].isalnum()


def test_what_comes_from_the_record_cannot_break_out_of_the_card() -> None:
    """A drug named like a script or a table cell stays text."""
    evil = "<script>alert(1)</script> | **x** [a](http://e)"
    exposure = Exposure("MedicationStatement/m", evil, Course.PAST, end=read_when("2026-02-25"))
    (card,) = cards(results=GOOD, exposures={"d": [(exposure, Mark())]})
    assert "<script" not in card["detail"]
    assert "](http" not in card["detail"]
    rows = [line for line in card["detail"].splitlines() if line.startswith("| ✗")]
    assert len(rows) == 1
    assert rows[0].replace("\\|", "").count("|") == 4


def test_reasons_are_said_in_a_clinicians_notation() -> None:
    """Dates and units as they are written on paper."""
    said = readable("ANC 1.4 10*9/L on 2026-02-03 (needs ≥ 1.5 10*9/L); BP 150 mm[Hg]")
    assert said == "ANC 1.4 ×10⁹/L on 3 Feb 2026 (needs ≥ 1.5 ×10⁹/L); BP 150 mmHg"
    assert shortened("word " * 60)[-1] == "…"
    assert plain("a\n b|c") == "a b\\|c"


def test_a_time_of_day_is_left_out_of_a_date() -> None:
    """A card says which day it was; the page has the rest."""
    assert readable("on 2026-01-05T08:40:00-06:00") == "on 5 Jan 2026"


def test_a_month_is_said_as_a_month_and_one_entry_as_one() -> None:
    """What looks like a month within a name or a number is left alone."""
    assert readable("Desmoid tumor (active, 2025-03)") == "Desmoid tumor (active, Mar 2025)"
    for name in ("lot A-2025-03", "2025-13", "0.2025-03", "2025-03-X"):
        assert readable(name) == name
    said = readable("no another malignancy recorded (1 conditions read, 0 not recognised)")
    assert said == "no other malignancy recorded (1 condition read, 0 not recognised)"
    assert "(1 medication entry read" in readable("no x recorded (1 medication entries read, 0)")
    assert "(11 conditions read" in readable("no x recorded (11 conditions read, 0)")


PAGES = {TRIAL.id: "http://127.0.0.1/determinations/x/NCT00000001", "": "http://127.0.0.1/all"}


def several(number: int, **facts: Any) -> Assessment:
    """The same determination of as many trials."""
    tumour = Condition("Condition/t", "tumour", Clinical.ACTIVE)
    known = Facts(Patient("Patient/p1"), conditions={"tumour": [(tumour, Mark())]}, **facts)
    determined = [
        determine(msgspec.structs.replace(TRIAL, id=f"NCT0000000{n}"), known, Evaluation.of(ON))
        for n in range(1, number + 1)
    ]
    return Assessment("Patient/p1", ON, (), tuple(determined))


def test_a_card_links_to_the_page_with_all_criteria_where_there_is_one() -> None:
    """First of the links; without a page the registry's link is the only one."""
    (card,) = cards_for(several(1, results=GOOD), SETTINGS, PAGES)
    assert card["links"][0] == {
        "label": "All criteria and evidence",
        "url": PAGES[TRIAL.id],
        "type": "absolute",
    }
    (without,) = cards_for(several(1, results=GOOD), SETTINGS)
    assert [link["url"] for link in without["links"]] == [TRIAL.url]
    assert card["uuid"] == without["uuid"]


def test_above_five_relevant_trials_one_card_speaks_for_all_with_a_link() -> None:
    """Nobody reads six cards; five are still shown one by one."""
    assert len(cards_for(several(5, results=GOOD), SETTINGS, PAGES)) == 5
    (card,) = cards_for(several(6, results=GOOD), SETTINGS, PAGES)
    assert card["summary"].startswith("6 trials may concern this patient")
    assert [link["url"] for link in card["links"]] == [PAGES[""]]
    assert card["detail"].count("NCT0000000") == 6
    assert card["detail"].count("**nothing speaks against it**, 1 point to confirm") == 6
    assert card["detail"].count("A person decides") == 1
    (needing,) = cards_for(several(6), SETTINGS, PAGES)
    assert needing["detail"].count("**needs ANC and HIV test**") == 6
    assert len(card["extension"]["org.trial-cds.assessments"]) == 6
    outside = {key: value for key, value in card.items() if key != "extension"}
    assert empties(outside) == []


def test_what_several_criteria_say_alike_is_said_once() -> None:
    """An inclusion and its twin among the exclusions are one line."""
    twin = Criterion("E02", Kind.EXCLUSION, "Twin", "The same drug again.", TRIAL.criteria[4].form)
    trial = msgspec.structs.replace(TRIAL, criteria=(*TRIAL.criteria, twin))
    tumour = Condition("Condition/t", "tumour", Clinical.ACTIVE)
    facts = Facts(
        Patient("Patient/p1"),
        conditions={"tumour": [(tumour, Mark())]},
        results=GOOD,
        exposures=taken("2026-02-25"),
    )
    determined = determine(trial, facts, Evaluation.of(ON))
    (card,) = cards_for(Assessment("Patient/p1", ON, (), (determined,)), SETTINGS)
    rows = [line for line in card["detail"].splitlines() if line.startswith("| ✗")]
    assert len(rows) == 1
    assert rows[0].endswith("| E01, E02 |")


def test_a_missing_limit_of_normal_is_asked_for_before_a_needle_is_put_in() -> None:
    """The laboratory knows its limit; an order comes second."""
    bound = (Bound(Decimal(0), uln=Decimal("1.5")),)
    against_limit = Lab(
        ("anc",), "ANC", "10*9/L", ("laboratory",), Sign.AT_MOST, bound, look_back=Span(28)
    )
    second = Criterion("I02", Kind.INCLUSION, "ANC", "At most 1.5 × ULN.", against_limit)
    trial = msgspec.structs.replace(TRIAL, criteria=(TRIAL.criteria[0], second))
    tumour = Condition("Condition/t", "tumour", Clinical.ACTIVE)
    facts = Facts(Patient("Patient/p1"), conditions={"tumour": [(tumour, Mark())]}, results=GOOD)
    determined = determine(trial, facts, Evaluation.of(ON))
    (card,) = cards_for(Assessment("Patient/p1", ON, (), (determined,)), SETTINGS)
    assert card["detail"].startswith(
        "**Next: ask the laboratory for the upper limit of normal of ANC, or repeat.**"
    )
