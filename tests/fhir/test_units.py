from __future__ import annotations

import random
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds.fhir.unit_tables import (
    ALIASES,
    FACTORS,
    UnitTableFault,
    factor_table,
    load_units,
    read_aliases,
    read_factors,
    usual_units,
)
from cds.fhir.units import LOG, Conversion, Units, derived, factors_for, tidy

if TYPE_CHECKING:
    from cds.core.terminology import Terminology

ROOT = Path(__file__).parent.parent.parent
UCUM = "http://unitsofmeasure.org"


def multiply(
    units: Units, terminology: Terminology, analyte: str, unit: str | None, code: str | None = None
) -> Decimal | None:
    system = UCUM if code else None
    found = units.conversion(terminology.analytes[analyte], system, code, unit)
    return None if found is None else found.multiply


def test_an_ejection_fraction_may_come_as_a_fraction(
    units: Units, terminology: Terminology
) -> None:
    assert multiply(units, terminology, "lvef", "1") == 100
    assert multiply(units, terminology, "lvef", "%") == 1


@pytest.mark.parametrize(
    "text",
    [
        "10*9/L", "10^9/L", "10E9/L", "10⁹/L", "x10^9/L", "× 10⁹/L", "x 10*9/L", "G/L",
        "10*3/uL", "10^3/µL", "10³/μL", "x10E3/uL", "K/uL", "k/ul", "K/MM3", "K/mcL", "K/cumm",
        "thou/uL", "Thousand/uL", "x10(3)/mcL", "/nL", "X10^9/L", "x10E9/l", "Giga/l", "Tsd./µl",
        "Mrd/l",
    ],
)  # fmt: skip
def test_a_count_in_thousands_is_read_however_it_is_written(
    units: Units, terminology: Terminology, text: str
) -> None:
    assert multiply(units, terminology, "anc", text) == 1


@pytest.mark.parametrize(
    "text", ["cells/uL", "{cells}/uL", "/uL", "cells/mm3", "/mm3", "/µL", "cells/mcL", "10*6/L"]
)
def test_single_cells_are_a_thousandth(units: Units, terminology: Terminology, text: str) -> None:
    assert multiply(units, terminology, "anc", text) == Decimal("0.001")


@pytest.mark.parametrize(
    ("analyte", "unit"),
    [
        ("anc", "[IU]/L"),
        ("anc", "%"),
        ("anc", "g/dL"),
        ("anc", "{copies}/mL"),
        ("anc", "K"),
        ("anc", "furlong"),
        ("anc", ""),
        ("anc", None),
        ("alt", "10*9/L"),
        ("alt", "mg/dL"),
        ("inr", "%"),
        ("inr", "s"),
        ("pt", "%"),
        ("albumin", "umol/L"),
        ("creatinine", "mL/min"),
        ("hbv_dna", "{copies}/mL"),
        ("hemoglobin", "G/L"),
        ("lvef", "mm"),
        ("lvef", None),
        ("tsh", "ng/mL"),
        ("systolic_bp", "cm[H2O]x"),
        ("urine_protein_24h", "mg/dL"),
        ("qtc", "mm"),
    ],
)
def test_a_unit_of_another_kind_has_no_conversion(
    units: Units, terminology: Terminology, analyte: str, unit: str | None
) -> None:
    assert multiply(units, terminology, analyte, unit) is None


@pytest.mark.parametrize(
    ("analyte", "unit", "factor"),
    [
        ("creatinine", "mg/dL", "88.4016973126"),
        ("creatinine", "MG/DL", "88.4016973126"),
        ("creatinine", "µmol/L", "1"),
        ("creatinine", "μmol/l", "1"),
        ("total_bilirubin", "mg/dl", "17.1039578558"),
        ("urea_nitrogen", "mg/dL", "0.356964374955"),
        ("urea", "mg/dL", "0.1665001665"),
        ("fasting_glucose", "mg/dL", "0.0555074490997"),
        ("hemoglobin", "g/dL", "10"),
        ("hemoglobin", "gm/dL", "10"),
        ("hemoglobin", "mmol/L", "16.1145"),
        ("albumin", "g/dL", "10"),
        ("alt", "IU/L", "1"),
        ("alt", "ukat/L", "60"),
        ("tsh", "uIU/mL", "1"),
        ("tsh", "µIU/mL", "1"),
        ("tsh", "mU/L", "1"),
        ("pt", "sec", "1"),
        ("qtc", "msec", "1"),
        ("qtc", "s", "1000"),
        ("systolic_bp", "mmHg", "1"),
        ("systolic_bp", "kPa", "7.50061575846"),
        ("urine_protein_24h", "mg/24h", "0.001"),
        ("urine_protein_24h", "g/day", "1"),
        ("inr", "{INR}", "1"),
        ("inr", None, "1"),
        ("ecog", None, "1"),
        ("ecog", "{score}", "1"),
    ],
)
def test_usual_units_convert_by_known_factors(
    units: Units, terminology: Terminology, analyte: str, unit: str | None, factor: str
) -> None:
    assert multiply(units, terminology, analyte, unit) == Decimal(factor)


