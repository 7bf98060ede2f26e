"""Settings: each is documented, a wrong one stops the start with a sentence, secrets stay out."""

import re
from dataclasses import Field, fields
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from cds.settings import (
    FhirBase,
    Settings,
    SettingsFault,
    check_listening,
    load_settings,
    variable,
)

PAGE = Path(__file__).parent.parent.joinpath("docs/settings.md").read_text("utf-8")
ROW = re.compile(r"^\| `(TRIAL_CDS_\w+)` \| .+? \| (.+?) \| `(.+?)` \|$", re.MULTILINE)
ROWS = {row[0]: row[1:] for row in ROW.findall(PAGE)}
ALL = [pytest.param(one, id=one.name) for one in fields(Settings)]
BY_DEFAULT = {"XDG_DATA_HOME": "/data"}
PATHS = {
    "compiled",
    "content",
    "clients",
    "ca_bundle",
    "launch",
    "switches",
    "site_keys",
    "audit_file",
}


def spoken(value: object) -> str:
    """A default as the page writes it."""
    if isinstance(value, bool):
        return "`yes`" if value else "`no`"
    if isinstance(value, float):
        return f"`{value:g}`"
    return f"`{value}`"


@pytest.mark.parametrize("one", ALL)
def test_every_setting_is_documented_with_its_default(one: Field[object]) -> None:
    default, _ = ROWS[variable(one.name)]
    if one.default in ((), None, ""):
        assert "`" not in default  # said in words: none, the bundled ones, …
    else:
        assert default == spoken(one.default)


def test_no_setting_is_documented_that_does_not_exist() -> None:
    assert set(ROWS) == {variable(one.name) for one in fields(Settings)}


@pytest.mark.parametrize("one", [p for p in ALL if p.id not in PATHS])
def test_every_example_of_the_page_is_accepted_and_changes_something(one: Field[object]) -> None:
    _, example = ROWS[variable(one.name)]
    loaded = load_settings(BY_DEFAULT | {variable(one.name): example})
    assert getattr(loaded, one.name) != getattr(load_settings(BY_DEFAULT), one.name)


def test_without_any_variable_no_fhir_server_is_called_and_nobody_is_trusted() -> None:
    settings = load_settings(BY_DEFAULT)
    assert settings.fhir_allow == ()
    assert settings.clients is None
    assert not settings.allow_no_trust
    assert settings.deadline_seconds == 4
    assert settings.database_url == "sqlite:////data/trial-cds/store.db"


def test_an_empty_variable_counts_as_left_out() -> None:
    assert load_settings(BY_DEFAULT | {"TRIAL_CDS_ON": " ", "TRIAL_CDS_CLIENTS": ""}).on is None


