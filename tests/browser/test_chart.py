"""The first minute of somebody who wants to know what this is: open, read, act, change."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import requests
import sqlalchemy as sa
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page, Request

SUMMARY = ".card h3"


def open_chart(page: Page, demo: str, patient: str) -> None:
    """Open a chart and wait until the service has answered."""
    page.goto(f"{demo}/demo/patients/{patient}")
    answered(page)


def answered(page: Page) -> None:
    """Wait until the service's answer is on the screen."""
    expect(page.locator("#advice")).to_have_attribute("aria-busy", "false")


def add_result(page: Page, test: str, value: str, unit: str) -> None:
    """Add a result of today in the form, and wait for the service's new answer."""
    page.get_by_label("Test", exact=True).select_option(label=test)
    page.get_by_label("Value", exact=True).fill(value)
    page.get_by_label("Unit", exact=True).fill(unit)
    page.get_by_role("button", name="Add result").click()
    expect(page.locator("#add-says")).to_contain_text("Added")
    answered(page)


def sent_in(request: Request) -> dict[str, Any]:
    """The JSON object that a request carried."""
    sent = request.post_data_json
    assert isinstance(sent, dict)
    return sent


def row_of(page: Page, test: str) -> Locator:
    """The row of a laboratory test in the chart."""
    labs = page.get_by_role("table", name="Laboratory results")
    return labs.get_by_role("row").filter(has=page.get_by_role("rowheader", name=test, exact=True))


def read(demo: str, query: str) -> list[dict[str, Any]]:
    """What the FHIR endpoint now holds."""
    bundle = requests.get(f"{demo}/fhir/{query}", timeout=10).json()
    return [entry["resource"] for entry in bundle.get("entry", [])]


def test_opening_a_chart_shows_the_real_services_card(page: Page, demo: str) -> None:
    asked: list[Request] = []
    page.on("request", lambda sent: asked.append(sent) if "/cds-services/" in sent.url else None)
    page.goto(f"{demo}/")
    page.get_by_role("link", name="Milo Stubbs Examplewitz").click()
    answered(page)
    expect(page.locator(SUMMARY)).to_have_count(1)
    expect(page.locator(SUMMARY)).to_contain_text("Not yet, possible from")
    assert [one.method for one in asked] == ["POST"]
    sent = sent_in(asked[0])
    assert sent["hook"] == "patient-view"
    assert sent["context"]["patientId"] == "desmoid-itraconazole"


def test_the_banner_says_that_the_patients_are_invented(page: Page, demo: str) -> None:
    for path in ("/", "/demo/patients/desmoid-ready", "/demo/patients/nobody"):
        page.goto(demo + path)
        expect(page.locator(".invented")).to_contain_text("Every patient here is invented")


def test_a_patient_without_a_target_diagnosis_gives_a_sentence_and_no_card(
    page: Page, demo: str
) -> None:
    open_chart(page, demo, "ordinary-chart")
    expect(page.locator(".card")).to_have_count(0)
    expect(page.locator("#cards")).to_contain_text(
        "No card. The record was read; it holds no trial's diagnosis."
    )


def test_the_same_cards_come_by_prefetch_by_fhir_and_half_and_half(page: Page, demo: str) -> None:
    open_chart(page, demo, "desmoid-ready")
    by_prefetch = page.locator("#cards").inner_text()
    for mode in ("Half and half", "FHIR only"):
        page.get_by_label(mode).check()
        expect(page.locator("#advice-status")).to_contain_text("of its own")
        answered(page)
        assert page.locator("#cards").inner_text() == by_prefetch


def test_a_low_anc_changes_the_card_and_a_better_one_changes_it_back(page: Page, demo: str) -> None:
    open_chart(page, demo, "desmoid-ready")
    before = page.locator(SUMMARY).inner_text()
    assert before.startswith("May suit trial")
    add_result(page, "ANC", "1200", "cells/uL")
    expect(page.locator("#notices")).to_contain_text(f"No longer shown: {before}")
    expect(row_of(page, "Neutrophils, Absolute")).to_contain_text("1200 cells/uL")
    add_result(page, "ANC", "1.9", "10*9/L")
    expect(page.locator(SUMMARY)).to_have_text(before)


