"""Send the service what nobody would send on purpose, and say what it could not take.

Requests are made from the invented patients: their charts are cut down, then broken in one or many
places, as JSON or as bytes. Each must be answered in time, never with a 5xx, with an answer of the
contract's form, and without quoting what was sent. The same seed makes the same requests.

    python tools/fuzz.py --count 200000 --minutes 60 --seed 1 --keep findings
"""

from __future__ import annotations

import argparse
import copy
import gc
import json
import os
import random
import resource
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cds.assess import assess, load_content
from cds.content.bundled import bundled_content, bundled_fixtures
from cds.core.assessment import assessment_json
from cds.core.facts import Retrieval
from cds.core.when import Evaluation
from cds.fhir.batch import parts_of
from cds.fhir.faults import FhirFault
from cds.fhir.pages import kept_types, read_page, read_resource, takes_batches
from cds.fhir.record import UnusableInput, record_from_bundle, record_from_fetched
from cds.fhir.search import Fetched, Search
from cds.fhir.units import make_ready
from cds.settings import load_settings
from cds.web.app import create_app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from werkzeug.test import TestResponse

Json = Any  # whatever JSON can say
MARKER = "Zq7MARKERx"
SLOW_SECONDS = 2.0
MOST_ENTRIES = 8
ASSESSMENT = "org.trial-cds.assessment"
KINDS = {
    "conditions": "Condition",
    "observations": "Observation",
    "medreq": "MedicationRequest",
    "medstmt": "MedicationStatement",
    "procedures": "Procedure",
}
ODD: tuple[Json, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, 10**30, -0.0, 0.1, 1e-300, 1e308, 5e-324,
    "", " ", "\x00", "\ud800", "\udfff\ud800", "\u202e", "é" * 3, "0", "-1", "1e999", "NaN", "null",
    "true", "<script>alert(1)</script>", "| a | b |", "{{context.patientId}}", "../../etc/passwd",
    "%00", "\r\n", "x" * 3_000, "Patient/", "/", "Patient/" + "1" * 70, "urn:uuid:", "#", "#x",
    "https://[::1", "http://" + "a" * 300, "2026", "2026-02", "2026-02-30", "2026-13-01", "0000",
    "0000-00-00", "9999-12-31", "9999-12-31T23:59:60Z", "2026-03-01T24:00:00Z",
    "2026-03-01T10:00:00+99:99", "2026-03-01T10:00", "20260301", "-2026-03-01", "2026-03-01T",
    "10000-01-01", "٢٠٢٦-٠٣-٠١", "final", "entered-in-error", "active", "unknown", "10*9/L", "K/uL",
    "{score}", "%", "mm[Hg]", "[IU]", "//", "10*999/L", "m" * 200, "(((((((", "10^3/uL", "Bundle",
    "Patient", "OperationOutcome", "Observation", "751-8", "http://loinc.org", "http://snomed.info/sct",
    "http://www.nlm.nih.gov/research/umls/rxnorm", {}, [], [[]], [None], {"": None}, [{}],
    {"resourceType": "Bundle"}, {"resourceType": 5}, {"resourceType": None}, {"value": "1e400"},
    {"reference": "Patient/x"}, {"coding": {}}, {"coding": [None]}, {"coding": [[]]}, {"text": 5},
    {"start": "2026", "end": "2025"}, {"low": {"value": 5}, "high": {"value": -5}},
)  # fmt: skip
NUMBERS = (
    "1e400", "-1e400", "1e-400", "1E999999", "1e99999999", "-1e-99999999", "0e999999999", "1" * 400,
    "0." + "0" * 400 + "1", "1e+2", "-0", "0.1e1", "12345678901234567890.12345678901234567890",
    "NaN", "Infinity", "1_0", "01", "0x1F", "+1", "1.", ".5",
)  # fmt: skip
KEYS = (
    "", "id", "status", "code", "coding", "subject", "reference", "resourceType", "value", "unit",
    "entry", "resource", "link", "total", "extension", "_value", "effectiveDateTime", "onsetString",
    "valueQuantity", "valueString", "component", "hasMember", "contained", "meta", "x" * 200, "é",
    "deceasedBoolean", "deceasedDateTime", "birthDate", "abatementAge", "medicationReference",
)  # fmt: skip
RAW_NUMBER = "@number@"
STOP = 0.05  # how likely a place on the way down is the one that is broken
DOWN = 6  # how much more likely the way leads further down than to an end
DAY = date(2026, 3, 1)


# What is broken, and how


