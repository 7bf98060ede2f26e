"""What one hook call was decided from, as it came: enough to decide the same again."""

from __future__ import annotations

import hashlib
import zlib
from datetime import date
from typing import TYPE_CHECKING

import msgspec

from cds.core.facts import Retrieval
from cds.fhir.faults import Why
from cds.fhir.search import Fetched, Search

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cds.web.request import HookRequest

_LEVEL = 1


class Heard(msgspec.Struct, frozen=True):
    """One answer of a FHIR server: what it covers, how completely, and its bodies as received.

    `since`: the day since when a list came whole that was cut off, or of which no more was asked
    for; `codes`: it holds Observations of these codes alone.
    """

    covers: str
    state: Retrieval
    why: Why | None = None
    bodies: tuple[bytes, ...] = ()
    since: date | None = None
    codes: frozenset[str] = frozenset()


class Input(msgspec.Struct, frozen=True):
    """A hook call's chart. `heard` are the answers round by round; `asked` False: nobody asked.

    `not_kept` are medication types that the site or its EHR keeps no list of. `near_days`: nothing
    was asked that could not change the cards of so many days (None: everything was).
    """

    patient: str
    prefetch: dict[str, msgspec.Raw]
    not_kept: tuple[str, ...] = ()
    asked: bool = False
    near_days: int | None = None
    heard: tuple[tuple[Heard, ...], ...] = ()

    def digest(self) -> str:
        """Names exactly this chart, byte for byte: what was sent and what a server answered."""
        found = hashlib.sha256(msgspec.json.encode([self.patient, self.not_kept]))
        for key in sorted(self.prefetch):
            _add(found, key.encode(), bytes(self.prefetch[key]))
        for answers in self.heard:
            for one in answers:
                why = "" if one.why is None else one.why.value
                why += "" if one.since is None else f"|{one.since.isoformat()}"
                why += "" if not one.codes else f"|{','.join(sorted(one.codes))}"
                _add(found, f"{one.covers}|{one.state.value}|{why}".encode(), *one.bodies)
        return f"sha256:{found.hexdigest()}"

    def packed(self) -> bytes:
        """The whole of it, compressed."""
        return zlib.compress(msgspec.json.encode(self), _LEVEL)


def input_of(
    request: HookRequest,
    not_kept: Iterable[str],
    near_days: int | None,
    heard: tuple[tuple[Heard, ...], ...],
) -> Input:
    """What a hook request was decided from, with what a FHIR server added."""
    asked = request.fhir_server is not None
    prefetch = request.prefetch or {}
    lists = tuple(sorted(not_kept))
    return Input(request.patient_id, prefetch, lists, asked, near_days, heard)


def _add(found: hashlib._Hash, *parts: bytes) -> None:
    for part in parts:
        found.update(len(part).to_bytes(8))
        found.update(part)


_decoder = msgspec.json.Decoder(Input)


def unpacked(data: bytes) -> Input:
    """What `Input.packed` made.

    Raises:
        msgspec.DecodeError, zlib.error: it is something else.
    """
    return _decoder.decode(zlib.decompress(data))


class Listening:
    """Notes the answers of a FHIR server on their way."""

    def __init__(self) -> None:
        """Nothing was heard yet."""
        self._rounds: list[tuple[Heard, ...]] = []

    def take(self, answers: Sequence[Fetched]) -> None:
        """One round of answers came."""
        self._rounds.append(
            tuple(Heard(a.covers, a.state, a.why, a.bodies, a.since, a.codes) for a in answers)
        )

    @property
    def rounds(self) -> tuple[tuple[Heard, ...], ...]:
        """Everything that came."""
        return tuple(self._rounds)


class Telling:
    """Gives the answers of a kept input again, in the place of a FHIR server."""

    def __init__(self, rounds: Sequence[Sequence[Heard]]) -> None:
        """Take them in their order."""
        self._rounds = list(rounds)

    def fetch(self, wanted: Sequence[Search]) -> list[Fetched]:
        """The next round. What the kept input does not answer was not retrieved."""
        answers = self._rounds.pop(0) if self._rounds else ()
        if not answers:
            return [Fetched(one, Retrieval.NOT_RETRIEVED, (), Why.DEADLINE) for one in wanted]
        searches = {one.covers or one.resource_type: one for one in wanted}
        return [_fetched(one, searches.get(one.covers)) for one in answers]


def _fetched(heard: Heard, search: Search | None) -> Fetched:
    asked = search or Search(heard.covers.partition(":")[0], covers=heard.covers)
    return Fetched(asked, heard.state, heard.bodies, heard.why, heard.since, heard.codes)
