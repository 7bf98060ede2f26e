"""What can be kept of codes and references whose JSON has the wrong shape.

Real feeds send one coding as an object instead of a list, or a number where a code belongs. What is
readable of it is read; nothing is made up.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

from cds.fhir.resources import CodeableConcept, Coding, Reference

_concept = msgspec.json.Decoder(CodeableConcept)
NOTHING = CodeableConcept()


@lru_cache(maxsize=2048)  # a hospital's tests, as it writes them
def concept_in(raw: bytes) -> CodeableConcept | None:
    """A CodeableConcept, or what can be read of one; None where nothing can.

    `NOTHING` where there is none.
    """
    if raw in {b"", b"null"}:
        return NOTHING
    try:
        return _concept.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return loose_concept(msgspec.Raw(raw))


def loose_concept(raw: msgspec.Raw) -> CodeableConcept | None:
    """A CodeableConcept from whatever of it is readable; None where nothing is."""
    value = _plain(raw)
    if not isinstance(value, dict):
        return None
    given = value.get("coding")
    rows = given if isinstance(given, list) else [given]
    codings = [_coding(row) for row in rows if isinstance(row, dict)]
    kept = tuple(coding for coding in codings if coding.code or coding.display)
    text = _text(value, "text")
    return CodeableConcept(kept, text) if kept or text else None


def loose_reference(raw: msgspec.Raw) -> Reference | None:
    """A Reference whose `reference` is readable, whatever else in it is not."""
    value = _plain(raw)
    if not isinstance(value, dict) or not isinstance(value.get("reference", ""), str):
        return None
    return Reference(_text(value, "reference"), _text(value, "display"))


def _coding(row: dict[str, Any]) -> Coding:
    return Coding(_text(row, "system"), _text(row, "code"), _text(row, "display"))


def _text(row: dict[str, Any], name: str) -> str | None:
    value = row.get(name)
    return value if isinstance(value, str) else None


def _plain(raw: msgspec.Raw) -> Any:  # noqa: ANN401 - JSON may be anything
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
