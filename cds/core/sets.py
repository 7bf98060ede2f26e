"""Which sets hold a code, and which concepts the sets make."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from cds.core.facts import Mark

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cds.core.lists import Concept, Member

ICD_10_CM = "ICD-10-CM"
_ICD_10 = "ICD-10"
_BY_PREFIX = frozenset({ICD_10_CM, "ICD-10-PCS"})
_BY_CATEGORY = frozenset({_ICD_10, "ICD-10-CN", "ICD-10-GM", "ICD-10-AM", "ICD-10-CA"})
_UNDOTTED = _BY_PREFIX | _BY_CATEGORY
_CATEGORY = 3
_WHOLE = 7
_FIRST_ENCOUNTER = frozenset("ABC")
_NOT_HEALED = frozenset("GHJKMN")
"""Seventh characters of a fracture: delayed healing (G, H, J) and nonunion (K, M, N)."""


class CodeLists:
    """Condition or procedure codes → the sets that hold them. Exact, by prefix or by range."""

    __slots__ = ("_exact", "_longest", "_patterns", "_prefix", "_ranges")

    def __init__(self, members: Iterable[Member]) -> None:
        """Index the members; codes of undotted systems are compared without dots."""
        self._exact: dict[tuple[str, str], list[Member]] = {}
        self._prefix: dict[tuple[str, str], list[Member]] = {}
        self._ranges: dict[str, list[Member]] = {}
        self._patterns: dict[str, list[Member]] = {}
        self._longest = 0
        for member in members:
            if member.match == "range":
                self._ranges.setdefault(member.system, []).append(member)
                continue
            if member.match == "pattern":
                self._patterns.setdefault(member.system, []).append(member)
                continue
            code = plain_code(member.system, member.code)
            table = self._prefix if member.match == "prefix" else self._exact
            table.setdefault((member.system, code), []).append(member)
            self._longest = max(self._longest, len(code))

    def members(self, system: str, code: str) -> list[Member]:
        """The members that hold a code; of one set only its most specific row."""
        if system in _BY_CATEGORY:
            return self._of_category(plain_code(system, code))
        plain = plain_code(system, code)
        found = {member.set_key: member for member in self._in_ranges(system, plain)}
        for member in self._patterns.get(system, ()):
            if _fits(member.code, plain):
                found[member.set_key] = member
        for length in range(1, min(len(plain), self._longest) + 1):
            for member in self._prefix.get((system, plain[:length]), ()):
                found[member.set_key] = member
        for member in self._exact.get((system, plain), ()):
            found[member.set_key] = member
        if system == ICD_10_CM and len(plain) == _WHOLE:
            return [m for member in found.values() if (m := _by_encounter(member, plain[-1]))]
        return list(found.values())

    def _of_category(self, plain: str) -> list[Member]:
        """Members that are whole three-character categories, the same in every edition.

        ICD-10-CM's categories, those that it does not subdivide (exact) included, and those that
        only WHO has.
        """
        if len(plain) < _CATEGORY:
            return []
        category = plain[:_CATEGORY]
        found: dict[str, Member] = {}
        for system in (ICD_10_CM, _ICD_10):
            found |= {member.set_key: member for member in self._in_ranges(system, category)}
            for table in (self._prefix, self._exact):
                for member in table.get((system, category), ()):
                    found[member.set_key] = member
        return list(found.values())

    def _in_ranges(self, system: str, plain: str) -> Iterable[Member]:
        category = plain[:_CATEGORY]
        if len(category) < _CATEGORY:
            return
        for member in self._ranges.get(system, ()):
            if member.code <= category <= member.upto:
                yield member


def _fits(pattern: str, code: str) -> bool:
    """Whether a code begins as the pattern does; ? stands for any one character."""
    return len(code) >= len(pattern) and all(
        wanted in ("?", given) for wanted, given in zip(pattern, code, strict=False)
    )


def _by_encounter(member: Member, seventh: str) -> Member | None:
    """The member as the seventh character of an injury code makes it; None for a sequela.

    A later encounter for a fracture that has not healed is no history of one: a human looks at it.
    """
    if not member.seventh or seventh in _FIRST_ENCOUNTER:
        return member
    if seventh == "S":
        return None
    if seventh in _NOT_HEALED:
        return msgspec.structs.replace(member, mark=Mark(decides=False))
    mark = Mark(decides=member.mark.decides, history=True)
    return msgspec.structs.replace(member, mark=mark)


def plain_code(system: str, code: str) -> str:
    """A code as it is compared: upper case; ICD codes without their dot."""
    code = code.strip().upper()
    return code.replace(".", "") if system in _UNDOTTED else code


class Algebra:
    """Sets → concepts: union, subtraction and review companions, per code or per ingredient."""

    __slots__ = ("_minus", "_plus", "_review")

    def __init__(self, concepts: Iterable[Concept]) -> None:
        """Turn "concept is made of sets" round into "set belongs to concepts"."""
        self._plus: dict[str, list[str]] = {}
        self._minus: dict[str, list[str]] = {}
        self._review: dict[str, list[str]] = {}
        for concept in concepts:
            for part in concept.made_of:
                table = self._minus if part.startswith("-") else self._plus
                table.setdefault(part.removeprefix("-"), []).append(concept.key)
            for part in concept.review:
                self._review.setdefault(part, []).append(concept.key)

    def marks(self, held: Iterable[tuple[str, Mark]]) -> dict[str, Mark]:
        """The concepts of one code or ingredient, given the sets that hold it.

        A set may be subtracted and a review companion at once: its members do not decide, they
        are evidence for review.
        """
        pairs = list(held)
        out: dict[str, set[str]] = {}
        for name, _ in pairs:
            for key in self._minus.get(name, ()):
                out.setdefault(key, set()).add(name)
        found: dict[str, Mark] = {}
        for name, mark in pairs:
            for key in self._plus.get(name, ()):
                if key not in out:
                    found[key] = _stronger(found.get(key), mark)
        for name, mark in pairs:
            for key in self._review.get(name, ()):
                if key not in found and out.get(key, set()) <= {name}:
                    found[key] = _doubted(mark)
        return found

    def union(self, names: Iterable[str], mark: Mark) -> dict[str, Mark]:
        """The concepts that any of several sets belongs to, nothing subtracted."""
        return {
            key: mark
            for name in names
            for table in (self._plus, self._review)
            for key in table.get(name, ())
        }


def _stronger(one: Mark | None, other: Mark) -> Mark:
    """The mark that says more: deciding before review, an event before its history."""
    if one is None:
        return other
    return max(one, other, key=lambda mark: (mark.decides, not mark.history))


def _doubted(mark: Mark) -> Mark:
    return Mark(decides=False, history=mark.history, ingredient=mark.ingredient)
