"""From the EHR's own menu to the determination page, in a real browser."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from cds.assess import load_content
from cds.content.bundled import bundled_content, bundled_fixtures
from cds.settings import load_settings
from cds.web.app import create_app, store_of
from cds.web.fhir_endpoint import load_fixtures, serving
from cds.web.serving import free_port
from cds.web.smart_endpoint import Authorizing, Behaviour, Registered, create_smart_app

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Frame, Page

    from cds.settings import Settings

HOST = "127.0.0.1"
PATIENT = "desmoid-clarithromycin"


@dataclass
class Running:
    """The service and the EHR that launches it, under two hosts: two sites to a browser."""

    service: str
    ehr: str
    authorizing: Authorizing


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("launch")
    port = free_port(HOST, 8700)
    service = f"http://{HOST}:{port}"
    authorizing = Authorizing(Registered("trial-cds", f"{service}/launch/callback"))
    store = load_fixtures(bundled_fixtures(), None)
    with serving(create_smart_app(store, authorizing, f"{service}/launch")) as root:
        ehr = root.replace(HOST, "localhost")
        app = create_app(
            _settings(folder, service, ehr),
            load_content([bundled_content()]),
            _day,
            address=service,
        )
        with serving(app, host=HOST, port=port):
            yield Running(service, ehr, authorizing)
        store_of(app).close()


def _settings(folder: Path, service: str, ehr: str) -> Settings:
    file = folder / "launch.yaml"
    file.write_text(f"ehrs:\n- iss: {ehr}/fhir\n  client_id: trial-cds\n", "utf-8")
    return replace(
        load_settings({}),
        launch=file,
        public_url=service,
        frame_ancestors=(ehr,),
        database_url=f"sqlite:///{folder / 'store.db'}",
    )


def _day() -> date:
    return date(2026, 3, 1)


@pytest.fixture(autouse=True)
def _well_behaved(running: Running) -> None:
    running.authorizing.behaviour = Behaviour()


def test_the_charts_link_leads_to_the_evidence(page: Page, running: Running) -> None:
    page.goto(f"{running.ehr}/ehr/{PATIENT}")
    page.get_by_role("link", name="Clinical trials").click()
    expect(page.get_by_role("heading", name="Criteria", exact=True)).to_be_visible()
    expect(page.locator(".overall")).to_contain_text("Ruled out today")
    expect(page.locator("#E28a")).to_contain_text("clarithromycin")
    assert page.url.startswith(f"{running.service}/determinations/")
    assert PATIENT not in page.url
    assert page.evaluate("document.cookie") == ""
    assert Axe().run(page).response["violations"] == []


def test_the_page_opens_in_a_frame_of_another_site(page: Page, running: Running) -> None:
    page.goto(f"{running.ehr}/ehr/{PATIENT}/frame")
    frame = page.frame_locator("iframe")
    expect(frame.get_by_role("heading", name="Criteria", exact=True)).to_be_visible()
    frame.get_by_role("link", name="Rules out 2").click()
    expect(frame.locator(".criterion")).to_have_count(2)
    assert _inside(page).url.startswith(f"{running.service}/determinations/")


def test_who_launched_answers_under_their_own_name_inside_the_frame(
    page: Page, running: Running
) -> None:
    page.goto(f"{running.ehr}/ehr/desmoid-ready/frame")
    frame = page.frame_locator("iframe")
    expect(frame.locator(".who")).to_contain_text("You are Dr. Ada Example")
    expect(frame.get_by_label("Your name")).to_have_count(0)
    frame.get_by_label("Rules the patient out").first.check()
    frame.get_by_label("Your role").select_option("treating-physician")
    frame.get_by_role("button", name="Save the answers").click()
    expect(frame.locator(".ruled-out")).to_contain_text("Ruled out by treating physician on")
    expect(frame.locator(".standing")).to_contain_text("Dr. Ada Example (treating physician)")
    frame.get_by_role("button", name="Take back the answer").click()
    expect(frame.locator(".ruled-out")).to_have_count(0)


def _inside(page: Page) -> Frame:
    return page.frames[1]


def test_a_chart_of_two_trials_leads_to_a_list(page: Page, running: Running) -> None:
    page.goto(f"{running.ehr}/ehr/two-trials")
    page.get_by_role("link", name="Clinical trials").click()
    expect(page.locator(".trial-list li")).to_have_count(2)
    page.get_by_role("link", name="NCT05490667").click()
    expect(page.get_by_role("heading", name="Criteria", exact=True)).to_be_visible()


def test_a_launch_that_is_denied_says_so(page: Page, running: Running) -> None:
    running.authorizing.behaviour.denies = True
    page.goto(f"{running.ehr}/ehr/{PATIENT}")
    page.get_by_role("link", name="Clinical trials").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Access to the chart was not granted")
    assert Axe().run(page).response["violations"] == []


def test_the_address_alone_opens_nothing_in_another_browser(page: Page, running: Running) -> None:
    page.goto(f"{running.ehr}/ehr/{PATIENT}")
    page.get_by_role("link", name="Clinical trials").click()
    expect(page.locator(".overall")).to_be_visible()
    browser = page.context.browser
    assert browser is not None
    other = browser.new_context().new_page()
    other.goto(page.url)
    expect(other.get_by_role("heading", level=1)).to_have_text("This link is somebody else's")
    other.context.close()


def test_the_demos_charts_launch_the_page(page: Page, demo: str) -> None:
    page.goto(f"{demo}/demo/patients/desmoid-itraconazole")
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="as a SMART app").click()
    launched = opened.value
    expect(launched.locator("#E28a")).to_contain_text("itraconazole")
    expect(launched.locator(".who")).to_contain_text("You are Dr. Ada Example")
    launched.close()
