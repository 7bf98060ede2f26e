"""WCAG 2.2 AA, as far as a machine can tell; keyboards; narrow side bars; large print."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

SIDE_BAR = {"width": 400, "height": 900}


def answered(page: Page) -> None:
    expect(page.locator("#advice")).to_have_attribute("aria-busy", "false")


def faults(page: Page) -> list[str]:
    """What axe finds, one line for each element."""
    found = Axe().run(page).response["violations"]
    return [
        f"{fault['id']}: {node['html']} {node['failureSummary']}"
        for fault in found
        for node in fault["nodes"]
    ]


def everything_open(page: Page) -> None:
    """Open every part that can be opened, the request and the response among them."""
    page.get_by_text("What was sent, what came back").click()
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")


def dismissed(page: Page) -> None:
    page.locator(".dismiss summary").click()
    page.get_by_label("Why?").select_option(index=1)
    page.get_by_role("button", name="Dismiss this card").click()
    expect(page.locator(".folded-line")).to_be_visible()


def day_moved(page: Page) -> None:
    page.get_by_role("button", name="One day ahead").click()
    expect(page.locator("#today-words")).to_contain_text("moved +1 day")
    answered(page)


def ordered(page: Page) -> None:
    page.locator(".suggestions button").first.click()
    expect(page.locator(".made").first).to_contain_text("Draft")
    expect(page.locator(".card-says")).not_to_be_empty()


def as_opened(page: Page) -> None:
    expect(page.locator("#cards > *").first).to_be_visible()


STATES: list[tuple[str, Callable[[Page], None]]] = [
    ("desmoid-itraconazole", as_opened),
    ("desmoid-itraconazole", day_moved),
    ("desmoid-ready", dismissed),
    ("desmoid-bare", ordered),
    ("desmoid-creatinine-units", as_opened),
    ("long-chart", everything_open),
    ("ordinary-chart", as_opened),
    ("deceased", as_opened),
]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("patient", "state"), STATES, ids=[f"{patient}-{do.__name__}" for patient, do in STATES]
)
def test_axe_finds_nothing_on_a_chart(
    page: Page, demo: str, patient: str, state: Callable[[Page], None], scheme: str
) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(f"{demo}/demo/patients/{patient}")
    answered(page)
    state(page)
    assert faults(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/demo/", "/demo/patients/nobody"])
def test_axe_finds_nothing_on_the_other_pages(
    page: Page, demo: str, path: str, scheme: str
) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(demo + path)
    assert faults(page) == []


def wider_than_the_window(page: Page) -> list[str]:
    """Elements that stick out of the window to the right."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll('body *')]
          .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
          .filter((one) => !one.closest('.hidden, pre'))
          .map((one) => one.outerHTML.slice(0, 80))"""
    )
    return found


@pytest.mark.parametrize("patient", ["long-chart", "desmoid-bare", "rms-after-chemo"])
def test_a_side_bar_of_400_pixels_shows_everything_without_scrolling_sideways(
    page: Page, demo: str, patient: str
) -> None:
    page.set_viewport_size({"width": 400, "height": 900})
    page.goto(f"{demo}/demo/patients/{patient}")
    answered(page)
    everything_open(page)
    assert wider_than_the_window(page) == []
    assert faults(page) == []


def test_twice_the_size_of_letters_fits_a_window_of_1280_pixels(page: Page, demo: str) -> None:
    # 200 % zoom of a window of 1280 × 800 is a window of 640 × 400.
    page.set_viewport_size({"width": 640, "height": 400})
    page.goto(f"{demo}/demo/patients/long-chart")
    answered(page)
    everything_open(page)
    assert wider_than_the_window(page) == []


def tab_to(page: Page, name: str, role: str = "button") -> None:
    """Press Tab until the control with this role and name has the focus."""
    wanted = page.get_by_role(role, name=name, exact=True).first  # type: ignore[arg-type]
    for _ in range(120):
        page.keyboard.press("Tab")
        if wanted.evaluate("(one) => one === document.activeElement"):
            return
    message = f"Tab does not reach the {role} {name}"
    raise AssertionError(message)


def test_a_patient_is_opened_and_an_order_accepted_by_keyboard_alone(page: Page, demo: str) -> None:
    page.goto(f"{demo}/demo/")
    tab_to(page, "Leopold Thickfile Everlong", "link")
    page.keyboard.press("Enter")
    answered(page)
    tab_to(page, "Order TSH")
    page.keyboard.press("Enter")
    accepted = page.get_by_role("button", name="✓ Order TSH")
    expect(accepted).to_be_focused()


def test_a_card_is_dismissed_by_keyboard_alone_and_the_focus_stays_with_it(
    page: Page, demo: str
) -> None:
    page.goto(f"{demo}/demo/patients/desmoid-ready")
    answered(page)
    page.locator(".dismiss summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Why?")).to_be_focused()
    page.keyboard.type("Not now")
    tab_to(page, "Dismiss this card")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Show again")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".card h3")).to_be_focused()


def test_a_result_is_added_by_keyboard_alone(page: Page, demo: str) -> None:
    page.goto(f"{demo}/demo/patients/desmoid-ready")
    answered(page)
    page.get_by_label("Value").focus()
    page.keyboard.type("1.2")
    page.keyboard.press("Enter")
    expect(page.locator("#notices")).to_contain_text("No longer shown")


def test_every_focus_can_be_seen(page: Page, demo: str) -> None:
    page.goto(f"{demo}/demo/patients/desmoid-ready")
    answered(page)
    for _ in range(30):
        page.keyboard.press("Tab")
        seen: bool = page.evaluate(
            """() => {
              const style = getComputedStyle(document.activeElement);
              return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
            }"""
        )
        where: str = page.evaluate("document.activeElement.outerHTML.slice(0, 80)")
        assert seen or where.startswith("<body"), where
