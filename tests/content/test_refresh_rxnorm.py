"""`trial-cds refresh rxnorm` on a small invented release in RxNorm's own format."""

from __future__ import annotations

import os
import zipfile
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from cds.cli import main
from cds.content.bundled import bundled_content
from cds.content.mappings import load_terminology
from cds.content.rxnorm import read_release

if TYPE_CHECKING:
    from pathlib import Path

RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
# (RxCUI, TTY, name, SUPPRESS). Clarithromycin, aspirin and rifampin are real; products above
# 90000000 are invented.
CONCEPTS = [
    ("21212", "IN", "clarithromycin", "N"),
    ("1191", "IN", "aspirin", "N"),
    ("90000009", "IN", "rifampin", "N"),
    ("90000001", "SCDC", "clarithromycin 99 MG", "N"),
    ("90000002", "SCD", "clarithromycin 99 MG Oral Tablet", "N"),
    ("90000003", "SBD", "clarithromycin 99 MG Oral Tablet [Inventin]", "N"),
    ("90000004", "BN", "Inventin", "N"),
    ("90000005", "BPCK", "{7 (clarithromycin 99 MG Oral Tablet [Inventin]) } Pack", "N"),
    ("90000006", "SCD", "clarithromycin 1 MG/ML Topical Cream", "N"),
    ("90000007", "SCD", "clarithromycin 5 MG Oral Tablet", "O"),
    ("90000008", "SCD", "water 1 ML Oral Solution", "N"),
    ("197517", "SCD", "clarithromycin 500 MG Oral Tablet", "N"),
]
# (first, relation, second): the SECOND has it to the FIRST, as in RXNREL.
RELATIONS = [
    ("21212", "has_ingredient", "90000001"),
    ("90000001", "consists_of", "90000002"),
    ("90000003", "has_tradename", "90000002"),  # from the other direction
    ("90000004", "has_ingredient", "90000003"),
    ("21212", "tradename_of", "90000004"),
    ("90000003", "contains", "90000005"),
    ("21212", "has_ingredients", "90000006"),
    ("21212", "has_ingredients", "197517"),
    ("90000009", "has_ingredients", "197517"),
]


KNOWN = "clarithromycin 500 MG Oral Tablet"


def conso(rxcui: str, tty: str, name: str, suppress: str, sab: str = "RXNORM") -> str:
    cells = [rxcui, "ENG", "", "", "", "", "", f"1{rxcui}", "", rxcui, "", sab, tty, rxcui, name]
    return "|".join([*cells, "", suppress, "4096", ""])


def rel(first: str, rela: str, second: str) -> str:
    cells = [first, "", "CUI", "RO", second, "", "CUI", rela, "1", "", "RXNORM", "", "", "", "", ""]
    return "|".join([*cells, ""])


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """The folder of a release."""
    folder = tmp_path / "RxNorm_full_invented"
    folder.mkdir()
    other = conso("90000001", "SCDC", "a name of another source", "N", sab="MMSL")
    rows = [*(conso(*concept) for concept in CONCEPTS), other]
    (folder / "RXNCONSO.RRF").write_text("\n".join(rows) + "\n", "utf-8")
    rows = [rel(*one) for one in RELATIONS]
    (folder / "RXNREL.RRF").write_text("\n".join(rows) + "\n", "utf-8")
    return folder


def refresh(source: Path, *more: str) -> Result:
    return CliRunner().invoke(main, ["refresh", "rxnorm", str(source), *more])


def test_products_are_read_with_their_ingredients_in_both_directions(release: Path) -> None:
    found = read_release(release)
    assert found.ingredients("90000003") == {"21212"}
    assert found.ingredients("90000005") == {"21212"}
    assert found.ingredients("90000004") == {"21212"}
    assert found.ingredients("197517") == {"21212", "90000009"}
    assert found.ingredients("90000008") == frozenset()
    assert found.obsolete == {"90000007"}


def test_the_difference_is_said_in_a_pharmacist_s_words(release: Path) -> None:
    done = refresh(release)
    assert done.exit_code == 0, done.output
    for line in (
        "  clarithromycin 99 MG Oral Tablet [Inventin] (RxNorm 90000003): clarithromycin, systemic",
        "  clarithromycin 1 MG/ML Topical Cream (RxNorm 90000006): clarithromycin, local",
        f"  {KNOWN} (RxNorm 197517): clarithromycin → clarithromycin + rifampin",
        "  rifampin: 9384 → 90000009",
    ):
        assert line in done.stdout.splitlines(), done.stdout
    assert "No longer in the release, still recognised in old charts: " in done.stdout
    touched = done.stdout.partition("Classes touched")[2]
    assert "  strong CYP3A4 inhibitor: " in touched
    assert "NCT05490667 E28a" in touched
    assert "water" not in done.stdout


def test_the_overlay_recognises_new_products_and_keeps_what_was_known(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    done = refresh(release, "--out", str(site))
    assert done.exit_code == 0, done.output
    assert "Sign-offs are stale now" in done.stderr
    terminology = load_terminology([bundled_content(), site])

    brand = terminology.drug_code(RXNORM, "90000003")
    assert brand is not None
    assert (brand.ingredients, brand.local) == (("clarithromycin",), False)
    named = terminology.drug_text("Inventin")
    assert named is not None
    assert "strong_cyp3a4_inhibitor" in named.marks
    both = terminology.drug_code(RXNORM, "197517")
    assert both is not None
    assert {"strong_cyp3a4_inhibitor", "strong_cyp3a4_inducer"} <= set(both.marks)
    recoded = terminology.drug_code(RXNORM, "90000009")
    assert recoded is not None
    assert recoded.ingredients == ("rifampin",)
    known = load_terminology([bundled_content()])
    assert known.lists.products.keys() < terminology.lists.products.keys()

    monkeypatch.setenv("TRIAL_CDS_CONTENT", f"{bundled_content()}{os.pathsep}{site}")
    again = refresh(release)
    assert "New products: none." in again.stdout
    assert "Other ingredients or routes: none." in again.stdout
    assert "Ingredients with another RxCUI: none." in again.stdout


def test_the_zip_as_downloaded_is_read_too(release: Path, tmp_path: Path) -> None:
    packed = tmp_path / "RxNorm_full_11022026.zip"
    with zipfile.ZipFile(packed, "w") as file:
        for name in ("RXNCONSO.RRF", "RXNREL.RRF"):
            file.write(release / name, f"rrf/{name}")
    assert read_release(packed).concepts == read_release(release).concepts
    assert read_release(release / "RXNCONSO.RRF").parts == read_release(packed).parts


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("RXNREL.RRF", None, "RXNREL.RRF:1: There is no such file. Name the folder"),
        ("RXNCONSO.RRF", "1|ENG|\n", "RXNCONSO.RRF:1: The row has 2 columns, RxNorm's"),
        ("RXNCONSO.RRF", "", "No concept of RxNorm's own (SAB RXNORM) stands in it."),
    ],
)
def test_what_is_no_release_is_refused_in_one_sentence(
    release: Path, name: str, text: str | None, says: str
) -> None:
    if text is None:
        (release / name).unlink()
    else:
        (release / name).write_text(text, "utf-8")
    done = refresh(release)
    assert done.exit_code == 2
    assert says in done.stderr
    assert done.stdout == ""