def test_the_ucum_code_wins_over_a_text_that_nobody_knows(
    units: Units, terminology: Terminology
) -> None:
    assert multiply(units, terminology, "anc", "thousands per tiny box", "10*3/uL") == 1


def test_a_text_helps_where_the_code_is_unknown(units: Units, terminology: Terminology) -> None:
    assert multiply(units, terminology, "anc", "K/uL", "LOCAL-7") == 1


def test_code_and_text_that_convert_differently_contradict_each_other(
    units: Units, terminology: Terminology
) -> None:
    assert multiply(units, terminology, "anc", "cells/uL", "10*3/uL") is None


def test_a_known_code_of_another_kind_is_not_saved_by_its_text(
    units: Units, terminology: Terminology
) -> None:
    assert multiply(units, terminology, "anc", "K/uL", "mg/dL") is None


def test_a_code_of_another_system_is_not_read_as_ucum(
    units: Units, terminology: Terminology
) -> None:
    anc = terminology.analytes["anc"]
    assert units.conversion(anc, "http://snomed.info/sct", "10*9/L", None) is None
    found = units.conversion(anc, "http://snomed.info/sct", "258797006", "K/uL")
    assert found == Conversion(Decimal(1))


@given(st.decimals(min_value=0, max_value=10**9, places=6))
def test_the_same_amount_in_another_unit_is_exactly_the_same(value: Decimal) -> None:
    thousands = derived("10*9/L", ("10*9/L",), None, "10*3/uL")
    single = derived("10*9/L", ("10*9/L",), None, "/uL")
    assert thousands is not None
    assert single is not None
    assert Conversion(thousands).apply(value) == Conversion(single).apply(value * 1000)
    per_decilitre = derived("umol/L", ("umol/L", "mg/dL"), Decimal("113.12"), "mg/dL")
    per_litre = derived("umol/L", ("umol/L", "mg/dL"), Decimal("113.12"), "mg/L")
    assert per_decilitre is not None
    assert per_litre is not None
    assert Conversion(per_decilitre).apply(value) == Conversion(per_litre).apply(value * 10)


@given(
    st.decimals(min_value="0.01", max_value=1000, places=4),
    st.decimals(min_value="0.1", max_value=10, places=2),
)
def test_a_multiple_of_the_limit_in_the_same_unit_is_met_exactly(
    high: Decimal, times: Decimal
) -> None:
    factor = derived("umol/L", ("umol/L", "mg/dL"), Decimal("584.66"), "mg/dL")
    assert factor is not None
    conversion = Conversion(factor)
    assert conversion.apply(high * times) == conversion.apply(high) * times


def test_every_row_of_the_factor_table_is_what_ucum_says(terminology: Terminology) -> None:
    candidates = usual_units(terminology.analytes, read_aliases(ROOT / ALIASES))
    expected = factors_for(terminology.analytes, candidates)
    assert (ROOT / FACTORS).read_text("utf-8") == factor_table(expected)


def test_every_alias_stands_for_ucum_or_is_a_grade() -> None:
    from cds.fhir.units import _parsed  # noqa: PLC0415 - loads the registry

    for alias in read_aliases(ROOT / ALIASES):
        assert _parsed(alias.ucum.removeprefix(LOG)) is not None, alias.text


def test_no_two_aliases_of_one_text_differ() -> None:
    seen: dict[str, str] = {}
    for alias in read_aliases(ROOT / ALIASES):
        assert seen.setdefault(tidy(alias.text), alias.ucum) == alias.ucum, alias.text


