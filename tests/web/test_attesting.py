"""Questions that only a person can answer: who said what, for how long, and what it changes."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from sqlalchemy.exc import DatabaseError

from cds.assess import load_content
from cds.cli import main
from cds.content.bundled import bundled_content, bundled_fixtures
from cds.settings import load_settings
from cds.store.attestations import Attestation, attest
from cds.store.tables import attestations
from cds.web.app import create_app, store_of
from cds.web.attesting.page import check_of
from cds.web.attesting.questions import question_of
from cds.web.fhir_endpoint import create_fhir_app, load_fixtures, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from flask import Flask
    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

    from cds.assess import Content

DAY = date(2026, 3, 1)
SERVICE = "http://127.0.0.1:8080"
PATIENT = "desmoid-ready"
TRIAL = "NCT05490667"
WHO = {"name": "Ada Example", "role": "investigator", "days": "28"}


@pytest.fixture(scope="module")
def content() -> Content:
    return load_content([bundled_content()])


@pytest.fixture(scope="module")
def fhir_base() -> Iterator[str]:
    with serving(create_fhir_app(load_fixtures(bundled_fixtures(), None))) as base:
        yield base


@dataclass
class Site:
    """The service with a store of its own, on a day that a test may move."""

    app: Flask
    base: str
    client: FlaskClient
    days: list[date]

    def cards(self, patient: str = PATIENT) -> list[dict[str, Any]]:
        """The cards for a story."""
        answer = self.client.post(
            "/cds-services/trial-eligibility",
            json={
                "hook": "patient-view",
                "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
                "context": {"userId": "Practitioner/a", "patientId": patient},
                "fhirServer": self.base,
            },
        )
        assert answer.status_code == 200, answer.get_data(as_text=True)
        cards: list[dict[str, Any]] = answer.get_json()["cards"]
        return cards

    def page(self, patient: str = PATIENT) -> str:
        """The path of the page behind the first card."""
        (card,) = self.cards(patient)
        address = next(link["url"] for link in card["links"] if "criteria" in link["label"])
        return str(address).removeprefix(SERVICE)

    def send(self, page: str, more: str = "", **fields: str) -> TestResponse:
        """Send the form of a page."""
        _, _, token, trial = page.split("/")
        form = {"check": check_of(token, trial), **WHO} | fields
        return self.client.post(f"{page}/answers{more}", data=form)

    def rows(self) -> list[Any]:
        """What is in the table."""
        with store_of(self.app).begin() as connection:
            return list(connection.execute(sa.select(attestations).order_by(attestations.c.id)))


@pytest.fixture
def site(content: Content, fhir_base: str, tmp_path: Path) -> Callable[..., Site]:
    def make(**more: Any) -> Site:
        days = [DAY]
        settings = load_settings({"TRIAL_CDS_FHIR_ALLOW": fhir_base})
        own = replace(settings, database_url=f"sqlite:///{tmp_path / 'store.db'}", **more)
        app = create_app(own, content, lambda: days[-1])
        return Site(app, fhir_base, app.test_client(), days)

    return make


def words(answer: TestResponse) -> str:
    text = re.sub(r"<[^>]+>", " ", answer.get_data(as_text=True))
    return " ".join(html.unescape(text).split())


def questions(site: Site, page: str) -> list[str]:
    """The criteria that the page asks about."""
    text = site.client.get(page).get_data(as_text=True)
    return list(dict.fromkeys(re.findall(r'name="answer-(\w+)"', text)))


def test_every_criterion_that_only_a_human_can_decide_can_be_answered(
    site: Callable[..., Site],
) -> None:
    running = site()
    (card,) = running.cards()
    asked = questions(running, running.page())
    review = [
        one["id"]
        for one in card["extension"]["org.trial-cds.assessment"]["criteria"]
        if one["status"] == "review"
    ]
    assert asked == review
    assert len(asked) > 5


def test_an_answer_stands_on_the_page_with_who_when_and_until_when(
    site: Callable[..., Site],
) -> None:
    running = site()
    page = running.page()
    first, *_ = asked = questions(running, page)
    answer = running.send(page, **{f"answer-{first}": "yes"})
    assert (answer.status_code, answer.location) == (303, f"{page}#questions")
    said = words(running.client.get(page))
    assert f"1 of {len(asked)} questions answered" in said
    assert "Does not stand in the way : Ada Example (investigator)" in said
    assert "counts until 29 Mar 2026" in said


def test_what_was_computed_stays_as_it_was(site: Callable[..., Site]) -> None:
    running = site()
    (before,) = running.cards()
    page = running.page()
    fields = {f"answer-{one}": "yes" for one in questions(running, page)}
    running.send(page, **fields)
    (after,) = running.cards()
    assert after["extension"] == before["extension"]
    assert after["uuid"] == before["uuid"]
    assert after["summary"] == before["summary"]


def test_the_card_says_how_many_questions_are_answered(site: Callable[..., Site]) -> None:
    running = site()
    page = running.page()
    one, two, *rest = questions(running, page)
    assert "questions answered" not in running.cards()[0]["detail"]
    running.send(page, **{f"answer-{one}": "yes", f"answer-{two}": "yes", "answer-none": "no"})
    running.send(page, **{f"answer-{rest[0]}": "not-yet"})
    assert f"2 of {len(rest) + 2} questions answered" in running.cards()[0]["detail"]


def test_a_no_takes_the_trial_out_of_the_cards_until_it_is_taken_back(
    site: Callable[..., Site],
) -> None:
    running = site()
    page = running.page()
    first, *_ = questions(running, page)
    running.send(page, **{f"answer-{first}": "no"})
    assert running.cards() == []
    said = words(running.client.get(page))
    assert re.search(r"Ruled out by investigator on \d+ \w+ \d{4}", said)
    answer = running.send(page, f"/{first}/withdrawn")
    assert answer.status_code == 303
    assert len(running.cards()) == 1
    assert "Ruled out by" not in words(running.client.get(page))


def test_a_no_ends_by_itself_after_its_last_day(site: Callable[..., Site]) -> None:
    running = site()
    page = running.page()
    first, *_ = questions(running, page)
    running.send(page, days="7", **{f"answer-{first}": "no"})
    running.days.append(date(2026, 3, 8))
    assert running.cards() == []
    running.days.append(date(2026, 3, 9))
    assert len(running.cards()) == 1


def test_not_yet_counts_as_no_answer(site: Callable[..., Site]) -> None:
    running = site()
    page = running.page()
    first, *_ = questions(running, page)
    running.send(page, **{f"answer-{first}": "no"})
    running.send(page, **{f"answer-{first}": "not-yet"})
    assert len(running.cards()) == 1
    assert "0 of " in words(running.client.get(page))


def test_another_patients_answers_do_not_count(site: Callable[..., Site]) -> None:
    running = site()
    page = running.page()
    first, *_ = questions(running, page)
    running.send(page, **{f"answer-{first}": "no"})
    assert len(running.cards("desmoid-bare")) == 1
    assert "Ada Example" not in words(running.client.get(running.page("desmoid-bare")))


def test_everything_that_was_said_is_kept_and_shown(site: Callable[..., Site]) -> None:
    running = site()
    page = running.page()
    first, *_ = questions(running, page)
    running.send(page, **{f"answer-{first}": "no"})
    running.send(page, f"/{first}/withdrawn", name="Bob Example", role="research-nurse")
    rows = running.rows()
    assert [(row.criterion, row.answer, row.name, row.role) for row in rows] == [
        (first, "no", "Ada Example", "investigator"),
        (first, "withdrawn", "Bob Example", "research-nurse"),
    ]
    said = words(running.client.get(page))
    assert f"{first}: Taken back, Bob Example (research nurse)" in said
    assert f"{first}: Rules the patient out, Ada Example (investigator)" in said


def test_the_database_refuses_to_change_what_was_said(site: Callable[..., Site]) -> None:
    running = site()
    page = running.page()
    running.send(page, **{f"answer-{questions(running, page)[0]}": "no"})
    engine = sa.create_engine(store_of(running.app)._url)
    with engine.begin() as connection, pytest.raises(DatabaseError, match="never changed"):
        connection.execute(sa.update(attestations).values(answer="yes"))
    engine.dispose()


def test_the_patient_is_not_named_in_the_table(site: Callable[..., Site]) -> None:
    running = site()
    page = running.page()
    running.send(page, **{f"answer-{questions(running, page)[0]}": "yes"})
    (row,) = running.rows()
    assert PATIENT not in str(row)
    assert re.fullmatch(r"\w+\.[0-9a-f]{64}", row.patient)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"name": ""}, "needs the name and the role"),
        ({"name": "x" * 201}, "needs the name and the role"),
        ({"role": "emperor"}, "needs the name and the role"),
        ({"days": "29"}, "how many days"),
        ({"days": "0"}, "how many days"),
        ({"days": "x"}, "how many days"),
    ],
)
def test_an_answer_of_nobody_or_for_ever_is_not_kept(
    site: Callable[..., Site], fields: dict[str, str], says: str
) -> None:
    running = site()
    page = running.page()
    sent = {f"answer-{questions(running, page)[0]}": "no"} | fields
    answer = running.send(page, **sent)
    assert (answer.status_code, says in words(answer)) == (400, True)
    assert running.rows() == []


@pytest.mark.parametrize("check", ["", "0" * 64])
def test_a_form_that_another_site_made_up_is_refused(site: Callable[..., Site], check: str) -> None:
    running = site()
    page = running.page()
    answer = running.send(page, check=check, **{f"answer-{questions(running, page)[0]}": "no"})
    assert answer.status_code == 403
    assert running.rows() == []


def test_a_form_that_a_browser_says_comes_from_elsewhere_is_refused(
    site: Callable[..., Site],
) -> None:
    running = site()
    page = running.page()
    _, _, token, trial = page.split("/")
    form = {"check": check_of(token, trial), **WHO}
    headers = {"Sec-Fetch-Site": "cross-site"}
    answer = running.client.post(f"{page}/answers", data=form, headers=headers)
    assert answer.status_code == 403


def test_where_the_hospital_signs_people_on_nobody_types_another_name(
    site: Callable[..., Site],
) -> None:
    running = site(page_sign_on="X-Remote-User")
    page = running.page()
    signed_on = {"X-Remote-User": "ada"}
    _, _, token, trial = page.split("/")
    text = running.client.get(page, headers=signed_on).get_data(as_text=True)
    assert 'name="name"' not in text
    first = re.findall(r'name="answer-(\w+)"', text)[0]
    form = {"check": check_of(token, trial), **WHO, f"answer-{first}": "yes", "name": "Eve"}
    running.client.post(f"{page}/answers", data=form, headers=signed_on)
    (row,) = running.rows()
    assert (row.name, row.user) == ("ada", "ada")
    stranger = running.client.post(f"{page}/answers", data=form)
    assert stranger.status_code == 401


def test_a_criterion_that_is_worded_anew_is_asked_anew(
    site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    running = site()
    page = running.page()
    first, *_ = questions(running, page)
    monkeypatch.setattr("cds.web.attesting.page.question_of", lambda *_: "0" * 64)
    running.send(page, **{f"answer-{first}": "no"})
    monkeypatch.undo()
    assert len(running.cards()) == 1
    assert "Ruled out by" not in words(running.client.get(page))


def test_with_no_days_nobody_can_answer(site: Callable[..., Site]) -> None:
    running = site(attestation_days=0)
    page = running.page()
    assert "Questions for a person" not in words(running.client.get(page))
    assert running.send(page).status_code == 404


def test_a_store_that_fails_says_so(site: Callable[..., Site]) -> None:
    running = site()
    page = running.page()
    sent = {f"answer-{questions(running, page)[0]}": "no"}
    with store_of(running.app).begin() as connection:
        connection.execute(sa.text("ALTER TABLE attestations RENAME TO gone"))
    answer = running.send(page, **sent)
    assert answer.status_code == 503
    assert "Try again in a moment" in words(answer)


def test_an_answer_can_be_taken_back_at_the_command_line_where_no_card_leads_to_its_page(
    site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    running = site()
    page = running.page()
    first, *_ = questions(running, page)
    running.send(page, **{f"answer-{first}": "no"})
    monkeypatch.setenv("TRIAL_CDS_DATABASE_URL", store_of(running.app)._url)
    words = ["answers", "--fhir", running.base, "--patient", PATIENT]
    listed = CliRunner().invoke(main, words)
    assert f"{TRIAL} {first}: no, until 2026-03-29  Ada Example (investigator)" in listed.stdout
    nobody = CliRunner().invoke(main, [*words, "--withdraw", TRIAL, first])
    assert (nobody.exit_code, nobody.stdout) == (2, "")
    who = ["--name", "Bob Example", "--role", "investigator"]
    gone = CliRunner().invoke(main, [*words, "--withdraw", TRIAL, first, *who])
    assert gone.exit_code == 0, gone.output
    assert f"{TRIAL} {first}: withdrawn  Bob Example (investigator)" in gone.stdout
    assert len(running.cards()) == 1
    again = CliRunner().invoke(main, [*words, "--withdraw", TRIAL, first, *who])
    assert again.exit_code == 2


def test_a_no_counts_on_when_the_record_has_come_to_say_otherwise(
    site: Callable[..., Site],
) -> None:
    """Until it is taken back or over: a person ruled the patient out, and data do not overrule."""
    running = site()
    (card,) = running.cards()
    criteria = card["extension"]["org.trial-cds.assessment"]["criteria"]
    passed = next(one for one in criteria if one["status"] == "pass" and one["id"] != "I01a")
    page = running.page()
    running.send(page, **{f"answer-{questions(running, page)[0]}": "no"})
    (row,) = running.rows()
    said = datetime(2026, 3, 1, tzinfo=UTC)
    question = question_of(passed["text"], passed["reading"])
    attest(
        store_of(running.app),
        [Attestation(row.patient, TRIAL, passed["id"], question, "no", "investigator", "Ada", None,
                     said, DAY)],
    )  # fmt: skip
    running.send(page, f"/{row.criterion}/withdrawn")
    assert running.cards() == []
    assert f"({passed['id']}, Ada)" in words(running.client.get(page))
    running.send(page, f"/{passed['id']}/withdrawn")
    assert len(running.cards()) == 1
