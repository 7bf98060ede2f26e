"""What a FHIR terminology server says about SNOMED CT: which codes lie below a code.

`ValueSet/$expand` lists them; where a server does not offer that, `CodeSystem/$subsumes` says of
a code that was seen at the site whether it lies below. Both are plain GETs through the guarded
session, as for charts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from cds.fhir.faults import FhirFault, Why

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cds.fhir.server import FhirConnection

SNOMED_CT = "http://snomed.info/sct"
PAGE_SIZE = 500
_MOST = 200_000
"""More codes than any branch that a criterion could mean; a server that says more is in a loop."""

_NOT_OFFERED = frozenset({Why.NOT_FOUND, Why.REFUSED, Why.FAILED})
_BELOW = frozenset({"subsumes", "equivalent"})
_OUTCOMES = _BELOW | {"subsumed-by", "not-subsumed"}


class TerminologyFault(Exception):  # noqa: N818 - names what happened
    """The server did not answer the question; the text is a half sentence that says why.

    `not_offered`: it may not know the operation at all.
    """

    def __init__(self, says: str, *, not_offered: bool = False) -> None:
        super().__init__(says)
        self.not_offered = not_offered


class Below(msgspec.Struct, frozen=True):
    """The codes at and below one code, with their displays, and the edition that says so."""

    codes: tuple[tuple[str, str], ...]
    version: str


class Answers(msgspec.Struct, frozen=True):
    """What a server said about several codes.

    `below`: code → what lies at and below it; `lost`: code → why it is not known, or not wholly.
    `operation` is the one that the server offers.
    """

    below: dict[str, Below]
    lost: dict[str, str]
    operation: str


class _Contained(msgspec.Struct, frozen=True):
    system: str | None = None
    code: str | None = None
    display: str = ""
    contains: tuple[_Contained, ...] = ()


class _Parameter(msgspec.Struct, frozen=True, rename="camel"):
    name: str = ""
    value_uri: str | None = None
    value_string: str | None = None
    value_code: str | None = None


class _Expansion(msgspec.Struct, frozen=True):
    total: int | None = None
    parameter: tuple[_Parameter, ...] = ()
    contains: tuple[_Contained, ...] = ()


class _ValueSet(msgspec.Struct, frozen=True, tag_field="resourceType", tag="ValueSet"):
    expansion: _Expansion


class _Parameters(msgspec.Struct, frozen=True, tag_field="resourceType", tag="Parameters"):
    parameter: tuple[_Parameter, ...] = ()


_value_set = msgspec.json.Decoder(_ValueSet)
_parameters = msgspec.json.Decoder(_Parameters)


class TerminologyServer:
    """One terminology server, asked through one connection."""

    def __init__(self, connection: FhirConnection, page_size: int = PAGE_SIZE) -> None:
        """Ask through `connection`, for `page_size` codes at a time."""
        self._connection = connection
        self._page_size = page_size

    def below(self, code: str) -> Below:
        """The SNOMED CT code itself and everything below it, read to the last page.

        Raises:
            TerminologyFault: the server does not say, or not completely.
        """
        found: dict[str, str] = {}
        version = ""
        pages = seen = 0
        while True:
            expansion = self._page(code, seen)
            pages += 1
            version = version or _version(expansion)
            codes = list(_flat(expansion.contains))
            before = len(found)
            found.update((one.code, one.display) for one in codes if one.code is not None)
            seen += len(codes)
            done = not codes if expansion.total is None else seen >= expansion.total
            if done:
                break
            if not codes:
                message = "its list ends before the number that it names"
                raise TerminologyFault(message)
            if len(found) == before:
                message = "its pages repeat themselves"
                raise TerminologyFault(message)
            if len(found) > _MOST:
                message = f"it lists more than {_MOST:,} codes"
                raise TerminologyFault(message)
        if code not in found:
            message = "it does not know the code in use"
            raise TerminologyFault(message)
        return Below(tuple(sorted(found.items())), version or "edition not stated")

    def is_below(self, ancestor: str, code: str) -> bool:
        """Whether a code is the ancestor itself or lies below it.

        Raises:
            TerminologyFault: the server does not say.
        """
        system = quote(SNOMED_CT, safe="")
        path = f"CodeSystem/$subsumes?system={system}&codeA={ancestor}&codeB={code}"
        try:
            answer = _parameters.decode(self._read(path))
        except (msgspec.DecodeError, UnicodeDecodeError):
            message = "its answer to $subsumes is no Parameters resource"
            raise TerminologyFault(message, not_offered=True) from None
        outcome = next((one.value_code for one in answer.parameter if one.name == "outcome"), None)
        if outcome not in _OUTCOMES:
            message = "its answer to $subsumes holds no outcome"
            raise TerminologyFault(message)
        return outcome in _BELOW

    def _page(self, code: str, offset: int) -> _Expansion:
        url = quote(f"{SNOMED_CT}?fhir_vs=ecl/<< {code}", safe="")
        path = f"ValueSet/$expand?url={url}&count={self._page_size}&offset={offset}"
        try:
            return _value_set.decode(self._read(path)).expansion
        except (msgspec.DecodeError, UnicodeDecodeError):
            message = "its answer to $expand is no expanded ValueSet"
            raise TerminologyFault(message, not_offered=True) from None

    def _read(self, path: str) -> bytes:
        try:
            return self._connection.read(path)
        except FhirFault as fault:
            offered = fault.why not in _NOT_OFFERED
            raise TerminologyFault(fault.why.value, not_offered=not offered) from None


def ask_below(
    connect: Callable[[], FhirConnection],
    codes: Sequence[str],
    seen: Sequence[tuple[str, str]] | None,
) -> Answers:
    """Ask about every code: by $expand or, where that is not offered, about the codes `seen`.

    `connect` makes a connection for one code: each has its own deadline. `seen` are codes with
    their displays, None: there is no such list.

    Raises:
        TerminologyFault: the server offers neither operation, or nothing to ask $subsumes about.
    """
    answers = Answers({}, {}, "ValueSet/$expand")
    for code in codes:
        try:
            with connect() as connection:
                answers.below[code] = TerminologyServer(connection).below(code)
        except TerminologyFault as problem:
            if problem.not_offered and not answers.below and not answers.lost:
                return _ask_of_seen(connect, codes, seen, problem)
            answers.lost[code] = str(problem)
    return answers


def _ask_of_seen(
    connect: Callable[[], FhirConnection],
    codes: Sequence[str],
    seen: Sequence[tuple[str, str]] | None,
    refusal: TerminologyFault,
) -> Answers:
    """Ask of each code that was seen at the site whether it lies below each of `codes`."""
    if seen is None:
        message = (
            f"ValueSet/$expand is not offered ({refusal}); give --codes FILE with the SNOMED CT "
            "codes seen at your site, of which CodeSystem/$subsumes can be asked"
        )
        raise TerminologyFault(message, not_offered=True)
    answers = Answers({}, {}, "CodeSystem/$subsumes")
    told = False
    for code in codes:
        found: list[tuple[str, str]] = []
        for one, display in seen:
            try:
                with connect() as connection:
                    if TerminologyServer(connection).is_below(code, one):
                        found.append((one, display))
                told = True
            except TerminologyFault as problem:
                if not told:
                    message = f"neither $expand nor $subsumes can be had ({refusal}; {problem})"
                    raise TerminologyFault(message, not_offered=True) from None
                answers.lost[code] = f"{problem} (asked about {one})"
        answers.below[code] = Below(tuple(found), "edition not stated")
    return answers


def _flat(contains: tuple[_Contained, ...]) -> list[_Contained]:
    """Every SNOMED CT code of an expansion, those nested under others among them."""
    found: list[_Contained] = []
    for one in contains:
        if one.code is not None and one.system in {None, SNOMED_CT}:
            found.append(one)
        found += _flat(one.contains)
    return found


def _version(expansion: _Expansion) -> str:
    """The edition and its date, as the expansion names them: the end of the version's URI."""
    for one in expansion.parameter:
        if one.name in {"version", "used-codesystem"}:
            said = one.value_uri or one.value_string or ""
            return said.partition("|")[2] or said
    return ""