def test_ordinary_units_never_load_the_unit_registry() -> None:
    program = (
        "import sys; from pathlib import Path;"
        "from cds.content.mappings import load_terminology;"
        "from cds.fhir.unit_tables import load_units;"
        f"t = load_terminology([Path({str(ROOT)!r})]); u = load_units([Path({str(ROOT)!r})]);"
        "[u.conversion(a, None, None, x) for a in t.analytes.values() for x in"
        " ('K/uL', 'mg/dL', 'g/dL', 'U/L', '%', 's', 'mmHg', '{INR}', 'uIU/mL', None)];"
        "sys.exit('pint' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == 0


def test_an_unlisted_ucum_unit_is_still_converted() -> None:
    none_listed = Units([], [])
    assert derived("10*9/L", ("10*9/L",), None, "10*2/uL") == Decimal("0.1")
    assert none_listed.ucum(" 10*2/uL ") == "10*2/uL"


def test_whatever_is_ucum_also_looks_like_it() -> None:
    import ucumvert  # noqa: PLC0415 - loads pint
    from lark.exceptions import LarkError  # noqa: PLC0415 - only here

    from cds.fhir.units import _shape  # noqa: PLC0415 - what the grammar is compared with

    table = Path(ucumvert.__file__).parent / "vendor" / "ucum_examples.tsv"
    examples = [row.split("\t")[1] for row in table.read_text("utf-8").splitlines()[1:]]
    parser = ucumvert.get_ucum_parser()
    draw = random.Random(7)  # noqa: S311 - a seeded draw is the point
    parts = "m g / ( ) {a} . 10* 2 -3 +2 mmol [IU] dar L % '' m[Hg] 100 B[10.nV] [m/s2/Hz^(1/2)]"
    made = ["".join(draw.choices(parts.split(), k=draw.randint(1, 6))) for _ in range(2_000)]
    for text in (*examples, *made):
        try:
            ucumvert.parse_ucum(text, parser)
        except LarkError:
            continue
        assert _shape().fullmatch(text), text


@pytest.mark.parametrize("text", ["K/mcl-ish", "cells", "thou/mm3", "g/dl/", "mg//dL"])
def test_what_is_no_ucum_is_told_without_the_unit_registry(text: str) -> None:
    program = (
        "import sys; from cds.fhir.units import _parsed;"
        f"sys.exit(_parsed({text!r}) is not None or 'pint' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("text", ["mL/min/1.73.m2", "g" * 400, "{", "}", "((", "m/", "10*9//L"])
def test_what_is_not_ucum_converts_to_nothing(text: str) -> None:
    assert derived("mL/min/{1.73_m2}", ("mL/min/{1.73_m2}",), None, text) is None


def test_an_area_counts_as_part_of_the_unit() -> None:
    kinds = ("mL/min/{1.73_m2}",)
    assert derived("mL/min/{1.73_m2}", kinds, None, "mL/min") is None
    assert derived("mL/min/{1.73_m2}", kinds, None, "L/min/{1.73_m2}") == 1000


def test_a_logarithm_is_raised_to_its_amount() -> None:
    assert Conversion(Decimal(1), log=True).apply(Decimal(3)) == 1000


def test_a_later_folder_adds_its_own_spelling(tmp_path: Path, terminology: Terminology) -> None:
    own = tmp_path / "mappings"
    own.mkdir()
    (own / "units.tsv").write_text("text\tucum\tcase\tsource\nzz\t10*9/L\texact\tours\n")
    units = load_units([ROOT, tmp_path])
    assert multiply(units, terminology, "anc", "zz") == 1
    assert multiply(units, terminology, "anc", "K/uL") == 1


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("units.tsv", "text\tucum\n", 1),
        ("units.tsv", "text\tucum\tcase\tsource\nzz\t10*9/L\n", 2),
        ("units.tsv", "text\tucum\tcase\tsource\nzz\t10*9/L\tmaybe\tours\n", 2),
        ("unit_factors.tsv", "analyte\tunit\tmolar_mass\tucum\tmultiply\nanc\tx\t\ty\tten\n", 2),
    ],
)
def test_a_broken_unit_table_names_file_and_line(
    tmp_path: Path, name: str, text: str, line: int
) -> None:
    own = tmp_path / "mappings"
    own.mkdir()
    (own / name).write_text(text)
    with pytest.raises(UnitTableFault) as fault:
        load_units([tmp_path])
    assert fault.value.line == line
    assert name in str(fault.value)


def test_a_site_with_another_molar_mass_does_not_get_the_old_factor(
    terminology: Terminology,
) -> None:
    import msgspec  # noqa: PLC0415 - only here

    units = Units(read_aliases(ROOT / ALIASES), read_factors(ROOT / FACTORS))
    heavier = msgspec.structs.replace(
        terminology.analytes["creatinine"], molar_mass=Decimal("226.24")
    )
    found = units.conversion(heavier, UCUM, "mg/dL", None)
    assert found is not None
    assert found.multiply == Decimal("44.2008486563")
