"""The live review page: what it shows, whom it answers, and that it follows the files."""

from __future__ import annotations

import io
import re
import shutil
from datetime import UTC, date
from typing import TYPE_CHECKING

import pytest

from cds.content.bundled import bundled_content, bundled_fixtures
from cds.web.review.app import create_review_app
from cds.web.review.live import LiveContent

if TYPE_CHECKING:
    from pathlib import Path

    from flask.testing import FlaskClient

TRIAL = "NCT07137884"
PAGE = f"/trials/{TRIAL}"


@pytest.fixture(scope="module")
def bundled() -> FlaskClient:
    """The bundled trials, which nobody changes."""
    live = LiveContent([bundled_content()], [TRIAL])
    app = create_review_app(live, bundled_fixtures(), lambda: date(2026, 3, 1), UTC)
    return app.test_client()


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site's copy of a trial."""
    folder = tmp_path / "trials" / TRIAL
    shutil.copytree(bundled_content() / "trials" / TRIAL, folder)
    return folder


def text_of(client: FlaskClient, address: str) -> str:
    answer = client.get(address, base_url="http://127.0.0.1:8090")
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", answer.get_data(as_text=True))


def test_every_criterion_stands_beside_the_words_it_was_read_from(bundled: FlaskClient) -> None:
    said = text_of(bundled, PAGE)
    assert said.count('class="criterion') == 82
    assert 'data-claims="i07a"' in said
    assert "all 817 case promises kept" in said or "case promises kept" in said
    assert "Nobody has signed these criteria" in said


def test_a_chosen_patient_is_judged_criterion_by_criterion(bundled: FlaskClient) -> None:
    said = text_of(bundled, f"{PAGE}?patient=rms-after-chemo")
    assert "<strong>Ineligible</strong>, until 2026-03-07 on 2026-03-01" in said
    assert re.search(r'class="criterion is-fail" id="i07a"', said)
    assert "Clears on 2026-03-07." in said


def test_a_filter_shows_only_what_rules_out(bundled: FlaskClient) -> None:
    said = text_of(bundled, f"{PAGE}?patient=rms-after-chemo&show=fail")
    assert said.count('class="criterion is-fail"') == said.count('class="criterion') > 0


def test_a_bundle_of_the_reviewer_s_own_is_judged_and_stays_in_memory(bundled: FlaskClient) -> None:
    data = (bundled_fixtures() / "rms-ready" / "bundle.json").read_bytes()
    sent = bundled.post(
        f"{PAGE}/patient",
        base_url="http://127.0.0.1:8090",
        data={"bundle": (io.BytesIO(data), "p.json"), "on": "2026-03-01"},
    )
    assert sent.status_code == 303
    said = text_of(bundled, sent.headers["Location"])
    assert ">Your bundle 1</option>" in said
    assert "<strong>Potentially eligible</strong>" in said


def test_what_is_no_bundle_is_refused_in_words(bundled: FlaskClient) -> None:
    sent = bundled.post(
        f"{PAGE}/patient",
        base_url="http://127.0.0.1:8090",
        data={"bundle": (io.BytesIO(b"not json"), "p.json")},
    )
    assert "The bundle cannot be used: " in text_of(bundled, sent.headers["Location"])


def test_a_saved_file_shows_at_once_and_a_faulty_one_leaves_what_was_sound(site: Path) -> None:
    live = LiveContent([bundled_content(), site.parent.parent], [TRIAL])
    app = create_review_app(live, bundled_fixtures(), lambda: date(2026, 3, 1), UTC)
    client = app.test_client()
    before = client.get("/state", base_url="http://localhost").get_json()["signature"]
    assert "at_least_after" not in text_of(client, PAGE)

    path = site / "inclusion.yaml"
    sound = path.read_text("utf-8")
    path.write_text(sound.replace("at_least_after: 21 days", "at_least_after: 14 days", 1), "utf-8")
    after = client.get("/state", base_url="http://localhost").get_json()["signature"]
    said = text_of(client, PAGE)
    assert before != after
    assert "less than 14 days ago" in said
    assert "case promises broken" in said, "the cases still promise 21 days"

    path.write_text(sound.replace("lab: anc", "lab: ancc", 1), "utf-8")
    said = text_of(client, PAGE)
    assert "No concept is called &#39;ancc&#39;. <strong>Did you mean &#39;anc&#39;?" in said
    assert "less than 14 days ago" in said, "what was sound before is shown"


def test_a_draft_says_what_it_would_come_to_once_somebody_reviewed_it(site: Path) -> None:
    path = site / "inclusion.yaml"
    text = path.read_text("utf-8")
    path.write_text(
        text.replace("  - id: I07a\n", "  - id: I07a\n    status: drafted\n", 1), "utf-8"
    )
    live = LiveContent([bundled_content(), site.parent.parent], [TRIAL])
    app = create_review_app(live, bundled_fixtures(), lambda: date(2026, 3, 1), UTC)
    said = text_of(app.test_client(), f"{PAGE}?patient=rms-after-chemo&show=drafted")
    assert said.count('class="criterion') == 1
    assert re.search(r"Once reviewed: <span class=\"status is-fail\">", said)


def test_only_this_machine_is_answered_and_no_other_site_s_form(bundled: FlaskClient) -> None:
    assert bundled.get(PAGE, base_url="http://evil.example:8090").status_code == 403
    crossed = bundled.post(
        f"{PAGE}/patient",
        base_url="http://127.0.0.1:8090",
        headers={"Origin": "http://evil.example"},
    )
    assert crossed.status_code == 403


def test_nothing_inline_can_run(bundled: FlaskClient) -> None:
    answer = bundled.get(PAGE, base_url="http://127.0.0.1:8090")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    said = answer.get_data(as_text=True)
    assert " style=" not in said
    assert re.findall(r"<script(?![^>]*\bsrc=)", said) == []
    assert re.findall(r"\son\w+=", said.replace(' on="', "")) == []


def test_a_trial_that_is_not_there_is_said_to_be_missing(bundled: FlaskClient) -> None:
    answer = bundled.get("/trials/NCT1", base_url="http://127.0.0.1:8090")
    assert answer.status_code == 404
    assert "No trial of this name" in answer.get_data(as_text=True)
