"""The page behind a card: who may read it, and that every word of the determination is on it."""

from __future__ import annotations

import gettext
import html
import json
import re
import time
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import sqlalchemy as sa

from cds.assess import load_content
from cds.content.bundled import bundled_content, bundled_fixtures
from cds.settings import Settings, SettingsFault, load_settings
from cds.store.database import Store
from cds.store.pages import Page, Pages
from cds.store.tables import pages as stored_pages
from cds.web.app import create_app, store_of
from cds.web.fhir_endpoint import create_fhir_app, load_fixtures, serving
from cds.web.report.model import Report, TrialReport
from cds.web.report.paper import running_head
from cds.web.report.sealing import Links, address_of, seal, unsealed
from cds.web.report.sentences import SENTENCES, SPANS, STATES, WORDS
from cds.web.report.words import DOMAIN, LANGUAGES, LOCALES, environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from flask import Flask
    from werkzeug.test import TestResponse

    from cds.assess import Content

DAY = date(2026, 3, 1)
LABEL = "All criteria and evidence"
HOOK = "/cds-services/trial-eligibility"


@pytest.fixture(scope="module")
def content() -> Content:
    """Both trials and all mappings."""
    return load_content([bundled_content()])


@pytest.fixture(scope="module")
def fhir_base() -> Iterator[str]:
    """The embedded endpoint over all stories, with the dates that they were written with."""
    with serving(create_fhir_app(load_fixtures(bundled_fixtures(), None))) as base:
        yield base