def test_values_arrive_typed(tmp_path: Path) -> None:
    clients = tmp_path / "clients.yaml"
    clients.write_text("clients: []")
    settings = load_settings(
        BY_DEFAULT
        | {
            "TRIAL_CDS_CONTENT": f"{tmp_path}:{tmp_path}",
            "TRIAL_CDS_CLIENTS": str(clients),
            "TRIAL_CDS_FHIR_ALLOW": "https://a.example/r4 , http://127.0.0.1:8080/fhir=http://hapi/fhir",
            "TRIAL_CDS_ON": "2026-03-01",
            "TRIAL_CDS_TIMEZONE": "Europe/Vienna",
            "TRIAL_CDS_TRIALS_OFF": "NCT05490667, NCT07137884",
            "TRIAL_CDS_PUBLIC_URL": "https://cds.example/",
            "TRIAL_CDS_SHOW_ALL": "On",
        }
    )
    assert settings.content == (tmp_path, tmp_path)
    assert settings.clients == clients
    assert settings.fhir_allow == (
        FhirBase("https://a.example/r4"),
        FhirBase("http://127.0.0.1:8080/fhir", "http://hapi/fhir"),
    )
    assert settings.on == date(2026, 3, 1)
    assert settings.timezone == ZoneInfo("Europe/Vienna")
    assert settings.trials_off == ("NCT05490667", "NCT07137884")
    assert settings.public_url == "https://cds.example"
    assert settings.show_all


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CONTENT", "/nowhere/at/all"),
        ("COMPILED", "/nowhere/at/all"),
        ("CLIENTS", "/nowhere/clients.yaml"),
        ("FHIR_ALLOW", "fhir.example.org/r4"),
        ("FHIR_ALLOW", "http://fhir.example.org/r4"),
        ("FHIR_ALLOW", "https://me:secret@fhir.example.org/r4"),
        ("FHIR_ALLOW", "https://fhir.example.org/r4?x=secret"),
        ("FHIR_ALLOW", "https://fhir.example.org:99999/r4"),
        ("FHIR_ALLOW", "https://fhir.example.org/r4=inside"),
        ("FHIR_ALLOW", "https://[::1/r4"),
        ("PUBLIC_URL", "cds.example"),
        ("DATABASE_URL", "secret"),
        ("TIMEZONE", "Europe/Atlantis"),
        ("TIMEZONE", "../../etc/passwd"),
        ("ON", "1 March 2026"),
        ("ON", "2026-02-30"),
        ("ON", "20260301"),
        ("DEADLINE_SECONDS", "soon"),
        ("DEADLINE_SECONDS", "0"),
        ("DEADLINE_SECONDS", "nan"),
        ("MAX_BODY_BYTES", "-1"),
        ("MAX_BODY_BYTES", "٣٣٣٣"),
        ("MAX_PAGES", "0"),
        ("SHOW_ALL", "maybe"),
        ("ALLOW_NO_TRUST", "2"),
        ("TRIALS_OFF", "NCT123"),
        ("NOT_KEPT", "Condition"),
        ("DIALECT", "esperanto"),
    ],
)
def test_a_wrong_value_stops_the_start_with_one_sentence(name: str, value: str) -> None:
    with pytest.raises(SettingsFault) as problem:
        load_settings(BY_DEFAULT | {f"TRIAL_CDS_{name}": value})
    says = str(problem.value)
    assert says.startswith(f"TRIAL_CDS_{name}: ")
    assert says.endswith(".")
    assert "\n" not in says
    assert "secret" not in says


def test_a_misspelt_setting_is_refused_and_the_right_name_offered() -> None:
    with pytest.raises(SettingsFault, match="did you mean TRIAL_CDS_CLIENTS"):
        load_settings(BY_DEFAULT | {"TRIAL_CDS_CLIENT": "x"})


def test_variables_of_the_test_suites_are_left_alone() -> None:
    load_settings(BY_DEFAULT | {"TRIAL_CDS_TEST_FHIR_BASE": "http://127.0.0.1/fhir"})


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "cds.example.org", "192.168.1.4", ""])  # noqa: S104
def test_listening_beyond_loopback_needs_trust_or_the_explicit_switch(host: str) -> None:
    with pytest.raises(SettingsFault, match="TRIAL_CDS_CLIENTS"):
        check_listening(load_settings(BY_DEFAULT), host)
    check_listening(load_settings(BY_DEFAULT | {"TRIAL_CDS_ALLOW_NO_TRUST": "yes"}), host)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "127.8.8.8"])
def test_loopback_is_served_without_trust(host: str) -> None:
    check_listening(load_settings(BY_DEFAULT), host)


def test_a_fixed_date_is_for_loopback_without_clients_only(tmp_path: Path) -> None:
    clients = tmp_path / "clients.yaml"
    clients.write_text("clients: []")
    fixed = BY_DEFAULT | {"TRIAL_CDS_ON": "2026-03-01"}
    check_listening(load_settings(fixed), "127.0.0.1")
    with pytest.raises(SettingsFault, match="TRIAL_CDS_ON"):
        check_listening(load_settings(fixed | {"TRIAL_CDS_ALLOW_NO_TRUST": "yes"}), "10.1.1.1")
    with pytest.raises(SettingsFault, match="TRIAL_CDS_ON"):
        check_listening(load_settings(fixed | {"TRIAL_CDS_CLIENTS": str(clients)}), "127.0.0.1")
