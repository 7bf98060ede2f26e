"""Reading many lines at once says of them what reading each says."""

from __future__ import annotations

import json
from io import BytesIO
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from cds.cohort.blocks import blocks, plain_block
from cds.cohort.lines import read_line
from cds.cohort.scan import Piece, scan

if TYPE_CHECKING:
    from pathlib import Path

PLAIN: list[Any] = [
    {"resourceType": "Observation", "id": "o", "subject": {"reference": "Patient/a"}},
    {"resourceType": "Observation", "subject": {"reference": "http://x/Patient/a/_history/2"}},
    {"subject": {"reference": "Patient/b"}, "resourceType": "Observation", "note": "}\n{"},
]
ODD: list[Any] = [
    {"resourceType": "Observation", "subject": {"reference": "Group/a"}},
    {"resourceType": "Observation", "subject": None},
    {"resourceType": "Condition", "subject": {"reference": "Patient/a"}},
    {"resourceType": "Encounter"},
    [],
    "Patient/b",
]
BROKEN = [
    b'{"resourceType":"Observation","subject":{"reference":"Patient/a"}',
    b'{"resourceType":"Observation","subject":{"reference":"Patient/b"}},',
    b'{"resourceType":"Observation"}{"resourceType":"Observation"}',
    b'{"a":{}',
    b"}",
    b"",
    b"  ",
]

lines = st.lists(
    st.one_of(
        st.sampled_from(PLAIN).map(lambda one: json.dumps(one).encode()),
        st.sampled_from(ODD).map(lambda one: json.dumps(one).encode()),
        st.sampled_from(BROKEN),
    ),
    min_size=1,
    max_size=6,
)


@given(lines)
def test_a_block_that_is_read_at_once_is_read_like_its_lines(rows: list[bytes]) -> None:
    plain = plain_block([row + b"\n" for row in rows])
    if plain is None:
        return
    assert plain.lines == len(rows)
    at = 0
    told = [(run, number) for run in plain.runs for number in range(run.lines)]
    for row, (run, number) in zip(rows, told, strict=True):
        line = read_line(row)
        assert (line.kind, line.patient, line.broken) == (plain.kind, run.patient, "")
        assert number or run.start == at
        at += len(row) + 1
    assert sum(run.length for run in plain.runs) == at


def test_what_exports_usually_hold_is_read_at_once() -> None:
    plain = plain_block([json.dumps(one).encode() + b"\n" for one in PLAIN])
    assert plain is not None
    assert [(run.patient, run.lines) for run in plain.runs] == [("a", 1), ("a", 1), ("b", 1)]


def test_medications_of_plain_lines_are_found() -> None:
    row = {
        "resourceType": "MedicationRequest",
        "subject": {"reference": "Patient/a"},
        "medicationReference": {"reference": "Medication/m"},
    }
    plain = plain_block([json.dumps(row).encode() + b"\n"])
    assert plain is not None
    assert plain.needs == (("a", "m"),)


@given(st.lists(st.integers(0, 400_000), min_size=1, max_size=8), st.booleans())
def test_blocks_are_whole_lines_and_lose_nothing(sizes: list[int], ended: bool) -> None:  # noqa: FBT001
    data = b"\n".join(b"x" * size for size in sizes) + (b"\n" if ended else b"")
    found = list(blocks(BytesIO(data), 0, len(data)))
    lines = [line for _, some in found for line in some]
    assert b"".join(lines) == data
    assert all(line.endswith(b"\n") for line in lines[:-1])
    assert [place for place, _ in found] == [
        len(b"".join(line for _, some in found[:number] for line in some))
        for number in range(len(found))
    ]


@given(st.lists(st.integers(0, 90_000), min_size=2, max_size=8), st.data())
def test_pieces_share_the_lines_between_them(sizes: list[int], data: st.DataObject) -> None:
    lines = [b"x" * size + b"\n" for size in sizes]
    cut = len(b"".join(lines[: data.draw(st.integers(0, len(lines)))]))
    whole = b"".join(lines)
    found = [
        line
        for place, end in ((0, cut), (cut, len(whole)))
        for _, some in blocks(BytesIO(whole), place, end)
        for line in some
    ]
    assert found == lines


def test_a_broken_line_among_plain_ones_keeps_its_number(tmp_path: Path) -> None:
    rows = [json.dumps(PLAIN[0]).encode()] * 5
    rows[3] = b'{"resourceType":"Observation"'
    path = tmp_path / "Observation.ndjson"
    path.write_bytes(b"\n".join(rows) + b"\n")
    scanned = scan(Piece(0, 0, str(path), 0, path.stat().st_size), str(tmp_path))
    assert [reject.line for reject in scanned.rejects] == [4]
    assert scanned.kinds == {"Observation": 4}
