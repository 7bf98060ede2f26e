"""The grammar applied to the tokens of a sentence: every reading that it allows."""

from __future__ import annotations

from functools import cache, lru_cache
from itertools import product
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lark import Lark, Token, Tree
from lark.exceptions import LarkError
from lark.lexer import Lexer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cds.content.draft.tokens import Word

_GRAMMAR = Path(__file__).with_name("grammar.lark")
_MOST_TOKENS = 110  # a sentence of more is for a human anyway
_MOST_TREES = 1000  # a sentence of more readings likewise


class _Words(Lexer):
    """Hands our tokens to lark: a word that the grammar quotes goes by that word's terminal."""

    __future_interface__ = 2

    def __init__(self, lexer_conf: Any) -> None:  # noqa: ANN401 - lark has no public type for it
        self.quoted = {
            str(terminal.pattern.value): terminal.name
            for terminal in lexer_conf.terminals
            if terminal.pattern is not None
        }

    def lex(self, lexer_state: Any, parser_state: Any) -> Iterator[Token]:  # noqa: ANN401, ARG002
        for place, (terminal, text) in enumerate(lexer_state.text):
            known = self.quoted.get(text.casefold(), "UNKNOWN") if terminal == "WORD" else terminal
            yield Token(known, text, start_pos=place, end_pos=place + 1)


@cache
def _parser() -> Lark:
    return Lark(
        _GRAMMAR.read_text("utf-8"),
        start=["inclusion", "exclusion"],
        parser="earley",
        lexer=_Words,
        ambiguity="explicit",
        propagate_positions=True,
        maybe_placeholders=False,
    )


def readings(words: Sequence[Word], start: str) -> list[Tree[Token]]:
    """Every tree of a sentence; none where a word of it belongs nowhere.

    `start` is `inclusion` or `exclusion`. A token's `start_pos` is its place among `words`.
    Too many words or too many readings count as none.
    """
    if not words or len(words) > _MOST_TOKENS or not all(map(_known, words)):
        return []
    return list(_read(tuple((word.terminal, word.text) for word in words), start))


@lru_cache(maxsize=1024)
def _read(words: tuple[tuple[str, str], ...], start: str) -> tuple[Tree[Token], ...]:
    """The trees of some words; lists of a registry repeat each other's sentences."""
    try:
        tree: Any = _parser().parse(words, start=start)  # our lexer
    except LarkError:
        return ()
    if _count(tree) > _MOST_TREES:
        return ()
    return tuple(one for one in _trees(tree) if isinstance(one, Tree))


def _known(word: Word) -> bool:
    """Whether the grammar has a place for a word at all."""
    return word.terminal != "WORD" or word.text.casefold() in _quoted()


@cache
def _quoted() -> frozenset[str]:
    """Every word that the grammar quotes."""
    patterns = (terminal.pattern for terminal in _parser().terminals)
    return frozenset(str(getattr(pattern, "value", "")) for pattern in patterns)


def _count(node: Tree[Token] | Token) -> int:
    """How many trees a forest stands for."""
    if not isinstance(node, Tree):
        return 1
    counts = [_count(child) for child in node.children]
    return sum(counts) if node.data == "_ambig" else prod(counts)


def _trees(node: Tree[Token] | Token) -> list[Tree[Token] | Token]:
    """The trees that a forest stands for, with the places of their words."""
    if not isinstance(node, Tree):
        return [node]
    if node.data == "_ambig":
        return [one for child in node.children for one in _trees(child)]
    combined = product(*(_trees(child) for child in node.children))
    return [Tree(node.data, list(children), node.meta) for children in combined]
