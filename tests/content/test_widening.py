"""Codes that join a set: never against what is listed, never surer than the code above them."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from cds.assess import load_content
from cds.content.bundled import bundled_content
from cds.content.check import check_content, is_sound
from cds.content.mappings import load_terminology
from cds.content.widening import (
    Added,
    Ancestor,
    WideningFault,
    additions,
    ancestors,
    chosen_sets,
    seen_codes,
    set_apart,
    write_overlay,
)

if TYPE_CHECKING:
    from pathlib import Path

    from cds.core.terminology import Terminology

NEW, LISTED = "95375003", "399994005"
ON = date(2026, 3, 1)


@pytest.fixture(scope="module")
def terminology() -> Terminology:
    return load_terminology([bundled_content()])


def from_codes(terminology: Terminology, *asked: Ancestor) -> list[Added]:
    """What joins the sets when the server lists the same two codes below every ancestor."""
    below = {one.code: [(NEW, "New one (disorder)"), (LISTED, "x")] for one in asked}
    return additions(terminology, asked, below)[0]


def test_the_bundled_sets_say_which_codes_are_meant_with_their_descendants(
    terminology: Terminology,
) -> None:
    found = {(one.set_key, one.code) for one in ancestors(terminology)}
    assert ("desmoid_tumor", LISTED) in found
    assert ("biopsy", "86273004") in found
    assert ("open_biopsy", "86273004") not in found
    assert len(found) > 400


def test_a_code_that_its_set_lists_is_left_as_it_is(terminology: Terminology) -> None:
    ancestor = Ancestor("conditions.tsv", "desmoid_tumor", "400055004", "decides")
    assert [one.code for one in from_codes(terminology, ancestor)] == [NEW]


@pytest.mark.parametrize("order", [("decides", "review"), ("review", "decides")])
def test_a_code_below_two_listed_ones_takes_the_more_cautious_mark(
    order: tuple[str, str], terminology: Terminology
) -> None:
    asked = [
        Ancestor("conditions.tsv", "desmoid_tumor", code, mark)
        for code, mark in zip(("400055004", "400129003"), order, strict=True)
    ]
    assert [one.mark for one in from_codes(terminology, *asked)] == ["review"]


def test_what_cannot_be_a_snomed_code_is_left_out_and_named(terminology: Terminology) -> None:
    ancestor = Ancestor("conditions.tsv", "desmoid_tumor", LISTED, "decides")
    added, refused = additions(terminology, [ancestor], {LISTED: [("12345", "?"), (NEW, "new")]})
    assert [one.code for one in added] == [NEW]
    assert refused == ["12345"]


def test_a_set_that_is_subtracted_comes_along(terminology: Terminology) -> None:
    chosen, along = chosen_sets(terminology, ["malignancy_any"])
    assert along == ["secondary_malignancy"]
    assert chosen == {"malignancy_any", "secondary_malignancy"}


def test_what_a_criterion_excepts_comes_along() -> None:
    """Or else every kind of skin cancer would be another malignancy."""
    content = load_content([bundled_content()])
    apart = set_apart(content.trials)
    _, along = chosen_sets(content.terminology, ["malignancy_any"], apart)
    assert {"rhabdomyosarcoma", "nonmelanoma_skin_cancer", "desmoid_tumor"} <= set(along)


def test_without_names_every_set_is_chosen(terminology: Terminology) -> None:
    chosen, along = chosen_sets(terminology, [])
    assert chosen == {one.set_key for one in ancestors(terminology)}
    assert along == []


def test_a_display_cannot_break_the_table_and_the_content_stays_sound(tmp_path: Path) -> None:
    """Tabs and line ends of a server's display become spaces."""
    bundled = bundled_content()
    ancestor = Ancestor("conditions.tsv", "desmoid_tumor", LISTED, "decides")
    display = "Desmoid\tof\nodd) place"
    added, _ = additions(load_terminology([bundled]), [ancestor], {LISTED: [(NEW, display)]})
    write_overlay(tmp_path, added, "$expand of server", {LISTED: "edition 1"}, ON)
    wide = load_terminology([bundled, tmp_path])
    member = next(one for one in wide.lists.conditions if one.code == NEW)
    assert member.meaning == "Desmoid of odd place"
    assert member.verified == "yes($expand of server, edition 1, 2026-03-01)"
    assert is_sound(check_content([bundled, tmp_path]))


def test_a_file_of_seen_codes_is_read_with_its_displays() -> None:
    text = f"# seen in 2025\n\n{LISTED}\tDesmoid\n{NEW}\n"
    assert seen_codes(text, "seen.txt") == [(LISTED, "Desmoid"), (NEW, "")]


def test_a_line_that_is_no_code_is_named() -> None:
    with pytest.raises(WideningFault, match=r"seen.txt:2: this is no SNOMED CT code"):
        seen_codes(f"{LISTED}\ndesmoid\n", "seen.txt")
