"""The sheet that analysts copy from: templates every EHR can satisfy, settings that load."""

import json
import re
from pathlib import Path

import pytest

from cds.fhir.prefetch import TEMPLATES
from cds.settings import load_settings

PAGE = Path(__file__).parents[2].joinpath("docs/prefetch.md").read_text("utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
SHEETS = {
    name: json.loads(found[1])
    for name, text in SECTIONS.items()
    if (found := re.search(r"```json\n(.*?)```", text, re.DOTALL))
}
SETTINGS = {
    name: dict(line.split("=", 1) for line in found[1].split())
    for name, text in SECTIONS.items()
    if (found := re.search(r"```sh\n(.*?)```", text, re.DOTALL))
}


def test_each_vendor_has_its_sheet_and_settings() -> None:
    assert list(SHEETS) == ["Generic (CDS Hooks 2.0)", "Epic", "Oracle Health (Millennium)"]
    assert len(SETTINGS) == 4


def test_the_generic_sheet_is_what_discovery_offers() -> None:
    assert SHEETS["Generic (CDS Hooks 2.0)"] == TEMPLATES


@pytest.mark.parametrize("vendor", SHEETS)
def test_templates_keep_to_what_every_ehr_can_satisfy(vendor: str) -> None:
    generic = SHEETS["Generic (CDS Hooks 2.0)"]
    for key, template in SHEETS[vendor].items():
        assert template == generic[key]
        assert set(re.findall(r"\{\{(.*?)\}\}", template)) == {"context.patientId"}
        names = re.findall(r"[?&](\w+)=", template)
        assert len(names) == len(set(names))
        assert set(names) <= {"patient", "category"}


@pytest.mark.parametrize("vendor", SETTINGS)
def test_settings_of_the_sheet_are_accepted(vendor: str, tmp_path: Path) -> None:
    clients = tmp_path / "clients.yaml"
    clients.write_text("clients: []")
    env = {"XDG_DATA_HOME": str(tmp_path), **SETTINGS[vendor]}
    if "TRIAL_CDS_CLIENTS" in env:
        env["TRIAL_CDS_CLIENTS"] = str(clients)
    assert load_settings(env).fhir_allow