class Breaker:
    """Breaks documents, each time in another way."""

    def __init__(self, seed: int) -> None:
        """The same seed breaks the same documents in the same places."""
        self.random = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret

    def broken(self, document: str) -> bytes:
        """The JSON document with some places changed."""
        while True:
            try:
                return self._bytes_of(self._changed(document))
            except RecursionError:
                continue  # deeper than we can write; what is as deep as that is sent elsewhere

    def _changed(self, document: str) -> Json:
        root = {"": json.loads(document)}
        for _ in range(self.random.choice((1, 1, 1, 2, 3, 5, 12))):
            if "" not in root:
                break  # the whole of it was taken out
            container, key = self._somewhere(root)
            self._break(container, key, root)
        return root.get("")

    def _somewhere(self, root: Json) -> tuple[Json, Json]:
        """A (container, key) of the document, deep ones as likely as shallow ones."""
        container, key = root, ""
        while True:
            child = container.get(key) if isinstance(container, dict) else container[key]
            if not child or not isinstance(child, dict | list) or self.random.random() < STOP:
                return container, key
            pairs = list(child.items() if isinstance(child, dict) else enumerate(child))
            weights = [DOWN if isinstance(below, dict | list) else 1 for _, below in pairs]
            container, key = child, self.random.choices([name for name, _ in pairs], weights)[0]

    def _break(self, container: Json, key: Json, root: Json) -> None:
        pick = self.random
        ways: tuple[Callable[[], object], ...] = (
            lambda: container.__setitem__(key, copy.deepcopy(pick.choice(ODD))),
            lambda: container.__setitem__(key, copy.deepcopy(pick.choice(ODD))),
            lambda: container.__setitem__(key, copy.deepcopy(pick.choice(ODD))),
            lambda: container.pop(key),
            lambda: container.__setitem__(key, [container[key]]),
            lambda: container.__setitem__(key, {pick.choice(KEYS): container[key]}),
            lambda: container.__setitem__(key, self._repeated(container[key])),
            lambda: container.__setitem__(key, self._elsewhere(root)),
            lambda: container.__setitem__(key, self._nested(container[key])),
            lambda: container.__setitem__(key, RAW_NUMBER + pick.choice(NUMBERS)),
            lambda: container.__setitem__(key, f"{MARKER} {container[key]!s:.40}"),
            lambda: self._add(container),
        )
        pick.choice(ways)()

    def _elsewhere(self, root: Json) -> Json:
        container, key = self._somewhere(root)
        if not container:
            return None
        return copy.deepcopy(container[key])

    def _repeated(self, value: Json) -> Json:
        # What is large already is only doubled: repeated again and again it would fill the memory.
        return [value] * (2 if isinstance(value, dict | list) else 50)

    def _nested(self, value: Json) -> Json:
        for _ in range(self.random.choice((3, 30, 300))):
            value = self.random.choice(([value], {"a": value}, {"contained": [value]}))
        return value

    def _add(self, container: Json) -> None:
        value = copy.deepcopy(self.random.choice(ODD))
        if isinstance(container, dict):
            container[self.random.choice(KEYS)] = value
        else:
            container.insert(self.random.randrange(len(container) + 1), value)

    def _bytes_of(self, document: Json) -> bytes:
        """The document as bytes, which may be broken once more."""
        text = json.dumps(document)
        if RAW_NUMBER in text:
            for number in NUMBERS:
                text = text.replace(f'"{RAW_NUMBER}{number}"', number)
        data = text.encode("utf-8", "replace")
        if self.random.random() < 0.08:  # noqa: PLR2004 - one in twelve
            data = self._torn(data)
        return data

    def _torn(self, data: bytes) -> bytes:
        where = self.random.randrange(len(data) + 1)
        length = self.random.choice((0, 1, 1, 2, 8, 200))
        junk = self.random.choice(
            (
                b"",
                b"\x00",
                b"\xff",
                b"\xed\xa0\x80",
                b'"',
                b"}",
                b"[",
                b",",
                b"\\u0000",
                b"\\",
                b"\n",
            )
        )
        return data[:where] + junk + data[where + length :]


# What is sent


@cache
def charts() -> list[tuple[str, list[Json]]]:
    """The invented patients: id of the patient, and their resources."""
    found = []
    for path in sorted(bundled_fixtures().glob("*/bundle.json")):
        bundle = json.loads(path.read_text("utf-8"))
        resources = [entry["resource"] for entry in bundle["entry"] if "resource" in entry]
        patient = next(r["id"] for r in resources if r.get("resourceType") == "Patient")
        found.append((patient, resources))
    return found


def searchset(resources: list[Json]) -> Json:
    """A Bundle as a search answers it."""
    entries = [{"resource": one, "search": {"mode": "match"}} for one in resources]
    return {"resourceType": "Bundle", "type": "searchset", "total": len(entries), "entry": entries}