def test_moving_the_day_ends_the_washout_and_the_card_says_what_it_was_before(
    page: Page, demo: str
) -> None:
    open_chart(page, demo, "desmoid-itraconazole")
    before = page.locator(SUMMARY).inner_text()
    for _ in range(3):  # one after the other, without waiting for the service
        page.get_by_role("button", name="One day ahead").click()
    answered(page)
    expect(page.locator("#today-words")).to_contain_text("moved +3 days")
    expect(page.locator(SUMMARY)).to_contain_text("May suit trial")
    expect(page.locator(".card .before")).to_have_count(1)
    page.get_by_role("button", name="Real today").click()
    answered(page)
    expect(page.locator(SUMMARY)).to_have_text(before)


def test_the_result_of_an_accepted_order_settles_the_trial(page: Page, demo: str) -> None:
    open_chart(page, demo, "long-chart")
    before = page.locator(SUMMARY).inner_text()
    assert before.startswith("Possible trial")
    page.get_by_role("button", name="Order TSH").click()
    expect(page.locator(".made")).to_contain_text("Draft ServiceRequest/")
    add_result(page, "TSH", "2.0", "mIU/L")
    expect(page.locator(SUMMARY)).to_contain_text("May suit trial")
    expect(page.locator(".card .before")).to_have_text(f"Before: {before}")


def test_a_week_ahead_both_washouts_after_chemotherapy_have_run_out(page: Page, demo: str) -> None:
    open_chart(page, demo, "rms-after-chemo")
    expect(page.locator(SUMMARY)).to_contain_text("Not yet, possible from")
    page.get_by_role("button", name="Seven days ahead").click()
    expect(page.locator(SUMMARY)).not_to_contain_text("Not yet")


def test_stopping_a_medicine_writes_it_to_the_record_and_asks_again(page: Page, demo: str) -> None:
    open_chart(page, demo, "text-drugs")
    stop = page.get_by_role("button", name=re.compile("Stop Ibuprofen"))
    stop.click()
    expect(stop).to_have_count(0)
    answered(page)
    expect(page.locator("#medications-heading")).to_be_focused()
    statements = read(demo, "MedicationStatement?patient=text-drugs")
    stopped = next(one for one in statements if one["id"] == "text-drugs-med")
    assert stopped["status"] == "stopped"
    assert stopped["effectivePeriod"]["end"] == page.locator("#add-day").input_value()


def test_an_accepted_suggestion_becomes_a_draft_order_and_the_service_is_told(
    page: Page, demo: str
) -> None:
    open_chart(page, demo, "long-chart")
    with page.expect_response("**/feedback") as told:
        page.get_by_role("button", name="Order TSH").click()
    assert told.value.ok
    expect(page.get_by_role("button", name="✓ Order TSH")).to_have_attribute(
        "aria-disabled", "true"
    )
    orders = read(demo, "ServiceRequest?patient=long-chart")
    assert [(one["status"], one["code"]["text"]) for one in orders] == [("draft", "TSH")]
    expect(page.locator('[data-part="orders"]')).to_contain_text("TSH")
    [feedback] = sent_in(told.value.request)["feedback"]
    assert feedback["outcome"] == "accepted"
    assert len(feedback["acceptedSuggestions"]) == 1
    expect(page.locator(".card-says")).to_have_text(
        "The draft order is in the chart; the service was told."
    )


def test_a_dismissed_card_folds_and_its_reason_is_sent(page: Page, demo: str) -> None:
    open_chart(page, demo, "desmoid-ready")
    page.locator(".dismiss summary").click()
    page.get_by_label("Why?").select_option(label="Not now, ask again later")
    page.get_by_label("Comment (optional)").fill("after the holidays")
    with page.expect_response("**/feedback") as told:
        page.get_by_role("button", name="Dismiss this card").click()
    assert told.value.ok
    expect(page.locator(".folded-line")).to_contain_text("Dismissed: Not now, ask again later")
    expect(page.locator(".card .detail")).to_be_hidden()
    [feedback] = sent_in(told.value.request)["feedback"]
    assert feedback["outcome"] == "overridden"
    assert feedback["overrideReason"]["reason"]["code"] == "not-now"
    assert feedback["overrideReason"]["userComment"] == "after the holidays"
    expect(page.locator(".card-says")).to_have_text("The service was told.")
    page.get_by_role("button", name="Show again").click()
    expect(page.locator(".card .detail")).to_be_visible()


