"""Answering the questions of a trial in a real browser, without a script on the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

LABEL = "All criteria and evidence"


def open_page(page: Page, demo: str, patient: str) -> str:
    """The page behind the first card of a chart; gives its address."""
    page.goto(f"{demo}/demo/patients/{patient}")
    expect(page.locator("#advice")).to_have_attribute("aria-busy", "false")
    address = page.get_by_role("link", name=LABEL).first.get_attribute("href")
    assert address is not None
    page.goto(address)
    return address


def question(page: Page, number: int) -> Locator:
    """One of the questions."""
    return page.locator(".asked fieldset").nth(number)


def save(page: Page) -> None:
    """Say who answers, and send the form."""
    if page.get_by_label("Your name").input_value() == "":
        page.get_by_label("Your name").fill("Ada Example")
    page.get_by_label("Your role").select_option("investigator")
    page.get_by_role("button", name="Save the answers").click()


def faults(page: Page) -> list[str]:
    """What axe finds, one line for each element."""
    return [
        f"{fault['id']}: {node['html']}"
        for fault in Axe().run(page).response["violations"]
        for node in fault["nodes"]
    ]


@pytest.fixture
def patient(demo: str) -> str:
    """A chart about which nobody has answered yet."""
    assert demo
    return "desmoid-ready"


def test_a_no_takes_the_card_away_and_one_click_brings_it_back(
    page: Page, demo: str, patient: str
) -> None:
    address = open_page(page, demo, patient)
    question(page, 0).get_by_label("Rules the patient out").check()
    save(page)
    expect(page.locator(".ruled-out")).to_contain_text("Ruled out by investigator on")
    expect(question(page, 0)).to_contain_text("Ada Example (investigator)")
    assert faults(page) == []

    page.goto(f"{demo}/demo/patients/{patient}")
    expect(page.locator("#advice")).to_have_attribute("aria-busy", "false")
    expect(page.locator(".card")).to_have_count(0)

    page.goto(address)
    page.get_by_role("button", name="Take back the answer").click()
    expect(page.locator(".ruled-out")).to_have_count(0)
    page.goto(f"{demo}/demo/patients/{patient}")
    expect(page.locator(".card")).to_have_count(1)


def test_the_card_counts_the_answers(page: Page, demo: str) -> None:
    open_page(page, demo, "desmoid-anc-cells")
    question(page, 0).get_by_label("Does not stand in the way").check()
    question(page, 1).get_by_label("Does not stand in the way").check()
    question(page, 2).get_by_label("Not yet known").check()
    save(page)
    expect(page.locator(".questions .lead")).to_contain_text("2 of ")
    page.goto(f"{demo}/demo/patients/desmoid-anc-cells")
    expect(page.locator(".card").first).to_contain_text("questions answered")


def test_an_answer_without_a_name_is_not_sent(page: Page, demo: str) -> None:
    address = open_page(page, demo, "desmoid-leftovers")
    question(page, 0).get_by_label("Rules the patient out").check()
    page.get_by_role("button", name="Save the answers").click()
    assert page.get_by_label("Your name").evaluate("one => one.validity.valueMissing") is True
    page.goto(address)
    expect(page.locator(".standing")).to_have_count(0)


def test_everything_works_by_keyboard_and_without_scripts(browser: Browser, demo: str) -> None:
    context = browser.new_context()
    charts = context.new_page()
    address = open_page(charts, demo, "rms-ready")
    plain = browser.new_context(java_script_enabled=False).new_page()
    plain.goto(address)
    plain.locator(".asked input[type=radio]").first.focus()
    plain.keyboard.press("Space")
    plain.get_by_label("Your name").focus()
    plain.keyboard.type("Bob Example")
    plain.get_by_label("Your role").select_option("research-nurse")
    plain.get_by_role("button", name="Save the answers").focus()
    plain.keyboard.press("Enter")
    expect(plain.locator(".standing").first).to_contain_text("Bob Example (research nurse)")
    plain.get_by_text("Everything that was answered").focus()
    plain.keyboard.press("Enter")
    expect(plain.locator(".history li").first).to_be_visible()
    plain.get_by_role("button", name="Take back the answer").focus()
    plain.keyboard.press("Enter")
    expect(plain.locator(".standing")).to_have_count(0)
    plain.context.close()
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("query", ["", "?lang=zh-CN"])
def test_axe_finds_nothing_on_answered_questions(
    page: Page, demo: str, scheme: str, query: str
) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    address = open_page(page, demo, "desmoid-stale")
    question(page, 0).get_by_label("Does not stand in the way").check()
    save(page)
    page.goto(address + query)
    expect(page.locator(".standing")).to_have_count(1)
    assert faults(page) == []


def test_a_side_bar_of_320_pixels_shows_the_form_without_scrolling_sideways(
    page: Page, demo: str
) -> None:
    open_page(page, demo, "desmoid-bare")
    page.set_viewport_size({"width": 320, "height": 900})
    wider = page.evaluate(
        """() => [...document.querySelectorAll('.questions *')]
          .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
          .map((one) => one.outerHTML.slice(0, 120))"""
    )
    assert wider == []


def test_on_paper_there_are_answers_and_no_buttons(page: Page, demo: str) -> None:
    open_page(page, demo, "desmoid-creatinine-units")
    question(page, 0).get_by_label("Does not stand in the way").check()
    save(page)
    page.emulate_media(media="print")
    expect(page.locator(".standing").first).to_be_visible()
    expect(page.get_by_role("button", name="Save the answers")).to_be_hidden()
    expect(page.locator(".choices").first).to_be_hidden()
