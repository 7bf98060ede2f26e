"""The live review page in a real Chromium: it follows the files, by keyboard, for everybody."""

from __future__ import annotations

import shutil
from datetime import UTC, date
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from cds.content.bundled import bundled_content, bundled_fixtures
from cds.web.fhir_endpoint import serving
from cds.web.review.app import create_review_app
from cds.web.review.live import LiveContent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page

TRIAL = "NCT07137884"


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site's folder with a copy of one trial."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(bundled_content() / "trials" / TRIAL, folder / "trials" / TRIAL)
    return folder


@pytest.fixture(scope="module")
def address(content: Path) -> Iterator[str]:
    """The review page of that trial."""
    live = LiveContent([bundled_content(), content], [TRIAL])
    app = create_review_app(live, bundled_fixtures(), lambda: date(2026, 3, 1), UTC)
    with serving(app) as base:
        yield f"{base}/trials/{TRIAL}"


def faults(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{fault['id']}: {node['html']}" for fault in found for node in fault["nodes"]]


def test_choosing_a_patient_says_what_each_criterion_makes_of_them(
    page: Page, address: str
) -> None:
    page.goto(address)
    page.get_by_role("combobox").select_option("rms-after-chemo")
    expect(page.locator(".verdict")).to_contain_text("Ineligible, until 2026-03-07")
    page.get_by_role("link", name="Fail", exact=True).click()
    expect(page.locator(".criterion h3")).to_have_text(["I07a", "I09a"])


def test_a_bundle_can_be_chosen_from_the_disk(page: Page, address: str) -> None:
    page.goto(f"{address}?on=2026-03-01")
    bundle = bundled_fixtures() / "rms-ready" / "bundle.json"
    page.get_by_label("or a FHIR bundle").set_input_files(bundle)
    page.get_by_role("button", name="Use it").click()
    expect(page.locator(".verdict")).to_contain_text("Potentially eligible")


def test_a_saved_file_shows_without_a_hand_on_the_mouse(
    page: Page, address: str, content: Path
) -> None:
    path = content / "trials" / TRIAL / "inclusion.yaml"
    sound = path.read_text("utf-8")
    page.goto(f"{address}#i07a")
    card = page.locator("#i07a")
    expect(card).to_contain_text("less than 21 days ago")
    path.write_text(sound.replace("at_least_after: 21 days", "at_least_after: 20 days", 1), "utf-8")
    expect(card).to_contain_text("less than 20 days ago")
    expect(card).to_contain_text("cases broken")

    path.write_text(sound.replace("lab: anc", "lab: ancc", 1), "utf-8")
    expect(page.get_by_role("alert")).to_contain_text("Did you mean 'anc'?")
    path.write_text(sound, "utf-8")
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(card).to_contain_text("less than 21 days ago")


def test_the_keyboard_walks_through_the_criteria_and_the_protocol_follows(
    page: Page, address: str
) -> None:
    page.goto(address)
    page.keyboard.press("j")
    expect(page.locator("#i01a")).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    expect(page.locator("#i01b")).to_be_focused()
    expect(page.locator(".piece.here")).to_contain_text("≤18 years old")

    page.keyboard.press("Tab")
    expect(page.locator("#i01b summary")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#i01b .cases li").first).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1360, 400])
def test_it_is_accessible_in_light_and_dark_wide_and_narrow(
    page: Page, address: str, scheme: str, width: int
) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{address}?patient=rms-after-chemo")
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert faults(page) == []
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= width, "nothing sticks out to the right"


def test_the_list_of_trials_is_accessible_too(page: Page, address: str) -> None:
    page.goto(address.rpartition("/trials/")[0])
    expect(page.get_by_role("heading", level=2).first).to_contain_text(TRIAL)
    assert faults(page) == []
