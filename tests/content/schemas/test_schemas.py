from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from cds.content.bundled import bundled_content
from cds.content.mappings import load_terminology
from cds.content.schemas import as_file, schemas
from cds.content.schemas.meanings import OF_FACTS, OF_FORMS
from cds.content.strict_yaml import read_yaml

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "schemas"
SCHEMAS = schemas(load_terminology([bundled_content()]))
DOCS = (ROOT / "docs" / "adding-a-trial.md").read_text("utf-8")
KINDS = {
    "trial": "trials/*/trial.yaml",
    "criteria": "trials/*/[ie][nx]clusion.yaml",
    "cases": "trials/*/cases/*.yaml",
    "labs": "mappings/labs.yaml",
}
FILES = [(kind, path) for kind, where in KINDS.items() for path in sorted(ROOT.glob(where))]


class _Core(yaml.SafeLoader):
    """YAML 1.2 as editors read it: `no` is a word, `10` a number, `true` a truth value."""


_Core.yaml_implicit_resolvers = {}
for _tag, _shape, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("null", r"null|Null|NULL|~|", "nN~"),
):
    _Core.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_shape})$"), _first)


def as_editors_read(text: str) -> Any:
    return yaml.load(text, Loader=_Core)  # noqa: S506 - a SafeLoader with fewer types


def refused(kind: str, value: Any) -> list[str]:
    """What a schema has against a value."""
    validator = Draft202012Validator(SCHEMAS[f"{kind}.schema.json"])
    return [error.message for error in validator.iter_errors(value)]


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_published_schema_is_the_one_made_from_the_forms(name: str) -> None:
    written = (FOLDER / name).read_text("utf-8")
    assert written == as_file(SCHEMAS[name]), "write them anew: trial-cds check --schema schemas"


def test_no_schema_is_published_that_nothing_makes() -> None:
    assert {path.name for path in FOLDER.glob("*.json")} == set(SCHEMAS)


