"""What an entry's codes and words say, common to conditions, procedures and drugs."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from cds.core.facts import Mark
    from cds.fhir.resources import CodeableConcept, Coding

_LONGEST_SHOWN = 120
_LONGEST_READ = 1000


class Meant(NamedTuple):
    """What an entry's code means: the concepts that it meets, each with how.

    `display` is what a human would call it; `recognised`: we know what it is, of a concept or not.
    Of the `uncertain` concepts no code decides. `names` as of a `Condition`.
    """

    display: str
    marks: Mapping[str, Mark]
    concepts: frozenset[str]
    uncertain: frozenset[str]
    recognised: bool
    names: tuple[frozenset[str], ...] = ()

    @classmethod
    def of(
        cls,
        display: str,
        marks: Mapping[str, Mark],
        *,
        recognised: bool,
        names: tuple[frozenset[str], ...] = (),
    ) -> Meant:
        """What these marks come to."""
        uncertain = frozenset(concept for concept, mark in marks.items() if not mark.decides)
        return cls(display, marks, frozenset(marks), uncertain, recognised, names)


def codings(concepts: Iterable[CodeableConcept | None]) -> Iterator[Coding]:
    """Every coding of several concepts that has a code and a system."""
    for concept in concepts:
        if concept is not None:
            for coding in concept.coding or ():
                if coding.system and coding.code:
                    yield coding


def texts(concepts: Iterable[CodeableConcept | None]) -> list[str]:
    """Every text of several concepts, their own before their codings', each once."""
    found: dict[str, None] = {}
    for concept in concepts:
        if concept is None:
            continue
        for text in (concept.text, *(coding.display for coding in concept.coding or ())):
            if text and text.strip():
                found[text[:_LONGEST_READ]] = None
    return list(found)


def shown(concepts: Iterable[CodeableConcept | None], otherwise: str) -> str:
    """What a human would call it: a text, else a code, else `otherwise`."""
    given = list(concepts)
    said = texts(given)
    if not said:
        said = [coding.code for coding in codings(given) if coding.code]
    text = " ".join(said[0].split()) if said else otherwise
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


@lru_cache(maxsize=256)  # there are a dozen of them
def status_codes(concept: CodeableConcept | None) -> frozenset[str]:
    """The codes of a status, or its text where it has none, in lower case."""
    if concept is None:
        return frozenset()
    found = {coding.code.strip().lower() for coding in concept.coding or () if coding.code}
    if not found and concept.text:
        found = {concept.text.strip().lower()}
    return frozenset(found)
