"""The report on a shadow phase of the invented patients, made by the real service in shadow.

    python tools/shadow_example.py [FILE]

Every chart is opened once, on the day of its story. The coordinator's list is invented too.
"""

from __future__ import annotations

import sys
import tempfile
import uuid
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from cds.assess import load_content
from cds.cohort.shadow.recorded import phase_of_records
from cds.cohort.shadow.report import shadow_report
from cds.content.bundled import bundled_content, bundled_fixtures
from cds.settings import load_settings
from cds.web.app import create_app, keeper_of, store_of
from cds.web.fhir_endpoint import create_fhir_app, load_fixtures, serving, story_day
from cds.web.kept.service import namespace

if TYPE_CHECKING:
    from flask import Flask

_DOCS = Path(__file__).resolve().parent.parent / "docs"
_LIST = _DOCS / "shadow-list.csv"


def main() -> None:
    """Write the report."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else _DOCS / "shadow-report.md"
    target.write_text(report(), "utf-8")
    print(f"Report: {target}")


def report() -> str:
    """The report as it stands in the documentation."""
    content = load_content([bundled_content()])
    charts = load_fixtures(bundled_fixtures(), None)
    days = [date.min]
    with tempfile.TemporaryDirectory() as folder, serving(create_fhir_app(charts)) as base:
        switches = Path(folder) / "switches.yaml"
        switches.write_text("shadow: all\n", "utf-8")
        settings = replace(
            load_settings({"TRIAL_CDS_FHIR_ALLOW": base}),
            switches=switches,
            deadline_seconds=60.0,  # a busy machine must not change the report
            database_url=f"sqlite:///{Path(folder) / 'store.db'}",
        )
        app = create_app(settings, content, lambda: days[-1])
        for story in sorted(path for path in bundled_fixtures().iterdir() if path.is_dir()):
            days.append(story_day(story / "story.yaml"))
            _open_chart(app, story.name, base)
        keys, space = keeper_of(app).keys(), namespace(base, None)
        text = shadow_report(
            phase_of_records(store_of(app)),
            _LIST,
            lambda patient: keys.patients(space, patient),
            content.labels,
        )
        store_of(app).close()
    return text


def _open_chart(app: Flask, patient: str, base: str) -> None:
    request = {
        "hook": "patient-view",
        "hookInstance": str(uuid.uuid4()),
        "context": {"userId": "Practitioner/example", "patientId": patient},
        "fhirServer": base,
    }
    answer = app.test_client().post("/cds-services/trial-eligibility", json=request)
    if answer.get_json() != {"cards": []}:
        message = f"in shadow nothing is shown, but for {patient} something was"
        raise RuntimeError(message)


if __name__ == "__main__":
    main()
