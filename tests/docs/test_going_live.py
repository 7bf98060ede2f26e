"""The examples of the pages about going live are files that the service takes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from cds.cli import COMMANDS, main
from cds.web.launch.registrations import load_ehrs
from cds.web.switches import load_switches

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = ["governance.md", "smart-launch.md", "intended-use.md", "upgrading.md"]


def example(page: str) -> str:
    """The YAML of a page."""
    (found,) = re.findall(r"```yaml\n(.+?)```", (DOCS / page).read_text("utf-8"), re.DOTALL)
    return str(found)


def test_the_example_of_switches_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "switches.yaml"
    file.write_text(example("governance.md"), "utf-8")
    found = load_switches(
        file, ("NCT05490667", "NCT07137884"), ["https://ehr.example.org", "https://other.example"]
    )
    assert found.in_shadow("https://ehr.example.org")
    assert found.off("https://other.example") == {"NCT05490667": "off", "NCT07137884": "client"}
    assert found.contacts("https://ehr.example.org")["NCT07137884"][0].endswith("ext. 4711")


def test_the_example_of_launches_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "launch.yaml"
    file.write_text(example("smart-launch.md"), "utf-8")
    key = ec.generate_private_key(ec.SECP384R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "launch-key.pem").write_bytes(pem)
    (tmp_path / "launch-secret").write_text("secret\n", "utf-8")
    one, two = load_ehrs(file).listed
    assert (one.key is not None, one.dialect) == (True, "epic")
    assert (two.secret, two.scopes) == ("secret", "launch openid fhirUser patient/*.rs")


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_exists_with_its_options(page: str) -> None:
    text = (DOCS / page).read_text("utf-8")
    for line in re.findall(r"trial-cds ([a-z-]+[^`\n#]*)", text):
        command, *words = line.split()
        if command not in COMMANDS:
            assert "`" not in line, line  # a sentence, in which it is the name of the software
            continue
        shown = CliRunner().invoke(main, [command, "--help"]).output
        for word in words:
            if word.startswith("--"):
                assert re.search(rf"{word}\b", shown), f"{command} has no {word}"


@pytest.mark.parametrize("page", PAGES)
def test_every_page_that_is_linked_is_there(page: str) -> None:
    for link in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", (DOCS / page).read_text("utf-8")):
        if "://" not in link:
            assert (DOCS / link).exists(), link
