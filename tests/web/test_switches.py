"""Switches of a site: shadow mode, trials off or for some only, contacts; without a deploy."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from cds.assess import load_content
from cds.cli import main
from cds.content.bundled import bundled_content, bundled_fixtures
from cds.content.fault import ContentFaults
from cds.settings import SettingsFault, load_settings
from cds.store.tables import decisions
from cds.web.app import create_app, store_of
from cds.web.fhir_endpoint import Logged, create_fhir_app, load_fixtures, serving
from cds.web.switches import load_switches
from cds.web.trust import Caller, Trust

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from flask import Flask

    from cds.assess import Content

DAY = date(2026, 3, 1)
TRIAL = "NCT05490667"
EHR = "https://ehr.example.org"
TRIALS = ("NCT05490667", "NCT07137884")
ROLE = {
    "resourceType": "PractitionerRole",
    "id": "ada-onc",
    "practitioner": {"reference": "Practitioner/ada"},
    "active": True,
    "code": [{"coding": [{"system": "http://example.org/roles", "code": "oncologist"}]}],
}
ENCOUNTER = {
    "resourceType": "Encounter",
    "id": "visit",
    "status": "in-progress",
    "class": {"code": "AMB"},
    "subject": {"reference": "Patient/desmoid-ready"},
    "location": [{"location": {"reference": "Location/onc-2", "display": "Oncology, 2nd floor"}}],
    "serviceProvider": {"reference": "Organization/sarcoma"},
}


@pytest.fixture(scope="module")
def content() -> Content:
    return load_content([bundled_content()])


@pytest.fixture(scope="module")
def log() -> list[Logged]:
    return []


@pytest.fixture(scope="module")
def fhir_base(log: list[Logged]) -> Iterator[str]:
    store = load_fixtures(bundled_fixtures(), None)
    with serving(create_fhir_app(store, request_log=log)) as base:
        yield base


class Site:
    """The service with a file of switches that a test writes."""

    def __init__(self, app: Flask, file: Path, base: str) -> None:
        self.app = app
        self._file = file
        self._base = base

    def switch(self, text: str) -> None:
        """Write the file anew, as an editor does, with a time of its own."""
        before = self._file.stat().st_mtime_ns
        self._file.write_text(text, "utf-8")
        os.utime(self._file, ns=(before + 1_000_000, before + 1_000_000))

    def answer(self, patient: str = "desmoid-ready", **more: Any) -> dict[str, Any]:
        """The answer of the hook."""
        context = {"userId": "Practitioner/ada", "patientId": patient, **more.pop("context", {})}
        answer = self.app.test_client().post(
            "/cds-services/trial-eligibility",
            json={
                "hook": "patient-view",
                "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
                "context": context,
                "fhirServer": self._base,
                **more,
            },
        )
        assert answer.status_code == 200, answer.get_data(as_text=True)
        said: dict[str, Any] = answer.get_json()
        return said

    def cards(self, patient: str = "desmoid-ready", **more: Any) -> list[dict[str, Any]]:
        """The cards of the hook."""
        cards: list[dict[str, Any]] = self.answer(patient, **more)["cards"]
        return cards

    def outcomes(self) -> list[str]:
        """What was kept about the trial, the oldest call first."""
        asked = sa.select(decisions.c.outcome).where(decisions.c.trial == TRIAL)
        with store_of(self.app).begin() as connection:
            return list(connection.scalars(asked.order_by(decisions.c.call)))


@pytest.fixture
def site(content: Content, fhir_base: str, tmp_path: Path) -> Callable[..., Site]:
    def make(text: str = "", **more: Any) -> Site:
        file = tmp_path / "switches.yaml"
        file.write_text(text, "utf-8")
        own = replace(
            load_settings({"TRIAL_CDS_FHIR_ALLOW": fhir_base}),
            switches=file,
            database_url=f"sqlite:///{tmp_path / 'store.db'}",
            **more,
        )
        return Site(create_app(own, content, lambda: DAY), file, fhir_base)

    return make


@pytest.fixture
def as_ehr(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every caller is the EHR, without the JWT that has tests of its own."""

    class Known:
        issuer, dialect, fhir_bases = EHR, None, frozenset[Any]()

    caller = Caller.__new__(Caller)
    object.__setattr__(caller, "client", Known())
    monkeypatch.setattr(Trust, "caller", lambda *_: caller)
    monkeypatch.setattr(Caller, "fhir_server", lambda _, named: named)


