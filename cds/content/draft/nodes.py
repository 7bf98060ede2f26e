"""Looking into the trees of a sentence: parts by name, tokens by terminal, numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lark import Token, Tree

from cds.content.draft.proposal import Unclear

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from decimal import Decimal

    from cds.content.draft.tokens import Word

Node = Tree[Token]


def parts(node: Node, *names: str) -> list[Node]:
    """The direct parts of a node that are rules of these names (all rules without any)."""
    found = [child for child in node.children if isinstance(child, Tree)]
    return [child for child in found if not names or child.data in names]


def part(node: Node, *names: str) -> Node | None:
    """The first such part, or None."""
    return next(iter(parts(node, *names)), None)


def terminals(node: Node, *names: str) -> list[Token]:
    """The direct tokens of a node with these terminals."""
    found = [child for child in node.children if isinstance(child, Token)]
    return [child for child in found if child.type in names]


def word(token: Token, words: Sequence[Word]) -> Word:
    """The word that a token of the tree was made of."""
    return words[token.start_pos or 0]


def extent(node: Node) -> tuple[int, int]:
    """The places of a node's first token and of the one behind its last."""
    return int(node.meta.start_pos), int(node.meta.end_pos)


def tokens_in(node: Node) -> Iterator[Token]:
    """Every token below a node that the grammar keeps."""
    for child in node.children:
        if isinstance(child, Token):
            yield child
        else:
            yield from tokens_in(child)


def number(token: Token, words: Sequence[Word]) -> Decimal:
    """The number of a NUM or QUANT token."""
    value = word(token, words).value
    if value is None:
        raise Unclear
    return value


def whole(token: Token, words: Sequence[Word]) -> int:
    """A number that must be whole."""
    value = number(token, words)
    if value != int(value):
        raise Unclear
    return int(value)


def span(node: Node, words: Sequence[Word]) -> str:
    """A length of time as trial files write it; weeks become days.

    A second length in brackets ("4 weeks (28 days)") must be the same.
    """
    lengths: list[tuple[int, str]] = []
    units = [said for child in node.children for said in _unit_of_time(child, words)]
    for token, unit in zip(terminals(node, "NUM"), units, strict=True):
        count = whole(token, words)
        if count < 1:
            raise Unclear
        lengths.append((7 * count, "day") if unit == "week" else (count, unit))
    if len(set(lengths)) != 1:
        raise Unclear
    count, unit = lengths[0]
    return f"{count} {unit}{'s' * (count != 1)}"


def _unit_of_time(child: Node | Token, words: Sequence[Word]) -> Iterator[str]:
    if isinstance(child, Tree) and child.data == "unit_of_time":
        said = words[int(child.meta.start_pos)].text.casefold()
        yield {"d": "day", "w": "week", "m": "month", "y": "year"}[said[0]]


def window(node: Node, words: Sequence[Word]) -> str:
    """The length of a window before the day of enrolment."""
    return span(parts(node, "span")[0], words)
