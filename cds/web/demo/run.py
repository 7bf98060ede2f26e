"""Running the demo: one process, one port, nothing left behind."""

from __future__ import annotations

import signal
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cds.content.bundled import bundled_fixtures
from cds.settings import FhirBase
from cds.store.tables import attestations, mutes
from cds.web.app import create_app, store_of
from cds.web.demo.app import Demo, Orderable, create_demo_app
from cds.web.demo.clock import DemoClock
from cds.web.demo.stories import read_stories
from cds.web.fhir_endpoint import serving
from cds.web.serving import free_port
from cds.web.smart_endpoint import Authorizing, Behaviour, Registered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cds.assess import Content
    from cds.settings import Settings
    from cds.store.database import Store

HOST = "127.0.0.1"


@contextmanager
def demo_running(
    settings: Settings, content: Content, *, port: int, store: Path | None = None
) -> Iterator[str]:
    """Serve the demo for as long as the context lasts; gives its address.

    Of the settings those about clients, FHIR servers, launches, switches, the fixed date and the
    store are replaced: the demo trusts loopback, reads its own endpoint, launches from its own
    charts, has its own day and forgets what it stored (unless `store` is a folder to keep it in).
    `port` must be free.
    """
    address = f"http://{HOST}:{port}"
    clock = DemoClock(settings.timezone)
    fixtures = bundled_fixtures()
    with tempfile.TemporaryDirectory(prefix="trial-cds-demo-") as folder:
        launch = Path(folder) / "launch.yaml"
        launch.write_text(f"ehrs:\n- iss: {address}/fhir\n  client_id: trial-cds\n", "utf-8")
        own = replace(
            settings,
            fhir_allow=(FhirBase(f"{address}/fhir"),),
            clients=None,
            public_url=address,
            database_url=f"sqlite:///{(store or Path(folder)) / 'demo.db'}",
            on=None,
            launch=launch if settings.page_minutes else None,
            switches=None,
        )
        service = create_app(own, content, clock.today, address=address)
        demo = Demo(
            service=service,
            fixtures=fixtures,
            stories=read_stories(fixtures),
            clock=clock,
            fhir_base=f"{address}/fhir",
            tests=_tests(content),
            forget=partial(_forget, store_of(service)),
            authorizing=_authorizing(address) if settings.page_minutes else None,
        )
        with serving(create_demo_app(demo), host=HOST, port=port) as served:
            yield served
        store_of(service).close()


def _authorizing(address: str) -> Authorizing:
    """The sign-on of the demo's EHR, at which an invented physician is signed on already."""
    known = Registered("trial-cds", f"{address}/launch/callback")
    return Authorizing(known, Behaviour(user="Practitioner/demo", name="Dr. Ada Example"))


def _forget(store: Store) -> None:
    """Dismissed cards come again, answers to questions are gone."""
    with store.begin() as connection:
        for table in (mutes, attestations):
            connection.execute(table.delete())


def _tests(content: Content) -> tuple[Orderable, ...]:
    """What can be measured as a number, by name; ANC stands first, as the one to try."""
    found = []
    for concept, (code, display) in content.terminology.primary_loinc.items():
        analyte = content.terminology.analytes_of(concept)[0]
        if analyte.scale in {"quantity", "score"}:
            label = content.labels[concept]
            one = Orderable(concept, label, code, display, analyte.unit, analyte.category)
            found.append(one)
    return tuple(sorted(found, key=lambda one: (one.concept != "anc", one.label.lower())))


def run_demo(
    settings: Settings, content: Content, *, port: int, say: Callable[[str], None]
) -> None:
    """Serve the demo until interrupted; `say` tells the person what happens.

    Raises:
        OSError: no port is free from `port` on.
    """
    chosen = free_port(HOST, port)
    if chosen != port:
        say(f"Port {port} is busy; the demo takes {chosen}.")
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    with demo_running(settings, content, port=chosen) as address:
        say(f"The demo runs at {address}/ (Ctrl-C ends it)")
        say("Every patient is invented. It runs open on loopback: only this machine can reach it.")
        say(f"Service {address}/cds-services · FHIR R4 {address}/fhir")
        over.wait()
    say("The demo has ended.")
