"""From the card to the page behind it: evidence, pictures, access, paper."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

LABEL = "All criteria and evidence"


def open_report(page: Page, demo: str, patient: str) -> str:
    """Open a chart, follow its first card's link in the same window; gives the page's address."""
    page.goto(f"{demo}/demo/patients/{patient}")
    expect(page.locator("#advice")).to_have_attribute("aria-busy", "false")
    address = page.get_by_role("link", name=LABEL).first.get_attribute("href")
    assert address is not None
    page.goto(address)
    expect(page.get_by_role("heading", name="Criteria", exact=True)).to_be_visible()
    return address


def faults(page: Page) -> list[str]:
    """What axe finds, one line for each element."""
    found = Axe().run(page).response["violations"]
    return [
        f"{fault['id']}: {node['html']} {node['failureSummary']}"
        for fault in found
        for node in fault["nodes"]
    ]


def wider_than_the_window(page: Page) -> list[str]:
    """Elements that stick out of the window to the right."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll('main *')]
          .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
          .map((one) => one.outerHTML.slice(0, 120))"""
    )
    return found


def test_the_card_leads_to_the_evidence(page: Page, demo: str) -> None:
    open_report(page, demo, "desmoid-itraconazole")
    expect(page.locator(".overall")).to_contain_text("Ruled out today")
    drug = page.locator("#E28a")
    expect(drug).to_contain_text("itraconazole")
    expect(drug.locator("q").first).to_contain_text("potent CYP3A4 inhibitor within 7 days")
    expect(drug.get_by_role("table")).to_contain_text("MedicationRequest/desmoid-itraconazole")
    expect(page.locator(".timeline").first).to_contain_text("clear from")


def test_the_link_of_the_card_opens_beside_the_chart(page: Page, demo: str) -> None:
    page.goto(f"{demo}/demo/patients/long-chart")
    expect(page.locator("#advice")).to_have_attribute("aria-busy", "false")
    with page.context.expect_page() as opened:
        page.get_by_role("link", name=LABEL).first.click()
    expect(opened.value.locator(".next")).to_contain_text("Order: TSH")
    opened.value.close()


def test_a_changed_lab_is_on_the_page_of_the_new_card(page: Page, demo: str) -> None:
    before = open_report(page, demo, "long-chart")
    page.goto(f"{demo}/demo/patients/long-chart")
    expect(page.locator("#advice")).to_have_attribute("aria-busy", "false")
    page.get_by_label("Test", exact=True).select_option(label="TSH")
    page.get_by_label("Value", exact=True).fill("2.0")
    page.get_by_label("Unit", exact=True).fill("mIU/L")
    page.get_by_role("button", name="Add result").click()
    expect(page.locator(".card h3")).to_contain_text("May suit trial")
    after = page.get_by_role("link", name=LABEL).first.get_attribute("href")
    assert after is not None
    assert after != before
    page.goto(after)
    expect(page.locator("#E17 summary")).to_contain_text("TSH 2 mIU/L")


def test_filter_language_and_study_file_work_by_keyboard_and_without_scripts(
    browser: Browser, page: Page, demo: str
) -> None:
    address = open_report(page, demo, "rms-after-chemo")
    context = browser.new_context(
        java_script_enabled=False, viewport={"width": 1100, "height": 900}
    )
    plain = context.new_page()
    plain.goto(address)
    plain.get_by_role("link", name="Rules out 2").focus()
    plain.keyboard.press("Enter")
    expect(plain.locator(".criterion")).to_have_count(2)
    expect(plain.get_by_role("link", name="Rules out 2")).to_have_attribute("aria-current", "true")
    plain.get_by_role("link", name="简体中文").click()
    expect(plain.locator("html")).to_have_attribute("lang", "zh-CN")
    expect(plain.locator(".criterion")).to_have_count(2)
    plain.get_by_role("link", name="English").click()
    plain.get_by_role("link", name="For the study file").click()
    expect(plain.locator("article.criterion")).to_have_count(82)
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("patient", "query"),
    [
        ("desmoid-itraconazole", ""),
        ("long-chart", "?view=all"),
        ("long-chart", "?lang=zh-CN"),
        ("rms-marrow", "?status=review"),
        ("desmoid-bare", "?status=unknown"),
    ],
)
def test_axe_finds_nothing_on_the_page(
    page: Page, demo: str, patient: str, query: str, scheme: str
) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    address = open_report(page, demo, patient)
    page.goto(address + query)
    assert faults(page) == []


def test_axe_finds_nothing_on_a_link_that_has_ended(page: Page, demo: str) -> None:
    page.goto(f"{demo}/determinations/{'A' * 43}")
    expect(page.get_by_role("heading", level=1)).to_have_text("This link has ended")
    assert faults(page) == []


@pytest.mark.parametrize("patient", ["long-chart", "rms-after-chemo", "desmoid-bare"])
@pytest.mark.parametrize("width", [320, 400])
def test_a_side_bar_shows_everything_without_scrolling_sideways(
    page: Page, demo: str, patient: str, width: int
) -> None:
    """320 pixels are what is left of 1280 at four times the size."""
    address = open_report(page, demo, patient)
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{address}?view=all")
    assert wider_than_the_window(page) == []


def test_on_paper_every_criterion_is_there_and_the_controls_are_not(page: Page, demo: str) -> None:
    open_report(page, demo, "desmoid-itraconazole")
    closed = page.locator("#I07b dl")
    expect(closed).to_be_hidden()
    page.emulate_media(media="print")
    expect(closed).to_be_visible()
    expect(page.locator(".filter")).to_be_hidden()
    expect(page.locator(".sign")).to_be_visible()
    assert len(page.pdf(format="A4", print_background=True)) > 50_000


def test_every_picture_says_the_same_in_words(page: Page, demo: str) -> None:
    open_report(page, demo, "long-chart")
    for number in range(page.locator(".trend").count()):
        trend = page.locator(".trend").nth(number)
        said = trend.get_by_role("img").get_attribute("aria-label") or ""
        assert (trend.locator("strong").inner_text()) in said
        assert " on " in said
    for number in range(page.locator(".timeline tbody tr").count()):
        row = page.locator(".timeline tbody tr").nth(number)
        assert row.locator(".said").inner_text().strip()