class Maker:
    """Makes sound documents of each kind, small enough to be judged quickly."""

    def __init__(self, pick: random.Random) -> None:
        """Choose with `pick`."""
        self._pick = pick
        self._charts = charts()

    def _chart(self) -> tuple[str, list[Json], dict[str, list[Json]]]:
        patient, every = self._pick.choice(self._charts)
        people = [one for one in every if one.get("resourceType") == "Patient"]
        by_key = {}
        for key, kind in KINDS.items():
            some = [one for one in every if one.get("resourceType") == kind]
            by_key[key] = self._pick.sample(some, min(len(some), MOST_ENTRIES))
        return patient, people, by_key

    def hook(self) -> Json:
        """A patient-view request."""
        patient, people, by_key = self._chart()
        prefetch: dict[str, Json] = {"patient": people[0]}
        prefetch |= {key: searchset(some) for key, some in by_key.items()}
        return {
            "hook": "patient-view",
            "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
            "context": {"userId": "Practitioner/x", "patientId": patient},
            "fhirServer": "https://fhir.example.org/r4",
            "fhirAuthorization": {"access_token": "t", "token_type": "Bearer", "scope": "x"},
            "prefetch": prefetch,
        }

    def bundle(self) -> Json:
        """A chart as one Bundle."""
        _, people, by_key = self._chart()
        return searchset([*people[:1], *(one for some in by_key.values() for one in some)])

    def feedback(self) -> Json:
        """A feedback request."""
        reason = {"reason": {"code": "c", "system": "s", "display": "d"}, "userComment": MARKER}
        return {
            "feedback": [
                {
                    "card": "4e0a3a1e-3283-4575-ab82-028d55fe2719",
                    "outcome": self._pick.choice(("accepted", "overridden")),
                    "acceptedSuggestions": [{"id": "e56e1945-20b3-4393-8503-a1a20fd73152"}],
                    "overrideReason": reason,
                    "overrideReasons": [{"extension": {"com.ehr": [reason]}}],
                    "outcomeTimestamp": "2026-03-01T00:00:00Z",
                }
            ]
        }


# How an answer is judged


def judge_response(answer: TestResponse, sent: bytes) -> str | None:
    """What is wrong with an HTTP answer; None where nothing is."""
    if answer.status_code >= 500:  # noqa: PLR2004 - HTTP's own boundary
        return f"status {answer.status_code}"
    body = answer.get_data()
    if answer.status_code == 200:  # noqa: PLR2004 - the HTTP status itself
        return judge_cards(body) if body else None
    outcome = json.loads(body)
    if outcome.get("resourceType") != "OperationOutcome":
        return f"status {answer.status_code} without an OperationOutcome"
    if MARKER.encode() in body and MARKER.encode() in sent:
        return "the error quotes what was sent"
    return None


def judge_cards(body: bytes) -> str | None:
    """What is wrong with a card list."""
    cards = json.loads(body)["cards"]
    for card in cards:
        card.get("extension", {}).pop(ASSESSMENT, None)
        if not card.get("extension", True):
            del card["extension"]
        if not 0 < len(card["summary"]) < 140:  # noqa: PLR2004 - the specification's
            return "a summary of 140 characters or none"
        if holds_nothing(card):
            return "a card with null or something empty"
        if "<script" in card["detail"] or "<img" in card["detail"]:
            return "HTML of the record in a card"
    return None


def holds_nothing(value: Json) -> bool:
    """Whether null, an empty text, object or list stands anywhere."""
    if value is None or value in ("", [], {}):
        return True
    children = value.values() if isinstance(value, dict) else value
    return isinstance(value, dict | list) and any(holds_nothing(child) for child in children)


@dataclass
class Findings:
    """What went wrong, each kind once with its first input."""

    folder: Path | None
    seen: dict[str, int] = field(default_factory=Counter)

    def add(self, target: str, what: str, data: bytes) -> None:
        """Note one failure; the first input of each kind is kept."""
        name = f"{target}: {what}"
        self.seen[name] += 1
        if self.seen[name] == 1:
            print(f"FOUND {name} ({len(data)} bytes)", flush=True)
            if self.folder is not None:
                self.folder.mkdir(parents=True, exist_ok=True)
                number = len(self.seen)
                (self.folder / f"{number:03d}-{target}.json").write_bytes(data)

    def slow(self, target: str, data: bytes) -> None:
        """Keep the input that took longest so far."""
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / f"slowest-{target}.json").write_bytes(data)


def blame(problem: BaseException) -> str:
    """The kind of an exception and where it came from, which is what makes two findings one."""
    frames = traceback.extract_tb(problem.__traceback__)
    ours = [frame for frame in frames if "cds" in Path(frame.filename).parts]
    last = (ours or frames)[-1]
    return f"{type(problem).__name__} at {Path(last.filename).name}:{last.lineno} ({last.name})"


