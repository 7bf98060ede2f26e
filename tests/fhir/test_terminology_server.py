"""A terminology server is asked what lies below a code; what it leaves out is never made up."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner
from flask import Flask, Response, jsonify, request

from cds.assess import load_content
from cds.cli import main
from cds.content.bundled import bundled_content
from cds.content.codes import wrong_code
from cds.fhir.outbound import Deadline
from cds.fhir.server import FhirConnection, FhirServers
from cds.fhir.terminology_server import TerminologyFault, TerminologyServer, ask_below
from cds.web.fhir_endpoint import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cds.core.terminology import Terminology

SNOMED = "http://snomed.info/sct"
EDITION = f"{SNOMED}/900000000000207008/version/20260301"
DESMOID, RHABDO, MALIGNANT = "399994005", "302847003", "363346000"


def made_up(number: int) -> str:
    """A well-formed SNOMED CT code that no edition holds."""
    codes = (f"99{number}00{check}" for check in range(10))
    return next(code for code in codes if wrong_code("SNOMED CT", code) is None)


BELOW_DESMOID = [made_up(number) for number in range(100, 105)]
BELOW_RHABDO = made_up(200)


class Double:
    """A small terminology server: what lies below what, and how it answers."""

    def __init__(self) -> None:
        self.below: dict[str, list[str]] = {
            DESMOID: BELOW_DESMOID,
            RHABDO: [BELOW_RHABDO],
            MALIGNANT: [RHABDO, BELOW_RHABDO, made_up(300)],
        }
        self.expands = self.subsumes = self.totals = True
        self.change: Callable[[dict[str, Any]], Any] = lambda body: body
        self.asked: list[str] = []
        self.app = Flask("terminology")
        self.app.add_url_rule("/r4/ValueSet/$expand", "expand", self.expand)
        self.app.add_url_rule("/r4/CodeSystem/$subsumes", "subsumes", self.say_subsumes)

    def expand(self) -> Response | tuple[Response, int]:
        """One page of what lies below a code."""
        self.asked.append(request.full_path)
        if not self.expands:
            return jsonify(resourceType="OperationOutcome", issue=[]), 404
        ecl = parse_qs(urlsplit(request.args["url"]).query)["fhir_vs"][0]
        code = ecl.removeprefix("ecl/<< ")
        if code == "too costly":
            return jsonify(resourceType="OperationOutcome", issue=[]), 422
        codes = [code, *self.below.get(code, [])]
        first = int(request.args["offset"])
        page = codes[first : first + int(request.args["count"])]
        expansion: dict[str, Any] = {
            "parameter": [{"name": "version", "valueUri": f"{SNOMED}|{EDITION}"}],
            "contains": [
                {"system": SNOMED, "code": one, "display": f"Kind {one} (disorder)"} for one in page
            ],
        }
        if self.totals:
            expansion["total"] = len(codes)
        return jsonify(self.change({"resourceType": "ValueSet", "expansion": expansion}))

    def say_subsumes(self) -> Response | tuple[Response, int]:
        """Whether one code lies below another."""
        if not self.subsumes:
            return jsonify(resourceType="OperationOutcome", issue=[]), 501
        one, other = request.args["codeA"], request.args["codeB"]
        outcome = "subsumes" if other in self.below.get(one, []) else "not-subsumed"
        outcome = "equivalent" if one == other else outcome
        return jsonify(
            resourceType="Parameters", parameter=[{"name": "outcome", "valueCode": outcome}]
        )


@pytest.fixture
def double() -> Double:
    return Double()


@pytest.fixture
def base(double: Double) -> Iterator[str]:
    with serving(double.app) as root:
        yield f"{root}/r4"


@pytest.fixture
def connect(base: str) -> Callable[[], FhirConnection]:
    servers = FhirServers([(base, None)])
    return lambda: servers.connect(base, None, Deadline.after(10))


@contextmanager
def asking(connect: Callable[[], FhirConnection], size: int = 2) -> Iterator[TerminologyServer]:
    with connect() as connection:
        yield TerminologyServer(connection, size)


@pytest.mark.parametrize("totals", [True, False])
def test_every_page_of_what_lies_below_is_read(
    *, totals: bool, double: Double, connect: Callable[[], FhirConnection]
) -> None:
    """With a total and without one; the edition is the server's own."""
    double.totals = totals
    with asking(connect) as server:
        found = server.below(DESMOID)
    assert {code for code, _ in found.codes} == {DESMOID, *BELOW_DESMOID}
    assert found.version == EDITION


def test_codes_nested_under_others_count_and_those_of_other_systems_do_not(
    double: Double, connect: Callable[[], FhirConnection]
) -> None:
    def nested(body: dict[str, Any]) -> dict[str, Any]:
        inner = [{"system": SNOMED, "code": BELOW_RHABDO}, {"system": "urn:x", "code": "1"}]
        whole = {"system": SNOMED, "code": DESMOID, "contains": inner}
        return {**body, "expansion": {"total": 2, "contains": [whole]}}

    double.change = nested
    with asking(connect) as server:
        assert server.below(DESMOID).codes == tuple(sorted([(DESMOID, ""), (BELOW_RHABDO, "")]))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda body: {**body, "expansion": {**body["expansion"], "contains": []}}, "ends before"),
        (
            lambda body: {
                **body,
                "expansion": {"total": 9, "contains": [{"system": SNOMED, "code": DESMOID}]},
            },
            "repeat themselves",
        ),
        (
            lambda body: {
                **body,
                "expansion": {"total": 1, "contains": [{"system": SNOMED, "code": RHABDO}]},
            },
            "does not know the code",
        ),
        (lambda _: {"resourceType": "Bundle"}, "no expanded ValueSet"),
        (lambda _: {"resourceType": "ValueSet"}, "no expanded ValueSet"),
    ],
)
def test_an_incomplete_or_odd_expansion_is_refused(
    change: Callable[[dict[str, Any]], Any],
    says: str,
    double: Double,
    connect: Callable[[], FhirConnection],
) -> None:
    """Half a list would look like a whole one."""
    double.change = change
    with asking(connect) as server, pytest.raises(TerminologyFault, match=says):
        server.below(DESMOID)


