"""A real Chromium in front of the real demo; every test begins with untouched charts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests
import sqlalchemy as sa
from playwright.sync_api import sync_playwright

from cds.assess import load_content
from cds.content.bundled import bundled_content
from cds.settings import load_settings
from cds.web.demo import demo_running
from cds.web.serving import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
CHROMIUM = "/usr/bin/chromium"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium, which needs no download."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="session")
def kept_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the demo's store."""
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="session")
def demo_address(kept_in: Path) -> Iterator[str]:
    """The demo as `trial-cds demo` runs it, under an address of its own."""
    content = load_content([bundled_content()])
    port = free_port("127.0.0.1", 8600)
    with demo_running(load_settings({}), content, port=port, store=kept_in) as address:
        yield address


@pytest.fixture
def store(demo: str, kept_in: Path) -> Iterator[sa.Engine]:
    """The demo's own database, read from outside."""
    assert demo
    engine = sa.create_engine(f"sqlite:///{kept_in / 'demo.db'}")
    yield engine
    engine.dispose()


@pytest.fixture
def demo(demo_address: str) -> str:
    """The demo's address; whatever the last test changed is undone."""
    requests.post(f"{demo_address}/demo/reset", json={}, timeout=10).raise_for_status()
    return demo_address


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page on which nothing may go wrong unseen: no error in a script, none in the console."""
    wrong: list[str] = []
    page = browser.new_page(viewport={"width": 1360, "height": 900}, reduced_motion="reduce")
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    page.set_default_timeout(10_000)
    yield page
    page.close()
    # The demo says in words that a request failed; the browser's own note about it is no news.
    assert [text for text in wrong if "Failed to load resource" not in text] == []