def test_a_trial_is_switched_off_and_on_again_while_the_service_runs(
    site: Callable[..., Site],
) -> None:
    running = site()
    assert len(running.cards()) == 1
    running.switch(f"trials:\n  {TRIAL}:\n    off: yes\n")
    assert running.cards() == []
    running.switch("")
    assert len(running.cards()) == 1
    assert running.outcomes() == ["card", "off", "card"]


def test_a_file_with_a_fault_changes_nothing_and_readyz_says_so(
    site: Callable[..., Site],
) -> None:
    running = site(f"trials:\n  {TRIAL}:\n    off: yes\n")
    running.switch("trials:\n  NCT0549066:\n    off: no\n")
    assert running.cards() == []
    ready = running.app.test_client().get("/readyz")
    assert (ready.status_code, ready.get_json()["switches"]) == (
        200,
        "file has a fault, earlier in force",
    )
    running.switch("")
    assert len(running.cards()) == 1
    assert running.app.test_client().get("/readyz").get_json()["switches"] == "in force"


def test_a_file_that_disappears_changes_nothing(site: Callable[..., Site], tmp_path: Path) -> None:
    running = site(f"trials:\n  {TRIAL}:\n    off: yes\n")
    (tmp_path / "switches.yaml").unlink()
    assert running.cards() == []


@pytest.mark.usefixtures("as_ehr")
def test_in_shadow_nothing_is_shown_and_what_would_be_shown_is_kept(
    site: Callable[..., Site],
) -> None:
    running = site(f"shadow:\n- {EHR}\n")
    assert running.answer() == {"cards": []}
    assert running.answer("desmoid-clarithromycin") == {"cards": []}
    assert running.answer("ordinary-chart") == {"cards": []}
    assert running.outcomes() == ["shadow", "shadow", "no-diagnosis"]
    running.switch("")
    assert len(running.cards()) == 1


@pytest.mark.usefixtures("as_ehr")
def test_another_client_in_shadow_leaves_this_one_alone(site: Callable[..., Site]) -> None:
    assert len(site("shadow:\n- https://other.example.org\n").cards()) == 1


def test_everybody_can_be_in_shadow(site: Callable[..., Site]) -> None:
    assert site("shadow: all\n").answer() == {"cards": []}


@pytest.mark.usefixtures("as_ehr")
@pytest.mark.parametrize(("client", "count"), [(EHR, 1), ("https://other.example.org", 0)])
def test_a_trial_is_for_chosen_clients(site: Callable[..., Site], client: str, count: int) -> None:
    assert len(site(f"trials:\n  {TRIAL}:\n    clients: [{client}]\n").cards()) == count


@pytest.mark.parametrize(
    ("role", "count"),
    [
        ("oncologist", 1),
        ("Oncologist", 1),
        ("http://example.org/roles|oncologist", 1),
        ("nurse", 0),
    ],
)
def test_a_trial_is_for_chosen_roles(site: Callable[..., Site], role: str, count: int) -> None:
    running = site(f"trials:\n  {TRIAL}:\n    roles: ['{role}']\n")
    assert len(running.cards(prefetch={"user": ROLE})) == count


@pytest.mark.parametrize(
    ("department", "count"),
    [("Location/onc-2", 1), ("oncology, 2nd floor", 1), ("Organization/sarcoma", 1), ("icu", 0)],
)
def test_a_trial_is_for_chosen_departments(
    site: Callable[..., Site], department: str, count: int
) -> None:
    running = site(f"trials:\n  {TRIAL}:\n    departments: ['{department}']\n")
    assert len(running.cards(prefetch={"encounter": ENCOUNTER})) == count


def test_where_nobody_can_tell_who_asks_a_trial_for_some_is_not_shown(
    site: Callable[..., Site],
) -> None:
    running = site(f"trials:\n  {TRIAL}:\n    roles: [oncologist]\n")
    said = running.answer()
    assert said["cards"] == []
    assert {"trial": TRIAL, "because": "role"} in said["extension"]["org.trial-cds.without-card"]


def test_who_asks_is_read_from_the_server_where_the_prefetch_does_not_say(
    site: Callable[..., Site], log: list[Logged]
) -> None:
    running = site(f"trials:\n  {TRIAL}:\n    roles: [oncologist]\n    departments: [x]\n")
    log.clear()
    running.cards(context={"userId": "PractitionerRole/ada-onc", "encounterId": "visit"})
    asked = {one.path for one in log}
    assert {"/fhir/PractitionerRole/ada-onc", "/fhir/Encounter/visit"} <= asked