@pytest.mark.parametrize(
    ("code", "below"), [(BELOW_DESMOID[0], True), (DESMOID, True), (BELOW_RHABDO, False)]
)
def test_subsumes_says_whether_a_code_lies_below(
    *, code: str, below: bool, connect: Callable[[], FhirConnection]
) -> None:
    with asking(connect) as server:
        assert server.is_below(DESMOID, code) is below


def test_one_code_that_fails_does_not_hide_the_others(
    connect: Callable[[], FhirConnection],
) -> None:
    answers = ask_below(connect, [DESMOID, "too costly", RHABDO], None)
    assert set(answers.below) == {DESMOID, RHABDO}
    assert answers.lost == {"too costly": "the FHIR server does not understand the request"}


def test_without_expand_the_codes_seen_at_the_site_are_asked_about(
    double: Double, connect: Callable[[], FhirConnection]
) -> None:
    double.expands = False
    seen = [(BELOW_DESMOID[0], "seen one"), (BELOW_RHABDO, "")]
    answers = ask_below(connect, [DESMOID], seen)
    assert answers.below[DESMOID].codes == ((BELOW_DESMOID[0], "seen one"),)
    assert answers.operation == "CodeSystem/$subsumes"


def test_without_expand_and_without_codes_the_cure_is_named(
    double: Double, connect: Callable[[], FhirConnection]
) -> None:
    double.expands = False
    with pytest.raises(TerminologyFault, match="--codes FILE"):
        ask_below(connect, [DESMOID], None)


def test_a_server_that_offers_neither_operation_is_said_to(
    double: Double, connect: Callable[[], FhirConnection]
) -> None:
    double.expands = double.subsumes = False
    with pytest.raises(TerminologyFault, match="neither"):
        ask_below(connect, [DESMOID], [(BELOW_RHABDO, "")])


# The command, end to end


def run(*words: str) -> Any:
    return CliRunner().invoke(main, ["widen", *words], prog_name="trial-cds")


def loaded(*folders: Path) -> Terminology:
    return load_content([bundled_content(), *folders]).terminology


def test_a_widened_set_knows_the_codes_below_and_keeps_its_own(base: str, tmp_path: Path) -> None:
    """The folder that is written extends the bundled one, row by row."""
    out = tmp_path / "widened"
    result = run("--terminology", base, "--out", str(out), "--set", "desmoid_tumor")
    assert "desmoid_tumor: 5 code(s) added, below 399994005" in result.output
    row = (out / "mappings/conditions.tsv").read_text("utf-8").splitlines()[3].split("\t")
    assert row[:5] == ["desmoid_tumor", "SNOMED CT", BELOW_DESMOID[0], "exact", "decides"]
    assert base in row[5]
    assert EDITION in row[5]
    assert row[7] == "below 399994005"
    plain, wide = loaded(), loaded(out)
    for code in BELOW_DESMOID:
        assert "desmoid_tumor" not in plain.condition(SNOMED, code).marks
        assert "desmoid_tumor" in wide.condition(SNOMED, code).marks
    assert "desmoid_tumor" in wide.condition(SNOMED, DESMOID).marks


def test_what_a_concept_sets_apart_is_widened_along(base: str, tmp_path: Path) -> None:
    """A kind of rhabdomyosarcoma is known as one, so that its own trial can except it."""
    out = tmp_path / "widened"
    result = run("--terminology", base, "--out", str(out), "--set", "malignancy_any")
    assert "Widened along" in result.output
    marks = loaded(out).condition(SNOMED, BELOW_RHABDO).marks
    assert "rhabdomyosarcoma" in marks
    others = loaded(out).condition(SNOMED, made_up(300)).marks
    assert "other_malignancy" in others
    assert "rhabdomyosarcoma" not in others


def test_a_folder_that_was_written_is_never_overwritten(base: str, tmp_path: Path) -> None:
    arguments = ("--terminology", base, "--out", str(tmp_path), "--set", "desmoid_tumor")
    run(*arguments)
    before = (tmp_path / "mappings/conditions.tsv").read_bytes()
    again = run(*arguments)
    assert again.exit_code == 2
    assert "is there already" in again.output
    assert (tmp_path / "mappings/conditions.tsv").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--set", "desmoids"), "no set that can be widened"),
        (("--codes", "seen.txt"), "seen.txt:2: this is no SNOMED CT code"),
    ],
)
def test_a_wrong_argument_is_one_sentence(
    words: tuple[str, str], says: str, base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("seen.txt").write_text(f"# seen\n{DESMOID[:-1]}0\n", "utf-8")
    result = run("--terminology", base, "--out", str(tmp_path / "out"), *words)
    assert result.exit_code == 2
    assert says in result.output
    assert not (tmp_path / "out").exists()


def test_a_server_that_cannot_be_reached_is_one_sentence(tmp_path: Path) -> None:
    """Not one line for each of hundreds of codes, of which none was answered."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens there
        base = f"http://127.0.0.1:{taken.getsockname()[1]}/r4"
        result = run("--terminology", base, "--out", str(tmp_path / "out"))
    assert result.exit_code == 2
    (said,) = result.output.splitlines()
    assert said.startswith(f"trial-cds: --terminology {base}: the FHIR server cannot be reached; ")
    assert said.endswith(" codes was widened.")
    assert not (tmp_path / "out").exists()