def targets(folder: str, statuses: Counter[str]) -> dict[str, Callable[[bytes], str | None]]:
    """By name: what is sent bytes, and gives what was wrong."""
    content = load_content([bundled_content()])
    make_ready()  # as the server does before it listens
    settings = load_settings({"TRIAL_CDS_DATABASE_URL": f"sqlite:///{folder}/store.db"})
    asked = Evaluation.of(DAY)
    app = create_app(settings, content, lambda: DAY)
    app.config["PROPAGATE_EXCEPTIONS"] = True
    del app.error_handler_spec[None][None][Exception]  # so that a crash shows where it was
    client = app.test_client()

    def post(path: str) -> Callable[[bytes], str | None]:
        def send(data: bytes) -> str | None:
            answer = client.post(path, data=data, content_type="application/json")
            statuses[f"{path.rpartition('/')[2]} {answer.status_code}"] += 1
            return judge_response(answer, data)

        return send

    def evaluate(data: bytes) -> str | None:
        try:
            record = record_from_bundle(data)
        except UnusableInput as problem:
            statuses["bundle refused"] += 1
            return "the error quotes what was sent" if MARKER in str(problem) else None
        statuses["bundle evaluated"] += 1
        json.dumps(assessment_json(assess(record, content, asked)))
        return None

    def page(data: bytes) -> str | None:
        """What a FHIR server answers to searches, reads and the question what it keeps."""
        for read in (
            lambda: read_page(data, "Observation"),
            lambda: read_resource(data),
            lambda: kept_types(data),
            lambda: takes_batches(data),
            lambda: parts_of(data, ["Observation", "Procedure"]),
        ):
            try:
                read()
            except FhirFault:
                statuses["page refused"] += 1
        search = Search("Observation", covers="Observation")
        fetched = Fetched(search, Retrieval.COMPLETE, (data,), None)
        try:
            record_from_fetched([fetched], "p")
        except UnusableInput as problem:
            return "the error quotes what was sent" if MARKER in str(problem) else None
        return None

    return {
        "hook": post("/cds-services/trial-eligibility"),
        "feedback": post("/cds-services/trial-eligibility/feedback"),
        "bundle": evaluate,
        "page": page,
    }


def inputs(seed: int) -> Iterator[tuple[str, bytes]]:
    """Endless (target, bytes)."""
    breaker = Breaker(seed)
    maker = Maker(breaker.random)
    while True:
        target = breaker.random.choices(("hook", "bundle", "feedback", "page"), (12, 5, 2, 1))[0]
        make = {"feedback": maker.feedback, "hook": maker.hook}.get(target, maker.bundle)
        sound = json.dumps(make())
        for _ in range(8):
            yield target, breaker.broken(sound)


def resident() -> float:
    """Megabytes of memory that this process holds now."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * resource.getpagesize() / 1e6


def run(count: int, minutes: float, seed: int, keep: Path | None) -> int:
    """Send up to `count` inputs for up to `minutes`; gives the exit status."""
    findings = Findings(keep)
    statuses: Counter[str] = Counter()
    slowest = 0.0
    began = time.monotonic()
    after_start = 0.0
    done = 0
    with tempfile.TemporaryDirectory(prefix="trial-cds-fuzz-") as folder:
        take = targets(folder, statuses)
        for done, (target, data) in enumerate(inputs(seed), start=1):
            one = time.process_time()
            try:
                wrong = take[target](data)
            except Exception as problem:  # noqa: BLE001 - whatever it is, it is a finding
                wrong = blame(problem)
            took = time.process_time() - one
            if took > slowest:
                slowest = took
                findings.slow(target, data)
            if took > SLOW_SECONDS:
                wrong = wrong or f"took more than {SLOW_SECONDS:g} s of a processor"
            if wrong:
                findings.add(target, wrong, data)
            if done == 5_000:  # noqa: PLR2004 - caches are filled by then
                gc.collect()
                after_start = resident()
            if done % 20_000 == 0:
                print(f"{done} inputs, {resident():.0f} MB, slowest {slowest:.2f} s", flush=True)
            if done >= count or time.monotonic() - began > minutes * 60:
                break
    gc.collect()
    grown = resident() - after_start if after_start else 0.0
    print(
        f"{done} inputs (seed {seed}) in {time.monotonic() - began:.0f} s; "
        f"slowest {slowest:.2f} s; memory grew by {grown:.0f} MB; "
        f"{len(findings.seen)} kinds of findings"
    )
    print("  " + ", ".join(f"{name}: {times}" for name, times in sorted(statuses.items())))
    for name, times in sorted(findings.seen.items(), key=lambda item: -item[1]):
        print(f"  {times:6d} × {name}")
    return 1 if findings.seen else 0


def main() -> int:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=200_000)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder for the first input of each finding")
    chosen = parser.parse_args()
    os.nice(5)
    return run(chosen.count, chosen.minutes, chosen.seed, chosen.keep)


if __name__ == "__main__":
    sys.exit(main())