def test_nobody_asks_who_it_is_where_no_switch_needs_it(
    site: Callable[..., Site], log: list[Logged]
) -> None:
    running = site(f"trials:\n  {TRIAL}:\n    off: no\n")
    log.clear()
    running.cards(context={"userId": "PractitionerRole/ada-onc", "encounterId": "visit"})
    assert not [one for one in log if "Role" in one.path or "Encounter" in one.path]


def test_discovery_asks_for_user_and_encounter_where_there_are_switches(
    site: Callable[..., Site],
) -> None:
    services = site().app.test_client().get("/cds-services").get_json()["services"]
    prefetch = services[0]["prefetch"]
    assert prefetch["user"] == "{{context.userId}}"
    assert prefetch["encounter"] == "Encounter/{{context.encounterId}}"


@pytest.mark.usefixtures("as_ehr")
def test_the_card_names_whom_to_call_at_this_site_and_no_other(
    site: Callable[..., Site],
) -> None:
    running = site(
        f"trials:\n  {TRIAL}:\n    contacts:\n"
        "    - says: Study office, 4711, <b>trials@example.org</b>\n"
        f"      clients: [{EHR}]\n"
        "    - says: Other hospital, 0815\n"
        "      clients: [https://other.example.org]\n"
    )
    (card,) = running.cards()
    assert "Study contact: Study office, 4711, &lt;b&gt;trials@example.org" in card["detail"]
    assert "0815" not in card["detail"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- a", "must be a mapping"),
        ("shadows: all", "not known of this file"),
        ("shadow: some", "must be a list"),
        ("shadow: [https://nobody.example]", "No trusted client"),
        ("trials: []", "must be a mapping"),
        ("trials:\n  NCT05490666:\n    off: yes", "Did you mean 'NCT05490667'"),
        (f"trials:\n  {TRIAL}: off", "must be a mapping"),
        (f"trials:\n  {TRIAL}:\n    off: maybe", "neither yes nor no"),
        (f"trials:\n  {TRIAL}:\n    role: [x]", "Did you mean 'roles'"),
        (f"trials:\n  {TRIAL}:\n    contacts:\n    - {{phone: 4711}}", "needs 'says'"),
        (f"trials:\n  {TRIAL}:\n    contacts:\n    - says: '{'x' * 301}'", "too long"),
    ],
)
def test_each_fault_has_its_line_and_a_cure(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "switches.yaml"
    file.write_text(text, "utf-8")
    with pytest.raises(ContentFaults) as caught:
        load_switches(file, TRIALS, [EHR])
    assert any(says in str(fault) for fault in caught.value.faults)


def test_a_fault_at_the_start_stops_it(site: Callable[..., Site]) -> None:
    with pytest.raises(SettingsFault, match=r"TRIAL_CDS_SWITCHES: .*switches\.yaml:1"):
        site("what: ever")


def test_json_does_as_well_as_yaml(tmp_path: Path) -> None:
    file = tmp_path / "switches.json"
    file.write_text(json.dumps({"shadow": [EHR], "trials": {TRIAL: {"off": "yes"}}}), "utf-8")
    switches = load_switches(file, TRIALS, None)
    assert switches.in_shadow(EHR)
    assert switches.off(None) == {TRIAL: "off"}


def test_a_file_can_be_checked_before_it_is_put_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "new.yaml"
    file.write_text(
        f"shadow: all\ntrials:\n  {TRIAL}:\n    off: yes\n"
        "  NCT07137884:\n    roles: [Oncologist]\n    contacts:\n    - says: ext. 4711\n",
        "utf-8",
    )
    monkeypatch.delenv("TRIAL_CDS_CLIENTS", raising=False)
    said = CliRunner().invoke(main, ["switches", str(file)])
    assert said.exit_code == 0, said.output
    assert said.stdout.splitlines() == [
        "In shadow: all",
        f"{TRIAL}: off",
        "NCT07137884: only for roles oncologist",
        "NCT07137884: study contact ext. 4711",
    ]
    file.write_text("shadow: some\n", "utf-8")
    wrong = CliRunner().invoke(main, ["switches", str(file)])
    assert (wrong.exit_code, wrong.stdout) == (2, "")
    assert "new.yaml:1: 'shadow' must be a list" in wrong.stderr
