"""Take the README's pictures from the demo, so that they stay true.

    .venv/bin/python tools/screenshots.py

Needs Chromium. The charts are those that `trial-cds demo` shows today.
"""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

from playwright.sync_api import Browser, Page, expect, sync_playwright

from cds.assess import load_content
from cds.cards.card import PAGE_LABEL
from cds.content.bundled import bundled_content
from cds.settings import load_settings
from cds.web.demo import demo_running
from cds.web.serving import free_port

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
LARGEST = 300_000  # bytes


class Picture(NamedTuple):
    """One picture: which page, how wide and high, in which colours, after doing what."""

    name: str
    path: str
    width: int
    height: int
    scheme: Literal["light", "dark"]
    after: Callable[[Page], None]


def _answered(page: Page) -> None:
    expect(page.locator("#advice")).to_have_attribute("aria-busy", "false")


def _listed(page: Page) -> None:
    expect(page.locator(".story").first).to_be_visible()


def _ordered(page: Page) -> None:
    _answered(page)
    page.get_by_role("button", name="Order TSH").click()
    expect(page.locator(".made").first).to_contain_text("Draft")


def _page(page: Page, query: str = "") -> None:
    """Follow the first card's link, in the same window."""
    _answered(page)
    address = page.get_by_role("link", name=PAGE_LABEL).first.get_attribute("href")
    page.goto(f"{address}{query}")


def _page_in_chinese(page: Page) -> None:
    _page(page, "?lang=zh-CN")


def _trends(page: Page) -> None:
    _page(page)
    page.locator("#trends").scroll_into_view_if_needed()
    page.evaluate("document.getElementById('trends').scrollIntoView()")


PICTURES = [
    Picture("patients", "/demo/", 1280, 860, "light", _listed),
    Picture("chart", "/demo/patients/desmoid-itraconazole", 1360, 860, "light", _answered),
    Picture("chart-dark", "/demo/patients/long-chart", 1360, 860, "dark", _ordered),
    Picture("side-bar", "/demo/patients/desmoid-clarithromycin", 400, 1100, "light", _answered),
    Picture("page", "/demo/patients/rms-after-chemo", 1100, 900, "light", _page),
    Picture("page-dark", "/demo/patients/long-chart", 1100, 900, "dark", _trends),
    Picture(
        "page-chinese",
        "/demo/patients/desmoid-clarithromycin",
        400,
        1100,
        "light",
        _page_in_chinese,
    ),
]


def main() -> None:
    """Start the demo, take every picture, end."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("The pictures need Chromium; install it (on Debian: apt-get install chromium).")
    IMAGES.mkdir(exist_ok=True)
    content = load_content([bundled_content()])
    with (
        demo_running(load_settings({}), content, port=free_port("127.0.0.1", 8700)) as address,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        for picture in PICTURES:
            _take(browser, address, picture)
        browser.close()


def _take(browser: Browser, address: str, picture: Picture) -> None:
    size = {"width": picture.width, "height": picture.height}
    page = browser.new_page(viewport=size, color_scheme=picture.scheme)  # type: ignore[arg-type]
    page.goto(address + picture.path)
    picture.after(page)
    page.evaluate("document.activeElement.blur()")
    path = IMAGES / f"{picture.name}.png"
    page.screenshot(path=path)
    page.close()
    size_in_bytes = path.stat().st_size
    if size_in_bytes > LARGEST:
        sys.exit(f"{path.name} has {size_in_bytes} bytes; at most {LARGEST} are wanted.")
    print(f"{path.name}: {size_in_bytes} bytes")


if __name__ == "__main__":
    main()