@pytest.mark.parametrize("name", SCHEMAS)
def test_each_is_a_schema_of_2020_12(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])
    assert SCHEMAS[name]["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize(("kind", "path"), FILES, ids=lambda one: getattr(one, "name", one))
def test_every_bundled_file_is_valid_however_its_words_are_read(kind: str, path: Path) -> None:
    assert refused(kind, read_yaml(path)) == []
    assert refused(kind, as_editors_read(path.read_text("utf-8"))) == []


@pytest.mark.parametrize(("kind", "path"), FILES, ids=lambda one: getattr(one, "name", one))
def test_every_bundled_file_names_its_schema_to_editors(kind: str, path: Path) -> None:
    first = path.read_text("utf-8").partition("\n")[0]
    named = first.removeprefix("# yaml-language-server: $schema=")
    assert (path.parent / named).resolve() == (FOLDER / f"{kind}.schema.json").resolve()


TABLES = [
    (path, path.name if path.parent.name == "mappings" else path.parent.name)
    for path in sorted((ROOT / "mappings").rglob("*.tsv"))
]


@pytest.mark.parametrize(("path", "name"), TABLES, ids=lambda one: getattr(one, "name", ""))
def test_the_rows_of_every_mapping_table_are_valid(path: Path, name: str) -> None:
    schema = SCHEMAS["tables.schema.json"]["$defs"][name]
    validator = Draft202012Validator(schema)
    lines = [line for line in path.read_text("utf-8").splitlines() if not line.startswith("#")]
    header = lines[0].split("\t")
    wrong = [
        line
        for line in lines[1:]
        if not validator.is_valid(dict(zip(header, line.split("\t"), strict=True)))
    ]
    assert wrong == []


CRITERION = {"id": "I01", "text": "ANC", "reading": "ANC."}


@pytest.mark.parametrize(
    ("form", "sound"),
    [
        ({"lab": "anc", "at_least": "1.5 10*9/L"}, True),
        ({"lab": "anc", "at_least": "1.5 ULN"}, True),
        ({"lab": "ancc", "at_least": "1.5 10*9/L"}, False),
        ({"lab": "anc", "at_least": "1.5 mg/dL"}, False),
        ({"lab": "anc", "at_lest": "1.5 10*9/L"}, False),
        ({"lab": "anc"}, False),
        ({"lab": "desmoid_tumor", "at_least": "1.5 10*9/L"}, False),
        ({"lab": "qtc", "at_most": {"male": "450 ms", "female": "470 ms"}}, True),
        ({"lab": "qtc", "at_most": {"men": "450 ms"}}, False),
        ({"age": "completed years", "at_least": 10}, True),
        ({"age": "completed years", "at_least": "ten"}, False),
        ({"finding": "desmoid_tumor"}, False),
        ({"finding": "desmoid_tumor", "when": "activ"}, False),
        ({"medication": "strong_cyp3a4_inhibitor", "washout": "7 days"}, True),
        ({"medication": "strong_cyp3a4_inhibitor", "washout": "a week"}, False),
        ({"medication": "strong_cyp3a4_inhibitor", "washout": "7 days", "when": "ever"}, False),
        ({"review": "Is it so?", "show": [{"lab": "anc"}]}, False),
        ({"any_of": [{"sex": "male"}, {"sex": "femal"}]}, False),
        ({"not": {"sex": "male"}}, True),
        ({"sex": "male", "age": "completed years", "at_least": 3}, False),
        ({"sex": "male", "status": "draft"}, False),
        ({"sex": "male", "look_back": "7 days"}, False),
    ],
)
def test_an_editor_underlines_what_the_check_would_refuse(
    form: dict[str, Any], *, sound: bool
) -> None:
    assert (refused("criteria", {"criteria": [CRITERION | form]}) == []) is sound


@pytest.mark.parametrize(
    ("fact", "sound"),
    [
        ({"lab": "anc", "value": "1.5 10*9/L", "taken": "2026-02-01"}, True),
        ({"lab": "anc", "valu": "1.5 10*9/L"}, False),
        ({"finding": "dvt", "status": "resolvd"}, False),
        ({"not_read": "Conditions"}, False),
        ({"sex": "femal"}, False),
        ({"age": "twelve"}, False),
    ],
)
def test_an_editor_underlines_a_wrong_fact_of_a_case(fact: dict[str, Any], *, sound: bool) -> None:
    case = {"name": "n", "given": [fact], "expect": {"I01": "pass"}}
    assert (refused("cases", {"as_of": "2026-03-01", "cases": [case]}) == []) is sound


@pytest.mark.parametrize(
    ("changed", "sound"),
    [
        ({}, True),
        ({"version": "1.0"}, False),
        ({"versio": "1.0.0"}, False),
        (
            {"recruitment": {"status": "Recruiting", "recruiting": "maybe", "as_of": "2026-03-01"}},
            False,
        ),
        ({"effective": {"from": "2026-06-01"}}, True),
        ({"effective": {"until": "2026-06-01"}}, False),
    ],
)
def test_an_editor_underlines_a_wrong_head(changed: dict[str, Any], *, sound: bool) -> None:
    head = read_yaml(ROOT / "trials" / "NCT05490667" / "trial.yaml")
    assert isinstance(head, dict)
    assert (refused("trial", {**head, **changed}) == []) is sound


def test_what_an_editor_says_of_a_key_is_what_the_docs_say() -> None:
    for (head, key), says in [*OF_FORMS.items(), *OF_FACTS.items()]:
        shown = f"`{key}`" if key else ""
        assert f"| `{head}` | {shown}{' ' if shown else ''}| {says} |" in DOCS


def test_every_published_schema_is_json_that_ends_with_a_line() -> None:
    for path in FOLDER.glob("*.json"):
        assert json.loads(path.read_text("utf-8"))
        assert path.read_text("utf-8").endswith("}\n")
