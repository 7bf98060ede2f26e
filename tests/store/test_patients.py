"""Patients are known by an HMAC; keys can be replaced, and thrown away."""

from __future__ import annotations

import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds.store.fault import StoreFault
from cds.store.patients import SiteKey, SiteKeys, site_keys

if TYPE_CHECKING:
    from pathlib import Path

BASE = "https://fhir.example.org/r4"
OLD = SiteKey("k1", b"o" * 32)
NEW = SiteKey("k2", b"n" * 32)


def test_the_same_id_at_two_hospitals_is_two_patients() -> None:
    keys = SiteKeys([OLD])
    assert keys.patient(BASE, "p1") != keys.patient("https://other.example.org", "p1")
    assert keys.patient(BASE, "p1") == keys.patient(f"{BASE}/", "p1")


@given(st.text(), st.text(), st.text(), st.text())
def test_two_patients_share_no_name_however_base_and_id_are_cut(
    base: str, one: str, other_base: str, other: str
) -> None:
    keys = SiteKeys([OLD])
    same = (base.rstrip("/"), one) == (other_base.rstrip("/"), other)
    assert (keys.patient(base, one) == keys.patient(other_base, other)) is same


def test_nothing_of_the_id_is_in_the_name_and_another_key_gives_another_name() -> None:
    old, new = SiteKeys([OLD]), SiteKeys([NEW])
    assert "p1-visible" not in old.patient(BASE, "p1-visible")
    assert old.patient(BASE, "p1").partition(".")[2] != new.patient(BASE, "p1").partition(".")[2]


def test_after_a_key_was_replaced_new_rows_have_the_new_name_and_old_ones_are_still_found() -> None:
    before, after = SiteKeys([OLD]), SiteKeys([NEW, OLD])
    assert after.patient(BASE, "p1").startswith("k2.")
    assert before.patient(BASE, "p1") in after.patients(BASE, "p1")


def test_what_was_sealed_opens_until_its_key_is_removed_and_for_its_own_row_only() -> None:
    sealed = SiteKeys([OLD]).seal(b"a chart", "row")
    assert b"a chart" not in sealed
    assert SiteKeys([NEW, OLD]).unseal(sealed, "row") == b"a chart"
    assert SiteKeys([NEW, OLD]).unseal(sealed, "another row") is None
    assert SiteKeys([NEW]).unseal(sealed, "row") is None


def test_a_file_with_one_key_is_made_that_nobody_else_can_read(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "site-keys"
    made = site_keys(file, make=True)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert site_keys(file, make=True).patient(BASE, "p1") == made.patient(BASE, "p1")
    assert list(file.parent.iterdir()) == [file]


def test_processes_that_start_together_make_one_key(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from cds.store.patients import site_keys\n"
        "print(site_keys(Path(sys.argv[1]), make=True).patient('b', 'p'))\n"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "site-keys")], stdout=subprocess.PIPE
        )
        for _ in range(4)
    ]
    assert len({process.communicate()[0] for process in running}) == 1


@pytest.mark.parametrize(
    "text",
    ["", "# none\n", "k1 abc", "k1 " + "zz" * 32, "k1", "k1 " + "ab" * 31, f"k1 {'ab' * 32}\n" * 2],
)
def test_a_file_without_a_sound_key_is_refused_with_a_sentence_and_not_repeated(
    text: str, tmp_path: Path
) -> None:
    file = tmp_path / "site-keys"
    file.write_text(text)
    with pytest.raises(StoreFault, match=r"^TRIAL_CDS_SITE_KEYS: .+\.$") as fault:
        site_keys(file, make=False)
    assert "abab" not in str(fault.value)
