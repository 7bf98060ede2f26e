"""The Flask application of `trial-cds review --serve`: for the reviewer's own browser only."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flask import Flask, Response, abort, redirect, render_template, request, url_for

import cds
from cds.content.coverage import MEANS, STATES, coverage
from cds.content.overlays import overlay_report
from cds.core.criterion import Kind
from cds.core.when import Evaluation
from cds.fhir.facts import facts_from
from cds.settings import is_loopback
from cds.web.review.page import SHAPES, page_of
from cds.web.review.patients import Patients, UnusableInput

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo
    from pathlib import Path

    from werkzeug.wrappers import Response as AnyResponse

    from cds.core.facts import Facts
    from cds.web.review.live import LiveContent, Snapshot
    from cds.web.review.patients import Chosen

_MOST_BYTES = 20_000_000
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_SHOWN = ("all", "fail", "unknown", "review", "pass", "drafted", "cases")


def create_review_app(
    live: LiveContent, fixtures: Path, today: Callable[[], date], zone: tzinfo
) -> Flask:
    """The pages over live content; `fixtures` holds the invented patients that are offered."""
    app = Flask("cds.web.review", static_folder="static", template_folder="templates")
    app.config["MAX_CONTENT_LENGTH"] = _MOST_BYTES
    app.jinja_env.globals.update(
        shapes=SHAPES, means=MEANS, states=STATES, software=cds.__version__
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    patients = Patients(fixtures)
    _guard(app)

    @app.get("/")
    def trials() -> str:
        state = live.state()
        rows = (
            []
            if state.snapshot is None
            else [
                coverage(one, state.snapshot.sources.get(one.trial.id))
                for one in state.snapshot.content.folders
            ]
        )
        titles = (
            {}
            if state.snapshot is None
            else {one.trial.id: one.trial for one in state.snapshot.content.folders}
        )
        return render_template(
            "trials.html",
            state=state,
            rows=rows,
            titles=titles,
            overlays=overlay_report(live.folders),
        )

    @app.get("/trials/<trial>")
    def page(trial: str) -> tuple[str, int] | str:
        state = live.state()
        loaded = None if state.snapshot is None else state.snapshot.folder(trial)
        if state.snapshot is None or loaded is None:
            return render_template("missing.html", state=state, trial=trial), 404
        chosen = patients.find(request.args.get("patient", ""))
        asked = Evaluation.of(_day(chosen, today), zone)
        facts, trouble = _facts(chosen, state.snapshot, asked)
        shown = request.args.get("show", "all")
        return render_template(
            "trial.html",
            state=state,
            page=page_of(loaded, state.snapshot, facts, asked),
            kinds=list(Kind),
            patients=patients.every(),
            chosen=chosen,
            asked=asked,
            facts=facts,
            trouble=trouble or request.args.get("trouble", "")[:200],
            shown=shown if shown in _SHOWN else "all",
        )

    @app.post("/trials/<trial>/patient")
    def bring(trial: str) -> AnyResponse:
        file = request.files.get("bundle")
        day = request.form.get("on", "")
        try:
            chosen = patients.bring(b"" if file is None else file.read())
        except UnusableInput as problem:
            return redirect(url_for("page", trial=trial, on=day or None, trouble=str(problem)), 303)
        return redirect(url_for("page", trial=trial, patient=chosen.key, on=day or None), 303)

    @app.get("/state")
    def state() -> dict[str, Any]:
        return {"signature": live.signature()}

    return app


def _guard(app: Flask) -> None:
    """For this machine alone: no other host name, no form of another site, nothing inline."""

    @app.before_request
    def only_here() -> None:
        try:
            host = urlsplit(f"//{request.host}").hostname or ""
        except ValueError:
            host = ""
        if not is_loopback(host):
            abort(403)
        origin = request.headers.get("Origin")
        if request.method == "POST" and origin not in {None, f"http://{request.host}"}:
            abort(403)

    @app.after_request
    def headers(response: Response) -> Response:
        response.headers.update(_HEADERS)
        return response


def _day(chosen: Chosen | None, today: Callable[[], date]) -> date:
    """The day in the address, else that of the patient's story, else today."""
    try:
        return date.fromisoformat(request.args.get("on", ""))
    except ValueError:
        return (chosen and chosen.day) or today()


def _facts(
    chosen: Chosen | None, snapshot: Snapshot, asked: Evaluation
) -> tuple[Facts | None, str]:
    """What is known of the patient, or why the bundle cannot be used."""
    if chosen is None:
        return None, ""
    content = snapshot.content
    try:
        record = chosen.record()
    except (UnusableInput, OSError) as problem:
        return None, str(problem)
    return facts_from(record, content.terminology, asked.zone, content.units), ""