@dataclass
class Service:
    """The service with a store of its own."""

    app: Flask
    fhir_base: str

    def fire(self, patient: str, user: str = "Practitioner/a") -> TestResponse:
        """What the hook answers for a story."""
        return self.app.test_client().post(
            HOOK,
            json={
                "hook": "patient-view",
                "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
                "context": {"userId": user, "patientId": patient},
                "fhirServer": self.fhir_base,
            },
        )

    def cards(self, patient: str, user: str = "Practitioner/a") -> list[dict[str, Any]]:
        """The cards for a story."""
        answer = self.fire(patient, user)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        cards: list[dict[str, Any]] = answer.get_json()["cards"]
        return cards

    def links(self, patient: str, user: str = "Practitioner/a") -> list[str]:
        """The addresses of the pages behind the cards, as paths."""
        found = [
            link["url"]
            for card in self.cards(patient, user)
            for link in card["links"]
            if link["label"] == LABEL
        ]
        return [address.removeprefix("http://127.0.0.1:8080") for address in found]

    def get(self, path: str, **headers: str) -> TestResponse:
        """What the service answers to a browser."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.app.test_client().get(path, headers=named)


@pytest.fixture
def service(content: Content, fhir_base: str, tmp_path: Path) -> Callable[..., Service]:
    """Makes services; `more` are settings beyond those of a quiet start."""

    def make(**more: Any) -> Service:
        settings = load_settings({"TRIAL_CDS_FHIR_ALLOW": fhir_base})
        own = replace(settings, database_url=f"sqlite:///{tmp_path / 'store.db'}", **more)
        return Service(create_app(own, content, lambda: DAY), fhir_base)

    return make


def words(answer: TestResponse) -> str:
    """The text of a page, without tags."""
    text = re.sub(r"<[^>]+>", " ", answer.get_data(as_text=True))
    return " ".join(html.unescape(text).split())


def test_every_criterion_stands_on_the_page_with_the_protocols_words(
    service: Callable[..., Service],
) -> None:
    running = service()
    (card,) = running.cards("desmoid-clarithromycin")
    (path,) = running.links("desmoid-clarithromycin")
    said = words(running.get(path))
    criteria = card["extension"]["org.trial-cds.assessment"]["criteria"]
    assert len(criteria) == 95
    for one in criteria:
        assert " ".join(one["text"].split()) in said, one["id"]
        for piece in one["evidence"]:
            assert piece["reference"] in said, one["id"]
            assert " ".join(piece["display"].split()) in said, one["id"]
    for expected in (
        "by time only: possible from 25 Mar 2026",
        "14 Feb 2026 to 24 Feb 2026; within 7 days; clear from 4 Mar 2026",
        "clarithromycin: strong CYP3A4 inhibitor",
        "MedicationRequest/desmoid-clarithromycin-rx",
        "Look again on 25 Mar 2026.",
    ):
        assert expected in said


def test_a_value_stands_as_received_and_as_compared_with_the_limit_that_was_used(
    service: Callable[..., Service],
) -> None:
    running = service()
    (path,) = running.links("desmoid-creatinine-units")
    page = running.get(path).get_data(as_text=True)
    anc = running.get(running.links("desmoid-anc-cells")[0]).get_data(as_text=True)
    row = re.search(r"(?s)<tr>(?:(?!</tr>).)*upper limit of normal used:.*?</tr>", page)
    assert row is not None
    assert "µmol/L" in page
    assert "cells/uL" in anc
    assert "×10⁹/L" in anc


def test_what_is_missing_comes_with_what_would_settle_it(service: Callable[..., Service]) -> None:
    running = service()
    said = words(running.get(running.links("long-chart")[0]))
    assert "Order: TSH" in said
    assert "TSH : too old. A newer result within the look-back settles it." in said


@pytest.mark.parametrize(("status", "count"), [("fail", 2), ("review", 20), ("pass", 73)])
def test_a_status_in_the_address_shows_the_criteria_of_that_status_alone(
    service: Callable[..., Service], status: str, count: int
) -> None:
    running = service()
    (path,) = running.links("desmoid-clarithromycin")
    page = running.get(f"{path}?status={status}").get_data(as_text=True)
    assert len(re.findall(rf'class="criterion {status}"', page)) == count
    assert len(re.findall(r'class="criterion ', page)) == count
    assert "aria-current" in page


def test_for_the_study_file_every_criterion_is_open(service: Callable[..., Service]) -> None:
    running = service()
    (path,) = running.links("desmoid-ready")
    assert "<details" in running.get(path).get_data(as_text=True)
    opened = running.get(f"{path}?view=all").get_data(as_text=True)
    assert "<details" not in opened
    assert "Signature" in opened


def test_every_printed_sheet_says_whose_it_is(service: Callable[..., Service]) -> None:
    running = service()
    (path,) = running.links("desmoid-ready")
    assert f'href="{path}/paper.css"' in running.get(path).get_data(as_text=True)
    sheet = running.get(f"{path}/paper.css")
    assert sheet.content_type == "text/css; charset=utf-8"
    assert sheet.headers["Cache-Control"] == "no-store"
    head = sheet.get_data(as_text=True)
    assert "NCT05490667" in head
    assert "Patient/desmoid-ready" in head
    assert "2026-03-01" in head
    assert running.get(f"{path[:-3]}000/paper.css").status_code == 404
    stranger = service(allow_no_trust=True, page_sign_on="X-Remote-User")
    (guarded,) = stranger.links("desmoid-ready")
    assert stranger.get(f"{guarded}/paper.css").status_code == 401


def test_a_patients_id_stays_text_on_the_printed_sheet() -> None:
    trial = TrialReport(
        "NCT1", "1.0.0", "d", "title", "short", "sponsor", "url", "r", "2026", signed_off=False,
        overall="undetermined", clears_on=None, lines=(),
    )  # fmt: skip
    report = Report('Patient/"} body{display:none', DAY, "1", "sha256:0", (trial,))
    head = running_head(report, trial)
    assert head.count('"') == 6
    assert "body{" not in head


def test_nothing_from_the_record_can_break_out_of_the_page(
    content: Content, tmp_path: Path
) -> None:
    """A drug that is named like a script stays text."""
    bundle = json.loads((bundled_fixtures() / "desmoid-ready" / "bundle.json").read_text("utf-8"))
    evil = {
        "resourceType": "MedicationStatement",
        "id": "evil",
        "status": "active",
        "medicationCodeableConcept": {"text": "<script>alert(1)</script> pills"},
        "subject": {"reference": "Patient/desmoid-ready"},
    }
    bundle["entry"].append({"resource": evil})
    kinds = ("Condition", "MedicationStatement", "MedicationRequest", "Procedure", "Observation")
    prefetch = {
        kind.lower(): {
            "resourceType": "Bundle",
            "type": "searchset",
            "entry": [e for e in bundle["entry"] if e["resource"]["resourceType"] == kind],
        }
        for kind in kinds
    }
    patients = [
        e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Patient"
    ]
    prefetch["patient"] = patients[0]
    settings = replace(Settings(), database_url=f"sqlite:///{tmp_path / 'store.db'}")
    client = create_app(settings, content, lambda: DAY).test_client()
    answer = client.post(
        HOOK,
        json={
            "hook": "patient-view",
            "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
            "context": {"userId": "Practitioner/a", "patientId": patients[0]["id"]},
            "prefetch": prefetch,
        },
    )
    (link,) = [
        link["url"]
        for card in answer.get_json()["cards"]
        for link in card["links"]
        if link["label"] == LABEL
    ]
    page = client.get(link.removeprefix("http://127.0.0.1:8080")).get_data(as_text=True)
    assert "alert(1)" in page
    assert "<script" not in page


def test_the_page_runs_no_script_is_not_kept_and_is_shown_in_no_frame(
    service: Callable[..., Service],
) -> None:
    running = service()
    answer = running.get(running.links("desmoid-ready")[0])
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'")
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    page = answer.get_data(as_text=True)
    assert not re.search(r"<script|<style|\sstyle=|\son\w+=", page)
    framed = service(frame_ancestors=("https://ehr.example.org",))
    answer = framed.get(framed.links("desmoid-ready")[0])
    assert "frame-ancestors https://ehr.example.org" in answer.headers["Content-Security-Policy"]


def test_no_address_names_the_patient_or_the_user(service: Callable[..., Service]) -> None:
    running = service()
    (path,) = running.links("desmoid-ready", user="Practitioner/somebody")
    assert re.fullmatch(r"/determinations/[\w-]{43}/NCT05490667", path)
    page = running.get(path).get_data(as_text=True)
    for address in re.findall(r'(?:href|src)="([^"]*)"', page):
        assert "desmoid-ready" not in address
        assert "somebody" not in address


def test_the_same_reader_gets_the_same_link_and_another_one_another(
    service: Callable[..., Service],
) -> None:
    running = service()
    first = running.links("desmoid-ready")
    assert running.links("desmoid-ready") == first
    assert running.links("desmoid-ready", user="Practitioner/b") != first
    assert running.links("desmoid-leftovers") != first
    assert service().links("desmoid-ready") != first


def test_a_link_that_was_made_up_or_changed_opens_nothing(service: Callable[..., Service]) -> None:
    running = service()
    (path,) = running.links("desmoid-ready")
    token = path.split("/")[2]
    changed = ("A" if token[0] != "A" else "B") + token[1:]
    for wrong in (changed, "A" * 43, "!" * 43):
        answer = running.get(f"/determinations/{wrong}/NCT05490667")
        assert answer.status_code == 404
        assert "This link has ended" in words(answer)
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert running.get(path.replace("NCT05490667", "NCT07137884")).status_code == 404


def test_a_link_ends_after_its_minutes(service: Callable[..., Service]) -> None:
    running = service(page_minutes=5)
    (path,) = running.links("desmoid-ready")
    assert running.get(path).status_code == 200
    with store_of(running.app).begin() as connection:
        ends = connection.scalar(sa.text("SELECT expires FROM pages"))
        assert ends is not None
        assert 240 < ends - time.time() <= 300
        connection.execute(sa.text("UPDATE pages SET expires = :now"), {"now": int(time.time())})
    assert running.get(path).status_code == 404


def test_links_can_be_switched_off_and_then_nothing_is_kept(
    service: Callable[..., Service],
) -> None:
    running = service(page_minutes=0)
    assert running.links("desmoid-ready") == []
    with store_of(running.app).begin() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM pages")) == 0


def test_where_others_can_reach_the_service_there_is_no_link_without_sign_on(
    service: Callable[..., Service],
) -> None:
    assert service(allow_no_trust=True).links("desmoid-ready") == []
    assert service(allow_no_trust=True, page_sign_on="X-Remote-User").links("desmoid-ready") != []


def test_with_sign_on_a_page_is_for_the_first_user_who_opens_it(
    service: Callable[..., Service],
) -> None:
    running = service(allow_no_trust=True, page_sign_on="X-Remote-User")
    (path,) = running.links("desmoid-ready")
    nobody = running.get(path)
    assert nobody.status_code == 401
    assert "Nobody has signed on" in words(nobody)
    assert running.get(path, X_Remote_User="anna").status_code == 200
    assert running.get(path, X_Remote_User="anna").status_code == 200
    other = running.get(path, X_Remote_User="bert")
    assert other.status_code == 403
    assert "desmoid" not in words(other)
    assert running.links("desmoid-ready") == [path]  # asked again: still hers
    assert running.get(path, X_Remote_User="bert").status_code == 403


def test_a_store_that_fails_gives_no_card_that_nobody_could_explain_later(
    content: Content, fhir_base: str, tmp_path: Path
) -> None:
    blocked = tmp_path / "no folder"
    blocked.write_text("a file in the way", "utf-8")
    settings = load_settings({"TRIAL_CDS_FHIR_ALLOW": fhir_base})
    own = replace(settings, database_url=f"sqlite:///{blocked / 'x' / 'store.db'}")
    running = Service(create_app(own, content, lambda: DAY), fhir_base)
    answer = running.fire("desmoid-ready")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"


def test_a_page_in_the_store_cannot_be_read_without_the_link(
    service: Callable[..., Service], tmp_path: Path
) -> None:
    running = service()
    (path,) = running.links("desmoid-clarithromycin")
    assert running.get(path).status_code == 200
    with store_of(running.app).read() as connection:
        kept = [bytes(row.sealed) for row in connection.execute(sa.select(stored_pages))]
    store_of(running.app).close()
    assert kept
    for secret in (b"desmoid-clarithromycin", b"clarithromycin"):
        assert not any(secret in sealed for sealed in kept)
    files = b"".join(file.read_bytes() for file in tmp_path.glob("store.db*"))
    for secret in (b'"Patient/', b"Samplesia", path.split("/")[2].encode()):
        assert secret not in files


def test_no_more_pages_are_kept_than_the_store_is_told(tmp_path: Path) -> None:
    pages = Pages(Store(f"sqlite:///{tmp_path / 'store.db'}"), most=3)
    for number in range(5):
        pages.keep(Page(f"{number}", b"x", 100 + number), now=0)
    found = [number for number in range(5) if pages.open(f"{number}", reader=None, now=0)]
    assert found == [2, 3, 4]


def test_two_trials_of_one_patient_share_a_page_that_lists_them(
    service: Callable[..., Service],
) -> None:
    running = service(show_all=True)
    paths = running.links("two-trials")
    assert len(paths) == 2
    both = running.get(paths[0].rpartition("/")[0])
    assert both.status_code == 200
    assert "NCT05490667" in words(both)
    assert "NCT07137884" in words(both)
    assert f'href="{paths[1]}"' in both.get_data(as_text=True)


def test_a_sealed_report_is_opened_by_its_token_alone(service: Callable[..., Service]) -> None:
    del service
    links = Links(b"s" * 32)
    token, other = links.token("a", "b"), links.token("ab")
    assert token != other
    report = Report("Patient/p", DAY, "1", "sha256:0", ())
    sealed = seal(report, token)
    reports = msgspec.json.Decoder(Report)
    assert unsealed(sealed, token, reports) == report
    assert unsealed(sealed, other, reports) is None
    assert unsealed(sealed[:-1], token, reports) is None
    assert address_of(token) != address_of(other)
    assert address_of("no token") is None


@pytest.mark.parametrize("language", [tag for tag in LANGUAGES if tag != "en"])
def test_every_word_of_the_page_is_translated(language: str) -> None:
    """And the compiled catalog says what the readable one says."""
    said = gettext.translation(DOMAIN, str(LOCALES), languages=[language.replace("-", "_")])
    known: dict[Any, str] = vars(said)["_catalog"]
    source = environment("en")
    assert source.loader is not None
    missing = [
        message
        for name in source.list_templates()
        if name.endswith(".html")
        for _, _, messages in source.extract_translations(  # type: ignore[attr-defined]
            re.sub(r"\n\s+", "\n", source.loader.get_source(source, name)[0])
        )
        for message in ([messages] if isinstance(messages, str) else messages[:1])
        if message not in known and (message, 0) not in known
    ]
    assert missing == []
    engine = (*SENTENCES, *STATES, *SPANS, *WORDS)
    assert [sentence for sentence in engine if sentence not in known] == []
    po = LOCALES / language.replace("-", "_") / "LC_MESSAGES" / f"{DOMAIN}.po"
    readable = po.read_text("utf-8").replace('"\n"', "")
    for message, translated in known.items():
        if message and isinstance(message, str):
            assert f'msgstr "{translated}"' in readable, message


def test_the_language_is_the_browsers_or_the_one_asked_for_and_criteria_stay_as_they_are(
    service: Callable[..., Service],
) -> None:
    running = service()
    (path,) = running.links("desmoid-ready")
    chinese = running.get(path, Accept_Language="zh-Hans-CN, zh;q=0.9, en;q=0.5")
    assert chinese.headers["Content-Language"] == "zh-CN"
    assert '<html lang="zh-CN">' in chinese.get_data(as_text=True)
    assert "尚未经临床医生审阅" in words(chinese)
    assert "Advanced desmoid tumor confirmed by pathology." in words(chinese)
    assert "not yet been reviewed by a clinician. Criteria" not in words(running.get(path))
    asked = running.get(f"{path}?lang=en", Accept_Language="zh-CN")
    assert asked.headers["Content-Language"] == "en"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TRIAL_CDS_PAGE_SIGN_ON", "X Remote"),
        ("TRIAL_CDS_PAGE_MINUTES", "-1"),
        ("TRIAL_CDS_FRAME_ANCESTORS", "https://ehr.example.org/path"),
        ("TRIAL_CDS_FRAME_ANCESTORS", "https://ehr.example.org;"),
        ("TRIAL_CDS_FRAME_ANCESTORS", "*"),
    ],
)
def test_a_setting_of_the_page_that_cannot_be_used_stops_the_start(
    variable: str, value: str
) -> None:
    with pytest.raises(SettingsFault, match=variable):
        load_settings({variable: value})


def test_reports_of_every_story_survive_being_kept(service: Callable[..., Service]) -> None:
    """Every page of every story is drawn, in both languages, every way it can be asked for."""
    running = service(show_all=True)
    drawn = 0
    for folder in sorted(bundled_fixtures().iterdir()):
        if not folder.is_dir():
            continue
        bundle = msgspec.json.decode((folder / "bundle.json").read_bytes())
        patients = [
            e["resource"]["id"]
            for e in bundle["entry"]
            if e["resource"].get("resourceType") == "Patient"
        ]
        for path in running.links(patients[0]):
            for query in ("", "?lang=zh-CN&status=unknown", "?view=all"):
                assert running.get(path + query).status_code == 200, (folder.name, query)
                drawn += 1
    assert drawn > 40