def test_what_users_do_with_cards_is_kept_in_the_store(
    page: Page, demo: str, store: sa.Engine
) -> None:
    """From the click to the row: which card, what became of it, for which coded reason."""
    open_chart(page, demo, "long-chart")
    with page.expect_response("**/feedback") as told:
        page.get_by_role("button", name="Order TSH").click()
    [accepted] = sent_in(told.value.request)["feedback"]
    open_chart(page, demo, "desmoid-ready")
    page.locator(".dismiss summary").click()
    page.get_by_label("Why?").select_option(label="Not suitable in my judgement")
    with page.expect_response("**/feedback") as told:
        page.get_by_role("button", name="Dismiss this card").click()
    [overridden] = sent_in(told.value.request)["feedback"]
    with store.connect() as connection:
        rows = connection.execute(
            sa.text("SELECT card, outcome, accepted, reasons, comment FROM feedback")
        )
        kept = {row.card: row for row in rows}
    took, refused = kept[accepted["card"]], kept[overridden["card"]]
    assert took.outcome == "accepted"
    assert json.loads(took.accepted) == [accepted["acceptedSuggestions"][0]["id"]]
    assert refused.outcome == "overridden"
    [reason] = json.loads(refused.reasons)
    assert reason["code"] == "not-suitable"
    assert reason["system"] == "https://trial-cds.org/CodeSystem/override-reason"


def test_a_dismissed_card_stays_away_says_why_and_can_be_brought_back(
    page: Page, demo: str
) -> None:
    open_chart(page, demo, "desmoid-ready")
    page.locator(".dismiss summary").click()
    page.get_by_label("Why?").select_option(label="Not suitable in my judgement")
    with page.expect_response("**/feedback"):
        page.get_by_role("button", name="Dismiss this card").click()
    open_chart(page, demo, "desmoid-ready")
    expect(page.locator(".card")).to_have_count(0)
    expect(page.locator("#cards")).to_contain_text("NCT05490667: its card was dismissed")
    page.goto(f"{demo}/demo/")
    page.get_by_role("button", name="Undo every change").click()
    expect(page.locator("#reset-says")).not_to_be_empty()
    open_chart(page, demo, "desmoid-ready")
    expect(page.locator(".card")).to_have_count(1)


def test_what_is_ruled_out_for_good_says_so_instead_of_an_empty_panel(
    page: Page, demo: str
) -> None:
    open_chart(page, demo, "desmoid-ready")
    add_result(page, "ANC", "1.4", "10*9/L")
    expect(page.locator("#cards")).to_contain_text("NCT05490667: something rules the patient out")


def test_feedback_that_is_not_taken_is_said(page: Page, demo: str) -> None:
    page.route("**/feedback", lambda route: route.fulfill(status=503))
    open_chart(page, demo, "long-chart")
    page.get_by_role("button", name="Order TSH").click()
    expect(page.locator(".card-says")).to_contain_text(
        "The service did not take the feedback: it answered 503."
    )


def test_a_service_that_refuses_is_said_and_is_no_empty_panel(page: Page, demo: str) -> None:
    outcome = {"issue": [{"diagnostics": "The Patient is not there."}]}
    page.route(
        "**/cds-services/trial-eligibility", lambda route: route.fulfill(status=412, json=outcome)
    )
    open_chart(page, demo, "desmoid-ready")
    expect(page.locator("#cards")).to_contain_text(
        "The service refused with 412: The Patient is not there."
    )


def test_a_card_leads_to_the_page_with_all_criteria_and_their_evidence(
    page: Page, demo: str
) -> None:
    open_chart(page, demo, "desmoid-ready")
    with page.expect_popup() as opened:
        page.get_by_role("link", name="All criteria and evidence").click()
    expect(opened.value.locator("body")).to_contain_text("NCT05490667")
    expect(opened.value.locator("body")).to_contain_text("Observation/desmoid-ready-")
    opened.value.close()


def test_what_was_sent_and_what_came_back_can_be_read(page: Page, demo: str) -> None:
    open_chart(page, demo, "desmoid-ready")
    page.get_by_text("What was sent, what came back").click()
    expect(page.get_by_role("table", name="Prefetch")).to_contain_text("category=laboratory")
    page.get_by_text("Request as JSON").click()
    expect(page.get_by_role("region", name="Request as JSON")).to_contain_text('"patient-view"')
    page.get_by_text("Response as JSON").click()
    expect(page.get_by_role("region", name="Response as JSON")).to_contain_text('"summary"')
    page.get_by_label("FHIR only").check()
    expect(page.locator("#raw-body")).to_contain_text("What the service read itself")
    expect(page.locator(".calls li").first).to_contain_text("GET /fhir/")
